// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * vmdk: the parts of the reader behind source_vmdk_ops: sparse extents that carry their descriptor
 * (monolithicSparse, streamOptimized). Written from VMware's "Virtual Disk Format 5.0", sections
 * "Hosted Sparse Extents" and "Stream-Optimized Compressed Sparse Extents".
 *
 *   vmdk_header      header and footer, validated; what cannot be read is refused here
 *   vmdk_descriptor  the text inside that says what kind of image this is
 *   vmdk_map         disk offset -> where its bytes are: grain directory and tables
 *   vmdk_inflate     compressed grains
 *   vmdk_stream      a streamOptimized image from its beginning to its end
 *
 * "Disk offset" is an offset in the virtual disk, "file offset" one in the image file. The format
 * counts in sectors of 512 bytes; all that leaves vmdk_header is bytes.
 */
#pragma once

#include <libdeflate.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/image_cursor.h"
#include "restore/image_file.h"
#include "restore/source.h"

#define VMDK_SECTOR 512U
#define VMDK_NO_DIRECTORY UINT64_MAX /* it is behind the data, and nothing says where */

struct vmdk_header {
	uint32_t version;           /* 1 to 3 */
	uint64_t size;              /* of the virtual disk */
	uint32_t grain_size;        /* a power of two, at most 1 MiB */
	uint32_t table_entries;     /* of one grain table: a power of two, 128 to 512 */
	uint64_t directory_offset;  /* or VMDK_NO_DIRECTORY: only a stream can be read */
	uint32_t directory_entries; /* as many as the size asks for, at most 2 Mi */
	uint64_t descriptor_offset, descriptor_length;
	uint64_t data_offset; /* where grains begin ("overHead") */
	bool is_compressed;
	bool has_zero_grains; /* a grain table entry of 1 means zeroes */
	bool is_unclean;      /* not closed properly; the tables are in the file all the same */
};

/* Reads the header, and the footer where the directory is behind the data and file is seekable. */
int vmdk_header_read(struct image_file *file, struct vmdk_header *header, struct error *err);

/* Refuses what has its data elsewhere: parents, other extents. create_type: heap, the caller frees.
 */
int vmdk_descriptor_read(struct image_file *file, const struct vmdk_header *header,
			 char **create_type, struct error *err);
/* The same for text that was read already. */
int vmdk_descriptor_parse(const char *text, char **create_type, struct error *err);

enum vmdk_kind { VMDK_ZERO, VMDK_PLAIN, VMDK_PACKED };

/* A stretch of the disk that can be had in one go. */
struct vmdk_run {
	enum vmdk_kind kind;
	uint64_t length;        /* bytes of the disk */
	uint64_t file_offset;   /* of the first byte, or of the marker before the packed data */
	uint32_t packed_length; /* marker and packed data; they may end earlier */
};

struct vmdk_slot {
	uint32_t table; /* its number plus 1; 0: the slot is empty */
	uint32_t *entries;
};

struct vmdk_map {
	const struct image_file *file; /* borrowed */
	struct vmdk_header header;
	uint32_t *directory;
	pthread_mutex_t lock; /* guards slots */
	struct vmdk_slot *slots;
	size_t slot_count; /* slots × table size is at most 8 MiB */
};

/* Reads the grain directory. file must outlive the map. Release it after an error, too. */
int vmdk_map_init(struct vmdk_map *map, const struct image_file *file,
		  const struct vmdk_header *header, struct error *err);
void vmdk_map_release(struct vmdk_map *map);
/*
 * The run that begins at offset, at most length bytes long: plain grains that follow each other in
 * the file, zeroes, or the rest of one packed grain. The range must be within the disk. Safe from
 * several threads.
 */
int vmdk_map_run(struct vmdk_map *map, uint64_t offset, uint64_t length, struct vmdk_run *out,
		 struct error *err);
/* As vmdk_map_run(), but only whether data or zeroes (VMDK_PLAIN, VMDK_ZERO). */
int vmdk_map_extent(struct vmdk_map *map, uint64_t offset, uint64_t length, struct vmdk_run *out,
		    struct error *err);
/* Reads every grain table and checks every entry that is part of the disk; keeps nothing. */
int vmdk_map_check(const struct vmdk_map *map, struct error *err);

/* What stands before packed grains, and between them. */
struct vmdk_marker {
	uint64_t value;       /* the grain's sector on the disk, or sectors that follow */
	uint32_t data_length; /* of the packed grain; 0: the marker is none of a grain */
	uint32_t type;        /* then; see enum vmdk_marker_type */
};

enum { VMDK_MARKER_LENGTH = 12 }; /* of a grain's: the data begins behind it */
enum vmdk_marker_type { VMDK_END, VMDK_TABLE, VMDK_DIRECTORY, VMDK_FOOTER, VMDK_PROGRESS };

/* bytes: a sector. */
struct vmdk_marker vmdk_marker_parse(const uint8_t *bytes);
/* The most that marker and data of one grain may take, padded to sectors. */
static inline uint32_t vmdk_packed_limit(const struct vmdk_header *header)
{
	return 2 * header->grain_size + VMDK_SECTOR;
}
/* Bytes of the disk in the grain that begins at offset: less than a grain at the end only. */
static inline uint32_t vmdk_grain_length(const struct vmdk_header *header, uint64_t offset)
{
	uint64_t left = header->size - offset;

	return left < header->grain_size ? (uint32_t)left : header->grain_size;
}

/*
 * Unpacks a grain; out has room for header->grain_size bytes, of which at least `needed` must be
 * filled. Returns what is wrong, or NULL.
 */
const char *vmdk_inflate(struct libdeflate_decompressor *deflate, const struct vmdk_header *header,
			 const uint8_t *packed, size_t packed_length, uint8_t *out, size_t needed);

/* Buffers and contexts to unpack with, as many as there are threads; they are kept for reuse. */
struct vmdk_unpackers {
	const struct image_file *file; /* borrowed */
	struct vmdk_header header;
	pthread_mutex_t lock; /* guards idle */
	struct vmdk_unpacker *idle;
};

int vmdk_unpackers_init(struct vmdk_unpackers *unpackers, const struct image_file *file,
			const struct vmdk_header *header, struct error *err);
void vmdk_unpackers_release(struct vmdk_unpackers *unpackers);
/*
 * Unpacks the grain that run describes and copies run->length bytes of it from disk offset `offset`
 * to data. Safe from several threads, which do not wait for each other.
 */
int vmdk_unpack(struct vmdk_unpackers *unpackers, const struct vmdk_run *run, void *data,
		uint64_t offset, struct error *err);

struct vmdk_stream; /* opaque: one pass over a streamOptimized image */

/* Reads up to the end of the disk's first MiBs, which are kept. */
int vmdk_stream_open(struct image_file *file, const struct vmdk_header *header,
		     struct vmdk_stream **out, struct error *err);
void vmdk_stream_close(struct vmdk_stream *stream); /* accepts NULL */
static inline void vmdk_stream_closep(struct vmdk_stream **stream)
{
	vmdk_stream_close(*stream);
}
/* The disk's first bytes, *length of them; borrowed. */
const uint8_t *vmdk_stream_head(const struct vmdk_stream *stream, uint64_t *length);
/* See source_ops.next. */
int vmdk_stream_next(struct vmdk_stream *stream, void *data, size_t capacity, struct extent *out,
		     struct error *err);
/* Walks over all grains of a seekable file without unpacking them. */
int vmdk_stream_check(struct image_file *file, const struct vmdk_header *header, struct error *err);
