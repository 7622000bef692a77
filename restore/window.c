// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/window.h"

#include <assert.h>
#include <string.h>

#include "base/number.h"
#include "restore/window_stream.h"

bool is_zero(const uint8_t *data, size_t length)
{
	/* Compared with itself, one byte on: as fast as memcmp(). */
	return length == 0 || (data[0] == 0 && memcmp(data, data + 1, length - 1) == 0);
}

uint16_t pieces_of(uint64_t offset, uint64_t length)
{
	uint64_t first = offset / PIECE, end = (offset + length + PIECE - 1) / PIECE;

	assert(end <= WINDOW_PIECES);
	return (uint16_t)((1U << end) - (1U << first));
}

bool pieces_next(uint16_t pieces, unsigned int *at, struct stretch *out)
{
	unsigned int first = *at, end;

	while (first < WINDOW_PIECES && !(pieces >> first & 1))
		first++;
	for (end = first; end < WINDOW_PIECES && (pieces >> end & 1);)
		end++;
	*at = end;
	*out = (struct stretch){(size_t)first * PIECE, (size_t)(end - first) * PIECE};
	return end > first;
}

size_t window_stretch(const struct window *window, const struct stretch *stretch)
{
	return (size_t)smaller(stretch->length, window->length - stretch->offset);
}

/* Keeps windows->extent around offset. */
static int look_at(struct windows *windows, uint64_t offset, struct error *err)
{
	struct extent *extent = &windows->extent;

	if (offset >= extent->offset && offset < extent->offset + extent->length)
		return 0;
	return source_extent(windows->source, offset, windows->end - offset, extent, err);
}

/* How far what is at offset goes on. */
static uint64_t known_from(const struct windows *windows, uint64_t offset)
{
	uint64_t length = windows->extent.offset + windows->extent.length - offset;

	return smaller(length, windows->end - offset);
}

/* Is it one long stretch of something that has not to be read? */
static bool cut_stretch(struct windows *windows, struct window *out)
{
	uint64_t length = known_from(windows, out->offset);

	if (out->offset + length < windows->end)
		length = length / WINDOW * WINDOW;
	if (windows->extent.kind == EXTENT_DATA || length == 0)
		return false;
	if (windows->extent.kind == EXTENT_ZERO) {
		length = smaller(length, windows->zero_limit);
		out->is_zeroes = true;
	} else {
		windows->unused_bytes += length;
	}
	out->length = length;
	return true;
}

static int cut_window(struct windows *windows, struct window *out, struct error *err)
{
	uint64_t next;
	uint16_t used;

	out->length = smaller(WINDOW, windows->end - out->offset);
	for (uint64_t at = 0; at < out->length; at = next) {
		if (look_at(windows, out->offset + at, err) < 0)
			return -1;
		next = smaller(at + known_from(windows, out->offset + at), out->length);
		if (windows->extent.kind == EXTENT_DATA)
			out->data |= pieces_of(at, next - at);
		else if (windows->extent.kind == EXTENT_ZERO)
			out->zero |= pieces_of(at, next - at);
	}
	used = out->data | out->zero;
	out->zero &= (uint16_t)~out->data;
	for (uint64_t at = 0; at < out->length; at += PIECE)
		if (!(used >> at / PIECE & 1))
			windows->unused_bytes += smaller(PIECE, out->length - at);
	return 0;
}

static int cut(struct windows *windows, struct window *out, struct error *err)
{
	*out = (struct window){.offset = windows->cursor};
	if (look_at(windows, out->offset, err) < 0)
		return -1;
	if (!cut_stretch(windows, out) && cut_window(windows, out, err) < 0)
		return -1;
	windows->cursor += out->length;
	return 0;
}

/* The next window in which something is used. */
static int next_used(struct windows *windows, struct window *out, struct error *err)
{
	while (windows->cursor < windows->end) {
		if (cut(windows, out, err) < 0)
			return -1;
		if (out->is_zeroes || out->data || out->zero)
			return 1;
	}
	return 0;
}

int windows_next(struct windows *windows, uint8_t *data, struct window *out, struct error *err)
{
	int r = 0;

	pthread_mutex_lock(&windows->lock);
	if (!windows->is_over && windows->source->is_stream)
		r = window_stream_next(windows, data, out, err);
	else if (!windows->is_over)
		r = next_used(windows, out, err);
	windows->is_over = r <= 0;
	pthread_mutex_unlock(&windows->lock);
	return r;
}

int window_read(struct source *source, const struct window *window, uint8_t *data,
		struct error *err)
{
	struct stretch stretch;

	if (source->is_stream)
		return 0;
	for (unsigned int at = 0; pieces_next(window->data, &at, &stretch);)
		if (source_read(source, data + stretch.offset, window_stretch(window, &stretch),
				window->offset + stretch.offset, err) < 0)
			return -1;
	return 0;
}

int windows_read_head(struct windows *windows, uint8_t *data, uint64_t *length, struct error *err)
{
	size_t got = 0;

	assert(windows->read == 0);
	if (window_stream_fill(windows, data, &got, err) < 0)
		return -1;
	windows->cursor = windows->read;
	*length = got;
	return 0;
}

void windows_init(struct windows *windows, struct source *source, uint64_t from, uint64_t to,
		  uint64_t zero_limit, uint8_t *held)
{
	assert(from % WINDOW == 0 && zero_limit % WINDOW == 0 && zero_limit > 0);
	*windows = (struct windows){
		.source = source,
		.cursor = source->is_stream ? 0 : from,
		.end = to,
		.zero_limit = zero_limit,
		.held = held,
	};
	pthread_mutex_init(&windows->lock, NULL);
}

void windows_release(struct windows *windows)
{
	pthread_mutex_destroy(&windows->lock);
}
