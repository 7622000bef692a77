// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "base/scope.h"
#include "restore/tar_walk.h"
#include "tests/ova-image.h"

/* The names of all members, or the error. */
static int list(const struct text *tar, struct strings *names, struct error *err)
{
	_cleanup_tar_member_ struct tar_member member = {0};
	struct stream_file stream = {(const uint8_t *)tar->data, tar->length};
	_cleanup_image_file_ struct image_file *file = stream_file_open(&stream, "a.tar");
	struct tar_walk walk = {.cursor = {.file = file}};
	int r;

	while ((r = tar_walk_next(&walk, &member, err)) > 0)
		strings_addf(names, "%s %llu@%llu", member.name, (unsigned long long)member.length,
			     (unsigned long long)member.offset);
	return r;
}

static void assert_lists(const struct text *tar, const char *expected)
{
	_cleanup_strings_ struct strings names = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *joined = NULL;

	if (list(tar, &names, &err) < 0)
		fail_msg("%s", error_text(&err));
	joined = strings_join(&names, " ");
	assert_string_equal(joined, expected);
}

static void assert_refused(const struct text *tar, const char *message)
{
	_cleanup_strings_ struct strings names = {0};
	_cleanup_error_ struct error err = {0};

	assert_int_equal(list(tar, &names, &err), -1);
	if (!strstr(error_text(&err), message))
		fail_msg("'%s' does not say '%s'", error_text(&err), message);
}

static void add_pax(struct text *tar, const char *records)
{
	ova_header(tar, "PaxHeaders/x", 'x', strlen(records));
	ova_content(tar, records, strlen(records));
}

static void members_are_found_where_they_are(void **state)
{
	_cleanup_text_ struct text tar = {0};

	(void)state;
	ova_add(&tar, "a", "x", 1);
	ova_add(&tar, "b", "", 0);
	ova_add(&tar, "c", "yyy", 3);
	ova_end(&tar);
	assert_lists(&tar, "a 1@512 b 0@1536 c 3@2048");
}

static void a_posix_prefix_is_part_of_the_name(void **state)
{
	_cleanup_text_ struct text tar = {0};

	(void)state;
	ova_add(&tar, "name", "x", 1);
	memcpy(tar.data + 345, "prefix", 6);
	ova_sum(&tar, 0);
	ova_end(&tar);
	assert_lists(&tar, "prefix/name 1@512");
}

static void pax_headers_name_the_next_member(void **state)
{
	_cleanup_text_ struct text tar = {0};

	(void)state;
	add_pax(&tar, "13 path=long\n9 size=2\n6 a=b\n");
	ova_add(&tar, "short", "xx", 2);
	ova_add(&tar, "next", "x", 1);
	ova_end(&tar);
	assert_lists(&tar, "long 2@1536 next 1@2560");
}

static void gnu_names_and_sizes_are_known(void **state)
{
	_cleanup_text_ struct text tar = {0};
	size_t at;

	(void)state;
	ova_header(&tar, "././@LongLink", 'L', 5);
	ova_content(&tar, "long\0", 5);
	at = ova_add(&tar, "short", "xx", 2);
	memcpy(tar.data + at + 124, "\x80\0\0\0\0\0\0\0\0\0\0\2", 12);
	ova_sum(&tar, at);
	ova_end(&tar);
	assert_lists(&tar, "long 2@1536");
}

static void damaged_headers_are_refused(void **state)
{
	_cleanup_text_ struct text tar = {0};

	(void)state;
	ova_add(&tar, "a", "x", 1);
	ova_add(&tar, "b", "x", 1);
	ova_end(&tar);
	tar.data[1024] = 'c';
	assert_refused(&tar, "the archive is corrupt: what is at file offset 1024 is not a tar "
			     "header");
}

static void absurd_sizes_are_refused(void **state)
{
	static const struct {
		const char *field, *message;
	} sizes[] = {
		{"\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "has no valid size"},
		{"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
		 "its member a has a size of 9223372036854775807 bytes"},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "has no valid size"},
		{"99999999999\0", "has no valid size"},
		{"77777777777\0", "image is truncated"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(sizes); i++) {
		_cleanup_text_ struct text tar = {0};

		ova_add(&tar, "a", "x", 1);
		ova_end(&tar);
		memcpy(tar.data + 124, sizes[i].field, 12);
		ova_sum(&tar, 0);
		assert_refused(&tar, sizes[i].message);
	}
}

static void pax_headers_that_lie_are_refused(void **state)
{
	static const struct {
		const char *records, *message;
	} cases[] = {
		{"99 path=a\n", "a pax header in it is not a list of records"},
		{"0 path=a\n", "a pax header in it is not a list of records"},
		{"-9 path=a\n", "a pax header in it is not a list of records"},
		{"18446744073709551615 path=a\n", "a pax header in it is not a list of records"},
		{"9 path=ab\n", "a pax header in it is not a list of records"},
		{"x", "a pax header in it is not a list of records"},
		{"11 size=-1\n", "a member has the size '-1'"},
		{"29 size=99999999999999999999\n", "a member has the size '99999999999999999999'"},
		{"22 GNU.sparse.major=1\n", "the archive has sparse members"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		_cleanup_text_ struct text tar = {0};

		add_pax(&tar, cases[i].records);
		ova_add(&tar, "a", "x", 1);
		ova_end(&tar);
		assert_refused(&tar, cases[i].message);
	}
}

static void links_and_devices_are_refused(void **state)
{
	_cleanup_text_ struct text tar = {0};

	(void)state;
	ova_header(&tar, "a", '2', 0);
	ova_end(&tar);
	assert_refused(&tar, "the archive's member a is not a regular file (its type is 0x32)");
}

static void headers_without_end_are_refused(void **state)
{
	_cleanup_text_ struct text extended = {0}, members = {0}, large = {0};

	(void)state;
	for (int i = 0; i < 20; i++)
		add_pax(&extended, "6 a=b\n");
	assert_refused(&extended, "there is no member behind 16 extended headers");
	for (int i = 0; i < 5000; i++)
		ova_header(&members, "a", '0', 0);
	assert_refused(&members, "the archive has more than 4096 members");
	ova_header(&large, "a", 'x', 1 << 20);
	assert_refused(&large,
		       "the archive's extended header at file offset 512 has 1048576 bytes, "
		       "at most 65536 are possible");
}

static void an_archive_without_an_end_is_truncated(void **state)
{
	_cleanup_text_ struct text tar = {0};

	(void)state;
	ova_add(&tar, "a", "x", 1);
	assert_refused(&tar, "image is truncated: it ends at file offset 1024, in the middle of "
			     "tar header");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found_where_they_are),
		cmocka_unit_test(a_posix_prefix_is_part_of_the_name),
		cmocka_unit_test(pax_headers_name_the_next_member),
		cmocka_unit_test(gnu_names_and_sizes_are_known),
		cmocka_unit_test(damaged_headers_are_refused),
		cmocka_unit_test(absurd_sizes_are_refused),
		cmocka_unit_test(pax_headers_that_lie_are_refused),
		cmocka_unit_test(links_and_devices_are_refused),
		cmocka_unit_test(headers_without_end_are_refused),
		cmocka_unit_test(an_archive_without_an_end_is_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
