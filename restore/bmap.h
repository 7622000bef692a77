// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * bmap: block maps of bmaptool (https://github.com/yoctoproject/bmaptool, format 1.4 to 2.x): which
 * blocks of a disk hold something, and the SHA-256 of each range of them. The rest of the disk is
 * not checked: it has no promised content.
 *
 * A map is hostile, too: it is read by libxml2's reader without network, document types and
 * entities, and may have at most 16 MiB.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/image_digest.h"

enum { BMAP_LIMIT = 16 << 20 };

struct bmap_range {
	uint64_t offset, end; /* bytes of the disk */
	uint8_t sum[SHA256_LENGTH];
};

struct bmap {
	uint64_t size; /* of the disk */
	struct bmap_range *range;
	size_t count; /* in order, not overlapping */
};

/* Behind all that the map has. */
void bmap_add(struct bmap *map, const struct bmap_range *range);
/* Always -1: the image's content in that range is not what was promised. */
int bmap_broken(const struct bmap_range *range, struct error *err);

bool bmap_is_one(const char *text);
/* Proves the map's own checksum, too. length bytes, which are text. */
int bmap_parse(const char *text, size_t length, struct bmap *out, struct error *err);
void bmap_release(struct bmap *map);
#define _cleanup_bmap_ __attribute__((cleanup(bmap_release)))

/* Compares a disk that comes in order with a map. */
struct bmap_check {
	struct bmap map;
	size_t current; /* range */
	uint64_t position;
	struct image_digest *digest; /* of the current range as far as it came, or NULL */
};

/* data is NULL for zeroes. An error names the range that is not what it should be. */
int bmap_check_add(struct bmap_check *check, const uint8_t *data, uint64_t length,
		   struct error *err);
/* The disk is at its end. */
int bmap_check_end(struct bmap_check *check, struct error *err);
void bmap_check_release(struct bmap_check *check);
