// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * used_blocks: which parts of an image no file system in it uses. They need not be read, carried
 * or written: what the disk held there before stays.
 *
 * Each kind of file system stands behind one table of operations. What is not certain is used: an
 * unknown content, a file system that was not unmounted cleanly (its journal may hold allocations
 * that its bitmaps do not show yet), a damaged or contradictory structure, everything outside
 * partitions, suspended systems in swap. A volume group of LVM on one physical volume with linear
 * volumes alone is looked into; what is not allocated there is unused. An image is hostile, so
 * memory is bounded whatever it says: structures are read where the asking is, kept in a window of
 * a few MiB.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/layout.h"
#include "restore/source.h"

struct used_blocks;

/*
 * Looks at every partition of the layout (or at the whole disk, where there is no table) and keeps
 * what is needed to answer. source is borrowed and must be one of random access; *out is for
 * source->used; where nothing can be left out it says why. An error is one of reading the image; a
 * file system that cannot be understood is none.
 */
int used_blocks_find(struct source *source, const struct layout *layout, struct used_blocks **out,
		     struct error *err);
void used_blocks_free(struct used_blocks *used); /* accepts NULL */

/*
 * Is what begins at offset in use? Answers for *length bytes, at least 1 and at most the *length
 * that was asked for. Unused stretches shorter than 64 KiB may be called used. From any thread, in
 * any order; fastest in ascending order. After an error in reading, everything is in use.
 */
bool used_blocks_is_used(struct used_blocks *used, uint64_t offset, uint64_t *length);

/*
 * [{ "partition", "volume", "filesystem", "understood": bool, "why": "…" or null }]; volume is the
 * name of a logical volume in the partition, and left out for the partition itself. The caller
 * owns it. used may be NULL.
 */
json_object *used_blocks_json(const struct used_blocks *used);
