// SPDX-License-Identifier: GPL-3.0-or-later
/* bmap_write: a block map as the text that bmaptool (format 2.0) and bmap_parse() read. */
#pragma once

#include "base/text.h"
#include "restore/bmap.h"

enum {
	BMAP_BLOCK = 4096,              /* ranges begin and, but at the disk's end, end with it */
	BMAP_RANGES = BMAP_LIMIT / 128, /* so many are less text than BMAP_LIMIT */
};

/* Adds it to out. The map has 1 to BMAP_RANGES ranges. */
int bmap_write(const struct bmap *map, struct text *out, struct error *err);
