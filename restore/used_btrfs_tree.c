// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/used_btrfs.h"

#include <stdlib.h>

#include "restore/used_bytes.h"

enum {
	CHECKSUM = 32, /* room for it; CRC32c takes 4 */
	HEADER = 101,
	POINTER = 33, /* key, block, generation */
	ITEM = 25,    /* key, offset, length */
};

static int damaged(struct error *err)
{
	return used_decline(err, "its trees are damaged");
}

int used_btrfs_compare(const struct used_btrfs_key *a, const struct used_btrfs_key *b)
{
	if (a->object != b->object)
		return a->object < b->object ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

struct used_btrfs_key used_btrfs_key_at(const uint8_t *data)
{
	return (struct used_btrfs_key){
		.object = le64_at(data), .type = data[8], .offset = le64_at(data + 9)};
}

static int find_physical(const struct used_btrfs *btrfs, uint64_t logical, uint64_t *out,
			 struct error *err)
{
	for (size_t i = 0; i < btrfs->chunks; i++) {
		const struct used_btrfs_chunk *chunk = &btrfs->chunk[i];

		if (logical < chunk->logical || logical - chunk->logical >= chunk->length)
			continue;
		if (chunk->length - (logical - chunk->logical) < btrfs->node_size)
			break;
		*out = chunk->physical + (logical - chunk->logical);
		return USED_KNOWN;
	}
	return damaged(err);
}

/* Into btrfs->node; *items fit into it. */
static int read_node(struct used_btrfs *btrfs, const struct used_btrfs_root *at, uint32_t *items,
		     struct error *err)
{
	const uint8_t *node = btrfs->node;
	uint64_t physical = 0;
	int r = find_physical(btrfs, at->logical, &physical, err);

	if (r == USED_KNOWN)
		r = used_region_read(btrfs->region, btrfs->node, btrfs->node_size, physical, err);
	if (r != USED_KNOWN)
		return r;
	*items = le32_at(node + 96);
	if (memcmp(node + 32, btrfs->fsid, sizeof(btrfs->fsid)) != 0 ||
	    le64_at(node + 48) != at->logical || le64_at(node + 80) != at->generation ||
	    node[100] != at->level ||
	    *items > (btrfs->node_size - HEADER) / (at->level ? POINTER : ITEM) ||
	    !used_has_crc32c(node + CHECKSUM, btrfs->node_size - CHECKSUM,
			     btrfs->node_size - CHECKSUM, le32_at(node)))
		return damaged(err);
	return USED_KNOWN;
}

/* The last child that does not begin behind key. */
static uint32_t child_of(const uint8_t *node, uint32_t items, const struct used_btrfs_key *key)
{
	uint32_t i = 0;

	while (i + 1 < items) {
		struct used_btrfs_key next = used_btrfs_key_at(node + HEADER + (i + 1) * POINTER);

		if (used_btrfs_compare(&next, key) > 0)
			break;
		i++;
	}
	return i;
}

int used_btrfs_find(struct used_btrfs *btrfs, const struct used_btrfs_root *root,
		    const struct used_btrfs_key *key, struct used_btrfs_leaf *out,
		    struct error *err)
{
	struct used_btrfs_root at = *root;

	*out = (struct used_btrfs_leaf){.btrfs = btrfs, .is_last = true};
	for (;; at.level--) {
		const uint8_t *pointer;
		uint32_t items = 0, i;
		int r = read_node(btrfs, &at, &items, err);

		out->items = items;
		if (r != USED_KNOWN || at.level == 0)
			return r;
		if (items == 0)
			return damaged(err);
		i = child_of(btrfs->node, items, key);
		pointer = btrfs->node + HEADER + i * POINTER;
		if (i + 1 < items) {
			out->is_last = false;
			out->next = used_btrfs_key_at(pointer + POINTER);
			/* Walking on from there must get further. */
			if (used_btrfs_compare(&out->next, key) <= 0)
				return damaged(err);
		}
		at.logical = le64_at(pointer + USED_BTRFS_KEY);
		at.generation = le64_at(pointer + USED_BTRFS_KEY + 8);
	}
}

int used_btrfs_item_at(const struct used_btrfs_leaf *leaf, uint32_t i, struct used_btrfs_item *out,
		       struct error *err)
{
	const uint8_t *item = leaf->btrfs->node + HEADER + i * ITEM;
	uint32_t room = leaf->btrfs->node_size - HEADER;
	uint32_t offset = le32_at(item + USED_BTRFS_KEY);

	out->key = used_btrfs_key_at(item);
	out->length = le32_at(item + USED_BTRFS_KEY + 4);
	if (offset > room || out->length > room - offset)
		return damaged(err);
	out->data = leaf->btrfs->node + HEADER + offset;
	return USED_KNOWN;
}
