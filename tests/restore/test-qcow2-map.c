// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "base/scope.h"
#include "restore/qcow2.h"
#include "tests/qcow2-image.h"

static struct source *open_sound(const struct qcow2_image *image)
{
	_cleanup_error_ struct error err = {0};
	struct source *source = NULL;

	if (qcow2_image_open(image, &source, &err) < 0)
		fail_msg("%s", error_text(&err));
	return source;
}

/* Reading cluster n, and checking the image, must both end in this error. */
static void assert_damaged(const struct qcow2_image *image, unsigned int n, const char *message)
{
	_cleanup_source_ struct source *source = open_sound(image);
	_cleanup_error_ struct error err = {0};
	struct extent extent;
	uint8_t data[CLUSTER];

	assert_int_equal(source_read(source, data, sizeof(data), AT(n), &err), -1);
	assert_string_equal(strstr(error_text(&err), ": ") + 2, message);
	assert_int_equal(source_extent(source, AT(n), 1, &extent, &err), -1);
	assert_string_equal(strstr(error_text(&err), ": ") + 2, message);
	assert_int_equal(source_check(source, &err), -1);
	assert_string_equal(strstr(error_text(&err), ": ") + 2, message);
}

static void assert_cluster(struct source *source, unsigned int n, uint8_t value)
{
	_cleanup_error_ struct error err = {0};
	uint8_t data[CLUSTER];

	if (source_read(source, data, sizeof(data), AT(n), &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(data[0], value);
	assert_memory_equal(data, data + 1, sizeof(data) - 1);
}

static void clusters_are_found_wherever_they_are(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put_l2(&image, 0, AT(9) | COPIED);
	put_l2(&image, 1, AT(5));
	put_l2(&image, 2, AT(6));
	put_l2(&image, 3, AT(9)); /* shared */
	put_l2(&image, 4, 1);
	put_l2(&image, 5, AT(7) | 1);
	put_l2(&image, 63, AT(10));
	put_l2(&image, 64, AT(11)); /* continues in the file, in another table */
	put_l2(&image, 127, AT(15) | COPIED);
	source = open_sound(&image);
	assert_cluster(source, 0, 9);
	assert_cluster(source, 1, 5);
	assert_cluster(source, 2, 6);
	assert_cluster(source, 3, 9);
	assert_cluster(source, 4, 0);
	assert_cluster(source, 5, 0);
	assert_cluster(source, 6, 0);
	assert_cluster(source, 63, 10);
	assert_cluster(source, 64, 11);
	assert_cluster(source, 127, 15);
	assert_int_equal(source_check(source, NULL), 0);
}

static void a_read_may_begin_and_end_inside_clusters(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct qcow2_image image;
	uint8_t data[2 * CLUSTER];

	(void)state;
	qcow2_image_init(&image);
	put_l2(&image, 62, AT(9));
	put_l2(&image, 63, AT(10));
	put_l2(&image, 64, AT(11));
	source = open_sound(&image);
	assert_int_equal(source_read(source, data, sizeof(data), AT(62) + 511, NULL), 0);
	assert_int_equal(data[0], 9);
	assert_int_equal(data[1], 10);
	assert_int_equal(data[512], 10);
	assert_int_equal(data[513], 11);
	assert_int_equal(data[1023], 11);
}

static void runs_follow_the_file(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct qcow2_image image;
	struct qcow2_header header;
	struct qcow2_map map;
	struct qcow2_run found;

	(void)state;
	qcow2_image_init(&image);
	put_l2(&image, 62, AT(9));
	put_l2(&image, 63, AT(10));
	put_l2(&image, 64, AT(11));
	put_l2(&image, 65, AT(4));
	source = open_sound(&image);
	assert_int_equal(qcow2_header_read(source->file, &header, NULL), 0);
	assert_int_equal(qcow2_map_init(&map, source->file, NULL, &header, 1U << 20, NULL), 0);
	assert_int_equal(qcow2_map_run(&map, 0, AT(128), &found, NULL), 0);
	assert_true(found.kind == QCOW2_ZERO && found.length == AT(62));
	assert_int_equal(qcow2_map_run(&map, AT(62) + 1, AT(66) - 1, &found, NULL), 0);
	assert_true(found.kind == QCOW2_PLAIN && found.length == 3 * CLUSTER - 1);
	assert_int_equal(found.file_offset, AT(9) + 1);
	assert_int_equal(qcow2_map_extent(&map, AT(62), AT(66), &found, NULL), 0);
	assert_true(found.kind == QCOW2_PLAIN && found.length == 4 * CLUSTER);
	qcow2_map_release(&map);
}

static void a_damaged_l1_entry_is_refused(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put_l1(&image, 1, AT(3) | 1);
	assert_damaged(&image, 64,
		       "image is corrupt: the L1 entry for disk offset 32768 has reserved bits set "
		       "(0x601)");
	put_l1(&image, 1, AT(3) | 1ULL << 56);
	assert_damaged(&image, 64,
		       "image is corrupt: the L1 entry for disk offset 32768 has reserved bits set "
		       "(0x100000000000600)");
	put_l1(&image, 1, AT(CLUSTERS));
	assert_damaged(&image, 64,
		       "image is truncated: L2 table of 512 bytes at file offset 8192 is missing, "
		       "the file ends at 8192");
	put_l1(&image, 1, 0x00fffffffffffe00ULL);
	assert_damaged(&image, 64,
		       "image is truncated: L2 table of 512 bytes at file offset 72057594037927424 "
		       "is missing, the file ends at 8192");
}

static void a_damaged_l2_entry_is_refused(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put_l2(&image, 70, AT(5) | 2);
	assert_damaged(&image, 70,
		       "image is corrupt: the L2 entry for disk offset 35840 has reserved bits set "
		       "(0xa02)");
	put_l2(&image, 70, AT(5) | 1ULL << 61);
	assert_damaged(&image, 70,
		       "image is corrupt: the L2 entry for disk offset 35840 has reserved bits set "
		       "(0x2000000000000a00)");
	put_l2(&image, 70, COPIED);
	assert_damaged(&image, 70,
		       "image is corrupt: the data cluster for disk offset 35840 is at file "
		       "offset 0");
	put_l2(&image, 70, AT(CLUSTERS) | COPIED);
	assert_damaged(&image, 70,
		       "disk offset 35840: image is truncated: data cluster of 512 bytes at file "
		       "offset 8192 is missing, the file ends at 8192");
	put_l2(&image, 70, AT(5) | 1);
	put32(&image, 4, 2);
	assert_damaged(&image, 70,
		       "image is corrupt: the L2 entry for disk offset 35840 has reserved bits set "
		       "(0xa01)");
}

static void offsets_inside_clusters_are_refused(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put32(&image, 20, 10); /* clusters of 1024 bytes: offset 512 is inside one */
	put64(&image, 24, 64 * CLUSTER);
	put64(&image, 40, 1024);
	put64(&image, 1024, 2560);
	assert_damaged(&image, 0,
		       "image is corrupt: the L2 table for disk offset 0 is at file offset 2560, "
		       "which is not the beginning of a cluster");
	put64(&image, 1024, 2048);
	put64(&image, 2048, 4608);
	assert_damaged(&image, 0,
		       "image is corrupt: the data cluster for disk offset 0 is at file offset "
		       "4608, which is not the beginning of a cluster");
}

static void a_damaged_compressed_entry_is_refused(void **state)
{
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put_l2(&image, 0, PACKED(1ULL << 56 | 4096, 0));
	assert_damaged(&image, 0,
		       "image is corrupt: the compressed cluster for disk offset 0 has reserved "
		       "bits set (0x4100000000001000)");
	put_l2(&image, 0, PACKED(0, 1));
	assert_damaged(&image, 0,
		       "image is corrupt: the compressed cluster for disk offset 0 is at file "
		       "offset 0");
	put_l2(&image, 0, PACKED(8192, 0));
	assert_damaged(&image, 0,
		       "disk offset 0: image is truncated: compressed cluster of 1 bytes at file "
		       "offset 8192 is missing, the file ends at 8192");
	put_l2(&image, 0, PACKED(8191, 1));
	assert_damaged(&image, 0,
		       "disk offset 0: image is truncated: compressed cluster of 2 bytes at file "
		       "offset 8191 is missing, the file ends at 8192");
}

static void damage_is_met_only_where_it_is(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct qcow2_image image;
	struct extent extent;
	uint8_t data[4 * CLUSTER];

	(void)state;
	qcow2_image_init(&image);
	put_l2(&image, 0, AT(5));
	put_l2(&image, 1, AT(6));
	put_l2(&image, 2, AT(7) | 2);
	source = open_sound(&image);
	assert_cluster(source, 1, 6);
	assert_cluster(source, 3, 0);
	assert_int_equal(source_extent(source, 0, AT(128), &extent, NULL), 0);
	assert_int_equal(extent.length, 2 * CLUSTER);
	assert_int_equal(source_read(source, data, sizeof(data), 0, &err), -1);
	assert_string_equal(error_text(&err),
			    "read 2048 bytes of image at offset 0: image is corrupt: the L2 entry "
			    "for disk offset 1024 has reserved bits set (0xe02)");
}

static void the_last_cluster_may_end_where_the_disk_ends(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct qcow2_image image;
	uint8_t data[100];

	(void)state;
	qcow2_image_init(&image);
	put64(&image, 24, 127 * CLUSTER + 100);
	put_l2(&image, 127, AT(15));
	image.length = AT(15) + 100;
	source = open_sound(&image);
	assert_int_equal(source_check(source, NULL), 0);
	assert_int_equal(source_read(source, data, 100, AT(127), NULL), 0);
	assert_int_equal(data[99], 15);
}

static void entries_behind_the_end_of_the_disk_are_not_looked_at(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put64(&image, 24, 100 * CLUSTER);
	put_l2(&image, 100, UINT64_MAX);
	source = open_sound(&image);
	assert_int_equal(source_check(source, NULL), 0);
	assert_cluster(source, 99, 0);
}

static void tables_that_overlap_are_refused_and_do_no_harm(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct qcow2_image image;
	uint8_t *data = malloc(128 * CLUSTER);

	(void)state;
	qcow2_image_init(&image);
	put_l1(&image, 0, AT(1)); /* the L1 table is its own first L2 table */
	put_l1(&image, 1, 0);
	source = open_sound(&image);
	assert_int_equal(source_check(source, &err), -1);
	assert_string_equal(error_text(&err),
			    "check image image: image is corrupt: the L2 table at file offset 512 "
			    "and the L1 table overlap");
	assert_int_equal(source_read(source, data, 128 * CLUSTER, 0, NULL), 0);
	assert_memory_equal(data, image.bytes + AT(1), CLUSTER);
	free(data);
}

static void a_table_that_is_used_twice_is_refused(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct qcow2_image image;

	(void)state;
	qcow2_image_init(&image);
	put_l1(&image, 1, AT(2));
	source = open_sound(&image);
	assert_int_equal(source_check(source, &err), -1);
	assert_string_equal(error_text(&err),
			    "check image image: image is corrupt: two entries of its L1 table name "
			    "the same L2 table at file offset 1024");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clusters_are_found_wherever_they_are),
		cmocka_unit_test(a_read_may_begin_and_end_inside_clusters),
		cmocka_unit_test(runs_follow_the_file),
		cmocka_unit_test(a_damaged_l1_entry_is_refused),
		cmocka_unit_test(a_damaged_l2_entry_is_refused),
		cmocka_unit_test(offsets_inside_clusters_are_refused),
		cmocka_unit_test(a_damaged_compressed_entry_is_refused),
		cmocka_unit_test(damage_is_met_only_where_it_is),
		cmocka_unit_test(the_last_cluster_may_end_where_the_disk_ends),
		cmocka_unit_test(entries_behind_the_end_of_the_disk_are_not_looked_at),
		cmocka_unit_test(tables_that_overlap_are_refused_and_do_no_harm),
		cmocka_unit_test(a_table_that_is_used_twice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
