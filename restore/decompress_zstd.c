// SPDX-License-Identifier: GPL-3.0-or-later
/* RFC 8878, by libzstd. A frame's header says how large a window it needs: up to 2 GiB. */
#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "restore/decompress_kinds.h"

enum { WINDOW_LOG = 25 };

struct zstd {
	ZSTD_DCtx *context;
	bool is_between; /* frames */
};

static void zstd_close(struct decompressor *d)
{
	struct zstd *zstd = d->state;

	if (zstd)
		ZSTD_freeDCtx(zstd->context);
	free(zstd);
}

static int zstd_open(struct decompressor *d, struct error *err)
{
	struct zstd *zstd = calloc(1, sizeof(*zstd));

	d->state = zstd;
	if (zstd)
		zstd->context = ZSTD_createDCtx();
	if (!zstd || !zstd->context)
		return error_sys(err, ENOMEM, "libzstd");
	if (ZSTD_isError(ZSTD_DCtx_setParameter(zstd->context, ZSTD_d_windowLogMax, WINDOW_LOG)))
		return error_set(err, "libzstd knows no limit of memory");
	return 0;
}

static int complain(size_t code, struct error *err)
{
	if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
		return error_set(err, "reading it takes more than the 32 MiB of memory that are "
				      "allowed (it was made with --long or --ultra): compress it "
				      "again with `zstd -19`, or pipe it into v2p with `unzstd "
				      "--long=31 -c`");
	return error_set(err, "it is corrupt (%s)", ZSTD_getErrorName(code));
}

static int zstd_step(struct decompressor *d, void *data, size_t capacity, size_t *got,
		     struct error *err)
{
	struct zstd *zstd = d->state;
	ZSTD_inBuffer in = {d->input + d->at, decompressor_left(d), 0};
	ZSTD_outBuffer out = {data, capacity, 0};
	size_t r;

	if (in.size == 0 && zstd->is_between) {
		d->has_ended = true;
		return 0;
	}
	r = ZSTD_decompressStream(zstd->context, &out, &in);
	d->at += in.pos;
	*got = out.pos;
	if (ZSTD_isError(r))
		return complain(r, err);
	zstd->is_between = r == 0;
	return 0;
}

const struct decompress_ops decompress_zstd_ops = {
	.open = zstd_open,
	.step = zstd_step,
	.close = zstd_close,
};
