// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ext2, ext3, ext4: libext2fs opens the file system (and refuses features it does not know); the
 * block bitmaps are read one group at a time, where the asking is, because libext2fs would keep
 * all of them. A group counts as partly unused only when its descriptor and its bitmap have the
 * right checksums and agree on the number of free clusters.
 */
#include <ext2fs/ext2fs.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "restore/used_blocks_kinds.h"
#include "restore/used_bytes.h"
#include "restore/used_ext_io.h"

struct ext {
	const struct used_region *region;
	ext2_filsys fs;
	uint8_t *bitmap; /* of one group: a block */
	/* One bit a group: it holds tables of another group (flex_bg). Such a group's bitmap has
	 * to be there to be believed. */
	uint8_t *lends;
};

/* Before libext2fs allocates what the superblock asks for. */
static int check_superblock(const struct used_region *region, struct error *err)
{
	struct ext2_super_block super;
	uint64_t blocks, per_group, block_size, descriptor;
	int r = used_region_read(region, &super, sizeof(super), SUPERBLOCK_OFFSET, err);

	if (r != USED_KNOWN)
		return r;
	if (ext2fs_le16_to_cpu(super.s_magic) != EXT2_SUPER_MAGIC)
		return used_decline(err, "its superblock is missing");
	blocks = ext2fs_le32_to_cpu(super.s_blocks_count);
	if (ext2fs_le32_to_cpu(super.s_feature_incompat) & EXT4_FEATURE_INCOMPAT_64BIT)
		blocks |= (uint64_t)ext2fs_le32_to_cpu(super.s_blocks_count_hi) << 32;
	per_group = ext2fs_le32_to_cpu(super.s_blocks_per_group);
	if (ext2fs_le32_to_cpu(super.s_log_block_size) > 6 || per_group == 0)
		return used_decline(err, "its superblock is damaged");
	block_size = 1024ULL << ext2fs_le32_to_cpu(super.s_log_block_size);
	if (blocks > region->length / block_size)
		return used_decline(err, "it is larger than its partition");
	/* A byte more than a descriptor: for its bit of `lends`. */
	descriptor = ext2fs_le16_to_cpu(super.s_desc_size);
	if (descriptor < EXT2_MIN_DESC_SIZE_64BIT)
		descriptor = EXT2_MIN_DESC_SIZE_64BIT;
	return used_cache_reserve(
		region->cache, (blocks / per_group + 1) * (descriptor + 1) + 2 * block_size, err);
}

static int check_state(const struct ext2_super_block *super, struct error *err)
{
	if (super->s_feature_incompat & EXT3_FEATURE_INCOMPAT_RECOVER)
		return used_decline(err, "its journal was not replayed: it was not unmounted "
					 "cleanly");
	if (!(super->s_state & EXT2_VALID_FS) ||
	    super->s_feature_ro_compat & EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT)
		return used_decline(err, "it was not unmounted cleanly");
	if (super->s_state & EXT2_ERROR_FS)
		return used_decline(err, "it is marked as damaged: run e2fsck in the virtual "
					 "machine");
	if (super->s_feature_incompat & ~(uint32_t)EXT2_LIB_FEATURE_INCOMPAT_SUPP ||
	    super->s_feature_ro_compat & ~(uint32_t)EXT2_LIB_FEATURE_RO_COMPAT_SUPP)
		return used_decline(err, "it has features that this libext2fs does not know");
	return USED_KNOWN;
}

static int open_fs(const struct used_region *region, ext2_filsys *out, struct error *err)
{
	_cleanup_error_ struct error cause = {0};
	struct used_ext_io io = {.region = region, .err = &cause};
	errcode_t r = used_ext_io_open(&io, out);

	if (r == 0)
		return USED_KNOWN;
	*out = NULL;
	if (io.verdict == USED_FAILED) {
		error_move(err, &cause);
		return USED_FAILED;
	}
	if (r == EXT2_ET_UNSUPP_FEATURE || r == EXT2_ET_RO_UNSUPP_FEATURE)
		return used_decline(err, "it has features that this libext2fs does not know");
	return used_decline(err, "its superblock or its group descriptors are damaged");
}

