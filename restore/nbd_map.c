// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/nbd_map.h"

#include <inttypes.h>
#include <libnbd.h>

uint64_t nbd_map_end(const struct nbd_map *map)
{
	return map->count ? map->range[map->count - 1].end : map->start;
}

void nbd_map_restart(struct nbd_map *map, uint64_t start)
{
	map->start = start;
	map->count = 0;
}

void nbd_map_add(struct nbd_map *map, uint64_t length, bool is_zero)
{
	struct nbd_range *last = map->count ? &map->range[map->count - 1] : NULL;
	uint64_t end = nbd_map_end(map) + length;

	if (last && last->is_zero == is_zero)
		last->end = end;
	else if (map->count < NBD_MAP_RANGES)
		map->range[map->count++] = (struct nbd_range){end, is_zero};
}

int nbd_map_add_status(struct nbd_map *map, const uint32_t *entries, size_t count, uint64_t limit,
		       struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t at = nbd_map_end(map);
		bool is_zero = entries[2 * i + 1] & LIBNBD_STATE_ZERO;
		uint64_t length = entries[2 * i];

		if (length == 0)
			return error_set(err,
					 "the NBD server describes 0 bytes at offset %" PRIu64
					 ", which cannot be",
					 at);
		/* Nothing may follow what was left out. */
		if (at >= limit || map->count == NBD_MAP_RANGES)
			return 0;
		nbd_map_add(map, length < limit - at ? length : limit - at, is_zero);
	}
	return 0;
}

const struct nbd_range *nbd_map_find(const struct nbd_map *map, uint64_t offset)
{
	size_t low = 0, high = map->count;

	if (offset < map->start || offset >= nbd_map_end(map))
		return NULL;
	while (low + 1 < high) {
		size_t middle = (low + high) / 2;

		if (map->range[middle - 1].end <= offset)
			low = middle;
		else
			high = middle;
	}
	return &map->range[low];
}
