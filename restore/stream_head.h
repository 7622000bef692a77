// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * stream_head: what all readers of streams share. The first bytes of the disk are kept, so that
 * its partition table can be seen before anything is written; they are given out again when the
 * disk is read. What the table claims tells how large the disk is going to be, and afterwards
 * whether it came whole.
 *
 * A reader embeds one, opens it at the end of its own open(), and lets the three functions below
 * serve as its next() and read(). Everything is in bytes of the virtual disk.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"

enum { STREAM_HEAD = 4 << 20, STREAM_GRANULE = 4096 };

/* As source_ops.next, for the reader's own part; out->offset need not be set. */
typedef int stream_next(struct source *source, void *data, size_t capacity, struct extent *out,
			struct error *err);

struct stream_head {
	stream_next *next;
	uint8_t *data;
	size_t length;           /* of data */
	uint64_t position;       /* how far the disk was given out */
	uint64_t zeroes;         /* at position, when that is behind data */
	uint64_t promised;       /* the size that the reader knew, or 0 */
	uint64_t partitions_end; /* the disk cannot be shorter */
	bool has_ended;
};

/*
 * Reads the head and describes the stream in source: is_stream, head_length, granule, size and
 * size_is_known. A reader that knows the size has set source->size before; otherwise it is 0.
 */
int stream_head_open(struct stream_head *head, struct source *source, stream_next *next,
		     struct error *err);
/*
 * As source_ops.next. Whatever the pieces are in which the reader has the data: with a capacity
 * that is a multiple of STREAM_GRANULE, everything but the last piece begins and ends on such a
 * multiple. A disk that ends before its last partition, or before the promised size, is an error.
 */
int stream_head_next(struct stream_head *head, struct source *source, void *data, size_t capacity,
		     struct extent *out, struct error *err);
/* The range is within the head. */
void stream_head_read(const struct stream_head *head, void *data, size_t length, uint64_t offset);
void stream_head_release(struct stream_head *head);

/* What a partition table in the first bytes of a disk says about its size; 0 where it says
 * nothing. Nothing is certain about it: the bytes are an image's. */
struct stream_claim {
	uint64_t size;           /* of the disk */
	uint64_t partitions_end; /* at most size */
};
struct stream_claim stream_head_claim(const uint8_t *data, size_t length);
