// SPDX-License-Identifier: GPL-3.0-or-later
/* What subclusters and data files add to entries; test-qcow2-map.c has the others. */
#include "tests/test.h"

#include "base/scope.h"
#include "restore/qcow2.h"

#define CLUSTER (1ULL << 14)
#define SUBCLUSTER 512U
#define COPIED (1ULL << 63)
#define COMPRESSED (1ULL << 62)

/* A disk of 10 clusters in a file of 16, with extended L2 entries. */
struct fixture {
	struct qcow2_header header;
	struct image_file file;
	struct qcow2_map map;
};

static struct fixture *extended(void)
{
	static struct fixture fixture;

	fixture = (struct fixture){
		.header = {.version = 3, .cluster_bits = 14, .size = 10 * CLUSTER},
		.file = {.size = 16 * CLUSTER, .fd = -1},
	};
	fixture.header.has_extended_l2 = true;
	fixture.map = (struct qcow2_map){
		.file = &fixture.file,
		.data = &fixture.file,
		.header = &fixture.header,
		.words_per_entry = 2,
	};
	return &fixture;
}

/* An image whose clusters are in a data file. */
static struct fixture *external(void)
{
	static char name[] = "data";
	struct fixture *fixture = extended();

	fixture->header.has_extended_l2 = false;
	fixture->header.data_name = name;
	fixture->map.words_per_entry = 1;
	return fixture;
}

static void assert_run(const struct fixture *fixture, const uint64_t *entry, uint64_t offset,
		       enum qcow2_kind kind, uint64_t length, uint64_t file_offset)
{
	_cleanup_error_ struct error err = {0};
	struct qcow2_run run;

	if (qcow2_entry_run(&fixture->map, entry, offset, &run, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(run.kind, kind);
	assert_int_equal(run.length, length);
	assert_int_equal(run.file_offset, file_offset);
}

static void assert_corrupt(const struct fixture *fixture, uint64_t entry, uint64_t bitmap,
			   uint64_t offset, const char *message)
{
	const uint64_t words[2] = {entry, bitmap};
	_cleanup_error_ struct error err = {0};
	struct qcow2_run run;

	assert_int_equal(qcow2_entry_run(&fixture->map, words, offset, &run, &err), -1);
	assert_string_equal(error_text(&err), message);
}

static void subclusters_of_one_kind_are_one_run(void **state)
{
	/* 0 to 3 data, 4 and 5 zeroes, 6 to 30 nothing, 31 data */
	const uint64_t entry[2] = {5 * CLUSTER | COPIED, 0x8000000f | 0x30ULL << 32};
	struct fixture *fixture = extended();
	char name[] = "base";

	(void)state;
	assert_run(fixture, entry, 2 * CLUSTER, QCOW2_PLAIN, 2048, 5 * CLUSTER);
	assert_run(fixture, entry, 2 * CLUSTER + 600, QCOW2_PLAIN, 2048 - 600, 5 * CLUSTER + 600);
	assert_run(fixture, entry, 3 * CLUSTER - 1, QCOW2_PLAIN, 1, 6 * CLUSTER - 1);
	assert_run(fixture, entry, 2 * CLUSTER + 2048, QCOW2_ZERO, 27 * 512, 0);
	fixture->header.backing_name = name;
	assert_run(fixture, entry, 2 * CLUSTER + 2048, QCOW2_ZERO, 1024, 0);
	assert_run(fixture, entry, 2 * CLUSTER + 3073, QCOW2_BACKING, 25 * 512 - 1, 0);
}

static void a_cluster_needs_its_file_up_to_the_last_subcluster_only(void **state)
{
	const uint64_t entry[2] = {5 * CLUSTER, 0xf};
	struct fixture *fixture = extended();

	(void)state;
	fixture->file.size = 5 * CLUSTER + 2048;
	assert_run(fixture, entry, 0, QCOW2_PLAIN, 2048, 5 * CLUSTER);
	fixture->file.size--;
	assert_corrupt(fixture, entry[0], entry[1], 0,
		       "disk offset 0: image is truncated: data cluster of 2048 bytes at file "
		       "offset 81920 is missing, the file ends at 83967");
}

static void damaged_extended_entries_are_refused(void **state)
{
	const struct fixture *fixture = extended();

	(void)state;
	assert_corrupt(fixture, 5 * CLUSTER, 1 | 1ULL << 32, 1000,
		       "image is corrupt: subclusters of the cluster for disk offset 0 are both "
		       "data and zeroes (0x100000001)");
	assert_corrupt(fixture, 5 * CLUSTER | 1, 1, 0,
		       "image is corrupt: the L2 entry for disk offset 0 has reserved bits set "
		       "(0x14001)");
	assert_corrupt(fixture, 5 * CLUSTER + 512, 0, CLUSTER,
		       "image is corrupt: the data cluster for disk offset 16384 is at file offset "
		       "82432, which is not the beginning of a cluster");
	assert_corrupt(fixture, COPIED, 1, CLUSTER,
		       "image is corrupt: the data cluster for disk offset 16384 is at file "
		       "offset 0");
	assert_corrupt(fixture, COMPRESSED | 5 * CLUSTER, 1, CLUSTER,
		       "image is corrupt: the L2 bitmap for disk offset 16384 has reserved bits "
		       "set (0x1)");
	assert_corrupt(fixture, 16 * CLUSTER, 1, CLUSTER,
		       "disk offset 16384: image is truncated: data cluster of 512 bytes at file "
		       "offset 262144 is missing, the file ends at 262144");
}

static void clusters_of_a_data_file_are_where_they_are_on_the_disk(void **state)
{
	const uint64_t first[] = {COPIED}, third[] = {2 * CLUSTER | COPIED}, hole[] = {0};
	const struct fixture *fixture = external();

	(void)state;
	assert_run(fixture, first, 5, QCOW2_PLAIN, CLUSTER - 5, 5);
	assert_run(fixture, third, 2 * CLUSTER, QCOW2_PLAIN, CLUSTER, 2 * CLUSTER);
	assert_run(fixture, hole, 2 * CLUSTER, QCOW2_ZERO, CLUSTER, 0);
	assert_corrupt(fixture, third[0], 0, CLUSTER,
		       "image is corrupt: the data cluster for disk offset 16384 is at offset "
		       "32768 of the data file, not at the same offset");
	assert_corrupt(fixture, COMPRESSED | CLUSTER, 0, CLUSTER,
		       "image is corrupt: the cluster for disk offset 16384 is compressed, which "
		       "an image with a data file cannot have");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subclusters_of_one_kind_are_one_run),
		cmocka_unit_test(a_cluster_needs_its_file_up_to_the_last_subcluster_only),
		cmocka_unit_test(damaged_extended_entries_are_refused),
		cmocka_unit_test(clusters_of_a_data_file_are_where_they_are_on_the_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
