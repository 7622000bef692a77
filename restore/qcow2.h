// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * qcow2: the parts of the reader behind source_qcow2_ops. Written from QEMU's docs/interop/qcow2.
 *
 *   qcow2_header   what the header says, validated; what cannot be read is refused here
 *   qcow2_map      disk offset -> where its bytes are: L1 and L2 tables, checked entry by entry
 *   qcow2_inflate  compressed clusters
 *
 * "Disk offset" is an offset in the virtual disk, "file offset" one in the image file.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"

#define QCOW2_MAGIC 0x514649fbU
#define QCOW2_MIN_CLUSTER_BITS 9
#define QCOW2_MAX_CLUSTER_BITS 21

enum qcow2_compression { QCOW2_ZLIB = 0, QCOW2_ZSTD = 1 };

struct qcow2_header {
	uint32_t version; /* 2 or 3 */
	uint32_t cluster_bits;
	uint64_t size; /* of the virtual disk */
	uint64_t l1_offset;
	uint32_t l1_entries; /* as many as the size asks for, at most 4 Mi */
	uint32_t snapshots;
	enum qcow2_compression compression;
	bool is_dirty; /* not closed properly; concerns the refcounts only, which are not read */
};

int qcow2_header_read(const struct source *source, struct qcow2_header *header, struct error *err);

enum qcow2_kind { QCOW2_ZERO, QCOW2_PLAIN, QCOW2_COMPRESSED };

/* A stretch of the disk that can be had in one go. */
struct qcow2_run {
	enum qcow2_kind kind;
	uint64_t length;        /* bytes of the disk */
	uint64_t file_offset;   /* of the first byte, or of the compressed data */
	uint32_t packed_length; /* of the compressed data: at most 2 clusters; the real data may end
				   earlier */
};

struct qcow2_slot {
	uint64_t slice; /* its number plus 1; 0: the slot is empty */
	uint64_t *entries;
};

struct qcow2_map {
	const struct source *source; /* borrowed */
	struct qcow2_header header;
	uint64_t *l1;
	uint32_t slice_entries; /* L2 tables are read and kept in slices of up to 64 KiB */
	pthread_mutex_t lock;   /* guards slots */
	struct qcow2_slot *slots;
	size_t slot_count; /* slots × slice size is at most 16 MiB */
};

/* Reads the L1 table. source must outlive the map. Release it after an error, too. */
int qcow2_map_init(struct qcow2_map *map, const struct source *source,
		   const struct qcow2_header *header, struct error *err);
void qcow2_map_release(struct qcow2_map *map);

/*
 * The run that begins at offset, at most length bytes long: plain clusters that follow each other
 * in the file, zeroes, or the rest of one compressed cluster. The range must be within the disk.
 * Safe from several threads.
 */
int qcow2_map_run(struct qcow2_map *map, uint64_t offset, uint64_t length, struct qcow2_run *out,
		  struct error *err);
/* As qcow2_map_run(), but only whether data or zeroes (QCOW2_PLAIN, QCOW2_ZERO); file_offset means
 * nothing. */
int qcow2_map_extent(struct qcow2_map *map, uint64_t offset, uint64_t length, struct qcow2_run *out,
		     struct error *err);
/* Reads every L2 table and checks every entry that is part of the disk; keeps nothing. */
int qcow2_map_check(const struct qcow2_map *map, struct error *err);

/* Buffers and contexts to unpack with, as many as there are threads; they are kept for reuse. */
struct qcow2_unpackers {
	const struct source *source; /* borrowed */
	enum qcow2_compression compression;
	size_t cluster_size;
	pthread_mutex_t lock; /* guards idle */
	struct qcow2_unpacker *idle;
};

int qcow2_unpackers_init(struct qcow2_unpackers *unpackers, const struct source *source,
			 const struct qcow2_header *header, struct error *err);
void qcow2_unpackers_release(struct qcow2_unpackers *unpackers);

/*
 * Unpacks the compressed cluster that run describes and copies length bytes of it, from `skip`
 * bytes into it, to data. Safe from several threads, which do not wait for each other.
 */
int qcow2_unpack(struct qcow2_unpackers *unpackers, const struct qcow2_run *run, void *data,
		 size_t length, size_t skip, struct error *err);
