// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * verify: is what is on a disk what is in an image? Reads both and writes nothing.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"
#include "restore/write.h"

/* Neighbouring differences are one. */
struct difference {
	uint64_t offset, length; /* multiples of 4096, but for the image's end */
};

enum { VERIFY_DIFFERENCES = 64 }; /* how many are told; all are counted */

struct verification {
	uint64_t compared_bytes, unused_bytes, different_bytes;
	struct difference difference[VERIFY_DIFFERENCES];
	size_t count; /* of difference[] */
	double seconds;
};

/*
 * Compares the image with the first bytes of the disk or file at path, past the page cache where
 * the disk allows it; what the image's file systems do not use is left out (source->used). 0 with
 * the answer, also when they differ; -1 when one of them cannot be read. Progress and stop are
 * those of options, which may be NULL; the rest of it does not matter.
 */
int verify_image(struct source *source, const char *path, const struct write_options *options,
		 struct verification *out, struct error *err);
