// SPDX-License-Identifier: GPL-3.0-or-later
/* write_image() of differences with a block map: what is read of the image, and what is refused. */
#include "tests/test.h"

#include <string.h>

#include "restore/bmap_make.h"
#include "restore/bmap_window.h"
#include "tests/disk-file.h"
#include "tests/fake-source.h"

enum { DISKS = 2 };

/* The first MiB and the last one to two, which are written anew each time. */
#define ENDS (2 * MIB)

static const struct extent zeroes[] = {
	{3 * MIB, 2 * MIB, EXTENT_ZERO},
	{6 * MIB + 131072, 65536 + 4096, EXTENT_ZERO},
	{8 * MIB, 3 * MIB + 65536, EXTENT_UNUSED},
};

/* An image, its map, and disks that hold it. */
struct stage {
	struct fake_source fake;
	struct source *source;
	struct disk_file disk[DISKS];
	struct write_stats stats;
	struct write_outcome outcome[DISKS];
	struct error error;
};

static int stage_write(struct stage *stage, const struct write_options *options)
{
	struct target target[DISKS] = {0};
	int r;

	for (size_t i = 0; i < DISKS; i++)
		open_target(&stage->disk[i], &target[i]);
	atomic_store(&stage->fake.reads, 0);
	atomic_store(&stage->fake.bytes_read, 0);
	r = write_image(stage->source, target, DISKS, options, &stage->stats, stage->outcome,
			&stage->error);
	for (size_t i = 0; i < DISKS; i++) {
		write_outcome_release(&stage->outcome[i]);
		target_close(&target[i]);
	}
	return r;
}

static int stage_compare(struct stage *stage)
{
	return stage_write(stage, &(struct write_options){.method = WRITE_DIFFERENCES});
}

static void stage_make(struct stage *stage)
{
	struct bmap map;

	*stage = (struct stage){.fake = {.size = 16 * MIB, .zeroes = zeroes, .zero_count = 3}};
	for (size_t i = 0; i < DISKS; i++)
		disk_make(&stage->disk[i], 18 * MIB);
	assert_int_equal(fake_source_open(&stage->fake, &stage->source), 0);
	assert_int_equal(stage_write(stage, NULL), 0);
	assert_int_equal(bmap_make(stage->source, NULL, &map, NULL), 0);
	stage->source->map = malloc(sizeof(map));
	*stage->source->map = map;
}

static void stage_remove(struct stage *stage)
{
	source_close(stage->source);
	for (size_t i = 0; i < DISKS; i++)
		disk_remove(&stage->disk[i]);
	error_release(&stage->error);
}
#define _cleanup_stage_ _cleanup_(stage_remove)

static void damage(const struct disk_file *disk, uint64_t offset)
{
	_cleanup_close_ int fd = open(disk->path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(write_exactly(fd, disk->path, "v2p", 3, offset, NULL), 0);
}

static void expect_image(const struct stage *stage)
{
	_cleanup_free_ uint8_t *should = malloc(16 * MIB);

	fake_source_fill(&stage->fake, should, 16 * MIB, 0);
	memset(should + zeroes[2].offset, JUNK, zeroes[2].length);
	for (size_t i = 0; i < DISKS; i++) {
		_cleanup_free_ uint8_t *is = content_of(stage->disk[i].path, 16 * MIB);

		assert_true(memcmp(is, should, 16 * MIB) == 0);
	}
}

static void a_disk_that_holds_the_image_is_told_by_the_map_alone(void **state)
{
	_cleanup_stage_ struct stage stage;

	(void)state;
	stage_make(&stage);
	if (stage_compare(&stage) < 0)
		fail_msg("%s", error_text(&stage.error));
	assert_int_equal(stage.fake.bytes_read, ENDS);
	for (size_t i = 0; i < DISKS; i++) {
		assert_int_equal(stage.outcome[i].data_bytes, ENDS);
		assert_int_equal(stage.outcome[i].same_bytes + stage.outcome[i].zero_bytes,
				 11 * MIB - 65536);
	}
	assert_int_equal(stage.stats.data_bytes + stage.stats.zero_bytes, 13 * MIB - 65536);
	expect_image(&stage);
}

static void only_the_windows_that_differ_are_read_and_written(void **state)
{
	_cleanup_stage_ struct stage stage;

	(void)state;
	stage_make(&stage);
	damage(&stage.disk[0], 5 * MIB + 200000);
	if (stage_compare(&stage) < 0)
		fail_msg("%s", error_text(&stage.error));
	assert_int_equal(stage.fake.bytes_read, ENDS + MIB);
	assert_int_equal(stage.outcome[0].data_bytes, ENDS + 65536);
	assert_int_equal(stage.outcome[1].data_bytes, ENDS);
	expect_image(&stage);
}

static void what_two_disks_need_is_read_once(void **state)
{
	_cleanup_stage_ struct stage stage;

	(void)state;
	stage_make(&stage);
	damage(&stage.disk[0], 5 * MIB + 200000);
	damage(&stage.disk[1], 5 * MIB + 300000);
	damage(&stage.disk[1], 12 * MIB);
	if (stage_compare(&stage) < 0)
		fail_msg("%s", error_text(&stage.error));
	assert_int_equal(stage.fake.bytes_read, ENDS + 2 * MIB);
	assert_int_equal(stage.outcome[0].data_bytes, ENDS + 65536);
	assert_int_equal(stage.outcome[1].data_bytes, ENDS + 2 * 65536);
	expect_image(&stage);
}

static void zeroes_between_data_are_looked_at(void **state)
{
	_cleanup_stage_ struct stage stage;

	(void)state;
	stage_make(&stage);
	damage(&stage.disk[1], 6 * MIB + 131072 + 10);
	if (stage_compare(&stage) < 0)
		fail_msg("%s", error_text(&stage.error));
	expect_image(&stage);
}

static struct bmap_range *range_at(const struct stage *stage, uint64_t offset)
{
	struct bmap *map = stage->source->map;
	size_t i = 0;

	while (i < map->count && map->range[i].offset != offset)
		i++;
	assert_true(i < map->count);
	return &map->range[i];
}

static void make_lie(struct stage *stage, uint64_t offset)
{
	range_at(stage, offset)->sum[7] ^= 1;
}

static void expect_refusal(struct stage *stage, const char *message)
{
	assert_int_equal(stage_compare(stage), -1);
	if (!strstr(error_text(&stage->error), message))
		fail_msg("%s", error_text(&stage->error));
	for (size_t i = 0; i < DISKS; i++) {
		assert_true(stage->outcome[i].failed && stage->outcome[i].began);
		expect_no_table(stage->disk[i].path);
	}
}

static void an_image_that_breaks_its_promise_is_not_written(void **state)
{
	_cleanup_free_ uint8_t *before = NULL, *after = NULL;
	_cleanup_stage_ struct stage stage;

	(void)state;
	stage_make(&stage);
	damage(&stage.disk[0], 5 * MIB + 200000);
	before = content_of(stage.disk[0].path, 16 * MIB);
	make_lie(&stage, 5 * MIB);
	expect_refusal(&stage, "write fake to /var/tmp/v2p-write-");
	if (!strstr(error_text(&stage.error), "the image is not what its block map promises: its "
					      "bytes 5242880 to 5767168 have another checksum"))
		fail_msg("%s", error_text(&stage.error));
	after = content_of(stage.disk[0].path, 16 * MIB);
	assert_true(memcmp(before + 5 * MIB, after + 5 * MIB, MIB) == 0);
}

static void the_ends_of_an_image_are_proven_too(void **state)
{
	static const uint64_t ends[] = {0, 15 * MIB};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		_cleanup_stage_ struct stage stage;

		stage_make(&stage);
		make_lie(&stage, ends[i]);
		expect_refusal(&stage, "the image is not what its block map promises");
	}
}

