// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * source_overlay: a source that can be written to, in memory: what is written is kept, and read in
 * place of what the image holds there; the image stays as it is. Made for the journals of file
 * systems that were not shut down, so what it takes is little, and bounded.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"

enum { SOURCE_OVERLAY_LIMIT = 48 << 20 }; /* bytes that can be written to */

struct source_overlay {
	struct source *source; /* borrowed */
	int fd;                /* a memory file: what was written is where it belongs */
	size_t block;          /* bytes that are kept together: a page */
	atomic_bool is_written;
	pthread_mutex_t lock; /* of writers */
	uint64_t kept;
};

int source_overlay_open(struct source *source, struct source_overlay *out, struct error *err);
void source_overlay_close(struct source_overlay *overlay);
/* From several threads at once. The range is within the source. A range that is written to while it
 * is read has the old or the new bytes. */
int source_overlay_read(struct source_overlay *overlay, void *data, size_t length, uint64_t offset,
			struct error *err);
int source_overlay_write(struct source_overlay *overlay, const void *data, size_t length,
			 uint64_t offset, struct error *err);
