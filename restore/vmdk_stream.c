// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A streamOptimized image in the order of its bytes: markers, each followed by a packed grain or by
 * tables, which are passed over.
 *
 * VMware's tools put the tables behind the grains and an end marker last. qemu-img puts them before
 * and writes no end marker; the number of entries in the tables then says how many grains must
 * come, without which an image that breaks off between two grains would be taken for a whole one.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/source.h"
#include "restore/vmdk.h"

#define HEAD_LIMIT (4U << 20)
#define GRAINS_UNKNOWN UINT64_MAX

/* The way through the file, from one grain's marker to the next. */
struct walk {
	struct image_cursor cursor;
	const struct vmdk_header *header; /* borrowed */
	uint64_t grains, grains_expected; /* GRAINS_UNKNOWN: an end marker comes */
	uint64_t next_offset;             /* of the disk: no grain may begin before it */
};

/* A grain whose marker was read. */
struct grain {
	uint64_t offset; /* of the disk; its size at the end of the stream */
	uint64_t file_offset;
	uint32_t length;             /* packed */
	uint8_t sector[VMDK_SECTOR]; /* the marker and the beginning of the packed data */
};

struct vmdk_stream {
	struct vmdk_header header;
	struct walk walk;
	struct grain grain; /* the next one, where has_grain */
	bool has_grain;
	uint64_t position; /* of the disk: up to here all was handed out */
	struct libdeflate_decompressor *deflate;
	uint8_t *packed;                  /* vmdk_packed_limit() */
	uint8_t *scratch;                 /* a grain that was not handed out as a whole */
	uint32_t scratch_at, scratch_end; /* what is left of it */
	uint8_t *head;
	uint64_t head_length, head_done;
};

static int skip_to(struct walk *walk, const char *what, uint64_t offset, struct error *err)
{
	if (offset < walk->cursor.offset)
		return error_set(err,
				 "the %s at file offset %" PRIu64
				 " is not where a stream needs it: use the image as a file",
				 what, offset);
	return image_cursor_skip(&walk->cursor, what, offset - walk->cursor.offset, err);
}

/* How many grains does the table name that comes next? */
static int count_table(struct walk *walk, struct error *err)
{
	uint32_t entries[512];
	size_t length = walk->header->table_entries * sizeof(*entries);

	if (image_cursor_read(&walk->cursor, "grain table", entries, length, err) < 0)
		return -1;
	for (uint32_t i = 0; i < walk->header->table_entries; i++) {
		uint32_t entry = le32toh(entries[i]);

		walk->grains_expected +=
			entry > 1 || (entry == 1 && !walk->header->has_zero_grains);
	}
	return 0;
}

/* Of tables that stand before the grains. */
static int count_grains(struct walk *walk, struct error *err)
{
	size_t length = walk->header->directory_entries * sizeof(uint32_t);
	_cleanup_free_ uint32_t *directory = malloc(length);

	if (!directory)
		return error_sys(err, ENOMEM, "read grain directory");
	if (skip_to(walk, "grain directory", walk->header->directory_offset, err) < 0 ||
	    image_cursor_read(&walk->cursor, "grain directory", directory, length, err) < 0)
		return -1;
	for (uint32_t i = 0; i < walk->header->directory_entries; i++) {
		uint64_t at = (uint64_t)le32toh(directory[i]) * VMDK_SECTOR;

		if (at != 0 &&
		    (skip_to(walk, "grain table", at, err) < 0 || count_table(walk, err) < 0))
			return -1;
	}
	return 0;
}

/* Up to the first marker. */
static int walk_begin(struct walk *walk, struct image_file *file, const struct vmdk_header *header,
		      struct error *err)
{
	*walk = (struct walk){.cursor = {.file = file}, .header = header};
	if (header->directory_offset == VMDK_NO_DIRECTORY)
		walk->grains_expected = GRAINS_UNKNOWN;
	else if (count_grains(walk, err) < 0)
		return -1;
	if (header->data_offset < VMDK_SECTOR)
		return error_set(err, "image is corrupt: its data begins at file offset %" PRIu64,
				 header->data_offset);
	return skip_to(walk, "data", header->data_offset, err);
}

/* Tables, the footer. There is no more of it than tables and directory of this disk take. */
static int skip_metadata(struct walk *walk, uint64_t at, const struct vmdk_marker *marker,
			 struct error *err)
{
	const uint32_t per_sector = VMDK_SECTOR / sizeof(uint32_t);
	uint64_t table = walk->header->table_entries / per_sector;
	uint64_t limit = walk->header->directory_entries * (table + 1);

	if (marker->type > VMDK_PROGRESS || marker->value > limit)
		return error_set(err,
				 "image is corrupt: the marker at file offset %" PRIu64
				 " is of type %" PRIu32 " and says that %" PRIu64 " sectors follow",
				 at, marker->type, marker->value);
	return image_cursor_skip(&walk->cursor, "tables", marker->value * VMDK_SECTOR, err);
}

