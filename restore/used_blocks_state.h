// SPDX-License-Identifier: GPL-3.0-or-later
/* used_blocks_state: what used_find.c fills in and used_blocks.c answers from. */
#pragma once

#include <pthread.h>

#include "restore/used_blocks.h"
#include "restore/used_blocks_kinds.h"

enum { USED_WINDOWS = 4 };

struct used_filesystem {
	int partition;
	char *volume;               /* name of the logical volume in it, or NULL */
	char *name;                 /* as libblkid says it, or NULL */
	const struct used_ops *ops; /* NULL: all of it is in use */
	void *state;
	struct used_region region;
	char *why_not;
};

/* A stretch of the source that belongs to a file system that was understood. */
struct used_piece {
	uint64_t start, length;
	struct used_filesystem *filesystem;
	uint64_t offset; /* in its region */
};

struct used_window_slot {
	const struct used_filesystem *filesystem; /* NULL: empty */
	uint64_t touched;
	struct used_window *content;
};

struct used_blocks {
	pthread_mutex_t lock;
	struct used_cache cache;
	struct used_filesystem **filesystem;
	size_t filesystems;
	struct used_piece *piece; /* by start, not overlapping */
	size_t pieces;
	struct used_window_slot window[USED_WINDOWS];
	uint64_t clock;
};

/* From now on all of it is in use. */
void used_filesystem_forget(struct used_filesystem *filesystem);
