// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "base/process.h"
#include "base/scope.h"
#include "tests/ova-image.h"
#include "tests/vmdk-image.h"

#define OVF "<?xml version=\"1.0\"?><Envelope/>\n"

enum way { AS_FILE, AS_STREAM, WAYS };

static struct vmdk_image disk;
static uint8_t expected[DISK_SIZE], data[DISK_SIZE + 4 * GRAIN];

static int make_disk(void **state)
{
	(void)state;
	vmdk_image_stream(&disk);
	vmdk_image_expected(expected);
	return 0;
}

static int read_stream(struct source *source, struct error *err)
{
	struct extent extent = {.length = 1};

	for (uint64_t at = 0; extent.length > 0; at += extent.length) {
		if (source_next(source, data + at, 3 * (size_t)GRAIN, &extent, err) < 0)
			return -1;
		if (extent.kind == EXTENT_ZERO)
			memset(data + at, 0, (size_t)extent.length);
	}
	return source_finish(source, err);
}

static int read_file(struct source *source, struct error *err)
{
	if (source_check(source, err) < 0)
		return -1;
	return source_read(source, data, (size_t)source->size, 0, err);
}

/* All that a restore does with an image. */
static int read_image(const struct text *ova, enum way way, struct error *err)
{
	_cleanup_source_ struct source *source = NULL;
	struct stream_file stream;

	memset(data, 0xee, sizeof(data));
	if ((way == AS_FILE ? ova_open_file(ova, &source, err)
			    : ova_open_stream(ova, &stream, &source, err)) < 0)
		return -1;
	assert_int_equal(source->is_stream, way == AS_STREAM);
	assert_int_equal(source->size, DISK_SIZE);
	return way == AS_FILE ? read_file(source, err) : read_stream(source, err);
}

static void assert_reads_well(const struct text *ova)
{
	for (enum way way = 0; way < WAYS; way++) {
		_cleanup_error_ struct error err = {0};

		if (read_image(ova, way, &err) < 0)
			fail_msg("%s", error_text(&err));
		assert_memory_equal(data, expected, DISK_SIZE);
	}
}

static void assert_refused_as(const struct text *ova, enum way way, const char *message)
{
	_cleanup_error_ struct error err = {0};

	if (read_image(ova, way, &err) == 0)
		fail_msg("not refused: %s", message);
	if (!strstr(error_text(&err), message))
		fail_msg("'%s' does not say '%s'", error_text(&err), message);
}

static void assert_refused(const struct text *ova, const char *message)
{
	for (enum way way = 0; way < WAYS; way++)
		assert_refused_as(ova, way, message);
}

static void add_description(struct text *ova)
{
	ova_add(ova, "vm.ovf", OVF, strlen(OVF));
}

static void add_disk(struct text *ova, const char *name)
{
	ova_add(ova, name, disk.bytes, disk.length);
}

static void fill_manifest(struct text *manifest, const char *algorithm)
{
	ova_manifest_line(manifest, algorithm, "vm.ovf", OVF, strlen(OVF));
	ova_manifest_line(manifest, algorithm, "disk.vmdk", disk.bytes, disk.length);
}

static void add_manifest(struct text *ova, const char *algorithm)
{
	_cleanup_text_ struct text manifest = {0};

	fill_manifest(&manifest, algorithm);
	ova_add(ova, "vm.mf", manifest.data, manifest.length);
}

/* Digests of other content than what is there. */
static void add_wrong_manifest(struct text *ova, const char *description, const char *content)
{
	_cleanup_text_ struct text manifest = {0};

	ova_manifest_line(&manifest, "SHA256", "vm.ovf", description, strlen(description));
	ova_manifest_line(&manifest, "SHA256", "disk.vmdk", content ? content : (char *)disk.bytes,
			  content ? strlen(content) : disk.length);
	ova_add(ova, "vm.mf", manifest.data, manifest.length);
}

static void an_ova_without_a_manifest_reads_well(void **state)
{
	_cleanup_text_ struct text ova = {0};

	(void)state;
	add_description(&ova);
	add_disk(&ova, "disk.vmdk");
	ova_add(&ova, "vm.nvram", "x", 1);
	ova_end(&ova);
	assert_reads_well(&ova);
}

