// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/driver-fixture.h"

#include <arpa/inet.h>

#include "adapt/module_info.h"

#define RADEON MODULE_DIRECTORY "/kernel/drivers/gpu/drm/radeon/radeon.ko"

/* The tree of the fixture, in a directory of its own. */
struct copy {
	char *directory, *root;
	struct guest guest;
};

static struct copy make_copy(const struct fixture *fixture)
{
	struct copy copy = {.directory = copy_of(fixture)};

	copy.root = string_format("%s/%s", copy.directory, strrchr(fixture->root, '/') + 1);
	copy.guest.root_fd = open(copy.root, O_PATH | O_DIRECTORY);
	return copy;
}

static void copy_release(struct copy *copy)
{
	close(copy->guest.root_fd);
	tree_remove(&copy->directory);
	free(copy->root);
}

static struct module_infos ask(const struct guest *guest, const char *names)
{
	_cleanup_strings_ struct strings list = {0};
	_cleanup_error_ struct error err = {0};
	struct module_infos infos;

	strings_split(&list, names, " ");
	if (module_info_ask(guest, MODULE_RELEASE, &list, &infos, &err) < 0)
		fail_msg("%s", error_text(&err));
	return infos;
}

static void assert_radeon(const struct guest *guest, bool is_read)
{
	_cleanup_module_infos_ struct module_infos infos = ask(guest, "radeon ahci");
	const struct module_info *radeon = module_info_find(&infos, "radeon");

	assert_non_null(radeon);
	assert_int_equal(radeon->is_read, is_read);
	assert_int_equal(strings_has(&radeon->firmware, "radeon/BARTS_me.bin"), is_read);
	assert_null(radeon->signer);
	assert_true(module_info_find(&infos, "ahci")->is_read);
	assert_null(module_info_find(&infos, "nvme"));
}

static void a_module_names_its_firmware(void **state)
{
	struct fixture *fixture = need(state);

	assert_radeon(&fixture->guest, true);
}

/* Packs radeon.ko and lets the index name what became of it. */
static void pack(const struct copy *copy, const char *program, const char *suffix)
{
	_cleanup_free_ char *file = string_format("%s/" RADEON, copy->root);
	_cleanup_free_ char *packed = string_format("%s%s", file, suffix);
	const char *const argv[] = {program, "-q", file, NULL};
	const char *const depmod[] = {"depmod", "-b", copy->root, MODULE_RELEASE, NULL};
	_cleanup_error_ struct error err = {0};

	if (process_check(argv, NULL, &err) < 0) {
		print_message("%s\n", error_text(&err));
		skip();
	}
	unlink(file);
	assert_int_equal(access(packed, F_OK), 0);
	assert_int_equal(process_check(depmod, NULL, NULL), 0);
}

static void xz_and_zstd_are_unpacked(void **state)
{
	static const char *const programs[][2] = {{"xz", ".xz"}, {"zstd", ".zst"}};

	for (size_t i = 0; i < array_length(programs); i++) {
		_cleanup_(copy_release) struct copy copy = make_copy(need(state));

		pack(&copy, programs[i][0], programs[i][1]);
		assert_radeon(&copy.guest, true);
	}
}

/* A depmod without zlib does not index .gz: the index of .ko.xz, renamed in place, is what one with
 * zlib makes. */
static void rename_in_index(const struct copy *copy)
{
	_cleanup_free_ char *path =
		string_format("%s/" MODULE_DIRECTORY "/modules.dep.bin", copy->root);
	_cleanup_text_ struct text index = {0};
	size_t at = 0;

	assert_int_equal(file_read(path, 1 << 24, &index, NULL), 0);
	for (size_t i = 0; i + 12 < index.length; i++)
		if (memcmp(index.data + i, "radeon.ko.xz", 12) == 0)
			at = i;
	assert_true(at > 0);
	memcpy(index.data + at + strlen("radeon.ko."), "gz", 2);
	tree_write(copy->root, MODULE_DIRECTORY "/modules.dep.bin", index.data, index.length);
}

