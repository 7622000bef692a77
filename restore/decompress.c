// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/decompress_kinds.h"

enum { INPUT = 256 << 10 };

struct kind {
	const char *name;
	size_t offset;
	const char *magic;
	size_t length;
	const struct decompress_ops *ops;
};

#define KIND(name, offset, magic, ops)                                                             \
	{                                                                                          \
		name, offset, magic, sizeof(magic) - 1, ops                                        \
	}

/* gzip and bzip2 have short magic numbers, so a byte more is asked for that is constant. */
static const struct kind kinds[] = {
	KIND("gzip", 0, "\x1f\x8b\x08", &decompress_gzip_ops),
	KIND("xz", 0, "\xfd\x37zXZ\0", &decompress_xz_ops),
	KIND("zstd", 0, "\x28\xb5\x2f\xfd", &decompress_zstd_ops),
	KIND("bzip2", 4, "1AY&SY", &decompress_bzip2_ops),
	KIND("lz4", 0, "\x04\x22\x4d\x18", &decompress_lz4_ops),
	KIND("lzip", 0, "LZIP\1", &decompress_lzip_ops),
};

const char *decompress_kind(const uint8_t *head, size_t length)
{
	for (size_t i = 0; i < array_length(kinds); i++)
		if (kinds[i].offset + kinds[i].length <= length &&
		    memcmp(head + kinds[i].offset, kinds[i].magic, kinds[i].length) == 0)
			return kinds[i].name;
	return NULL;
}

static const struct decompress_ops *ops_of(const char *name)
{
	for (size_t i = 0; i < array_length(kinds); i++)
		if (string_equal(kinds[i].name, name))
			return kinds[i].ops;
	abort();
}

static void close_p(struct decompressor **decompressor)
{
	decompressor_close(*decompressor);
}

int decompressor_open(struct image_file *file, const char *kind, struct decompressor **out,
		      struct error *err)
{
	_cleanup_(close_p) struct decompressor *d = calloc(1, sizeof(*d));

	if (!d)
		abort();
	d->ops = ops_of(kind);
	d->kind = kind;
	d->file = file;
	d->input = malloc(INPUT);
	if (!d->input)
		return error_sys(err, ENOMEM, "read %s data", kind);
	if (d->ops->open(d, err) < 0)
		return error_in(err, "read %s data", kind);
	*out = steal(&d);
	return 0;
}

int decompressor_refill(struct decompressor *d, struct error *err)
{
	d->at = 0;
	if (image_file_next(d->file, d->input, INPUT, &d->filled, err) < 0)
		return -1;
	d->input_has_ended = d->filled == 0;
	return 0;
}

/* One step; a decoder that neither takes nor gives anything will not do so the next time. */
static int step(struct decompressor *d, void *data, size_t capacity, size_t *got, struct error *err)
{
	size_t left = decompressor_left(d);

	if (left == 0 && !d->input_has_ended && decompressor_refill(d, err) < 0)
		return -1;
	left = decompressor_left(d);
	if (d->ops->step(d, data, capacity, got, err) < 0)
		return -1;
	if (*got > 0 || d->has_ended || decompressor_left(d) != left)
		return 0;
	return d->input_has_ended ? error_set(err, "it ends in the middle: the file is truncated")
				  : error_set(err, "it is corrupt");
}

int decompressor_read(struct decompressor *d, void *data, size_t capacity, size_t *got,
		      struct error *err)
{
	*got = 0;
	while (*got == 0 && !d->has_ended)
		if (step(d, data, capacity, got, err) < 0)
			return error_in(err, "%s data near byte %" PRIu64 " of the file", d->kind,
					d->file->position - decompressor_left(d));
	return 0;
}

const char *decompressor_kind(const struct decompressor *d)
{
	return d->kind;
}

void decompressor_close(struct decompressor *d)
{
	if (!d)
		return;
	d->ops->close(d);
	free(d->input);
	free(d);
}
