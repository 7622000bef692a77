// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * used_blocks_kinds: what the parts of used_blocks share.
 *
 *   used_region   what looks like a disk to one file system: stretches of the source, one after
 *                 the other, read through a cache that all regions of an image share
 *   used_window   what is known about a stretch of a region: where it is unused
 *   used_ops      one kind of file system
 *
 * Offsets and lengths are bytes of the region unless something else is said. Nothing here locks:
 * used_blocks.c calls one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"

/*
 * What a function says that looks at a file system. With anything but USED_KNOWN err says why.
 */
enum used_verdict {
	USED_FAILED = -1, /* the image cannot be read */
	USED_KNOWN = 0,
	USED_DECLINED = 1, /* not understood, not clean, contradictory: all of it is in use */
};

/* Sets the reason and returns USED_DECLINED. A reason ends the sentence "… is copied whole: ". */
int used_decline(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum {
	USED_CACHE_BLOCK = 64 << 10,
	USED_CACHE_SLOTS = 32,
	/* What all file systems of an image together may keep besides: the group descriptors of
	 * ext4 on 16 TiB are 8 MiB. */
	USED_MEMORY = 8 << 20,
	USED_LEAST = 64 << 10, /* shorter unused stretches are called used */
	USED_WINDOW_STRETCHES = 4096,
};

struct used_cache {
	struct source *source; /* borrowed */
	uint64_t clock;
	size_t memory_left;
	struct {
		uint64_t block; /* its number plus 1; 0: empty */
		uint64_t touched;
		uint8_t *data;
	} slot[USED_CACHE_SLOTS];
};

void used_cache_release(struct used_cache *cache);
/* Takes from what may be kept: 0, or USED_DECLINED when there is not so much left. */
int used_cache_reserve(struct used_cache *cache, uint64_t bytes, struct error *err);

struct used_segment {
	uint64_t offset, length; /* of the source */
};

struct used_region {
	struct used_cache *cache; /* borrowed */
	struct used_segment *segment;
	size_t segments;
	uint64_t length; /* of all segments */
};

/* Adds a stretch of the source behind the others; false when it does not lie within the source. */
bool used_region_add(struct used_region *region, uint64_t offset, uint64_t length);
void used_region_release(struct used_region *region);
/* Exactly length bytes; a range that is not within the region is declined. */
int used_region_read(const struct used_region *region, void *data, size_t length, uint64_t offset,
		     struct error *err);

struct used_stretch {
	uint64_t start, end;
};

struct used_window {
	uint64_t start, end; /* what it is about; the offset that was asked for is within */
	size_t count;
	struct used_stretch unused[USED_WINDOW_STRETCHES]; /* in order */
};

/*
 * Adds an unused stretch behind the others. Parts outside the window and what is too short are
 * left out. When the window is full it ends where the stretch begins, and false comes back.
 */
bool used_window_add(struct used_window *window, uint64_t start, uint64_t end);
/* As used_window_add() for each run of clear bits, of which the first is about the unit bytes from
 * start on. Bits are counted from the lowest of each byte. */
void used_window_add_bitmap(struct used_window *window, const uint8_t *bits, uint64_t count,
			    uint64_t unit, uint64_t start);

struct used_ops {
	const char *const *names; /* as libblkid says them, NULL-terminated */
	/*
	 * The region stays where it is until close. *state is set with USED_KNOWN only.
	 */
	int (*open)(const struct used_region *region, void **state, struct error *err);
	/*
	 * What is known from offset (< region length) on: narrows window->start and window->end,
	 * which are the whole region at first, and adds what is unused. At least the byte at
	 * offset is within, whatever the image says.
	 */
	int (*window)(void *state, uint64_t offset, struct used_window *window, struct error *err);
	void (*close)(void *state);
};

/* Is the sum the CRC32c of data, counted with the four bytes at hole (the sum's own place) as
 * zeroes? hole may be length: there is none. Always true in fuzz targets: they could not get past
 * it. */
bool used_has_crc32c(const uint8_t *data, size_t length, size_t hole, uint32_t sum);

extern const struct used_ops used_ext_ops, used_fat_ops, used_swap_ops, used_xfs_ops;
