// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/used_btrfs.h"

#include <stdlib.h>

#include "base/scope.h"
#include "restore/used_bytes.h"

#define SUPERBLOCK_AT (64ULL << 10)
#define RESERVED (1ULL << 20) /* btrfs allocates nothing before; boot loaders may lie there */

enum {
	SUPERBLOCK = 4096,
	SYSTEM_CHUNKS_AT = 811,
	SYSTEM_CHUNKS = 2048,
	CHECKSUM = 32,
	CHUNK = 48,
	STRIPE = 32,
	CHUNKS = 16384, /* 1 GiB each, mostly */
	ROOT_ITEM = 239,
	EXTENT_TREE = 2,
	FIRST_CHUNK_TREE = 256,
	WINDOW_LEAVES = 64, /* that are read for one window, when that is enough to get on */
	LEAVES_MOST = 4096, /* that are read for one answer at most */
};

/* btrfs.h of the kernel's uapi. Zoned, extent tree v2, raid stripe tree and what comes are not. */
#define INCOMPAT_KNOWN 0x10fffULL
#define INCOMPAT_MIXED_BACKREF 1ULL
#define INCOMPAT_METADATA_UUID 0x400ULL
#define COMPAT_RO_KNOWN 0xfULL
#define SUPER_WRITTEN 1ULL
#define CHUNK_CONTENTS 7ULL /* data, system, metadata */
#define CHUNK_DUP 0x20ULL

static int damaged(struct error *err)
{
	return used_decline(err, "its trees are damaged");
}

static int add_copy(struct used_btrfs *btrfs, const uint8_t *stripe, uint64_t logical,
		    uint64_t length, struct error *err)
{
	uint64_t physical = le64_at(stripe + 8);

	if (le64_at(stripe) != btrfs->device || length == 0 || length > btrfs->size ||
	    physical > btrfs->size - length || physical < RESERVED || logical > UINT64_MAX - length)
		return damaged(err);
	if (btrfs->chunks == CHUNKS)
		return used_decline(err, "it has more chunks than can be kept");
	btrfs->chunk[btrfs->chunks++] = (struct used_btrfs_chunk){
		.logical = logical, .length = length, .physical = physical};
	return USED_KNOWN;
}

/* data: what is left from the chunk item on. */
static int add_chunk(struct used_btrfs *btrfs, uint64_t logical, const uint8_t *data, size_t length,
		     struct error *err)
{
	uint64_t type;
	size_t copies;

	if (length < CHUNK)
		return damaged(err);
	type = le64_at(data + 24);
	copies = type & CHUNK_DUP ? 2 : 1;
	if (type & ~(CHUNK_CONTENTS | CHUNK_DUP))
		return used_decline(err, "it has RAID chunks");
	if (le16_at(data + 44) != copies || length < CHUNK + copies * STRIPE)
		return damaged(err);
	for (size_t i = 0; i < copies; i++) {
		int r = add_copy(btrfs, data + CHUNK + i * STRIPE, logical, le64_at(data), err);

		if (r != USED_KNOWN)
			return r;
	}
	return USED_KNOWN;
}

/* The superblock lists the chunks that the tree of chunks itself lies in. */
static int add_system_chunks(struct used_btrfs *btrfs, const uint8_t *super, struct error *err)
{
	const uint8_t *list = super + SYSTEM_CHUNKS_AT;
	size_t length = le32_at(super + 160);

	if (length > SYSTEM_CHUNKS)
		return damaged(err);
	for (size_t at = 0; at < length;) {
		struct used_btrfs_key key;
		int r;

		if (length - at < USED_BTRFS_KEY + CHUNK)
			return damaged(err);
		key = used_btrfs_key_at(list + at);
		at += USED_BTRFS_KEY;
		if (key.type != USED_BTRFS_CHUNK)
			return damaged(err);
		r = add_chunk(btrfs, key.offset, list + at, length - at, err);
		if (r != USED_KNOWN)
			return r;
		at += CHUNK + le16_at(list + at + 44) * (size_t)STRIPE;
	}
	return USED_KNOWN;
}

