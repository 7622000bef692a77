// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/used_xfs.h"

#include <stdlib.h>

#include "base/scope.h"
#include "restore/used_bytes.h"

enum {
	SUPERBLOCK = 512, /* bytes of it that are looked at */
	SUPERBLOCK_CRC = 224,
	AGF_CRC = 216,
	TREE_CRC = 52,
	TREE_LEVELS = 9,
	TREE_HEADER = 16, /* version 4 */
	TREE_HEADER_CRC = 56,
	RECORD = 8, /* start, count; a key is one, too */
	POINTER = 4,
	WINDOW_LEAVES = 256, /* that are read for one window */
	NO_SIBLING = -1,
};

/* Features that change nothing about free space. xfs_format.h names them. */
#define INCOMPAT_KNOWN 0x2fU /* ftype, spinodes, meta_uuid, bigtime, nrext64 */
#define INCOMPAT_NEEDS_REPAIR 0x10U
#define RO_COMPAT_KNOWN 0xfU /* finobt, rmapbt, reflink, inobtcount */

static int damaged(struct error *err, const char *what)
{
	return used_decline(err, "%s is damaged", what);
}

static int check_features(const uint8_t *super, struct error *err)
{
	unsigned int version = be16_at(super + 100) & 0xf;

	if (version != 4 && version != 5)
		return used_decline(err, "it is of version %u, which is not known", version);
	if (version == 5 && be32_at(super + 216) & INCOMPAT_NEEDS_REPAIR)
		return used_decline(err, "it is marked as damaged: run xfs_repair in the virtual "
					 "machine");
	if (version == 5 && (be32_at(super + 216) & ~INCOMPAT_KNOWN ||
			     be32_at(super + 212) & ~RO_COMPAT_KNOWN || be32_at(super + 220)))
		return used_decline(err, "it has features that are not known");
	if (be64_at(super + 16) || be64_at(super + 24))
		return used_decline(err, "it has a realtime section");
	if (be64_at(super + 48) == 0)
		return used_decline(err, "its log is on another device");
	return USED_KNOWN;
}

static bool is_power_of_two(uint32_t number, uint32_t least, uint32_t most)
{
	return number >= least && number <= most && (number & (number - 1)) == 0;
}

static bool find_log(struct used_xfs *xfs, const uint8_t *super)
{
	unsigned int shift = super[124]; /* of the group's number in a block number */
	uint64_t start = be64_at(super + 48), length = be32_at(super + 96);
	uint64_t group, block;

	if (shift == 0 || shift > 31)
		return false;
	group = start >> shift;
	block = start & ((1ULL << shift) - 1);
	if (group >= xfs->groups || block >= xfs->group_blocks)
		return false;
	block += group * xfs->group_blocks;
	if (length > xfs->blocks || block > xfs->blocks - length)
		return false;
	xfs->log = block * xfs->block_size;
	xfs->log_length = length * xfs->block_size;
	return true;
}

static int read_geometry(struct used_xfs *xfs, const uint8_t *super, struct error *err)
{
	xfs->block_size = be32_at(super + 4);
	xfs->sector_size = be16_at(super + 102);
	xfs->blocks = be64_at(super + 8);
	xfs->group_blocks = be32_at(super + 84);
	xfs->groups = be32_at(super + 88);
	xfs->has_checksums = (be16_at(super + 100) & 0xf) == 5;
	if (!is_power_of_two(xfs->block_size, 512, 65536) ||
	    !is_power_of_two(xfs->sector_size, 512, xfs->block_size) || xfs->groups == 0 ||
	    xfs->group_blocks == 0 || super[126] != 0 ||
	    xfs->blocks <= (uint64_t)(xfs->groups - 1) * xfs->group_blocks ||
	    xfs->blocks > (uint64_t)xfs->groups * xfs->group_blocks)
		return damaged(err, "its superblock");
	if (xfs->blocks > xfs->region->length / xfs->block_size)
		return used_decline(err, "it is larger than its partition");
	return find_log(xfs, super) ? USED_KNOWN : damaged(err, "its superblock");
}

