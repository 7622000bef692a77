// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * used_btrfs: what both parts of btrfs need. Facts from the kernel's
 * include/uapi/linux/btrfs_tree.h and btrfs-progs' "On-disk format". Everything on disk is little
 * endian. Tree blocks have logical addresses; chunks say where these lie on the device.
 *
 *   used_btrfs_tree   logical addresses, and walking a tree from leaf to leaf
 *   used_btrfs        the superblock, chunks, and what lies between the extents in them
 */
#pragma once

#include "restore/used_blocks_kinds.h"

/* Of a single device, so that each copy (DUP has two) is one. */
struct used_btrfs_chunk {
	uint64_t logical, length;
	uint64_t physical; /* in the region */
};

struct used_btrfs {
	const struct used_region *region;
	uint64_t size;   /* of the device, bytes */
	uint64_t device; /* its number */
	uint32_t node_size;
	uint8_t fsid[16];
	struct used_btrfs_chunk *chunk; /* by physical, once all are there */
	size_t chunks;
	uint8_t *node; /* node_size bytes */
	/* Of the tree that says which extents there are. */
	struct used_btrfs_root {
		uint64_t logical;
		uint64_t generation;
		uint8_t level;
	} extents;
};

struct used_btrfs_key {
	uint64_t object;
	uint8_t type;
	uint64_t offset;
};

struct used_btrfs_item {
	struct used_btrfs_key key;
	const uint8_t *data;
	uint32_t length;
};

enum {
	USED_BTRFS_KEY = 17,
	USED_BTRFS_ROOT_ITEM = 132,
	USED_BTRFS_EXTENT = 168,
	USED_BTRFS_METADATA = 169,
	USED_BTRFS_CHUNK = 228,
};

int used_btrfs_compare(const struct used_btrfs_key *a, const struct used_btrfs_key *b);
struct used_btrfs_key used_btrfs_key_at(const uint8_t *data);

/* A leaf in btrfs->node. */
struct used_btrfs_leaf {
	const struct used_btrfs *btrfs;
	uint32_t items;
	bool is_last;
	struct used_btrfs_key next; /* unless it is the last: where the next leaf begins */
};

/* The leaf that the key would be in. */
int used_btrfs_find(struct used_btrfs *btrfs, const struct used_btrfs_root *root,
		    const struct used_btrfs_key *key, struct used_btrfs_leaf *out,
		    struct error *err);
/* Item i of the leaf; declined when its data lies outside. */
int used_btrfs_item_at(const struct used_btrfs_leaf *leaf, uint32_t i, struct used_btrfs_item *out,
		       struct error *err);