static int add_chunks_of_leaf(struct used_btrfs *btrfs, const struct used_btrfs_leaf *leaf,
			      struct error *err)
{
	for (uint32_t i = 0; i < leaf->items; i++) {
		struct used_btrfs_item item;
		int r = used_btrfs_item_at(leaf, i, &item, err);

		if (r == USED_KNOWN && item.key.type == USED_BTRFS_CHUNK)
			r = add_chunk(btrfs, item.key.offset, item.data, item.length, err);
		if (r != USED_KNOWN)
			return r;
	}
	return USED_KNOWN;
}

static int compare_chunks(const void *a, const void *b)
{
	const struct used_btrfs_chunk *one = a, *other = b;

	return one->physical < other->physical ? -1 : one->physical > other->physical;
}

static int check_chunks(struct used_btrfs *btrfs, struct error *err)
{
	qsort(btrfs->chunk, btrfs->chunks, sizeof(*btrfs->chunk), compare_chunks);
	for (size_t i = 1; i < btrfs->chunks; i++) {
		const struct used_btrfs_chunk *before = &btrfs->chunk[i - 1];

		if (btrfs->chunk[i].physical - before->physical < before->length)
			return damaged(err);
	}
	return USED_KNOWN;
}

/* Replaces the chunks of the superblock, with which the tree is read, by all. */
static int read_chunks(struct used_btrfs *btrfs, const uint8_t *super, struct error *err)
{
	const struct used_btrfs_root root = {.logical = le64_at(super + 88),
					     .generation = le64_at(super + 164),
					     .level = super[199]};
	struct used_btrfs with = *btrfs;
	struct used_btrfs_leaf leaf = {.next = {.object = FIRST_CHUNK_TREE}};
	_cleanup_free_ struct used_btrfs_chunk *system =
		calloc(btrfs->chunks + 1, sizeof(*btrfs->chunk));
	int r = USED_KNOWN;

	if (!system)
		abort();
	memcpy(system, btrfs->chunk, btrfs->chunks * sizeof(*system));
	with.chunk = system;
	btrfs->chunks = 0;
	for (int leaves = 0; r == USED_KNOWN && !leaf.is_last; leaves++) {
		struct used_btrfs_key key = leaf.next;

		r = leaves < CHUNKS ? used_btrfs_find(&with, &root, &key, &leaf, err)
				    : damaged(err);
		if (r == USED_KNOWN)
			r = add_chunks_of_leaf(btrfs, &leaf, err);
	}
	return r == USED_KNOWN ? check_chunks(btrfs, err) : r;
}

/* Where the extent tree begins says the tree of trees. */
static int find_extents(struct used_btrfs *btrfs, const uint8_t *super, struct error *err)
{
	const struct used_btrfs_root root = {.logical = le64_at(super + 80),
					     .generation = le64_at(super + 72),
					     .level = super[198]};
	const struct used_btrfs_key key = {.object = EXTENT_TREE, .type = USED_BTRFS_ROOT_ITEM};
	struct used_btrfs_item item;
	struct used_btrfs_leaf leaf;
	int r = used_btrfs_find(btrfs, &root, &key, &leaf, err);

	for (uint32_t i = 0; r == USED_KNOWN && i < leaf.items; i++) {
		r = used_btrfs_item_at(&leaf, i, &item, err);
		if (r != USED_KNOWN || item.key.object != EXTENT_TREE ||
		    item.key.type != USED_BTRFS_ROOT_ITEM || item.length < ROOT_ITEM)
			continue;
		btrfs->extents = (struct used_btrfs_root){
			.logical = le64_at(item.data + 176),
			.generation = le64_at(item.data + 160),
			.level = item.data[238],
		};
		return USED_KNOWN;
	}
	return r == USED_KNOWN ? damaged(err) : r;
}

static int check_super(const uint8_t *super, struct error *err)
{
	uint64_t incompat = le64_at(super + 188);

	if (memcmp(super + 64, "_BHRfS_M", 8) != 0 || le64_at(super + 48) != SUPERBLOCK_AT)
		return used_decline(err, "its superblock is damaged");
	if (le16_at(super + 196) != 0)
		return used_decline(err, "it has checksums of a kind that is not known");
	if (!used_has_crc32c(super + CHECKSUM, SUPERBLOCK - CHECKSUM, SUPERBLOCK - CHECKSUM,
			     le32_at(super)))
		return used_decline(err, "its superblock has a wrong checksum");
	if (incompat & ~INCOMPAT_KNOWN || !(incompat & INCOMPAT_MIXED_BACKREF) ||
	    le64_at(super + 180) & ~COMPAT_RO_KNOWN || le64_at(super + 56) & ~SUPER_WRITTEN)
		return used_decline(err, "it has features that are not known");
	if (le64_at(super + 136) != 1)
		return used_decline(err, "it has more than one device");
	if (le64_at(super + 96) != 0)
		return used_decline(err, "its log was not replayed: it was not unmounted cleanly");
	return USED_KNOWN;
}

