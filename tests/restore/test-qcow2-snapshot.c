// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "restore/qcow2.h"
#include "tests/qcow2-image.h"
#include "tests/qemu-image.h"

#define SNAPSHOT(name) RUN("qemu-img", "snapshot", "-c", name, "image")
#define WRITE(...) RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", __VA_ARGS__, "image")

/* Three states of one disk. */
static void make_states(const char *options)
{
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "image", "10M");
	WRITE("-c", "write -P 1 0 1M", "-c", "write -c -P 2 3M 1M");
	SNAPSHOT("first");
	WRITE("-c", "write -P 3 500k 1M", "-c", "write -z 3M 512k");
	SNAPSHOT("second@home");
	WRITE("-c", "write -P 4 0 10M");
}

static void assert_state(const char *snapshot)
{
	_cleanup_free_ char *name = string_format("image@%s", snapshot);

	RUN("qemu-img", "convert", "-t", "unsafe", "-f", "qcow2", "-O", "raw", "-l", snapshot,
	    "image", "expected");
	compare_with_expected(name);
}

static void snapshots_read_as_qemu_reads_them(void **state)
{
	static const char *const kinds[] = {"compat=0.10", "cluster_size=512", "extended_l2=on"};

	(void)state;
	require_tools();
	for (size_t i = 0; i < array_length(kinds); i++) {
		make_states(kinds[i]);
		assert_state("first");
		assert_state("second@home");
		compare_with_qemu();
	}
}

static void a_name_comes_before_an_id(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	uint8_t byte;

	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "image", "10M");
	WRITE("-c", "write -P 1 0 1M");
	SNAPSHOT("2"); /* its ID is 1 */
	WRITE("-c", "write -P 2 0 1M");
	SNAPSHOT("other"); /* its ID is 2 */
	WRITE("-c", "write -P 3 0 1M");
	source = open_named("image@2");
	assert_int_equal(source_read(source, &byte, 1, 0, NULL), 0);
	assert_int_equal(byte, 1);
	source_close(source);
	source = open_named("image@1");
	assert_int_equal(source_read(source, &byte, 1, 0, NULL), 0);
	assert_int_equal(byte, 1);
}

static void a_snapshot_of_a_smaller_disk_has_its_own_size(void **state)
{
	_cleanup_source_ struct source *source = NULL;

	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "image", "10M");
	SNAPSHOT("small");
	RUN("qemu-img", "resize", "-q", "-f", "qcow2", "image", "2G");
	source = open_named("image@small");
	assert_int_equal(source->size, 10 << 20);
	source_close(source);
	source = open_named("image");
	assert_int_equal(source->size, 2ULL << 30);
}

static void a_snapshot_may_have_a_backing_file(void **state)
{
	(void)state;
	require_tools();
	make_content("raw", 10 * PIECE);
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-b", "raw", "-F", "raw", "image");
	WRITE("-c", "write -P 1 1M 1M");
	SNAPSHOT("first");
	WRITE("-c", "write -P 2 0 10M");
	assert_state("first");
}

static void a_snapshot_that_is_not_there_is_refused_with_those_that_are(void **state)
{
	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "image", "10M");
	assert_image_refused("image@x", "open image image@x: the image has no snapshot 'x': it has "
					"none at all");
	SNAPSHOT("first");
	SNAPSHOT("sec\033ond");
	assert_image_refused("image@x", "open image image@x: the image has no snapshot 'x': it has "
					"first, sec?ond");
	for (int i = 0; i < 15; i++)
		SNAPSHOT("n");
	assert_image_refused("image@x",
			     "open image image@x: the image has no snapshot 'x': it has first, "
			     "sec?ond, n, n, n, n, n, n, n, n, n, n, n, n, n, n, …");
}

static void a_raw_image_has_no_snapshots(void **state)
{
	(void)state;
	make_content("image", 1024);
	assert_image_refused("image@x", "open image image@x: snapshot 'x': snapshots are read "
					"from qcow2 images only, and this is raw");
}

