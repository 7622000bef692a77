// SPDX-License-Identifier: GPL-3.0-or-later
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "restore/layout.h"
#include "restore/window.h"

enum {
	MIB = 1 << 20,
	BLOCK = 4096,     /* what is stored or left a hole */
	TAIL = 128 << 10, /* md 0.90 superblocks begin up to this far before the end (md(4)) */
	SECTOR = 512,
};

/* The image's interesting places, in a file that is as long as the image but nearly all holes. A
 * memory file, so that neither a full /tmp nor a killed program leaves anything behind. */
struct sketch {
	struct source *source;
	int fd;
	uint8_t *buffer; /* MIB */
};

static int store(struct sketch *sketch, size_t length, uint64_t offset, struct error *err)
{
	for (size_t at = 0; at < length; at += BLOCK) {
		size_t piece = length - at < BLOCK ? length - at : BLOCK;

		if (is_zero(sketch->buffer + at, piece))
			continue;
		if (write_exactly(sketch->fd, "sketch", sketch->buffer + at, piece, offset + at,
				  err) < 0)
			return -1;
	}
	return 0;
}

/* How far the image can be read now. */
static uint64_t reach_of(const struct source *source)
{
	return source->is_stream ? source->head_length : source->size;
}

/* Copies what of the range lies within the image. length is at most MIB. */
static int copy_range(struct sketch *sketch, uint64_t offset, uint64_t length, struct error *err)
{
	uint64_t size = reach_of(sketch->source);

	if (offset >= size)
		return 0;
	if (length > size - offset)
		length = size - offset;
	if (length == 0)
		return 0;
	if (source_read(sketch->source, sketch->buffer, length, offset, err) < 0)
		return -1;
	return store(sketch, length, offset, err);
}

static int copy_ends(struct sketch *sketch, uint64_t start, uint64_t length, uint64_t head,
		     uint64_t tail, struct error *err)
{
	if (copy_range(sketch, start, length < head ? length : head, err) < 0)
		return -1;
	if (length <= head)
		return 0;
	if (tail > length)
		tail = length;
	return copy_range(sketch, start + length - tail, tail, err);
}

/* Logical partitions are a linked list of boot records: the second entry of each names the next,
 * relative to the extended partition. */
static int copy_chain(struct sketch *sketch, const struct partition *extended, struct error *err)
{
	uint64_t offset = extended->start, reach = reach_of(sketch->source);
	uint32_t next;

	for (int i = 0; i < LAYOUT_PARTITIONS; i++) {
		if (offset > reach || reach - offset < SECTOR)
			return 0;
		if (copy_range(sketch, offset, SECTOR, err) < 0)
			return -1;
		if (sketch->buffer[510] != 0x55 || sketch->buffer[511] != 0xaa)
			return 0;
		memcpy(&next, sketch->buffer + 446 + 16 + 8, sizeof(next));
		if (next == 0)
			return 0;
		offset = extended->start + (uint64_t)le32toh(next) * SECTOR;
	}
	return 0;
}

static int copy_partitions(struct sketch *sketch, const struct layout *layout, struct error *err)
{
	for (size_t i = 0; i < layout->count; i++) {
		const struct partition *partition = &layout->partition[i];
		int r = partition->is_extended ? copy_chain(sketch, partition, err)
					       : copy_ends(sketch, partition->start,
							   partition->length, MIB, TAIL, err);

		if (r < 0)
			return -1;
	}
	return 0;
}

static int read_sketch(struct sketch *sketch, struct layout *out, struct error *err)
{
	const struct source *source = sketch->source;

	layout_release(out);
	return layout_read_fd(sketch->fd, source->name, source->size, 0, out, err);
}

static bool has_extended(const struct layout *layout)
{
	for (size_t i = 0; i < layout->count; i++)
		if (layout->partition[i].is_extended)
			return true;
	return false;
}

/* Reads again after each round: the table shows where the partitions are, the chain of logical
 * ones where more of them are. */
static int fill(struct sketch *sketch, struct layout *out, struct error *err)
{
	if (copy_ends(sketch, 0, sketch->source->size, MIB, MIB, err) < 0)
		return -1;
	for (int round = 0; round < 3; round++) {
		if (read_sketch(sketch, out, err) < 0)
			return -1;
		if (round == 2 || out->count == 0 || (round == 1 && !has_extended(out)))
			return 0;
		if (copy_partitions(sketch, out, err) < 0)
			return -1;
	}
	return 0;
}

/* The file systems that are known begin within the first MiB of their partitions. */
static bool is_beyond(const struct partition *partition, uint64_t reach)
{
	uint64_t seen = partition->length < MIB ? partition->length : MIB;

	return partition->start > reach || reach - partition->start < seen;
}

static bool is_partial(const struct source *source, const struct layout *layout)
{
	for (size_t i = 0; source->is_stream && i < layout->count; i++)
		if (is_beyond(&layout->partition[i], reach_of(source)))
			return true;
	return false;
}

int layout_read_source(struct source *source, struct layout *out, struct error *err)
{
	_cleanup_close_ int fd = memfd_create("v2p-sketch", MFD_CLOEXEC);
	_cleanup_free_ uint8_t *buffer = malloc(MIB);
	struct sketch sketch = {.source = source, .fd = fd, .buffer = buffer};

	*out = (struct layout){0};
	if (fd < 0)
		return error_sys(err, errno, "make a file in memory");
	if (!buffer)
		abort();
	if (ftruncate(fd, (off_t)source->size) < 0)
		return error_sys(err, errno, "make a sparse file of %llu bytes",
				 (unsigned long long)source->size);
	if (fill(&sketch, out, err) < 0) {
		layout_release(out);
		return error_in(err, "look into %s", source->name);
	}
	out->is_partial = is_partial(source, out);
	return 0;
}
