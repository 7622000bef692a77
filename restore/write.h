// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * write: the copy engine. Source to target, in bounded memory, in an order that never leaves a
 * disk that half boots:
 *
 *   1. the first MiB and the last MiB of the disk are zeroed, and flushed: from here on the disk
 *      has no partition table;
 *   2. everything but the first and the last MiB of the image is written; zeroes are made certain
 *      (BLKZEROOUT, fallocate, or written; discard is not trusted); flushed;
 *   3. the image's last MiB (the backup GPT) and the first one but for its first 4 KiB are written
 *      and flushed, then these 4 KiB, flushed.
 *
 * Stopping at any moment before the end of 3 leaves a disk without a partition table; an error at
 * any moment repeats step 1. The rest of a disk that is larger than the image is left as it is.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"
#include "restore/target.h"

struct write_progress {
	uint64_t done, total; /* bytes of the virtual disk that are completed (zeroes count) */
	uint64_t written;     /* bytes of data written so far */
	double seconds;       /* since the start */
};

struct write_options {
	/* Called a few times a second from the calling thread; NULL: never. */
	void (*progress)(void *context, const struct write_progress *progress);
	void *context;
	const atomic_bool
		*stop; /* set by a signal handler: the write ends with an error; may be NULL */
};

struct write_stats {
	uint64_t data_bytes, zero_bytes;
	double seconds;
	bool began;          /* the disk was touched: what failed afterwards is exit status 3 */
	bool left_something; /* failed, and so did zeroing the ends: a table may be there */
};

/*
 * 0 when all is on the medium. Any error, also a stop, ends the write: the error names the source
 * or the target with the offset. stats is valid after an error too. Memory: 2 to 4 workers of 1 MiB
 * each and 2 MiB for the ends.
 */
int write_image(struct source *source, struct target *target, const struct write_options *options,
		struct write_stats *stats, struct error *err);
