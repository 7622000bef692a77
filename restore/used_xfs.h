// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * used_xfs: what both parts of XFS need. Facts from the "XFS Algorithms & Data Structures" book and
 * the kernel's fs/xfs/libxfs/xfs_format.h and xfs_log_format.h. Everything on disk is big endian.
 *
 *   used_xfs       the superblock, and the free space of an allocation group (bnobt)
 *   used_xfs_log   was it unmounted cleanly?
 */
#pragma once

#include "restore/used_blocks_kinds.h"

struct used_xfs {
	const struct used_region *region;
	uint32_t block_size, sector_size;
	uint64_t blocks;
	uint32_t group_blocks, groups; /* the last group may be shorter */
	bool has_checksums;            /* version 5 */
	uint64_t log, log_length;      /* bytes */
	uint8_t *block;                /* one, for reading */
};

/* USED_DECLINED unless the log ends in the record that an unmount writes. */
int used_xfs_check_log(const struct used_xfs *xfs, struct error *err);