static void an_ova_reads_well_wherever_its_manifest_is(void **state)
{
	static const char *const algorithms[] = {"SHA1", "SHA256", "SHA512"};

	(void)state;
	for (size_t i = 0; i < 2 * array_length(algorithms); i++) {
		_cleanup_text_ struct text ova = {0};

		add_description(&ova);
		if (i % 2)
			add_manifest(&ova, algorithms[i / 2]);
		add_disk(&ova, "disk.vmdk");
		if (i % 2 == 0)
			add_manifest(&ova, algorithms[i / 2]);
		ova_end(&ova);
		assert_reads_well(&ova);
	}
}

static void a_digest_that_differs_is_an_error_that_names_both(void **state)
{
	(void)state;
	for (int is_last = 0; is_last < 2; is_last++) {
		_cleanup_text_ struct text ova = {0};

		add_description(&ova);
		if (!is_last)
			add_wrong_manifest(&ova, OVF, "abc");
		add_disk(&ova, "disk.vmdk");
		if (is_last)
			add_wrong_manifest(&ova, OVF, "abc");
		ova_end(&ova);
		assert_refused(&ova, "the OVA's member disk.vmdk is damaged or was changed: its "
				     "SHA256 is ");
		assert_refused(&ova, ", the manifest says ba7816bf8f01cfea414140de5dae2223b00361a39"
				     "6177a9cb410ff61f20015ad");
	}
}

static void a_changed_description_is_an_error(void **state)
{
	_cleanup_text_ struct text ova = {0};

	(void)state;
	add_description(&ova);
	add_wrong_manifest(&ova, "abc", NULL);
	add_disk(&ova, "disk.vmdk");
	ova_end(&ova);
	assert_refused(&ova, "the OVA's member vm.ovf is damaged or was changed");
}

static void manifests_that_say_nothing_are_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"", "the OVA's manifest has no digest of its member disk.vmdk"},
		{"MD5(disk.vmdk)= 900150983cd24fb0d6963f7d28e17f72\n",
		 "this line of the manifest names no digest that is known (SHA1, SHA256, SHA512): "
		 "'MD5(disk.vmdk)= 900150983cd24fb0d6963f7d28e17f72'"},
		{"SHA1(disk.vmdk)= 1234\n", "names no digest that is known"},
		{"SHA1 disk.vmdk\n", "names no digest that is known"},
		{"SHA1)disk.vmdk(= 0\n", "names no digest that is known"},
		{"SHA1(disk.vmdk) a9993e364706816aba3e25717850c26c9cd0d89d\n",
		 "names no digest that is known"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		_cleanup_text_ struct text ova = {0};

		add_description(&ova);
		ova_add(&ova, "vm.mf", cases[i].text, strlen(cases[i].text));
		add_disk(&ova, "disk.vmdk");
		ova_end(&ova);
		assert_refused(&ova, cases[i].message);
	}
}

static void names_that_leave_the_directory_are_refused(void **state)
{
	static const char *const names[] = {"/etc/disk.vmdk", "../disk.vmdk", "a/../../disk.vmdk",
					    "/"};

	(void)state;
	for (size_t i = 0; i < array_length(names); i++) {
		_cleanup_text_ struct text ova = {0};

		add_description(&ova);
		add_disk(&ova, names[i]);
		ova_end(&ova);
		assert_refused(&ova, "the OVA has a member with an absolute name or one that "
				     "leaves its directory: '");
	}
}

static void an_ova_with_several_disks_is_refused(void **state)
{
	_cleanup_text_ struct text ova = {0};

	(void)state;
	add_description(&ova);
	add_disk(&ova, "disk.vmdk");
	add_disk(&ova, "more.vmdk");
	ova_end(&ova);
	assert_refused(&ova, "an OVA with several disks (disk.vmdk, more.vmdk) is not supported "
			     "yet: unpack it with `tar -xf` and restore the disks one by one");
}

static void an_ova_without_a_disk_is_refused(void **state)
{
	_cleanup_text_ struct text ova = {0};

	(void)state;
	add_description(&ova);
	ova_add(&ova, "disk.vhd", "x", 1);
	ova_end(&ova);
	assert_refused(&ova, "there is no disk (a member *.vmdk) in this OVA");
}

