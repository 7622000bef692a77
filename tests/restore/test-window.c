// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "base/scope.h"
#include "restore/window.h"
#include "tests/fake-source.h"
#include "tests/fake-stream.h"

#define MIB (1ULL << 20)
#define KIB (1ULL << 10)

static void pieces_are_what_a_part_touches(void **state)
{
	(void)state;
	assert_int_equal(pieces_of(0, 1), 1);
	assert_int_equal(pieces_of(65535, 2), 3);
	assert_int_equal(pieces_of(0, MIB), 0xffff);
	assert_int_equal(pieces_of(MIB - 1, 1), 0x8000);
	assert_int_equal(pieces_of(65536, 0), 0);
}

static void neighbouring_pieces_are_one_stretch(void **state)
{
	struct stretch stretch;
	unsigned int at = 0;

	(void)state;
	assert_true(pieces_next(0xc006, &at, &stretch));
	assert_int_equal(stretch.offset, PIECE);
	assert_int_equal(stretch.length, 2 * PIECE);
	assert_true(pieces_next(0xc006, &at, &stretch));
	assert_int_equal(stretch.offset, 14 * PIECE);
	assert_int_equal(stretch.length, 2 * PIECE);
	assert_false(pieces_next(0xc006, &at, &stretch));
	at = 0;
	assert_false(pieces_next(0, &at, &stretch));
}

static void memory_is_zero_to_its_last_byte(void **state)
{
	uint8_t data[100] = {0};

	(void)state;
	assert_true(is_zero(data, 0));
	assert_true(is_zero(data, 100));
	data[99] = 1;
	assert_true(is_zero(data, 99));
	assert_false(is_zero(data, 100));
	data[99] = 0;
	data[0] = 1;
	assert_false(is_zero(data, 1));
}

static void expect(struct windows *windows, uint64_t offset, uint64_t length, uint16_t data,
		   uint16_t zero)
{
	static uint8_t memory[WINDOW];
	struct window window;

	assert_int_equal(windows_next(windows, memory, &window, NULL), 1);
	assert_int_equal(window.offset, offset);
	assert_int_equal(window.length, length);
	assert_int_equal(window.is_zeroes, !data && !zero);
	assert_int_equal(window.data, data);
	assert_int_equal(window.zero, zero);
}

static void expect_end(struct windows *windows)
{
	struct window window;

	for (int i = 0; i < 3; i++)
		assert_int_equal(windows_next(windows, NULL, &window, NULL), 0);
}

static void small_fragments_are_parts_of_a_window(void **state)
{
	static const struct extent list[] = {
		{0, 100, EXTENT_ZERO},
		{64 * KIB, 64 * KIB, EXTENT_ZERO},
		{200 * KIB, 200 * KIB, EXTENT_UNUSED},
		{MIB - 1, 1, EXTENT_ZERO},
	};
	struct fake_source fake = {.size = MIB, .zeroes = list, .zero_count = 4};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_(windows_release) struct windows windows;

	(void)state;
	assert_int_equal(fake_source_open(&fake, &source), 0);
	windows_init(&windows, source, 0, fake.size, MIB, NULL);
	expect(&windows, 0, MIB, 0xffff & ~(0x2 | 0x30), 0x2);
	expect_end(&windows);
	assert_int_equal(windows.unused_bytes, 128 * KIB);
}

static void long_stretches_are_not_cut_into_windows(void **state)
{
	static const struct extent list[] = {
		{MIB, 9 * MIB + 5, EXTENT_ZERO},
		{20 * MIB - 1, 100 * MIB, EXTENT_UNUSED},
		{121 * MIB, 2 * MIB + 5, EXTENT_ZERO},
	};
	struct fake_source fake = {.size = 123 * MIB + 5, .zeroes = list, .zero_count = 3};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_(windows_release) struct windows windows;

	(void)state;
	assert_int_equal(fake_source_open(&fake, &source), 0);
	windows_init(&windows, source, 0, fake.size, 4 * MIB, NULL);
	expect(&windows, 0, MIB, 0xffff, 0);
	expect(&windows, MIB, 4 * MIB, 0, 0);
	expect(&windows, 5 * MIB, 4 * MIB, 0, 0);
	expect(&windows, 9 * MIB, MIB, 0, 0);
	for (uint64_t at = 10; at < 20; at++)
		expect(&windows, at * MIB, MIB, 0xffff, 0);
	expect(&windows, 119 * MIB, MIB, 0x8000, 0);
	expect(&windows, 120 * MIB, MIB, 0xffff, 0);
	expect(&windows, 121 * MIB, 2 * MIB + 5, 0, 0);
	expect_end(&windows);
	assert_int_equal(windows.unused_bytes, 99 * MIB + 15 * PIECE);
}

