// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * used_ntfs: what both parts of NTFS need. Facts from the layout.h of ntfs-3g and the kernel's
 * fs/ntfs3/ntfs.h. Everything on disk is little endian.
 *
 *   used_ntfs_mft   records of the master file table, their attributes, where a stream lies
 *   used_ntfs       the boot sector, is it clean, the bitmap of clusters
 */
#pragma once

#include "restore/used_blocks_kinds.h"

enum {
	USED_NTFS_RECORD_MOST = 4096,
	USED_NTFS_RUNS = 512,
	USED_NTFS_LOGFILE = 2, /* numbers of records */
	USED_NTFS_VOLUME = 3,
	USED_NTFS_ROOT = 5,
	USED_NTFS_BITMAP = 6,
	USED_NTFS_ATTRIBUTE_LIST = 0x20, /* types of attributes */
	USED_NTFS_VOLUME_INFORMATION = 0x70,
	USED_NTFS_DATA = 0x80,
	USED_NTFS_INDEX_ROOT = 0x90,
	USED_NTFS_INDEX_ALLOCATION = 0xa0,
};

/* A stream that does not lie in its record. */
struct used_ntfs_stream {
	uint64_t length; /* initialised bytes */
	size_t runs;
	struct {
		uint64_t offset, length; /* bytes of the region */
	} run[USED_NTFS_RUNS];
};

struct used_ntfs {
	const struct used_region *region;
	uint32_t cluster_size, record_size;
	uint64_t clusters;
	uint64_t table; /* where the master file table begins */
	uint8_t record[USED_NTFS_RECORD_MOST];
	struct used_ntfs_stream bitmap;
	struct used_ntfs_stream other; /* while it is opened */
	uint8_t *window;               /* a piece of the bitmap */
};

/* Takes back what replaced the end of each sector. false: the block was written in part. */
bool used_ntfs_fix(uint8_t *block, size_t length);
/* One of the first 16 records, into ntfs->record. */
int used_ntfs_read_record(struct used_ntfs *ntfs, uint32_t number, struct error *err);
/* The first attribute of that type in ntfs->record, *length bytes within it; NULL: there is none.
 * Only unnamed ones are looked for, and the index of a directory. */
const uint8_t *used_ntfs_attribute(const struct used_ntfs *ntfs, uint32_t type, uint32_t *length);
/* The content of an attribute that lies in its record; NULL: it does not. */
const uint8_t *used_ntfs_value(const uint8_t *attribute, uint32_t length, uint32_t *value_length);
/* Where a whole stream lies that does not lie in its record. */
int used_ntfs_stream(const struct used_ntfs *ntfs, const uint8_t *attribute, uint32_t length,
		     struct used_ntfs_stream *out, struct error *err);
int used_ntfs_read(const struct used_ntfs *ntfs, const struct used_ntfs_stream *stream, void *data,
		   uint64_t length, uint64_t offset, struct error *err);
