// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * write: the copy engine. One source to one or more targets, in bounded memory, in an order that
 * never leaves a disk that half boots:
 *
 *   1. the first MiB and the last MiB of each disk are zeroed, and flushed: from here on the disk
 *      has no partition table;
 *   2. everything but the first and the last MiB of the image is written; zeroes are made certain
 *      (BLKZEROOUT, fallocate, or written; discard is not trusted); flushed;
 *   3. what was written is read back past the page cache and compared with checksums that were
 *      taken when it was written;
 *   4. the image's last MiB (the backup GPT) and the first one but for its first 4 KiB are written
 *      and flushed, then these 4 KiB, flushed; and read back, too.
 *
 * Stopping at any moment before the end of 4 leaves a disk without a partition table; an error at
 * any moment repeats step 1. The rest of a disk that is larger than the image is left as it is, and
 * so is what the image's file systems do not use (EXTENT_UNUSED).
 *
 * With a block map (source->map) what a disk holds already is known without the image, which is
 * read only for the windows that differ.
 *
 * The image is read and unpacked once whatever the number of disks. A disk that fails is left
 * behind, the others go on.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/queue.h"
#include "restore/source.h"
#include "restore/target.h"

enum write_phase { WRITE_COPYING, WRITE_READING_BACK };

struct write_progress {
	enum write_phase phase;
	/* While copying: bytes of the virtual disk that are completed (zeroes count, and so does
	 * what is unused); total is 0 for a stream whose size is not known yet. While reading back:
	 * bytes of all disks, of those that have to be read. */
	uint64_t done, total;
	uint64_t written; /* bytes of data written so far */
	double seconds;   /* since the start */
};

enum write_method {
	WRITE_ALL,
	/* Reads what is on the disk and writes what differs: goes on with an interrupted restore,
	 * and re-images a disk that holds most of the image already. */
	WRITE_DIFFERENCES,
};

enum write_proof {
	WRITE_READ_BACK,
	WRITE_TRUST_DISK, /* --no-verify */
};

enum { WRITE_TARGETS = 8 }; /* so many at once at most */

struct write_options {
	enum write_method method;
	enum write_proof proof;
	enum queue_kind io; /* QUEUE_BEST, unless the other way is to be tested */
	/* Called a few times a second from the calling thread; NULL: never. */
	void (*progress)(void *context, const struct write_progress *progress);
	void *context;
	const atomic_bool
		*stop; /* set by a signal handler: the write ends with an error; may be NULL */
};

/* What became of one target. */
struct write_outcome {
	bool failed;
	struct error error;      /* of this target, when it failed alone or with all */
	bool began;              /* the disk was touched: what failed afterwards is exit status 3 */
	bool left_something;     /* failed, and so did zeroing the ends: a table may be there */
	uint64_t same_bytes;     /* WRITE_DIFFERENCES: were there already */
	uint64_t data_bytes;     /* written */
	uint64_t zero_bytes;     /* made zero */
	uint64_t verified_bytes; /* read back and found right */
	uint64_t rewritten_bytes; /* read back wrong once, then right */
};

struct write_stats {
	uint64_t size;                                 /* of the image, now known in any case */
	uint64_t data_bytes, zero_bytes, unused_bytes; /* of the image */
	double write_seconds, verify_seconds;
};

/*
 * 0 when every target holds the image, proven as the options ask. -1 when one failed or all did;
 * err is then the first failure, which names the source or the target with the offset, and
 * outcome[i].failed says which. A failure of the source, a checksum of the image or a stop fails
 * all of them. outcome holds count entries, which are valid in every case; release each with
 * write_outcome_release(). Memory: at most 24 MiB, for any size of image and up to 8 targets.
 */
int write_image(struct source *source, struct target *targets, size_t count,
		const struct write_options *options, struct write_stats *stats,
		struct write_outcome *outcome, struct error *err);
void write_outcome_release(struct write_outcome *outcome);
