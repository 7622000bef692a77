// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "base/scope.h"
#include "restore/vmdk_extents.h"

static void the_files_of_a_descriptor_are_found(void **state)
{
	static const char text[] = "# Disk DescriptorFile\nversion=1\nCID=1f\nparentCID=ffffffff\n"
				   "createType=\"twoGbMaxExtentFlat\"\n\n# Extent description\n"
				   "RW 4192256 FLAT \"disk one-f002.vmdk\" 0\r\n"
				   "\tRDONLY 10 SPARSE \"disk one-f001.vmdk\"\n"
				   "RW 10 FLAT \"disk one-f001.vmdk\" 128\nRW 8 ZERO\n"
				   "ddb.adapterType = \"ide\"\nRWX 1 \"no.vmdk\"\n";
	_cleanup_strings_ struct strings names = {0};

	(void)state;
	assert_int_equal(vmdk_extents(text, &names, NULL), 0);
	assert_int_equal(names.count, 2);
	assert_string_equal(names.item[0], "disk one-f001.vmdk");
	assert_string_equal(names.item[1], "disk one-f002.vmdk");
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const bad[] = {
		"../../x", "/etc/shadow",    "a/b", "..", ".", "", "nbd:unix:/x",
		"C:\\x",   "json:{\"a\":1}",
	};

	(void)state;
	for (size_t i = 0; i < array_length(bad); i++) {
		_cleanup_free_ char *line = string_format("RW 1 FLAT \"%s\" 0\n", bad[i]);
		_cleanup_strings_ struct strings names = {0};

		assert_int_equal(vmdk_extents(line, &names, NULL), -1);
		assert_int_equal(names.count, 0);
	}
}

static void a_refusal_names_the_file_and_what_to_do(void **state)
{
	_cleanup_strings_ struct strings names = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(vmdk_extents("RW 1 FLAT \"/etc/shadow\"", &names, &err), -1);
	assert_string_equal(error_text(&err),
			    "the image names another file, '/etc/shadow': only files in the "
			    "image's own directory are opened; copy it there, or make one image "
			    "of all with `qemu-img convert -O qcow2`");
}

static void changes_against_a_parent_are_refused(void **state)
{
	static const char *const bad[] = {"parentFileNameHint=\"a.vmdk\"\n",
					  "parentCID=12345678\n"};

	(void)state;
	for (size_t i = 0; i < array_length(bad); i++) {
		_cleanup_strings_ struct strings names = {0};
		_cleanup_error_ struct error err = {0};

		assert_int_equal(vmdk_extents(bad[i], &names, &err), -1);
		assert_string_equal(error_text(&err),
				    "this VMDK image holds only the changes against another one: "
				    "make one image of both with `qemu-img convert -O qcow2`");
	}
}

static void files_without_end_are_refused(void **state)
{
	_cleanup_strings_ struct strings names = {0};
	_cleanup_text_ struct text text = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	for (int i = 0; i <= VMDK_EXTENTS_MAX; i++)
		text_addf(&text, "RW 1 FLAT \"f%d\"\n", i);
	assert_int_equal(vmdk_extents(text_string(&text), &names, &err), -1);
	assert_string_equal(error_text(&err), "the image names more than 4096 files");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_files_of_a_descriptor_are_found),
		cmocka_unit_test(names_that_lead_elsewhere_are_refused),
		cmocka_unit_test(a_refusal_names_the_file_and_what_to_do),
		cmocka_unit_test(changes_against_a_parent_are_refused),
		cmocka_unit_test(files_without_end_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
