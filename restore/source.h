// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * source: a VM image as a linear range of bytes.
 *
 * Readers of the formats stand behind one table of operations; source.c alone calls through it,
 * checks every range against the size, and supplies defaults. An image is hostile until proven
 * otherwise: a reader checks every offset and size it finds before using it, keeps bounded memory
 * whatever the image says, and opens no other file than the one it was given.
 *
 * Offsets and lengths are bytes of the virtual disk. After source_open() has returned,
 * source_read() and source_extents() may be called from several threads at once.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum extent_kind {
	EXTENT_DATA, /* must be read */
	EXTENT_ZERO, /* reads as zeroes, known without reading */
};

struct extent {
	uint64_t offset, length;
	enum extent_kind kind;
};

struct source {
	const struct source_ops *ops;
	char *path;
	int fd;
	uint64_t size;      /* of the virtual disk */
	uint64_t file_size; /* of the image file */
	/* Reads that start and end on this many bytes cost least; a power of two. */
	uint32_t granule;
	void *state; /* the reader's own */
};

struct source_ops {
	const char *name; /* "qcow2": what --format takes and what is printed */
	/* Does the file begin like this format? head holds the first bytes (up to 4096). */
	bool (*probe)(const uint8_t *head, size_t length);
	/* path, fd and file_size are set. Sets size (not 0), granule and state. */
	int (*open)(struct source *source, struct error *err);
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
	/* Reads all of the image's tables and none of its data: is everything they name there?
	 * Optional. */
	int (*check)(struct source *source, struct error *err);
	/* Adds what is particular to the format (version, cluster size, …). Optional. */
	void (*describe)(const struct source *source, json_object *out);
};

/*
 * Opens the image read-only. format NULL: found by content; an image that looks like a format that
 * is not supported (VMDK, VDI, VHD, VHDX, …) is refused by name, never taken for raw. A block
 * device is raw unless format says otherwise.
 */
int source_open(const char *path, const char *format, struct source **out, struct error *err);
/*
 * As source_open() with a given reader: for tests and for readers that are not files. path is a
 * label; fd (or -1) becomes the source's own, and is closed when this fails, too.
 */
int source_open_ops(const char *path, const struct source_ops *ops, int fd, struct source **out,
		    struct error *err);
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

extern const struct source_ops source_raw_ops, source_qcow2_ops;