static void a_file_with_an_at_sign_in_its_name_is_a_file(void **state)
{
	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "image", "10M");
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "image@x", "20M");
	SNAPSHOT("y");
	assert_image_refused("image@x@y", "open image image@x@y: the image has no snapshot 'y': it "
					  "has none at all");
	assert_image_refused("other@x", "open image other@x: No such file or directory");
	assert_image_refused("image@", "open image image@: No such file or directory");
	source_close(open_named("image@x"));
}

static void snapshots_are_described(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	json_object *out, *list = NULL, *one, *value = NULL;

	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "image", "10M");
	SNAPSHOT("first");
	source = open_image();
	out = source_describe(source);
	assert_true(json_object_object_get_ex(out, "snapshots", &list));
	assert_int_equal(json_object_array_length(list), 1);
	one = json_object_array_get_idx(list, 0);
	assert_true(json_object_object_get_ex(one, "id", &value));
	assert_string_equal(json_object_get_string(value), "1");
	assert_true(json_object_object_get_ex(one, "name", &value));
	assert_string_equal(json_object_get_string(value), "first");
	assert_true(json_object_object_get_ex(one, "size", &value));
	assert_int_equal(json_object_get_uint64(value), 10 << 20);
	assert_true(json_object_object_get_ex(one, "date", &value));
	assert_int_equal(json_object_get_string_len(value), strlen("2000-01-01T00:00:00Z"));
	json_object_put(out);
}

/* The entry of one snapshot in cluster 4, whose disk is the image's. */
static void put_snapshot(struct qcow2_image *image)
{
	put32(image, 60, 1);
	put64(image, 64, AT(4));
	memset(image->bytes + AT(4), 0, CLUSTER);
	put64(image, AT(4), AT(5)); /* L1 table */
	put32(image, AT(4) + 8, 2);
	put32(image, AT(4) + 12, 1U << 16 | 4); /* lengths of ID and name */
	put32(image, AT(4) + 36, 16);           /* of extra data */
	put64(image, AT(4) + 48, 128 * CLUSTER);
	memcpy(image->bytes + AT(4) + 56, "7main", 5);
	memset(image->bytes + AT(5), 0, CLUSTER);
	put64(image, AT(5), AT(3));
}

static void long_names_are_cut_where_they_are_described(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	json_object *out, *list = NULL, *name = NULL;
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put_snapshot(&image);
	put32(&image, AT(4) + 12, 1U << 16 | 5000);
	memset(image.bytes + AT(4) + 57, 'n', 5000);
	assert_int_equal(qcow2_image_open(&image, &source, NULL), 0);
	out = source_describe(source);
	assert_true(json_object_object_get_ex(out, "snapshots", &list));
	assert_true(json_object_object_get_ex(json_object_array_get_idx(list, 0), "name", &name));
	assert_int_equal(json_object_get_string_len(name), 255);
	json_object_put(out);
}

static void assert_snapshot_refused(const struct qcow2_image *image, const char *message)
{
	const struct source_options options = {.snapshot = "main"};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	assert_int_equal(file_replace("image", image->bytes, image->length, 0600, NULL), 0);
	assert_int_equal(source_open("image", &options, &source, &err), -1);
	assert_string_equal(error_text(&err), message);
}

