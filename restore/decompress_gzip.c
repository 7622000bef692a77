// SPDX-License-Identifier: GPL-3.0-or-later
/* RFC 1952, by zlib, which compares each member's checksum and length. */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "restore/decompress_kinds.h"

enum { GZIP_WINDOW = 16 + MAX_WBITS, PIECE = 1 << 30 };

struct gzip {
	z_stream stream;
	bool is_between; /* members */
	bool is_padding; /* zeroes followed a member: only zeroes may follow */
};

static int gzip_open(struct decompressor *d, struct error *err)
{
	struct gzip *gzip = calloc(1, sizeof(*gzip));

	if (!gzip)
		return error_sys(err, ENOMEM, "zlib");
	if (inflateInit2(&gzip->stream, GZIP_WINDOW) != Z_OK) {
		free(gzip);
		return error_sys(err, ENOMEM, "zlib");
	}
	d->state = gzip;
	return 0;
}

static void gzip_close(struct decompressor *d)
{
	struct gzip *gzip = d->state;

	if (gzip)
		inflateEnd(&gzip->stream);
	free(gzip);
}

/* Tapes and padded files end in zeroes, which gunzip accepts silently; anything else is a member
 * whose beginning is damaged, or does not belong here. */
static int begin_member(struct decompressor *d, struct gzip *gzip, struct error *err)
{
	while (decompressor_left(d) > 0 && d->input[d->at] == 0) {
		gzip->is_padding = true;
		d->at++;
	}
	d->has_ended = decompressor_left(d) == 0 && d->input_has_ended;
	if (decompressor_left(d) == 0)
		return 0;
	if (gzip->is_padding || d->input[d->at] != 0x1f)
		return error_set(err, "what follows there is not gzip: the file is damaged, or "
				      "something was appended to it");
	gzip->is_between = false;
	return inflateReset(&gzip->stream) == Z_OK ? 0 : error_set(err, "zlib cannot go on");
}

static int gzip_step(struct decompressor *d, void *data, size_t capacity, size_t *got,
		     struct error *err)
{
	struct gzip *gzip = d->state;
	z_stream *stream = &gzip->stream;
	size_t left, room = capacity < PIECE ? capacity : PIECE;
	int r;

	if (gzip->is_between && begin_member(d, gzip, err) < 0)
		return -1;
	left = decompressor_left(d);
	if (left == 0)
		return 0;
	stream->next_in = d->input + d->at;
	stream->avail_in = (uInt)left;
	stream->next_out = data;
	stream->avail_out = (uInt)room;
	r = inflate(stream, Z_NO_FLUSH);
	d->at += left - stream->avail_in;
	*got = room - stream->avail_out;
	gzip->is_between = r == Z_STREAM_END;
	if (r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR)
		return 0;
	return error_set(err, "it is corrupt (%s)", stream->msg ? stream->msg : "no memory");
}

const struct decompress_ops decompress_gzip_ops = {
	.open = gzip_open,
	.step = gzip_step,
	.close = gzip_close,
};