static void a_disk_that_is_packed_once_more_is_refused(void **state)
{
	_cleanup_text_ struct text ova = {0};

	(void)state;
	add_description(&ova);
	add_disk(&ova, "disk.vmdk.gz");
	ova_end(&ova);
	assert_refused(&ova, "the OVA's disk disk.vmdk.gz is compressed once more or in pieces");
}

static void members_that_come_twice_are_refused(void **state)
{
	_cleanup_text_ struct text two = {0}, manifests = {0};

	(void)state;
	add_description(&two);
	ova_add(&two, "other.ovf", "x", 1);
	ova_end(&two);
	assert_refused(&two, "the OVA has two descriptions: vm.ovf and other.ovf");
	add_description(&manifests);
	add_manifest(&manifests, "SHA1");
	add_manifest(&manifests, "SHA256");
	ova_end(&manifests);
	assert_refused(&manifests, "the OVA has two manifests: vm.mf and vm.mf");
}

static void a_disk_without_a_description_is_refused(void **state)
{
	_cleanup_text_ struct text ova = {0};

	(void)state;
	add_disk(&ova, "disk.vmdk");
	ova_end(&ova);
	assert_refused(&ova, "this is not an OVA: no OVF description (*.ovf) comes before the disk "
			     "in it");
}

static void an_empty_disk_member_is_refused(void **state)
{
	_cleanup_text_ struct text ova = {0};

	(void)state;
	add_description(&ova);
	ova_add(&ova, "disk.vmdk", "", 0);
	ova_end(&ova);
	assert_refused(&ova, "disk.vmdk is empty");
}

static void a_disk_that_lies_is_refused_by_its_name(void **state)
{
	_cleanup_text_ struct text ova = {0};
	struct vmdk_image saved = disk;

	(void)state;
	put_descriptor(&disk, "createType=\"monolithicFlat\"\nRW 1 FLAT \"/etc/shadow\" 0\n");
	add_description(&ova);
	add_disk(&ova, "disk.vmdk");
	ova_end(&ova);
	disk = saved;
	assert_refused(&ova, "open image a.ova: open image disk.vmdk: this VMDK's data is in other "
			     "files (/etc/shadow)");
}

static void a_sparse_disk_is_refused_in_a_stream_only(void **state)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_text_ struct text ova = {0};
	struct vmdk_image saved = disk;

	(void)state;
	vmdk_image_sparse(&disk);
	add_description(&ova);
	add_disk(&ova, "disk.vmdk");
	ova_end(&ova);
	disk = saved;
	assert_int_equal(read_image(&ova, AS_FILE, &err), 0);
	assert_memory_equal(data, expected, DISK_SIZE);
	assert_refused_as(&ova, AS_STREAM,
			  "a VMDK of the kind monolithicSparse is read at many "
			  "places, which disk.vmdk does not allow");
}

/* Cut anywhere, it is refused. */
static void an_ova_that_is_cut_anywhere_is_refused(void **state)
{
	_cleanup_text_ struct text ova = {0};
	size_t length;

	(void)state;
	add_description(&ova);
	add_disk(&ova, "disk.vmdk");
	add_manifest(&ova, "SHA256");
	length = ova.length;
	ova_end(&ova);
	for (ova.length = 1; ova.length <= length; ova.length += 131)
		assert_refused(&ova, "image is truncated");
}

static void a_description_names_disk_and_manifest(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_text_ struct text ova = {0};
	const char *text;
	json_object *out;

	(void)state;
	add_description(&ova);
	add_manifest(&ova, "SHA256");
	add_disk(&ova, "disk.vmdk");
	ova_end(&ova);
	assert_int_equal(ova_open_file(&ova, &source, NULL), 0);
	out = source_describe(source);
	json_object_object_del(json_object_object_get(out, "disk"), "file-size");
	json_object_object_del(out, "file-size");
	text = json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN);
	assert_string_equal(text, "{\"path\":\"a.ova\",\"format\":\"ova\",\"size\":6292480,"
				  "\"manifest\":\"SHA256\",\"disk\":{\"path\":\"disk.vmdk\","
				  "\"format\":\"vmdk\",\"size\":6292480,\"version\":3,"
				  "\"create-type\":\"streamOptimized\",\"grain-size\":4096,"
				  "\"compression\":\"zlib\",\"dirty\":false,\"stream\":false}}");
	json_object_put(out);
}