/* Reads a stream to its end; what was given, then what was held, must be the image. */
static void expect_stream(struct fake_stream *stream, uint64_t zero_limit)
{
	uint64_t size = stream->fake.size, at = 0;
	_cleanup_free_ uint8_t *is = calloc(1, size + 3 * WINDOW), *should = malloc(size);
	_cleanup_free_ uint8_t *held = malloc(WINDOWS_HELD * WINDOW);
	_cleanup_source_ struct source *source = NULL;
	_cleanup_(windows_release) struct windows windows;
	uint8_t data[1];
	struct window window;
	uint64_t head;

	assert_int_equal(fake_stream_open(stream, &source), 0);
	windows_init(&windows, source, 0, 0, zero_limit, held);
	assert_int_equal(windows_read_head(&windows, is, &head, NULL), 0);
	assert_int_equal(head, size < MIB ? size : MIB);
	for (at = head; windows_next(&windows, is + at, &window, NULL) > 0; at += window.length) {
		assert_int_equal(window.offset, at);
		assert_int_equal(window.length % WINDOW, 0);
		assert_true(window.length <= zero_limit);
		assert_true(!window.is_zeroes || window.data == 0);
	}
	assert_int_equal(windows_next(&windows, data, &window, NULL), 0);
	assert_int_equal(windows.cursor, at);
	assert_int_equal(windows.read, size);
	assert_true(size - at <= WINDOWS_HELD * WINDOW);
	assert_true(size <= 2 * MIB || size - at >= MIB);
	memcpy(is + at, held, size - at);
	fake_source_fill(&stream->fake, should, size, 0);
	assert_true(memcmp(is, should, size) == 0);
}

static void the_end_of_a_stream_is_held_back(void **state)
{
	static const uint64_t sizes[] = {1,       MIB - 1,     MIB,     MIB + 1,     2 * MIB,
					 3 * MIB, 3 * MIB + 1, 4 * MIB, 5 * MIB + 7, 6 * MIB};
	static const size_t pieces[] = {0, 777, 65536, 1000000};

	(void)state;
	for (size_t i = 0; i < array_length(sizes); i++)
		for (size_t j = 0; j < array_length(pieces); j++) {
			struct fake_stream stream = {.fake = {.size = sizes[i]},
						     .claimed = sizes[i] / 2 + 1,
						     .piece = pieces[j]};

			expect_stream(&stream, 4 * MIB);
		}
}

static void zeroes_of_a_stream_come_as_one(void **state)
{
	static const struct extent list[] = {
		{MIB / 2, 30 * MIB, EXTENT_ZERO},
		{32 * MIB + 5, 3 * MIB, EXTENT_ZERO},
		{36 * MIB, 20 * MIB + 3, EXTENT_ZERO},
	};
	struct fake_stream stream = {.fake = {.size = 50 * MIB, .zeroes = list, .zero_count = 3},
				     .claimed = MIB};

	(void)state;
	for (uint64_t size = 50 * MIB; size <= 58 * MIB; size += 2 * MIB + MIB / 4) {
		stream.fake.size = size;
		expect_stream(&stream, 32 * MIB);
		expect_stream(&stream, MIB);
	}
}

static int gap_next(struct source *source, void *data, size_t capacity, struct extent *out,
		    struct error *err)
{
	if (fake_stream_op_next(source, data, capacity, out, err) < 0)
		return -1;
	if (out->kind == EXTENT_ZERO)
		out->length = UINT64_MAX;
	return 0;
}

static void a_stream_without_an_end_is_refused(void **state)
{
	static const struct extent list[] = {{MIB / 2, MIB, EXTENT_ZERO}};
	struct fake_stream stream = {.fake = {.size = 2 * MIB, .zeroes = list, .zero_count = 1},
				     .claimed = 1};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_(windows_release) struct windows windows;
	_cleanup_free_ uint8_t *data = malloc(WINDOW);
	_cleanup_error_ struct error err = {0};
	uint64_t length;

	(void)state;
	assert_int_equal(fake_stream_open(&stream, &source), 0);
	stream.fake.ops.next = gap_next;
	windows_init(&windows, source, 0, 0, MIB, NULL);
	assert_int_equal(windows_read_head(&windows, data, &length, &err), -1);
	assert_string_equal(error_text(&err), "fake is larger than any disk");
}

static int short_next(struct source *source, void *data, size_t capacity, struct extent *out,
		      struct error *err)
{
	if (fake_stream_op_next(source, data, capacity, out, err) < 0)
		return -1;
	source->size = 3 * MIB;
	return 0;
}

static void a_stream_that_ends_before_its_size_is_refused(void **state)
{
	struct fake_stream stream = {.fake = {.size = MIB / 2}};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_(windows_release) struct windows windows;
	_cleanup_free_ uint8_t *data = malloc(WINDOW);
	_cleanup_error_ struct error err = {0};
	uint64_t length;

	(void)state;
	assert_int_equal(fake_stream_open(&stream, &source), 0);
	stream.fake.ops.next = short_next;
	windows_init(&windows, source, 0, 0, MIB, NULL);
	assert_int_equal(windows_read_head(&windows, data, &length, &err), -1);
	assert_string_equal(error_text(&err),
			    "fake ends at offset 524288, but says that it holds 3145728 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_what_a_part_touches),
		cmocka_unit_test(neighbouring_pieces_are_one_stretch),
		cmocka_unit_test(memory_is_zero_to_its_last_byte),
		cmocka_unit_test(small_fragments_are_parts_of_a_window),
		cmocka_unit_test(long_stretches_are_not_cut_into_windows),
		cmocka_unit_test(the_end_of_a_stream_is_held_back),
		cmocka_unit_test(zeroes_of_a_stream_come_as_one),
		cmocka_unit_test(a_stream_without_an_end_is_refused),
		cmocka_unit_test(a_stream_that_ends_before_its_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
