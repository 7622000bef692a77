// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/window_stream.h"

#include <inttypes.h>
#include <string.h>

#include "base/number.h"

/* What comes next: bytes into data, or a number of zeroes. */
static int take_extent(struct windows *windows, uint8_t *data, size_t capacity, size_t *got,
		       struct error *err)
{
	struct source *source = windows->source;
	struct extent extent = {0};

	if (source_next(source, data, capacity, &extent, err) < 0)
		return -1;
	*got = 0;
	if (extent.length == 0) {
		windows->has_ended = true;
		if (windows->read == source->size)
			return 0;
		return error_set(err,
				 "%s ends at offset %" PRIu64 ", but says that it holds %" PRIu64
				 " bytes",
				 source->name, windows->read, source->size);
	}
	if (extent.length > INT64_MAX - windows->read)
		return error_set(err, "%s is larger than any disk", source->name);
	if (extent.kind == EXTENT_DATA)
		*got = (size_t)extent.length;
	else
		windows->zeroes = extent.length;
	return 0;
}

int window_stream_fill(struct windows *windows, uint8_t *data, size_t *got, struct error *err)
{
	size_t part;

	for (*got = 0; *got < WINDOW; *got += part, windows->read += part) {
		if (windows->zeroes > 0) {
			part = (size_t)smaller(windows->zeroes, WINDOW - *got);
			memset(data + *got, 0, part);
			windows->zeroes -= part;
			continue;
		}
		if (windows->has_ended)
			return 0;
		if (take_extent(windows, data + *got, WINDOW - *got, &part, err) < 0)
			return -1;
	}
	return 0;
}

static uint8_t *slot(const struct windows *windows, uint64_t offset)
{
	return windows->held + offset / WINDOW % WINDOWS_HELD * WINDOW;
}

static void give(struct windows *windows, size_t length, struct window *out)
{
	*out = (struct window){
		.offset = windows->cursor,
		.length = length,
		.data = pieces_of(0, length),
	};
	windows->cursor += length;
}

static int give_zeroes(struct windows *windows, uint64_t length, struct window *out)
{
	*out = (struct window){.offset = windows->cursor, .length = length, .is_zeroes = true};
	windows->zeroes -= length;
	windows->read += length;
	windows->cursor += length;
	return 1;
}

/* The slots change places when the older window lies in the second. */
static void bring_into_order(struct windows *windows)
{
	uint8_t *a = windows->held, *b = windows->held + WINDOW;

	if (slot(windows, windows->cursor) == a)
		return;
	for (size_t i = 0; i < WINDOW; i++) {
		uint8_t byte = a[i];

		a[i] = b[i];
		b[i] = byte;
	}
}

/* Nothing is held back. */
static int next_at_once(struct windows *windows, uint8_t *data, struct window *out,
			struct error *err)
{
	uint64_t zeroes = windows->zeroes / WINDOW * WINDOW;
	size_t got;

	if (zeroes > 0)
		return give_zeroes(windows, smaller(zeroes, windows->zero_limit), out);
	if (window_stream_fill(windows, data, &got, err) < 0)
		return -1;
	give(windows, got, out);
	return got > 0;
}

/*
 * The older of two full windows can be given away as soon as one more byte comes: what is held then
 * is more than the last MiB. Of zeroes it is known that they come.
 */
static int next_held(struct windows *windows, uint8_t *data, struct window *out, struct error *err)
{
	const uint64_t many = 2 * WINDOWS_HELD * WINDOW, all = WINDOWS_HELD * WINDOW;
	size_t got;

	while (windows->read - windows->cursor < all && windows->zeroes < many) {
		if (window_stream_fill(windows, slot(windows, windows->read), &got, err) < 0)
			return -1;
		if (got < WINDOW) {
			bring_into_order(windows);
			return 0;
		}
	}
	if (windows->read == windows->cursor) {
		uint64_t zeroes = (windows->zeroes - all) / WINDOW * WINDOW;

		return give_zeroes(windows, smaller(zeroes, windows->zero_limit), out);
	}
	memcpy(data, slot(windows, windows->cursor), WINDOW);
	if (windows->zeroes < many &&
	    window_stream_fill(windows, slot(windows, windows->cursor), &got, err) < 0)
		return -1;
	if (windows->zeroes < many && got == 0) {
		memcpy(slot(windows, windows->cursor), data, WINDOW);
		bring_into_order(windows);
		return 0;
	}
	give(windows, WINDOW, out);
	return 1;
}

int window_stream_next(struct windows *windows, uint8_t *data, struct window *out,
		       struct error *err)
{
	return windows->held ? next_held(windows, data, out, err)
			     : next_at_once(windows, data, out, err);
}
