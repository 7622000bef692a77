// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * qcow2: the parts of the reader behind source_qcow2_ops. Written from QEMU's docs/interop/qcow2.
 *
 *   qcow2_header    what the header and its extensions say, validated; what cannot be read is
 *                   refused here
 *   qcow2_snapshot  the list of internal snapshots
 *   qcow2_cache     slices of tables, as many as the memory allowed for them holds
 *   qcow2_entry     what one L2 entry says, checked
 *   qcow2_map       disk offset -> where its bytes are, in one file
 *   qcow2_check     all tables of one file, before anything is written
 *   qcow2_inflate   compressed clusters
 *   qcow2_chain     the image with its data file and its backing files
 *
 * "Disk offset" is an offset in the virtual disk, "file offset" one in the image file.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/image_file.h"
#include "restore/source.h"

#define QCOW2_MAGIC 0x514649fbU
#define QCOW2_MIN_CLUSTER_BITS 9
#define QCOW2_MAX_CLUSTER_BITS 21
#define QCOW2_MIN_EXTENDED_BITS                                                                    \
	14 /* extended L2 entries have 32 subclusters of 512 bytes or more */
#define QCOW2_SUBCLUSTERS 32

enum qcow2_compression { QCOW2_ZLIB = 0, QCOW2_ZSTD = 1 };

struct qcow2_header {
	uint32_t version; /* 2 or 3 */
	uint32_t cluster_bits;
	uint64_t size; /* of the virtual disk */
	uint64_t l1_offset;
	uint32_t l1_entries; /* as many as the size asks for, at most 4 Mi */
	uint32_t snapshots;
	uint64_t snapshots_offset;
	enum qcow2_compression compression;
	bool is_dirty; /* not closed properly; concerns the refcounts only, which are not read */
	bool has_lazy_refcounts;
	bool has_extended_l2;
	bool has_bitmaps;
	bool data_file_is_raw;
	/* As the image names them, or NULL. */
	char *backing_name, *backing_format, *data_name;
};

/* Release the header after an error, too. */
int qcow2_header_read(const struct image_file *file, struct qcow2_header *header,
		      struct error *err);
void qcow2_header_release(struct qcow2_header *header);
/* Makes l1_offset and l1_entries those of a table of `entries` entries at file offset `offset`, for
 * a disk of header->size. */
int qcow2_header_set_l1(struct qcow2_header *header, uint64_t offset, uint32_t entries,
			struct error *err);

/* A string from the image without control characters, up to its first NUL; the caller frees it. */
char *qcow2_printable(const uint8_t *bytes, size_t length);

struct qcow2_snapshot {
	char *id, *name; /* may hold anything but NUL */
	uint64_t l1_offset;
	uint32_t l1_entries;
	uint64_t size;    /* of the virtual disk then */
	uint32_t seconds; /* when it was taken, since 1970 */
};

/* 1: the answer is here, do not go on; 0: go on. */
typedef int (*qcow2_snapshot_fn)(const struct qcow2_snapshot *snapshot, void *data);

/* Calls found for each snapshot, in the image's order, until it returns 1; the result is the last
 * call's, or -1. Memory does not grow with their number. */
int qcow2_snapshot_each(const struct image_file *file, const struct qcow2_header *header,
			qcow2_snapshot_fn found, void *data, struct error *err);
/* From here on header describes the disk as the snapshot kept it. name: its name, or else its ID.
 */
int qcow2_snapshot_select(const struct image_file *file, struct qcow2_header *header,
			  const char *name, struct error *err);

struct qcow2_slot {
	uint64_t number; /* of the slice, plus 1; 0: the slot is empty */
	uint64_t *words;
};

enum { QCOW2_STRIPES = 16 };

/*
 * Slices of a table. A slice has one slot where it may be kept (its number modulo the number of
 * slots): reading in order, as a restore does, never evicts what is still needed. A stripe of slots
 * has a lock, so that threads wait only for those who look at the same slice.
 */
struct qcow2_cache {
	const struct image_file *file; /* borrowed */
	const char *what;              /* "L2 table" */
	size_t slice_size;             /* bytes; a power of two */
	size_t slot_count;
	struct qcow2_slot *slots;
	pthread_mutex_t locks[QCOW2_STRIPES];
};

/* slices: how many there are; limit: bytes of memory, but one slice is always kept. Release it
 * after an error, too. */
int qcow2_cache_init(struct qcow2_cache *cache, const struct image_file *file, const char *what,
		     size_t slice_size, uint64_t slices, uint64_t limit, struct error *err);
void qcow2_cache_release(struct qcow2_cache *cache);
/*
 * The slice with this number, whose first length bytes are at file_offset, as numbers of this
 * machine; what is behind length is 0. It is borrowed until qcow2_cache_unlock(). NULL: err says
 * why, and nothing is locked.
 */
const uint64_t *qcow2_cache_lock(struct qcow2_cache *cache, uint64_t number, uint64_t file_offset,
				 size_t length, struct error *err);
