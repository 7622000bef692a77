// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/tree.h"

#include "adapt/firmware_files.h"

#define RELEASE "6.1.0"

static bool has(const char *name)
{
	struct guest guest = {0};
	bool found;

	assert_int_equal(guest_open_root(tree, &guest, NULL), 0);
	found = firmware_exists(&guest, RELEASE, name);
	guest_release(&guest);
	return found;
}

static void every_directory_of_the_kernel_is_looked_in(void **state)
{
	static const char *const places[] = {"/lib/firmware/updates/" RELEASE "/a/1.fw",
					     "/lib/firmware/updates/a/2.fw",
					     "/lib/firmware/" RELEASE "/a/3.fw",
					     "/lib/firmware/a/4.fw", "/usr/lib/firmware/a/5.fw"};

	(void)state;
	assert_false(has("a/1.fw"));
	for (size_t i = 0; i < array_length(places); i++) {
		_cleanup_free_ char *name = string_format("a/%zu.fw", i + 1);

		tree_file(places[i], "");
		assert_true(has(name));
	}
	assert_false(has("1.fw"));
	assert_false(has("a/6.fw"));
}

static void compressed_files_count(void **state)
{
	(void)state;
	tree_file("/lib/firmware/a.bin.xz", "");
	tree_file("/lib/firmware/b.bin.zst", "");
	tree_file("/lib/firmware/c.bin.gz", "");
	assert_true(has("a.bin"));
	assert_true(has("b.bin"));
	assert_false(has("c.bin"));
}

static void a_firmware_field_may_be_a_pattern(void **state)
{
	(void)state;
	tree_file("/lib/firmware/brcm/brcmfmac43430-sdio.AP6212.txt.xz", "");
	assert_true(has("brcm/brcmfmac*-sdio.*.txt"));
	assert_false(has("brcm/brcmfmac*-pcie.*.txt"));
}

static void links_stay_in_the_guest(void **state)
{
	(void)state;
	tree_file("/lib/firmware/real/a.bin", "");
	tree_link("real", "/lib/firmware/link");
	tree_link("/etc/hostname", "/lib/firmware/b.bin");
	tree_link("nowhere", "/lib/firmware/c.bin");
	tree_directory("/lib/firmware/d.bin");
	assert_true(has("link/a.bin"));
	assert_false(has("b.bin"));
	assert_false(has("c.bin"));
	assert_false(has("d.bin"));
	assert_false(has("../../../../../../etc/passwd"));
}

#define tree_test(function) cmocka_unit_test_setup_teardown(function, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(every_directory_of_the_kernel_is_looked_in),
		tree_test(compressed_files_count),
		tree_test(a_firmware_field_may_be_a_pattern),
		tree_test(links_stay_in_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
