// SPDX-License-Identifier: GPL-3.0-or-later
/* A block map of any content, and a disk of zeroes that is compared with what is left of it. */
#include <stdlib.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/bmap_window.h"

enum { STEPS = 64, STEP = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Goes through the disk from one range to the next. */
static void walk(const struct bmap *map)
{
	uint64_t at = 0, length;

	for (int i = 0; i < STEPS && at < map->size; i++, at += length) {
		length = map->size - at;
		bmap_has(map, at, &length);
		if (length == 0 || length > map->size - at)
			abort();
	}
	bmap_is_small(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_text_ struct text text = {0};
	struct bmap_check check = {0};

	text_add_bytes(&text, data, size);
	bmap_is_one(text_string(&text));
	if (bmap_parse(text_string(&text), text.length, &check.map, NULL) < 0)
		return 0;
	for (size_t i = 0; i < check.map.count; i++)
		if (check.map.range[i].offset >= check.map.range[i].end ||
		    (i > 0 && check.map.range[i].offset < check.map.range[i - 1].end))
			abort();
	walk(&check.map);
	for (int i = 0; i < STEPS && bmap_check_add(&check, NULL, STEP, NULL) == 0; i++)
		;
	bmap_check_end(&check, NULL);
	bmap_check_release(&check);
	return 0;
}