/* A sector with its own checksum, into xfs->block. */
static int read_sector(struct used_xfs *xfs, uint64_t offset, size_t crc, struct error *err)
{
	int r = used_region_read(xfs->region, xfs->block, xfs->sector_size, offset, err);

	if (r == USED_KNOWN && xfs->has_checksums &&
	    !used_has_crc32c(xfs->block, xfs->sector_size, crc, le32_at(xfs->block + crc)))
		return used_decline(err, "a sector of it has a wrong checksum");
	return r;
}

static int xfs_begin(struct used_xfs *xfs, struct error *err)
{
	uint8_t super[SUPERBLOCK];
	int r = used_region_read(xfs->region, super, sizeof(super), 0, err);

	if (r != USED_KNOWN)
		return r;
	if (be32_at(super) != 0x58465342)
		return damaged(err, "its superblock");
	r = check_features(super, err);
	if (r == USED_KNOWN)
		r = read_geometry(xfs, super, err);
	if (r != USED_KNOWN)
		return r;
	xfs->block = malloc(xfs->block_size);
	if (!xfs->block)
		abort();
	r = read_sector(xfs, 0, SUPERBLOCK_CRC, err);
	return r == USED_KNOWN ? used_xfs_check_log(xfs, err) : r;
}

static void xfs_close(void *state)
{
	struct used_xfs *xfs = state;

	free(xfs->block);
	free(xfs);
}

static int xfs_open(const struct used_region *region, void **state, struct error *err)
{
	struct used_xfs *xfs = calloc(1, sizeof(*xfs));
	int r;

	if (!xfs)
		abort();
	xfs->region = region;
	r = used_cache_reserve(region->cache, 65536, err);
	if (r == USED_KNOWN)
		r = xfs_begin(xfs, err);
	if (r != USED_KNOWN)
		xfs_close(xfs);
	else
		*state = xfs;
	return r;
}

/* One allocation group while its free space is looked at. Numbers of blocks are the group's. */
struct group {
	struct used_xfs *xfs;
	uint32_t number, length;
	uint64_t start; /* in the region */
};

/* The block of the tree by start of free space, of that level, into xfs->block. */
static int read_tree(const struct group *group, uint32_t block, uint32_t level, uint32_t *records,
		     struct error *err)
{
	struct used_xfs *xfs = group->xfs;
	const uint8_t *data = xfs->block;
	uint32_t header = xfs->has_checksums ? TREE_HEADER_CRC : TREE_HEADER;
	uint32_t entry = level == 0 ? RECORD : RECORD + POINTER;
	int r;

	if (block >= group->length)
		return damaged(err, "its tree of free space");
	r = used_region_read(xfs->region, xfs->block, xfs->block_size,
			     group->start + (uint64_t)block * xfs->block_size, err);
	if (r != USED_KNOWN)
		return r;
	*records = be16_at(data + 6);
	if (be32_at(data) != (xfs->has_checksums ? 0x41423342U : 0x41425442U) ||
	    be16_at(data + 4) != level || *records > (xfs->block_size - header) / entry)
		return damaged(err, "its tree of free space");
	if (xfs->has_checksums &&
	    (be32_at(data + 48) != group->number ||
	     !used_has_crc32c(data, xfs->block_size, TREE_CRC, le32_at(data + TREE_CRC))))
		return damaged(err, "its tree of free space");
	return USED_KNOWN;
}

static const uint8_t *record_at(const struct used_xfs *xfs, uint32_t i)
{
	return xfs->block + (xfs->has_checksums ? TREE_HEADER_CRC : TREE_HEADER) + i * RECORD;
}

/* The child that block would be in. */
static uint32_t child_of(const struct used_xfs *xfs, uint32_t records, uint32_t block)
{
	uint32_t header = xfs->has_checksums ? TREE_HEADER_CRC : TREE_HEADER;
	uint32_t most = (xfs->block_size - header) / (RECORD + POINTER);
	uint32_t i = 0;

	while (i + 1 < records && be32_at(record_at(xfs, i + 1)) <= block)
		i++;
	return be32_at(xfs->block + header + most * RECORD + i * POINTER);
}

