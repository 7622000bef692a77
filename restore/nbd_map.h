// SPDX-License-Identifier: GPL-3.0-or-later
/* nbd_map: what an NBD server has said of one part of the disk: which ranges read as zeroes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { NBD_MAP_RANGES = 8192 };

struct nbd_range {
	uint64_t end;
	bool is_zero;
};

/* Of start to the end of the last range; each range begins where the one before it ends. */
struct nbd_map {
	uint64_t start;
	size_t count;
	struct nbd_range range[NBD_MAP_RANGES];
};

uint64_t nbd_map_end(const struct nbd_map *map);
/* Nothing is known any more; what is added next begins at start. */
void nbd_map_restart(struct nbd_map *map, uint64_t start);
void nbd_map_add(struct nbd_map *map, uint64_t length, bool is_zero);
/*
 * Adds count pairs of length and flags as of base:allocation, up to limit, the end of the disk;
 * what does not find room is left out. A length of 0 is an error: the map would never get on.
 */
int nbd_map_add_status(struct nbd_map *map, const uint32_t *entries, size_t count, uint64_t limit,
		       struct error *err);
/* The range that holds offset, or NULL when it is not known. */
const struct nbd_range *nbd_map_find(const struct nbd_map *map, uint64_t offset);