static void zeroes_instead_of_what_was_promised_are_refused(void **state)
{
	struct extent more[] = {zeroes[0], zeroes[1], zeroes[2], {12 * MIB, MIB, EXTENT_ZERO}};
	_cleanup_stage_ struct stage stage;

	(void)state;
	stage_make(&stage);
	stage.fake.zeroes = more;
	stage.fake.zero_count = 4;
	expect_refusal(&stage, "its bytes 12582912 to 13107200 have another checksum");
}

static void what_a_map_says_too_little_about_is_read(void **state)
{
	_cleanup_free_ uint8_t *data = malloc(MIB / 4);
	_cleanup_stage_ struct stage stage;
	struct bmap_range *range;

	(void)state;
	stage_make(&stage);
	range = range_at(&stage, 5 * MIB);
	range->end = range->offset + MIB / 4;
	fake_source_fill(&stage.fake, data, MIB / 4, range->offset);
	assert_int_equal(sha256_of(data, MIB / 4, range->sum, NULL), 0);
	if (stage_compare(&stage) < 0)
		fail_msg("%s", error_text(&stage.error));
	assert_int_equal(stage.fake.bytes_read, ENDS + MIB);
	expect_image(&stage);
}

static void ranges_across_a_mib_are_not_small(void **state)
{
	struct bmap_range range[] = {{0, MIB, {0}}, {MIB + 4096, 2 * MIB, {0}}};
	struct bmap map = {.size = 4 * MIB, .range = range, .count = 2};
	uint64_t length = MIB;

	(void)state;
	assert_true(bmap_is_small(&map));
	assert_false(bmap_has(&map, MIB, &length));
	assert_int_equal(length, 4096);
	length = 4 * MIB;
	assert_true(bmap_has(&map, MIB + 5000, &length));
	assert_int_equal(length, MIB - 5000);
	length = 100;
	assert_false(bmap_has(&map, 3 * MIB, &length));
	assert_int_equal(length, 100);
	range[1].end++;
	assert_false(bmap_is_small(&map));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_that_holds_the_image_is_told_by_the_map_alone),
		cmocka_unit_test(only_the_windows_that_differ_are_read_and_written),
		cmocka_unit_test(what_two_disks_need_is_read_once),
		cmocka_unit_test(zeroes_between_data_are_looked_at),
		cmocka_unit_test(an_image_that_breaks_its_promise_is_not_written),
		cmocka_unit_test(the_ends_of_an_image_are_proven_too),
		cmocka_unit_test(zeroes_instead_of_what_was_promised_are_refused),
		cmocka_unit_test(what_a_map_says_too_little_about_is_read),
		cmocka_unit_test(ranges_across_a_mib_are_not_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
