// SPDX-License-Identifier: GPL-3.0-or-later
/* Block maps of images: what is in them, and what cannot have one. */
#include "tests/test.h"

#include <string.h>

#include "base/scope.h"
#include "restore/bmap_make.h"
#include "restore/bmap_window.h"
#include "restore/bmap_write.h"
#include "tests/fake-source.h"

#define MIB (1ULL << 20)

static const struct extent zeroes[] = {
	{100000, 3 * MIB, EXTENT_ZERO},
	{5 * MIB, 65536, EXTENT_UNUSED},
	{5 * MIB + 131072, 65536, EXTENT_ZERO},
};

static int make(struct fake_source *fake, const struct write_options *options, struct bmap *out,
		struct error *err)
{
	_cleanup_source_ struct source *source = NULL;

	assert_int_equal(fake_source_open(fake, &source), 0);
	return bmap_make(source, options, out, err);
}

static void the_data_of_each_half_mib_is_a_range(void **state)
{
	static const struct {
		uint64_t offset, end;
	} expected[] = {
		{0, 131072},
		{3 * MIB + 65536, 3 * MIB + MIB / 2},
		{3 * MIB + MIB / 2, 4 * MIB},
		{4 * MIB, 4 * MIB + MIB / 2},
		{4 * MIB + MIB / 2, 5 * MIB},
		{5 * MIB + 65536, 5 * MIB + 131072},
		{5 * MIB + 196608, 5 * MIB + MIB / 2},
		{5 * MIB + MIB / 2, 6 * MIB},
		{6 * MIB, 6 * MIB + 300},
	};
	struct fake_source fake = {.size = 6 * MIB + 300, .zeroes = zeroes, .zero_count = 3};
	_cleanup_bmap_ struct bmap map = {0};

	(void)state;
	assert_int_equal(make(&fake, NULL, &map, NULL), 0);
	assert_true(bmap_is_small(&map));
	assert_int_equal(map.size, fake.size);
	assert_int_equal(map.count, array_length(expected));
	for (size_t i = 0; i < map.count; i++) {
		assert_int_equal(map.range[i].offset, expected[i].offset);
		assert_int_equal(map.range[i].end, expected[i].end);
	}
}

static void what_is_written_is_read_again(void **state)
{
	struct fake_source fake = {.size = 6 * MIB + 300, .zeroes = zeroes, .zero_count = 3};
	_cleanup_bmap_ struct bmap map = {0}, again = {0};
	_cleanup_text_ struct text text = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(make(&fake, NULL, &map, NULL), 0);
	assert_int_equal(bmap_write(&map, &text, NULL), 0);
	if (bmap_parse(text_string(&text), text.length, &again, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(again.size, map.size);
	assert_int_equal(again.count, map.count);
	assert_memory_equal(again.range, map.range, map.count * sizeof(*map.range));
}

/* The numbers of the largest disk are the longest. */
static void the_largest_map_is_one_that_is_read(void **state)
{
	_cleanup_bmap_ struct bmap map = {.size = INT64_MAX}, again = {0};
	_cleanup_text_ struct text text = {0};
	uint64_t first = (INT64_MAX / MIB - BMAP_RANGES) * MIB;

	(void)state;
	for (uint64_t i = 0; i < BMAP_RANGES; i++)
		bmap_add(&map, &(struct bmap_range){.offset = first + i * MIB,
						    .end = first + (i + 1) * MIB});
	assert_int_equal(bmap_write(&map, &text, NULL), 0);
	assert_true(text.length <= BMAP_LIMIT);
	assert_int_equal(bmap_parse(text_string(&text), text.length, &again, NULL), 0);
	assert_int_equal(again.count, BMAP_RANGES);
}

static void expect_refusal(struct fake_source *fake, const struct write_options *options,
			   const char *message)
{
	_cleanup_bmap_ struct bmap map = {0};
	_cleanup_error_ struct error err = {0};

	assert_int_equal(make(fake, options, &map, &err), -1);
	assert_string_equal(error_text(&err), message);
}

static void too_much_data_is_refused_before_it_is_read(void **state)
{
	struct fake_source fake = {.size = (BMAP_RANGES + 1) * MIB};

	(void)state;
	expect_refusal(&fake, NULL,
		       "make a block map of fake: it holds more than a block map of 16 MiB "
		       "describes, which is 131072 pieces of up to 1 MiB: use sha256sum on the "
		       "image file");
	assert_int_equal(fake.reads, 0);
}

static void an_image_that_cannot_be_read_has_no_map(void **state)
{
	struct fake_source fake = {.size = 6 * MIB, .error_at = 3 * MIB + 5};
	atomic_bool stop = true;

	(void)state;
	expect_refusal(&fake, NULL,
		       "make a block map of fake: read 1048576 bytes of fake at offset 3145728: "
		       "fake read error at offset 3145733");
	expect_refusal(&fake, &(struct write_options){.stop = &stop},
		       "make a block map of fake: it was stopped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_data_of_each_half_mib_is_a_range),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(the_largest_map_is_one_that_is_read),
		cmocka_unit_test(too_much_data_is_refused_before_it_is_read),
		cmocka_unit_test(an_image_that_cannot_be_read_has_no_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