static void a_check_may_be_asked_for_twice(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_text_ struct text ova = {0};

	(void)state;
	add_description(&ova);
	add_disk(&ova, "disk.vmdk");
	add_manifest(&ova, "SHA1");
	ova_end(&ova);
	assert_int_equal(ova_open_file(&ova, &source, NULL), 0);
	assert_int_equal(source_check(source, NULL), 0);
	assert_int_equal(source_check(source, NULL), 0);
}

static void an_ova_is_known_by_its_content(void **state)
{
	_cleanup_text_ struct text ova = {0}, tar = {0}, late = {0};

	(void)state;
	add_description(&ova);
	assert_true(source_ova_ops.probe((uint8_t *)ova.data, ova.length));
	assert_false(source_ova_ops.probe((uint8_t *)ova.data, 511));
	add_disk(&tar, "disk.raw");
	assert_false(source_ova_ops.probe((uint8_t *)tar.data, tar.length));
	ova_header(&late, "PaxHeaders/vm.ovf", 'x', 12);
	ova_content(&late, "12 mtime=1.\n", 12);
	add_description(&late);
	assert_true(source_ova_ops.probe((uint8_t *)late.data, late.length));
}

static void archives_of_tar_read_well(void **state)
{
	static const char *const formats[] = {"ustar", "gnu", "pax", "posix"};
	char directory[] = "test-ova-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(file_replace("vm.ovf", OVF, strlen(OVF), 0600, NULL), 0);
	assert_int_equal(file_replace("disk.vmdk", disk.bytes, disk.length, 0600, NULL), 0);
	for (size_t i = 0; i < array_length(formats); i++) {
		_cleanup_free_ char *format = string_format("--format=%s", formats[i]);
		const char *argv[] = {"tar",  "-c",     "-f",        "a.ova",
				      format, "vm.ovf", "disk.vmdk", NULL};
		_cleanup_text_ struct text ova = {0};
		_cleanup_source_ struct source *source = NULL;

		assert_int_equal(process_check(argv, NULL, NULL), 0);
		assert_int_equal(file_read("a.ova", 1 << 20, &ova, NULL), 0);
		assert_reads_well(&ova);
		assert_int_equal(source_open("a.ova", NULL, &source, NULL), 0);
		assert_string_equal(source->ops->name, "ova");
	}
	assert_int_equal(unlink("a.ova") + unlink("vm.ovf") + unlink("disk.vmdk"), 0);
	assert_int_equal(chdir("..") + rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ova_without_a_manifest_reads_well),
		cmocka_unit_test(an_ova_reads_well_wherever_its_manifest_is),
		cmocka_unit_test(a_digest_that_differs_is_an_error_that_names_both),
		cmocka_unit_test(a_changed_description_is_an_error),
		cmocka_unit_test(manifests_that_say_nothing_are_refused),
		cmocka_unit_test(names_that_leave_the_directory_are_refused),
		cmocka_unit_test(an_ova_with_several_disks_is_refused),
		cmocka_unit_test(an_ova_without_a_disk_is_refused),
		cmocka_unit_test(a_disk_that_is_packed_once_more_is_refused),
		cmocka_unit_test(members_that_come_twice_are_refused),
		cmocka_unit_test(a_disk_without_a_description_is_refused),
		cmocka_unit_test(an_empty_disk_member_is_refused),
		cmocka_unit_test(a_disk_that_lies_is_refused_by_its_name),
		cmocka_unit_test(a_sparse_disk_is_refused_in_a_stream_only),
		cmocka_unit_test(an_ova_that_is_cut_anywhere_is_refused),
		cmocka_unit_test(a_description_names_disk_and_manifest),
		cmocka_unit_test(a_check_may_be_asked_for_twice),
		cmocka_unit_test(an_ova_is_known_by_its_content),
		cmocka_unit_test(archives_of_tar_read_well),
	};

	return cmocka_run_group_tests(tests, make_disk, NULL);
}
