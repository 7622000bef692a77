// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/bmap_window.h"

#include <stdlib.h>
#include <string.h>

#include "restore/sha256_many.h"
#include "restore/window.h"

enum { AT_ONCE = 2 }; /* ranges whose checksums are made together */

void bmap_free(struct bmap *map)
{
	if (map)
		bmap_release(map);
	free(map);
}

bool bmap_is_small(const struct bmap *map)
{
	for (size_t i = 0; i < map->count; i++)
		if (map->range[i].offset / WINDOW != (map->range[i].end - 1) / WINDOW)
			return false;
	return true;
}

/* The first range that ends behind offset; map->count: there is none. */
static size_t find(const struct bmap *map, uint64_t offset)
{
	size_t first = 0, end = map->count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (map->range[middle].end > offset)
			end = middle;
		else
			first = middle + 1;
	}
	return first;
}

bool bmap_has(const struct bmap *map, uint64_t offset, uint64_t *length)
{
	size_t i = find(map, offset);
	bool has = i < map->count && map->range[i].offset <= offset;
	uint64_t until;

	if (i == map->count)
		return false;
	until = has ? map->range[i].end : map->range[i].offset;
	if (until - offset < *length)
		*length = until - offset;
	return has;
}

bool bmap_touches(const struct bmap *map, const struct window *window)
{
	size_t i = find(map, window->offset);

	return i < map->count && map->range[i].offset < window->offset + window->length;
}

bool bmap_covers(const struct bmap *map, const struct window *window)
{
	struct stretch stretch;

	for (unsigned int at = 0; pieces_next(window->data, &at, &stretch);) {
		uint64_t offset = window->offset + stretch.offset, length;
		uint64_t end = offset + window_stretch(window, &stretch);

		for (; offset < end; offset += length) {
			length = end - offset;
			if (!bmap_has(map, offset, &length))
				return false;
		}
	}
	return true;
}

/* The first of count ranges, at most AT_ONCE, that data, from offset on, does not hold. */
static const struct bmap_range *compare(const struct bmap_range *range, size_t count,
					const uint8_t *data, uint64_t offset)
{
	struct sha256_message message[AT_ONCE];

	for (size_t i = 0; i < count; i++)
		message[i] = (struct sha256_message){
			.data = data + (range[i].offset - offset),
			.length = range[i].end - range[i].offset,
		};
	if (sha256_of_many(message, count, NULL) < 0)
		return range;
	for (size_t i = 0; i < count; i++)
		if (memcmp(message[i].sum, range[i].sum, SHA256_LENGTH) != 0)
			return &range[i];
	return NULL;
}

const struct bmap_range *bmap_compare(const struct bmap *map, const uint8_t *data, uint64_t offset,
				      uint64_t length)
{
	const struct bmap_range *wrong = NULL;
	size_t count;

	for (size_t i = find(map, offset); !wrong; i += count) {
		for (count = 0; count < AT_ONCE && i + count < map->count; count++)
			if (map->range[i + count].offset >= offset + length)
				break;
		if (count == 0)
			break;
		wrong = compare(&map->range[i], count, data, offset);
	}
	return wrong;
}

int bmap_prove(const struct bmap *map, const uint8_t *data, uint64_t offset, uint64_t length,
	       struct error *err)
{
	const struct bmap_range *wrong = bmap_compare(map, data, offset, length);

	return wrong ? bmap_broken(wrong, err) : 0;
}