static int check_grain(const struct walk *walk, const struct vmdk_marker *marker,
		       const struct grain *grain, struct error *err)
{
	const struct vmdk_header *header = walk->header;

	if (marker->value >= header->size / VMDK_SECTOR || grain->offset % header->grain_size != 0)
		return error_set(err,
				 "image is corrupt: the grain at file offset %" PRIu64
				 " belongs to sector %" PRIu64 " of the disk, where none can be",
				 grain->file_offset, marker->value);
	if (grain->length > vmdk_packed_limit(header) - VMDK_SECTOR)
		return error_set(err,
				 "image is corrupt: the grain at file offset %" PRIu64
				 " has a length of %" PRIu32 " bytes",
				 grain->file_offset, grain->length);
	if (grain->offset < walk->next_offset)
		return error_set(err,
				 "the grain at file offset %" PRIu64
				 " belongs to disk offset %" PRIu64
				 ", before the one that precedes it: such an image cannot be read "
				 "as a stream: convert it with `qemu-img convert`",
				 grain->file_offset, grain->offset);
	return 0;
}

/* 1: the sector holds a grain's marker; 0: the end; 2: neither, go on. */
static int take_marker(struct walk *walk, struct grain *grain, struct error *err)
{
	struct vmdk_marker marker = vmdk_marker_parse(grain->sector);

	if (marker.data_length == 0 && marker.type == VMDK_END && marker.value == 0)
		return 0;
	if (marker.data_length == 0)
		return skip_metadata(walk, grain->file_offset, &marker, err) < 0 ? -1 : 2;
	/* What overflows is refused by its sector. */
	grain->offset = marker.value * VMDK_SECTOR;
	grain->length = marker.data_length;
	if (check_grain(walk, &marker, grain, err) < 0)
		return -1;
	walk->next_offset = grain->offset + walk->header->grain_size;
	walk->grains++;
	return 1;
}

static int check_count(const struct walk *walk, struct error *err)
{
	if (walk->grains_expected == GRAINS_UNKNOWN || walk->grains == walk->grains_expected)
		return 0;
	return error_set(err,
			 "image is truncated: it ends after %" PRIu64 " grains, its tables name "
			 "%" PRIu64,
			 walk->grains, walk->grains_expected);
}

/* 1 and the next grain, 0 at the end, -1. */
static int walk_next(struct walk *walk, struct grain *grain, struct error *err)
{
	int r = 2;

	if (walk->grains == walk->grains_expected)
		return 0;
	while (r == 2) {
		grain->file_offset = walk->cursor.offset;
		if (image_cursor_read(&walk->cursor, "marker", grain->sector, VMDK_SECTOR, err) < 0)
			return -1;
		r = take_marker(walk, grain, err);
	}
	return r == 0 ? check_count(walk, err) : r;
}

/* Bytes of the grain behind its first sector. */
static size_t rest_of(const struct grain *grain)
{
	uint32_t sectors = (VMDK_MARKER_LENGTH + grain->length - 1) / VMDK_SECTOR;

	return (size_t)sectors * VMDK_SECTOR;
}

static int look_ahead(struct vmdk_stream *stream, struct error *err)
{
	int r;

	if (stream->has_grain)
		return 0;
	r = walk_next(&stream->walk, &stream->grain, err);
	if (r < 0 || (r == 0 && image_cursor_finish(&stream->walk.cursor, err) < 0))
		return -1;
	if (r == 0)
		stream->grain.offset = stream->header.size;
	stream->has_grain = true;
	return 0;
}

/* The grain that was looked at, into out, which has room for a whole one. */
static int unpack(struct vmdk_stream *stream, uint8_t *out, struct error *err)
{
	const struct grain *grain = &stream->grain;
	const char *wrong;

	memcpy(stream->packed, grain->sector, VMDK_SECTOR);
	if (image_cursor_read(&stream->walk.cursor, "compressed grain",
			      stream->packed + VMDK_SECTOR, rest_of(grain), err) < 0)
		return -1;
	wrong = vmdk_inflate(stream->deflate, &stream->header, stream->packed + VMDK_MARKER_LENGTH,
			     grain->length, out, vmdk_grain_length(&stream->header, grain->offset));
	if (wrong)
		return error_set(err,
				 "image is corrupt: unpack compressed grain at file offset %" PRIu64
				 ": %s",
				 grain->file_offset, wrong);
	stream->has_grain = false;
	return 0;
}

static size_t take_scratch(struct vmdk_stream *stream, uint8_t *data, size_t capacity)
{
	size_t length = (size_t)smaller(capacity, stream->scratch_end - stream->scratch_at);

	memcpy(data, stream->scratch + stream->scratch_at, length);
	stream->scratch_at += (uint32_t)length;
	return length;
}