static int read_geometry(struct used_btrfs *btrfs, const uint8_t *super, struct error *err)
{
	const uint8_t *fsid = super + (le64_at(super + 188) & INCOMPAT_METADATA_UUID ? 571 : 32);

	memcpy(btrfs->fsid, fsid, sizeof(btrfs->fsid));
	btrfs->device = le64_at(super + 201);
	btrfs->size = le64_at(super + 209);
	btrfs->node_size = le32_at(super + 148);
	if (btrfs->node_size < 4096 || btrfs->node_size > 65536 ||
	    btrfs->node_size & (btrfs->node_size - 1))
		return used_decline(err, "its superblock is damaged");
	if (btrfs->size > btrfs->region->length)
		return used_decline(err, "it is larger than its partition");
	btrfs->node = malloc(btrfs->node_size);
	btrfs->chunk = calloc(CHUNKS, sizeof(*btrfs->chunk));
	if (!btrfs->node || !btrfs->chunk)
		abort();
	return USED_KNOWN;
}

static int btrfs_begin(struct used_btrfs *btrfs, struct error *err)
{
	uint8_t super[SUPERBLOCK];
	int r = used_region_read(btrfs->region, super, sizeof(super), SUPERBLOCK_AT, err);

	if (r == USED_KNOWN)
		r = check_super(super, err);
	if (r == USED_KNOWN)
		r = read_geometry(btrfs, super, err);
	if (r == USED_KNOWN)
		r = add_system_chunks(btrfs, super, err);
	if (r == USED_KNOWN)
		r = read_chunks(btrfs, super, err);
	return r == USED_KNOWN ? find_extents(btrfs, super, err) : r;
}

static void btrfs_close(void *state)
{
	struct used_btrfs *btrfs = state;

	free(btrfs->chunk);
	free(btrfs->node);
	free(btrfs);
}

static int btrfs_open(const struct used_region *region, void **state, struct error *err)
{
	struct used_btrfs *btrfs = calloc(1, sizeof(*btrfs));
	int r;

	if (!btrfs)
		abort();
	btrfs->region = region;
	r = used_cache_reserve(region->cache, CHUNKS * sizeof(struct used_btrfs_chunk) + 65536,
			       err);
	if (r == USED_KNOWN)
		r = btrfs_begin(btrfs, err);
	if (r != USED_KNOWN)
		btrfs_close(btrfs);
	else
		*state = btrfs;
	return r;
}

/* Less the places of the superblocks, which no extent shows. */
static bool add_unused(struct used_window *window, uint64_t start, uint64_t end)
{
	static const uint64_t supers[] = {SUPERBLOCK_AT, 64ULL << 20, 256ULL << 30};

	for (size_t i = 0; i < array_length(supers); i++) {
		if (supers[i] + SUPERBLOCK <= start || supers[i] >= end)
			continue;
		if (supers[i] > start && !used_window_add(window, start, supers[i]))
			return false;
		start = supers[i] + SUPERBLOCK;
	}
	return start >= end || used_window_add(window, start, end);
}

/* A chunk while the gaps between its extents are looked for. */
struct gaps {
	const struct used_btrfs_chunk *chunk;
	uint32_t node_size;
	struct used_window *window;
	/* Logical: where the last extent that was seen ends. Nothing is known before the first,
	 * unless the walk began where the chunk does. */
	uint64_t behind;
	bool is_known, is_done;
};

static void add_gap(struct gaps *gaps, uint64_t until)
{
	uint64_t shift = gaps->chunk->physical - gaps->chunk->logical;

	if (gaps->is_known && gaps->behind < until &&
	    !add_unused(gaps->window, gaps->behind + shift, until + shift))
		gaps->is_done = true;
}