static void gzip_is_unpacked_though_libkmod_may_not_know_it(void **state)
{
	_cleanup_(copy_release) struct copy copy = make_copy(need(state));
	_cleanup_free_ char *file = string_format("%s/" RADEON, copy.root);
	_cleanup_free_ char *xz = string_format("%s.xz", file);
	_cleanup_free_ char *gz = string_format("%s.gz", file);
	const char *const unxz[] = {"xz", "-d", xz, NULL};
	const char *const gzip[] = {"gzip", file, NULL};

	pack(&copy, "xz", ".xz");
	rename_in_index(&copy);
	assert_int_equal(process_check(unxz, NULL, NULL), 0);
	assert_int_equal(process_check(gzip, NULL, NULL), 0);
	assert_radeon(&copy.guest, true);
	/* And one that is cut off is not read. */
	assert_int_equal(truncate(gz, 100), 0);
	assert_radeon(&copy.guest, false);
}

static void a_file_that_is_no_module_is_not_read(void **state)
{
	_cleanup_(copy_release) struct copy copy = make_copy(need(state));
	_cleanup_free_ char *file = string_format("%s/" RADEON, copy.root);

	tree_text(copy.root, RADEON, "\177ELF and nothing else");
	assert_radeon(&copy.guest, false);
	assert_int_equal(unlink(file), 0);
	assert_radeon(&copy.guest, false);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_radeon(&copy.guest, false);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("/etc/passwd", file), 0);
	assert_radeon(&copy.guest, false);
}

/* Damages a module at every place, and asks. What matters is that each question ends. */
static void a_damaged_module_ends_in_an_answer_or_an_error(void **state)
{
	_cleanup_(copy_release) struct copy copy = make_copy(need(state));
	_cleanup_free_ char *file = string_format("%s/" RADEON, copy.root);
	_cleanup_text_ struct text whole = {0};
	_cleanup_strings_ struct strings names = {0};

	strings_add(&names, "radeon");
	assert_int_equal(file_read(file, 1 << 24, &whole, NULL), 0);
	for (size_t at = 0; at < whole.length; at += at < 64 ? 1 : 37) {
		_cleanup_module_infos_ struct module_infos infos = {0};

		whole.data[at] = (char)~whole.data[at];
		tree_write(copy.root, RADEON, whole.data, whole.length);
		whole.data[at] = (char)~whole.data[at];
		module_info_ask(&copy.guest, MODULE_RELEASE, &names, &infos, NULL);
	}
	tree_write(copy.root, RADEON, whole.data, whole.length);
	assert_radeon(&copy.guest, true);
}

/* scripts/sign-file.c: name, key, signature, the lengths of all, a mark. */
static void sign(const struct copy *copy, const char *signer)
{
	_cleanup_free_ char *file = string_format("%s/" RADEON, copy->root);
	const unsigned char head[] = {1, 4, 1, (unsigned char)strlen(signer), 4, 0, 0, 0};
	const uint32_t length = htonl(8);
	FILE *stream = fopen(file, "ae");

	assert_non_null(stream);
	fputs(signer, stream);
	fputs("KEY.", stream);
	fputs("8 bytes.", stream);
	fwrite(head, sizeof(head), 1, stream);
	fwrite(&length, sizeof(length), 1, stream);
	fputs("~Module signature appended~\n", stream);
	assert_int_equal(fclose(stream), 0);
}

static void a_signature_names_who_signed(void **state)
{
	_cleanup_(copy_release) struct copy copy = make_copy(need(state));

	sign(&copy, "Acme\033[2J");

	_cleanup_module_infos_ struct module_infos infos = ask(&copy.guest, "radeon ahci");

	assert_string_equal(module_info_find(&infos, "radeon")->signer, "Acme?[2J");
	assert_null(module_info_find(&infos, "ahci")->signer);
}

static void what_is_built_in_is_found_in_its_list(void **state)
{
	_cleanup_(copy_release) struct copy copy = make_copy(need(state));
	static const char modinfo[] = "unix.firmware=unix/a.fw\0unix.alias=net-pf-1";

	tree_write(copy.root, MODULE_DIRECTORY "/modules.builtin.modinfo", modinfo,
		   sizeof(modinfo));

	_cleanup_module_infos_ struct module_infos infos = ask(&copy.guest, "unix");

	assert_true(strings_has(&module_info_find(&infos, "unix")->firmware, "unix/a.fw"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_names_its_firmware),
		cmocka_unit_test(xz_and_zstd_are_unpacked),
		cmocka_unit_test(gzip_is_unpacked_though_libkmod_may_not_know_it),
		cmocka_unit_test(a_file_that_is_no_module_is_not_read),
		cmocka_unit_test(a_damaged_module_ends_in_an_answer_or_an_error),
		cmocka_unit_test(a_signature_names_who_signed),
		cmocka_unit_test(what_is_built_in_is_found_in_its_list),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