static const struct damage {
	size_t offset;
	unsigned int width; /* bytes: 4 or 8 */
	uint64_t value;
	const char *message;
} damages[] = {
	{60, 4, UINT32_MAX,
	 "open image image: image is corrupt: it claims 4294967295 snapshots (65536 are possible)"},
	{64, 8, AT(4) + 8,
	 "open image image: image is corrupt: its snapshot table is at file offset 2056, which is "
	 "not the beginning of a cluster"},
	{64, 8, UINT64_MAX - 511,
	 "open image image: image is truncated: snapshot table of 40 bytes at file offset "
	 "18446744073709551104 is missing, the file ends at 8192"},
	{AT(4), 8, AT(5) + 8,
	 "open image image: snapshot 'main': image is corrupt: its L1 table is at file offset "
	 "2568, "
	 "which is not the beginning of a cluster"},
	{AT(4), 8, AT(CLUSTERS),
	 "open image image: image is truncated: L1 table of 16 bytes at file offset 8192 is "
	 "missing, the file ends at 8192"},
	{AT(4) + 8, 4, 1,
	 "open image image: snapshot 'main': image is corrupt: its L1 table has 1 entries, the "
	 "disk needs 2"},
	{AT(4) + 12, 4, 0xffffffff,
	 "open image image: image is truncated: snapshot table of 65535 bytes at file offset 2104 "
	 "is missing, the file ends at 8192"},
	{AT(4) + 36, 4, UINT32_MAX,
	 "open image image: image is truncated: snapshot table of 1 bytes at file offset "
	 "4294969383 "
	 "is missing, the file ends at 8192"},
	{AT(4) + 48, 8, 0, "open image image: the disk in snapshot 'main' has a size of 0"},
	{AT(4) + 48, 8, UINT64_MAX,
	 "open image image: snapshot 'main': image is corrupt: its disk size is "
	 "18446744073709551615 bytes"},
	{AT(4) + 48, 8, INT64_MAX,
	 "open image image: snapshot 'main': image is corrupt: a disk of 9223372036854775807 bytes "
	 "is more than clusters of 512 bytes can hold"},
};

static void a_damaged_snapshot_table_is_refused_only_when_it_is_needed(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(damages); i++) {
		_cleanup_source_ struct source *source = NULL;
		struct qcow2_image image;

		qcow2_image_init(&image);
		put_snapshot(&image);
		if (damages[i].width == 4)
			put32(&image, damages[i].offset, (uint32_t)damages[i].value);
		else
			put64(&image, damages[i].offset, damages[i].value);
		assert_snapshot_refused(&image, damages[i].message);
		assert_int_equal(source_open("image", NULL, &source, NULL), 0);
		json_object_put(source_describe(source));
	}
}

static void a_snapshot_table_may_be_cut_anywhere(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put_snapshot(&image);
	for (image.length = AT(4); image.length < AT(4) + 61; image.length++) {
		const struct source_options options = {.snapshot = "main"};
		_cleanup_source_ struct source *source = NULL;
		_cleanup_error_ struct error err = {0};

		assert_int_equal(file_replace("image", image.bytes, image.length, 0600, NULL), 0);
		assert_int_equal(source_open("image", &options, &source, &err), -1);
		assert_non_null(strstr(error_text(&err), "image is truncated: snapshot table"));
		assert_int_equal(source_open("image", NULL, &source, NULL), 0);
		json_object_put(source_describe(source));
	}
}

static void an_image_with_a_data_file_has_no_snapshots(void **state)
{
	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=data", "image", "1M");
	assert_image_refused("image@x", "open image image@x: an image with a data file holds its "
					"newest state only: snapshot 'x' cannot be read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(snapshots_read_as_qemu_reads_them),
		test(a_name_comes_before_an_id),
		test(a_snapshot_of_a_smaller_disk_has_its_own_size),
		test(a_snapshot_may_have_a_backing_file),
		test(a_snapshot_that_is_not_there_is_refused_with_those_that_are),
		test(a_raw_image_has_no_snapshots),
		test(a_file_with_an_at_sign_in_its_name_is_a_file),
		test(snapshots_are_described),
		test(long_names_are_cut_where_they_are_described),
		test(a_damaged_snapshot_table_is_refused_only_when_it_is_needed),
		test(a_snapshot_table_may_be_cut_anywhere),
		test(an_image_with_a_data_file_has_no_snapshots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
