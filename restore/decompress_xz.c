// SPDX-License-Identifier: GPL-3.0-or-later
/* xz and lzip, by liblzma, which can be told how much memory a file may take. */
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>

#include "restore/decompress_kinds.h"

/* `xz -9` takes 65 MiB; the format allows 4 GiB. */
#define MEMORY (72ULL << 20)

typedef lzma_ret lzma_decoder(lzma_stream *stream, uint64_t memory, uint32_t flags);

static int open_with(struct decompressor *d, lzma_decoder *decoder, struct error *err)
{
	lzma_stream *stream = calloc(1, sizeof(*stream));

	d->state = stream;
	if (!stream || decoder(stream, MEMORY, LZMA_CONCATENATED) != LZMA_OK)
		return error_sys(err, ENOMEM, "liblzma");
	return 0;
}

static int xz_open(struct decompressor *d, struct error *err)
{
	return open_with(d, lzma_stream_decoder, err);
}

static int lzip_open(struct decompressor *d, struct error *err)
{
	return open_with(d, lzma_lzip_decoder, err);
}

static void xz_close(struct decompressor *d)
{
	if (d->state)
		lzma_end(d->state);
	free(d->state);
}

static int complain(const lzma_stream *stream, const char *kind, lzma_ret r, struct error *err)
{
	if (r == LZMA_MEMLIMIT_ERROR)
		return error_set(err,
				 "reading it takes %llu MiB of memory, more than the %llu that are "
				 "allowed: compress it again with `%s -9` or less, or pipe it into "
				 "v2p with `%s -dc`",
				 (unsigned long long)lzma_memusage(stream) >> 20, MEMORY >> 20,
				 kind, kind);
	if (r == LZMA_FORMAT_ERROR)
		return error_set(err,
				 "what follows there is not %s: the file is damaged, or something "
				 "was appended to it",
				 kind);
	return error_set(err, "it is corrupt");
}

static int xz_step(struct decompressor *d, void *data, size_t capacity, size_t *got,
		   struct error *err)
{
	lzma_stream *stream = d->state;
	size_t left = decompressor_left(d);
	lzma_ret r;

	stream->next_in = d->input + d->at;
	stream->avail_in = left;
	stream->next_out = data;
	stream->avail_out = capacity;
	r = lzma_code(stream, d->input_has_ended ? LZMA_FINISH : LZMA_RUN);
	d->at += left - stream->avail_in;
	*got = capacity - stream->avail_out;
	d->has_ended = r == LZMA_STREAM_END;
	if (r == LZMA_OK || r == LZMA_STREAM_END || r == LZMA_BUF_ERROR)
		return 0;
	return complain(stream, d->kind, r, err);
}

const struct decompress_ops decompress_xz_ops = {
	.open = xz_open,
	.step = xz_step,
	.close = xz_close,
};

const struct decompress_ops decompress_lzip_ops = {
	.open = lzip_open,
	.step = xz_step,
	.close = xz_close,
};
