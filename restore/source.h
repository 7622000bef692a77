// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * source: a VM image as a linear range of bytes.
 *
 * Readers of the formats stand behind one table of operations; source.c alone calls through it,
 * checks every range against the size, and supplies defaults. An image is hostile until proven
 * otherwise: a reader checks every offset and size it finds before using it, keeps bounded memory
 * whatever the image says, and opens other files through image_file_open_sibling() only.
 *
 * Offsets and lengths are bytes of the virtual disk. There are two kinds of sources:
 *
 *   random access   source_read() and source_extent() reach every place, from several threads at
 *                   once;
 *   streams         (is_stream) source_next() goes through the disk once, in order;
 *                   source_read() reaches the first head_length bytes only, before and after.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/image_file.h"

enum extent_kind {
	EXTENT_DATA,   /* must be read */
	EXTENT_ZERO,   /* reads as zeroes, known without reading */
	EXTENT_UNUSED, /* no file system in the image uses it: need not be on the disk */
};

struct extent {
	uint64_t offset, length;
	enum extent_kind kind;
};

struct source_options {
	const char *format;   /* NULL: found by content */
	const char *snapshot; /* of the image's own; NULL: its newest state */
	struct image_file_options file;
};

struct source {
	const struct source_ops *ops;
	char *name;              /* of the image: path or URL */
	struct image_file *file; /* what the reader reads from; NULL: it needs none */
	/* Of the virtual disk. Of a stream that does not say: what is certain at the beginning,
	 * and the whole from source_next()'s end on; size_is_known tells. */
	uint64_t size;
	bool size_is_known;
	bool is_stream;
	uint64_t head_length; /* of a stream: what source_read() reaches */
	/* Reads that start and end on this many bytes cost least; a power of two. */
	uint32_t granule;
	/* What the image's file systems do not use, or NULL; see used_blocks.h. Owned. */
	struct used_blocks *used;
	/* What a stream has still to prove, or NULL; see integrity.h. Owned. */
	struct integrity *integrity;
	/* What a write of differences has still to prove, or NULL; see integrity.h. What it has is
	 * used, whatever the image's file systems say, which are not proven yet. Owned. */
	struct bmap *map;
	void *state; /* the reader's own */
};

struct source_ops {
	const char *name;   /* "qcow2": what --format takes and what is printed */
	bool takes_streams; /* reads files that are not seekable, too */
	bool has_snapshots; /* open() looks at options->snapshot */
	/* Does the file begin like this format? head holds the first bytes (up to 4096). */
	bool (*probe)(const uint8_t *head, size_t length);
	/* name and file are set (file is NULL for readers that open something else by name). Sets
	 * size (not 0), granule and state, and for a stream is_stream, size_is_known and
	 * head_length. */
	int (*open)(struct source *source, const struct source_options *options, struct error *err);
	/* Releases state; called for half-opened sources too (state may be NULL). */
	void (*close)(struct source *source);
	/*
	 * The extent that begins at offset, as long as is cheaply known, within length; the range
	 * is within size and not empty. Optional: without it everything is data.
	 */
	int (*extent)(struct source *source, uint64_t offset, uint64_t length, struct extent *out,
		      struct error *err);
	/* Fills data with exactly length bytes from offset; the range is within size. */
	int (*read)(struct source *source, void *data, size_t length, uint64_t offset,
		    struct error *err);
	/*
	 * Streams only: what comes next, in order and without gaps. EXTENT_DATA: out->length bytes
	 * (at most capacity) are in data; EXTENT_ZERO: any length, data is not touched; length 0:
	 * the end, size is now known.
	 */
	int (*next)(struct source *source, void *data, size_t capacity, struct extent *out,
		    struct error *err);
	/* Reads all of the image's tables and none of its data: is everything they name there?
	 * Optional. */
	int (*check)(struct source *source, struct error *err);
	/* See source_finish(). Optional. */
	int (*finish)(struct source *source, struct error *err);
	/* Adds what is particular to the format (version, cluster size, …). Optional. */
	void (*describe)(const struct source *source, json_object *out);
};

/*
 * Opens the image read-only. name: a path, PATH@SNAPSHOT, an http, https or nbd URI, or "-" for
 * standard input. options may be NULL. Without a format it is found by content: what looks like a
 * format that is not supported is refused by name, never taken for raw. A block device is raw
 * unless a format is given.
 */
int source_open(const char *name, const struct source_options *options, struct source **out,
		struct error *err);
/*
 * As source_open() with a given reader. name is a label; file (or NULL) becomes the source's own,
 * and is closed when this fails, too. options may be NULL.
 */
int source_open_ops(const char *name, const struct source_ops *ops, struct image_file *file,
		    const struct source_options *options, struct source **out, struct error *err);
/* The reader that the content asks for; what looks like a format that is not supported is refused
 * by name. */
int source_probe(struct image_file *file, const struct source_ops **out, struct error *err);
void source_close(struct source *source);
static inline void source_closep(struct source **source)
{
	source_close(*source);
}
#define _cleanup_source_ __attribute__((cleanup(source_closep)))

/*
 * What is at offset (< size): an extent that begins there and is at least one byte and at most
 * length bytes long. length may reach beyond the end of the disk. Neighbouring extents may be of
 * the same kind.
 */
int source_extent(struct source *source, uint64_t offset, uint64_t length, struct extent *out,
		  struct error *err);
/* All of length, or an error with the offset; nothing is said about data then. */
int source_read(struct source *source, void *data, size_t length, uint64_t offset,
		struct error *err);
/* Streams only, one thread at a time; see source_ops.next. */
int source_next(struct source *source, void *data, size_t capacity, struct extent *out,
		struct error *err);
/*
 * Everything was read: was the image what it should be (checksums that only its end can prove)?
 * Asked once, before a partition table is written.
 */
int source_finish(struct source *source, struct error *err);
/*
 * Run before the first byte is written: finds a truncated image and damaged tables, which would
 * otherwise be met in the middle. Costs a read of the image's tables (1/8192 of the data of a
 * qcow2 image with clusters of 64 KiB); nothing for raw.
 */
int source_check(struct source *source, struct error *err);
/*
 * Is a virtual machine running on the image? What would be read then is torn. QEMU says so by a
 * lock; false where locks cannot be asked for (some network file systems).
 */
bool source_is_being_written(const struct source *source);
/* { "path", "format", "size", "file-size", … }; the caller owns it. */
json_object *source_describe(const struct source *source);

/* The reader whose format begins like this; raw where none does. length is at most 4096. */
const struct source_ops *source_format_of(const uint8_t *head, size_t length);

extern const struct source_ops source_raw_ops, source_qcow2_ops, source_vmdk_ops, source_ova_ops,
	source_archive_ops;