void qcow2_cache_unlock(struct qcow2_cache *cache, uint64_t number);
/* What qcow2_cache_lock() reads, into words of the caller's. */
int qcow2_words_read(const struct image_file *file, const char *what, uint64_t *words,
		     size_t length, uint64_t file_offset, struct error *err);

enum qcow2_kind { QCOW2_ZERO, QCOW2_PLAIN, QCOW2_COMPRESSED, QCOW2_BACKING };

/* A stretch of the disk that can be had in one go. */
struct qcow2_run {
	enum qcow2_kind kind;
	uint64_t length;        /* bytes of the disk */
	uint64_t file_offset;   /* of the first byte, or of the compressed data */
	uint32_t packed_length; /* of the compressed data: at most 2 clusters; the real data may end
				   earlier */
};

struct qcow2_map {
	const struct image_file *file, *data; /* borrowed; data: where plain clusters are */
	const struct qcow2_header *header;    /* borrowed */
	uint64_t slice_span;      /* bytes of the disk that a slice of an L2 table tells of */
	uint64_t table_span;      /* and a whole table */
	uint32_t words_per_entry; /* 1, or 2 of extended L2 entries */
	struct qcow2_cache l1, l2;
};

/*
 * data: the external data file, or NULL. limit: bytes of memory for tables. file, data and header
 * must outlive the map. Release it after an error, too.
 */
int qcow2_map_init(struct qcow2_map *map, const struct image_file *file,
		   const struct image_file *data, const struct qcow2_header *header, uint64_t limit,
		   struct error *err);
void qcow2_map_release(struct qcow2_map *map);

/*
 * The run that begins at offset, at most length bytes long: plain clusters that follow each other
 * in map->data, zeroes, the rest of one compressed cluster, or what the backing file has. The range
 * must be within the disk. Safe from several threads.
 */
int qcow2_map_run(struct qcow2_map *map, uint64_t offset, uint64_t length, struct qcow2_run *out,
		  struct error *err);
/* As qcow2_map_run(), but only whether data, zeroes or the backing file (QCOW2_PLAIN, QCOW2_ZERO,
 * QCOW2_BACKING); file_offset means nothing. */
int qcow2_map_extent(struct qcow2_map *map, uint64_t offset, uint64_t length, struct qcow2_run *out,
		     struct error *err);

/* File offset of the L2 table for a disk offset; 0: there is none. */
int qcow2_map_table(struct qcow2_map *map, uint64_t offset, uint64_t *table, struct error *err);

/* The run from disk offset `offset` to the end of its cluster or earlier. entry is the cluster's.
 */
int qcow2_entry_run(const struct qcow2_map *map, const uint64_t *entry, uint64_t offset,
		    struct qcow2_run *out, struct error *err);
/* What an L1 entry says: the file offset of the L2 table for disk offset `offset`; 0: there is
 * none. */
int qcow2_entry_table(const struct qcow2_map *map, uint64_t entry, uint64_t offset, uint64_t *table,
		      struct error *err);

/*
 * Reads every L2 table and checks every entry that is part of the disk; keeps nothing. Takes no
 * longer than reading the file would: a table that is used twice is an error, and holes of a sparse
 * file are not read.
 */
int qcow2_check(struct qcow2_map *map, struct error *err);

/* Buffers and contexts to unpack with, as many as there are threads; they are kept for reuse. */
struct qcow2_unpackers {
	size_t cluster_size;  /* the largest */
	pthread_mutex_t lock; /* guards idle */
	struct qcow2_unpacker *idle;
};

int qcow2_unpackers_init(struct qcow2_unpackers *unpackers, size_t cluster_size, struct error *err);
void qcow2_unpackers_release(struct qcow2_unpackers *unpackers);

/*
 * Unpacks the compressed cluster that a run of map describes and copies length bytes of it, from
 * `skip` bytes into it, to data. Safe from several threads, which do not wait for each other.
 */
int qcow2_unpack(struct qcow2_unpackers *unpackers, const struct qcow2_map *map,
		 const struct qcow2_run *run, void *data, size_t length, size_t skip,
		 struct error *err);

struct qcow2_layer {
	struct image_file *file; /* the first layer's is borrowed, the others' are their own */
	struct image_file *data; /* external data file, or NULL */
	struct qcow2_header header;
	struct qcow2_map map;
	bool has_map;
};

/* The image, then what it is based on. */
struct qcow2_chain {
	struct qcow2_layer *layers;
	size_t count;
	struct source *base; /* the raw image below the last layer, or NULL */
	struct qcow2_unpackers unpackers;
};

/* file (of the image) must outlive the chain. snapshot: of the image's own, or NULL. Release it
 * after an error, too. */
int qcow2_chain_open(struct qcow2_chain *chain, struct image_file *file, const char *snapshot,
		     struct error *err);
void qcow2_chain_release(struct qcow2_chain *chain);

/* The range must be within the disk. Safe from several threads. */
int qcow2_chain_read(struct qcow2_chain *chain, void *data, uint64_t length, uint64_t offset,
		     struct error *err);
int qcow2_chain_extent(struct qcow2_chain *chain, uint64_t offset, uint64_t length,
		       struct extent *out, struct error *err);
int qcow2_chain_check(struct qcow2_chain *chain, struct error *err);