/* One grain, or what there is room for. */
static int take_grain(struct vmdk_stream *stream, uint8_t *data, size_t capacity, size_t *got,
		      struct error *err)
{
	uint32_t length = vmdk_grain_length(&stream->header, stream->grain.offset);

	if (capacity >= stream->header.grain_size) {
		*got = length;
		return unpack(stream, data, err);
	}
	if (unpack(stream, stream->scratch, err) < 0)
		return -1;
	stream->scratch_at = 0;
	stream->scratch_end = length;
	*got = take_scratch(stream, data, capacity);
	return 0;
}

/* Grains that follow each other on the disk, as many as there is room for. */
static int take_grains(struct vmdk_stream *stream, uint8_t *data, size_t capacity,
		       struct extent *out, struct error *err)
{
	size_t got;

	do {
		if (take_grain(stream, data + out->length, capacity - (size_t)out->length, &got,
			       err) < 0)
			return -1;
		out->length += got;
		stream->position += got;
		if (stream->position == stream->header.size ||
		    stream->scratch_at < stream->scratch_end)
			return 0;
		if (look_ahead(stream, err) < 0)
			return -1;
	} while (stream->grain.offset == stream->position &&
		 capacity - out->length >= stream->header.grain_size);
	return 0;
}

/* What comes next of the disk, up to limit. */
static int produce(struct vmdk_stream *stream, uint8_t *data, size_t capacity, uint64_t limit,
		   struct extent *out, struct error *err)
{
	*out = (struct extent){.offset = stream->position, .kind = EXTENT_DATA};
	if (stream->scratch_at < stream->scratch_end) {
		out->length = take_scratch(stream, data, capacity);
		stream->position += out->length;
		return 0;
	}
	if (look_ahead(stream, err) < 0)
		return -1;
	if (stream->position < limit && stream->grain.offset == stream->position)
		return take_grains(stream, data, capacity, out, err);
	out->kind = EXTENT_ZERO;
	out->length = smaller(stream->grain.offset, limit) - stream->position;
	stream->position += out->length;
	return 0;
}

/* head_length ends between two grains or is the disk's size, so that nothing is left over. */
static int read_head(struct vmdk_stream *stream, struct error *err)
{
	struct extent extent;

	stream->head_length = smaller(stream->header.size, HEAD_LIMIT);
	stream->head = calloc(1, HEAD_LIMIT);
	if (!stream->head)
		return error_sys(err, ENOMEM, "keep the beginning of the disk");
	while (stream->position < stream->head_length)
		if (produce(stream, stream->head + stream->position, HEAD_LIMIT - stream->position,
			    stream->head_length, &extent, err) < 0)
			return -1;
	return 0;
}

int vmdk_stream_open(struct image_file *file, const struct vmdk_header *header,
		     struct vmdk_stream **out, struct error *err)
{
	_cleanup_(vmdk_stream_closep) struct vmdk_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return error_sys(err, ENOMEM, "read a stream");
	stream->header = *header;
	stream->deflate = libdeflate_alloc_decompressor();
	stream->packed = malloc(vmdk_packed_limit(header));
	stream->scratch = malloc(header->grain_size);
	if (!stream->deflate || !stream->packed || !stream->scratch)
		return error_sys(err, ENOMEM, "read a stream");
	if (walk_begin(&stream->walk, file, &stream->header, err) < 0 || read_head(stream, err) < 0)
		return -1;
	*out = steal(&stream);
	return 0;
}

void vmdk_stream_close(struct vmdk_stream *stream)
{
	if (!stream)
		return;
	libdeflate_free_decompressor(stream->deflate);
	free(stream->packed);
	free(stream->scratch);
	free(stream->head);
	free(stream);
}

const uint8_t *vmdk_stream_head(const struct vmdk_stream *stream, uint64_t *length)
{
	*length = stream->head_length;
	return stream->head;
}

int vmdk_stream_next(struct vmdk_stream *stream, void *data, size_t capacity, struct extent *out,
		     struct error *err)
{
	uint64_t left = stream->head_length - stream->head_done;

	if (left == 0)
		return produce(stream, data, capacity, stream->header.size, out, err);
	*out = (struct extent){
		.offset = stream->head_done,
		.length = smaller(left, capacity),
		.kind = EXTENT_DATA,
	};
	memcpy(data, stream->head + out->offset, (size_t)out->length);
	stream->head_done += out->length;
	return 0;
}

int vmdk_stream_check(struct image_file *file, const struct vmdk_header *header, struct error *err)
{
	struct grain grain;
	struct walk walk;
	int r;

	if (walk_begin(&walk, file, header, err) < 0)
		return -1;
	while ((r = walk_next(&walk, &grain, err)) > 0)
		if (image_cursor_skip(&walk.cursor, "compressed grain", rest_of(&grain), err) < 0)
			return -1;
	return r;
}