static int add_extent(struct gaps *gaps, const struct used_btrfs_key *key, struct error *err)
{
	uint64_t end = gaps->chunk->logical + gaps->chunk->length;
	uint64_t length = key->type == USED_BTRFS_EXTENT ? key->offset : gaps->node_size;

	if (length > end - key->object || (gaps->is_known && key->object < gaps->behind))
		return damaged(err);
	add_gap(gaps, key->object);
	gaps->is_known = true;
	gaps->behind = key->object + length;
	return USED_KNOWN;
}

static int add_gaps_of_leaf(struct gaps *gaps, const struct used_btrfs_leaf *leaf,
			    struct error *err)
{
	const struct used_btrfs_chunk *chunk = gaps->chunk;

	for (uint32_t i = 0; i < leaf->items && !gaps->is_done; i++) {
		struct used_btrfs_item item;
		int r = used_btrfs_item_at(leaf, i, &item, err);

		if (r != USED_KNOWN)
			return r;
		if (item.key.object < chunk->logical) {
			/* From an earlier chunk: this one is seen from its beginning. */
			gaps->behind = chunk->logical;
			gaps->is_known = true;
			continue;
		}
		if (item.key.object - chunk->logical >= chunk->length) {
			gaps->is_done = true;
			add_gap(gaps, chunk->logical + chunk->length);
			return USED_KNOWN;
		}
		if (item.key.type == USED_BTRFS_EXTENT || item.key.type == USED_BTRFS_METADATA)
			r = add_extent(gaps, &item.key, err);
		if (r != USED_KNOWN)
			return r;
	}
	return USED_KNOWN;
}

/* offset is in the chunk. */
static int chunk_window(struct used_btrfs *btrfs, const struct used_btrfs_chunk *chunk,
			uint64_t offset, struct used_window *window, struct error *err)
{
	uint64_t logical = chunk->logical + (offset - chunk->physical);
	struct gaps gaps = {.chunk = chunk,
			    .node_size = btrfs->node_size,
			    .window = window,
			    .behind = chunk->logical,
			    .is_known = logical == chunk->logical};
	struct used_btrfs_leaf leaf = {.next = {.object = logical}};

	window->start = offset;
	window->end = chunk->physical + chunk->length;
	for (int leaves = 0; !gaps.is_done; leaves++) {
		struct used_btrfs_key key = leaf.next;
		int r = used_btrfs_find(btrfs, &btrfs->extents, &key, &leaf, err);

		if (r == USED_KNOWN)
			r = add_gaps_of_leaf(&gaps, &leaf, err);
		if (r == USED_KNOWN && leaves == LEAVES_MOST)
			r = damaged(err);
		if (r != USED_KNOWN)
			return r;
		if (gaps.is_done)
			break;
		if (leaf.is_last) {
			add_gap(&gaps, chunk->logical + chunk->length);
			break;
		}
		if (leaves >= WINDOW_LEAVES && gaps.behind > logical) {
			window->end = chunk->physical + (gaps.behind - chunk->logical);
			break;
		}
	}
	return USED_KNOWN;
}

/* The first chunk that ends behind offset; btrfs->chunks when there is none. */
static size_t chunk_at(const struct used_btrfs *btrfs, uint64_t offset)
{
	size_t i = 0;

	while (i < btrfs->chunks && btrfs->chunk[i].physical + btrfs->chunk[i].length <= offset)
		i++;
	return i;
}

static int btrfs_window(void *state, uint64_t offset, struct used_window *window, struct error *err)
{
	struct used_btrfs *btrfs = state;
	size_t i = chunk_at(btrfs, offset);

	if (offset >= btrfs->size) {
		window->start = btrfs->size;
		return USED_KNOWN;
	}
	if (i < btrfs->chunks && btrfs->chunk[i].physical <= offset)
		return chunk_window(btrfs, &btrfs->chunk[i], offset, window, err);
	if (offset < RESERVED) {
		window->end = RESERVED;
		return USED_KNOWN;
	}
	window->start = RESERVED;
	if (i > 0)
		window->start = btrfs->chunk[i - 1].physical + btrfs->chunk[i - 1].length;
	window->end = i < btrfs->chunks ? btrfs->chunk[i].physical : btrfs->size;
	add_unused(window, window->start, window->end);
	return USED_KNOWN;
}

static const char *const names[] = {"btrfs", NULL};

const struct used_ops used_btrfs_ops = {
	.names = names,
	.open = btrfs_open,
	.window = btrfs_window,
	.close = btrfs_close,
};