/* The leaf that block would be in, into xfs->block. */
static int find_leaf(const struct group *group, uint32_t block, uint32_t *records,
		     struct error *err)
{
	struct used_xfs *xfs = group->xfs;
	uint32_t root, levels;
	int r = read_sector(xfs, group->start + xfs->sector_size, AGF_CRC, err);

	if (r != USED_KNOWN)
		return r;
	root = be32_at(xfs->block + 16);
	levels = be32_at(xfs->block + 28);
	if (be32_at(xfs->block) != 0x58414746 || be32_at(xfs->block + 8) != group->number ||
	    be32_at(xfs->block + 12) != group->length || levels == 0 || levels > TREE_LEVELS)
		return damaged(err, "the header of an allocation group");
	for (uint32_t level = levels - 1;; level--) {
		r = read_tree(group, root, level, records, err);
		if (r != USED_KNOWN || level == 0)
			return r;
		if (*records == 0)
			return damaged(err, "its tree of free space");
		root = child_of(xfs, *records, block);
	}
}

/* Adds the leaf in xfs->block. *behind: the block behind the last record; what follows is larger.
 * Returns false when the window is full. */
static int add_leaf(const struct group *group, uint32_t records, uint64_t *behind,
		    struct used_window *window, struct error *err)
{
	const struct used_xfs *xfs = group->xfs;
	uint64_t unit = xfs->block_size;

	for (uint32_t i = 0; i < records; i++) {
		uint64_t start = be32_at(record_at(xfs, i));
		uint64_t count = be32_at(record_at(xfs, i) + 4);

		if (start < *behind || count == 0 || start + count > group->length)
			return damaged(err, "its tree of free space");
		*behind = start + count;
		if (!used_window_add(window, group->start + start * unit,
				     group->start + *behind * unit))
			return USED_KNOWN;
	}
	return USED_KNOWN;
}

/* From the leaf that block is in on, as far as there is room. */
static int walk_leaves(const struct group *group, uint32_t block, struct used_window *window,
		       struct error *err)
{
	struct used_xfs *xfs = group->xfs;
	uint64_t behind = 0, end = window->end;
	uint32_t records;
	int r = find_leaf(group, block, &records, err);

	if (r != USED_KNOWN)
		return r;
	if (records > 0 && be32_at(record_at(xfs, 0)) > 0)
		behind = be32_at(record_at(xfs, 0)) < block ? be32_at(record_at(xfs, 0)) : block;
	window->start = group->start + behind * xfs->block_size;
	for (int leaves = 1; records > 0; leaves++) {
		uint32_t next = be32_at(xfs->block + 12);

		r = add_leaf(group, records, &behind, window, err);
		if (r != USED_KNOWN || next == (uint32_t)NO_SIBLING || window->end != end)
			return r;
		if (leaves >= WINDOW_LEAVES && behind > block) {
			window->end = group->start + behind * xfs->block_size;
			return USED_KNOWN;
		}
		r = read_tree(group, next, 0, &records, err);
		if (r == USED_KNOWN && records == 0)
			r = damaged(err, "its tree of free space");
		if (r != USED_KNOWN)
			return r;
	}
	return USED_KNOWN;
}

static int xfs_window(void *state, uint64_t offset, struct used_window *window, struct error *err)
{
	struct used_xfs *xfs = state;
	uint64_t block = offset / xfs->block_size, left;
	struct group group = {.xfs = xfs};

	if (block >= xfs->blocks) {
		window->start = xfs->blocks * xfs->block_size;
		return USED_KNOWN;
	}
	group.number = (uint32_t)(block / xfs->group_blocks);
	left = xfs->blocks - (uint64_t)group.number * xfs->group_blocks;
	group.length = left < xfs->group_blocks ? (uint32_t)left : xfs->group_blocks;
	group.start = (uint64_t)group.number * xfs->group_blocks * xfs->block_size;
	window->end = group.start + (uint64_t)group.length * xfs->block_size;
	return walk_leaves(&group, (uint32_t)(block % xfs->group_blocks), window, err);
}

static const char *const names[] = {"xfs", NULL};

const struct used_ops used_xfs_ops = {
	.names = names,
	.open = xfs_open,
	.window = xfs_window,
	.close = xfs_close,
};