static void lend(struct ext *ext, uint64_t block, uint64_t count, dgrp_t owner)
{
	uint64_t blocks = ext2fs_blocks_count(ext->fs->super);

	/* The two groups that the ends are in: a table is never longer than a group. */
	for (int end = 0; end < 2; end++, block += count - 1) {
		dgrp_t group;

		if (block < ext->fs->super->s_first_data_block || block >= blocks)
			return;
		group = ext2fs_group_of_blk2(ext->fs, block);
		if (group != owner)
			ext->lends[group / 8] |= (uint8_t)(1 << group % 8);
	}
}

static void find_lenders(struct ext *ext)
{
	for (dgrp_t group = 0; group < ext->fs->group_desc_count; group++) {
		lend(ext, ext2fs_block_bitmap_loc(ext->fs, group), 1, group);
		lend(ext, ext2fs_inode_bitmap_loc(ext->fs, group), 1, group);
		lend(ext, ext2fs_inode_table_loc(ext->fs, group), ext->fs->inode_blocks_per_group,
		     group);
	}
}

static void ext_close(void *state)
{
	struct ext *ext = state;

	if (!ext)
		return;
	if (ext->fs)
		ext2fs_free(ext->fs);
	free(ext->bitmap);
	free(ext->lends);
	free(ext);
}

static int ext_begin(struct ext *ext, struct error *err)
{
	int r = check_superblock(ext->region, err);

	if (r == USED_KNOWN)
		r = open_fs(ext->region, &ext->fs, err);
	if (r == USED_KNOWN)
		r = check_state(ext->fs->super, err);
	if (r != USED_KNOWN)
		return r;
	if (ext->fs->inode_blocks_per_group == 0 ||
	    ext->fs->inode_blocks_per_group > ext->fs->super->s_blocks_per_group ||
	    EXT2_CLUSTERS_PER_GROUP(ext->fs->super) > ext->fs->blocksize * 8)
		return used_decline(err, "its superblock is damaged");
	ext->bitmap = malloc(ext->fs->blocksize);
	ext->lends = calloc(1, ext->fs->group_desc_count / 8 + 1);
	if (!ext->bitmap || !ext->lends)
		abort();
	find_lenders(ext);
	return USED_KNOWN;
}

static int ext_open(const struct used_region *region, void **state, struct error *err)
{
	struct ext *ext = calloc(1, sizeof(*ext));
	int r;

	if (!ext)
		abort();
	ext->region = region;
	r = ext_begin(ext, err);
	if (r != USED_KNOWN)
		ext_close(ext);
	else
		*state = ext;
	return r;
}

/* Marks blocks as in use, as far as they lie in the group. */
static void mark(struct ext *ext, dgrp_t group, uint64_t block, uint64_t count)
{
	uint64_t first = ext2fs_group_first_block2(ext->fs, group);
	uint64_t last = ext2fs_group_last_block2(ext->fs, group);

	for (uint64_t i = 0; i < count; i++) {
		uint64_t bit;

		if (block + i < first || block + i > last)
			continue;
		bit = (block + i - first) >> ext->fs->cluster_ratio_bits;
		ext->bitmap[bit / 8] |= (uint8_t)(1 << bit % 8);
	}
}

/* What a group holds whatever its bitmap says: copies of the superblock and of the descriptors,
 * its bitmaps and inode table. */
static void mark_metadata(struct ext *ext, dgrp_t group)
{
	const struct ext2_super_block *super = ext->fs->super;
	uint64_t descriptors = ext2fs_has_feature_meta_bg(ext->fs->super)
				       ? super->s_first_meta_bg
				       : ext->fs->desc_blocks + super->s_reserved_gdt_blocks;
	blk64_t copy = 0, old_table = 0, new_table = 0;

	ext2fs_super_and_bgd_loc2(ext->fs, group, &copy, &old_table, &new_table, NULL);
	if (copy || group == 0)
		mark(ext, group, copy, 1);
	if (old_table)
		mark(ext, group, old_table, descriptors);
	if (new_table)
		mark(ext, group, new_table, 1);
	mark(ext, group, ext2fs_block_bitmap_loc(ext->fs, group), 1);
	mark(ext, group, ext2fs_inode_bitmap_loc(ext->fs, group), 1);
	mark(ext, group, ext2fs_inode_table_loc(ext->fs, group), ext->fs->inode_blocks_per_group);
}

