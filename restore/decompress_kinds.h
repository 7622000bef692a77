// SPDX-License-Identifier: GPL-3.0-or-later
/* decompress_kinds: what decompress.c chooses from. */
#pragma once

#include <stdbool.h>

#include "restore/decompress.h"

struct decompress_ops {
	/* Makes state. */
	int (*open)(struct decompressor *decompressor, struct error *err);
	/*
	 * Takes bytes from input, moving at, and gives up to capacity of the content. There may be
	 * no input: then input_has_ended, and has_ended is set if that is the end of the content,
	 * too. Doing nothing with input that has ended means that the file is truncated.
	 */
	int (*step)(struct decompressor *decompressor, void *data, size_t capacity, size_t *got,
		    struct error *err);
	/* Releases state, which may be NULL. */
	void (*close)(struct decompressor *decompressor);
};

struct decompressor {
	const struct decompress_ops *ops;
	const char *kind;
	struct image_file *file; /* borrowed */
	uint8_t *input;
	size_t at, filled; /* of input */
	bool input_has_ended;
	bool has_ended;
	void *state; /* the kind's own */
};

/* Replaces an input that was used up by what follows in the file. */
int decompressor_refill(struct decompressor *decompressor, struct error *err);

static inline size_t decompressor_left(const struct decompressor *decompressor)
{
	return decompressor->filled - decompressor->at;
}

extern const struct decompress_ops decompress_gzip_ops, decompress_zstd_ops, decompress_xz_ops,
	decompress_lzip_ops, decompress_bzip2_ops, decompress_lz4_ops;
