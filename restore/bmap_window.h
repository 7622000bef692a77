// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * bmap_window: what a block map with small ranges says about parts of a disk. Small means that no
 * range crosses a multiple of MiB: what is in a window (window.h) can be proven with this window
 * alone, be it read from the image or from a disk that may hold it already.
 *
 * Offsets and lengths are bytes of the disk. Maps are only read: any number of threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/bmap.h"

struct window;

void bmap_free(struct bmap *map); /* of heap; accepts NULL */

bool bmap_is_small(const struct bmap *map);
/* Is offset in a range? length is shortened to where the answer changes. */
bool bmap_has(const struct bmap *map, uint64_t offset, uint64_t *length);
/* Does the map say anything about the window? */
bool bmap_touches(const struct bmap *map, const struct window *window);
/* Does the map say all about the window's data? */
bool bmap_covers(const struct bmap *map, const struct window *window);
/*
 * Compares what a part of the disk holds with the ranges in it: NULL, or the first one that
 * differs. offset is a multiple of MiB; length is one too, unless the disk ends there. NULL where
 * the part has no range.
 */
const struct bmap_range *bmap_compare(const struct bmap *map, const uint8_t *data, uint64_t offset,
				      uint64_t length);
/* The same of an image: an error names the range. */
int bmap_prove(const struct bmap *map, const uint8_t *data, uint64_t offset, uint64_t length,
	       struct error *err);