static uint64_t count_clear(const uint8_t *bits, uint64_t count)
{
	uint64_t set = 0, i;

	for (i = 0; i + 64 <= count; i += 64)
		set += (uint64_t)__builtin_popcountll(le64_at(bits + i / 8));
	for (; i < count; i++)
		set += bits[i / 8] >> i % 8 & 1;
	return count - set;
}

/* Into ext->bitmap; USED_DECLINED when it cannot be trusted. */
static int load_bitmap(struct ext *ext, dgrp_t group, struct error *err)
{
	int bytes = (int)(EXT2_CLUSTERS_PER_GROUP(ext->fs->super) / 8);
	uint64_t block = ext2fs_block_bitmap_loc(ext->fs, group);
	int r;

	if (!ext2fs_group_desc_csum_verify(ext->fs, group))
		return used_decline(err, "the descriptor of group %u has a wrong checksum", group);
	if (ext2fs_has_group_desc_csum(ext->fs) &&
	    ext2fs_bg_flags_test(ext->fs, group, EXT2_BG_BLOCK_UNINIT)) {
		if (ext->lends[group / 8] >> group % 8 & 1)
			return used_decline(err, "group %u holds tables of others without a bitmap",
					    group);
		memset(ext->bitmap, 0, ext->fs->blocksize);
		return USED_KNOWN;
	}
	if (block <= ext->fs->super->s_first_data_block ||
	    block >= ext2fs_blocks_count(ext->fs->super))
		return used_decline(err, "the bitmap of group %u lies outside", group);
	r = used_region_read(ext->region, ext->bitmap, ext->fs->blocksize,
			     block * ext->fs->blocksize, err);
	if (r != USED_KNOWN)
		return r;
	if (!ext2fs_block_bitmap_csum_verify(ext->fs, group, (char *)ext->bitmap, bytes))
		return used_decline(err, "the bitmap of group %u has a wrong checksum", group);
	return USED_KNOWN;
}

static int group_window(struct ext *ext, dgrp_t group, struct used_window *window,
			struct error *err)
{
	uint64_t first = ext2fs_group_first_block2(ext->fs, group);
	uint64_t blocks = ext2fs_group_last_block2(ext->fs, group) - first + 1;
	uint64_t ratio = EXT2FS_CLUSTER_RATIO(ext->fs);
	uint64_t clusters = (blocks + ratio - 1) / ratio;
	int r = load_bitmap(ext, group, err);

	if (r == USED_FAILED)
		return r;
	if (r == USED_DECLINED)
		return USED_KNOWN; /* this group alone is in use */
	mark_metadata(ext, group);
	if (count_clear(ext->bitmap, clusters) == ext2fs_bg_free_blocks_count(ext->fs, group))
		used_window_add_bitmap(window, ext->bitmap, clusters, ratio * ext->fs->blocksize,
				       first * ext->fs->blocksize);
	return USED_KNOWN;
}

static int ext_window(void *state, uint64_t offset, struct used_window *window, struct error *err)
{
	struct ext *ext = state;
	uint64_t block_size = ext->fs->blocksize, block = offset / block_size;
	uint64_t first = ext->fs->super->s_first_data_block;
	uint64_t blocks = ext2fs_blocks_count(ext->fs->super);
	dgrp_t group;

	if (block < first) {
		window->end = first * block_size;
		return USED_KNOWN;
	}
	if (block >= blocks) {
		window->start = blocks * block_size;
		return USED_KNOWN;
	}
	group = ext2fs_group_of_blk2(ext->fs, block);
	window->start = ext2fs_group_first_block2(ext->fs, group) * block_size;
	window->end = (ext2fs_group_last_block2(ext->fs, group) + 1) * block_size;
	return group_window(ext, group, window, err);
}

static const char *const names[] = {"ext2", "ext3", "ext4", NULL};

const struct used_ops used_ext_ops = {
	.names = names,
	.open = ext_open,
	.window = ext_window,
	.close = ext_close,
};
