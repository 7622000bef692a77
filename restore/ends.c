// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/ends.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

enum { MIB = 1 << 20, SLACK = WRITE_GRANULE };

static uint8_t *zeroed(size_t length)
{
	uint8_t *data = aligned_alloc(WRITE_GRANULE, length);

	if (data)
		memset(data, 0, length);
	return data;
}

int ends_init(struct ends *ends, struct error *err)
{
	ends->head = zeroed(MIB + SLACK);
	ends->tail = zeroed(2 * MIB + SLACK);
	ends->disk_data = zeroed(MIB + SLACK);
	if (ends->head && ends->tail && ends->disk_data)
		return 0;
	return error_sys(err, ENOMEM, "allocate memory");
}

void ends_release(struct ends *ends)
{
	free(ends->head);
	free(ends->tail);
	free(ends->disk_data);
}

void ends_place(struct ends *ends, uint64_t size)
{
	uint64_t tail = size > MIB ? (size - MIB) / MIB * MIB : 0;

	ends->head_length = smaller(size, MIB);
	ends->tail_offset = tail > MIB ? tail : ends->head_length;
	ends->tail_length = size - ends->tail_offset;
}

int ends_read(struct ends *ends, struct source *source, struct error *err)
{
	if (source_read(source, ends->head, ends->head_length, 0, err) < 0)
		return -1;
	if (ends->tail_length == 0)
		return 0;
	return source_read(source, ends->tail, ends->tail_length, ends->tail_offset, err);
}

static int put(struct write_target *disk, const uint8_t *data, uint64_t length, uint64_t offset,
	       struct error *err)
{
	if (length == 0)
		return 0;
	atomic_fetch_add(&disk->data_bytes, length);
	return write_target_put(disk, data, (size_t)length, offset, err);
}

int ends_write(const struct ends *ends, struct write_target *disk, struct error *err)
{
	uint64_t first = smaller(ends->head_length, WRITE_GRANULE);

	if (put(disk, ends->tail, ends->tail_length, ends->tail_offset, err) < 0 ||
	    put(disk, ends->head + first, ends->head_length - first, first, err) < 0)
		return -1;
	return target_flush(disk->target, err);
}

int ends_write_first(const struct ends *ends, struct write_target *disk, struct error *err)
{
	if (put(disk, ends->head, smaller(ends->head_length, WRITE_GRANULE), 0, err) < 0)
		return -1;
	return write_target_flush(disk, err);
}

static int is_there(struct ends *ends, const struct write_target *disk, const uint8_t *data,
		    size_t length, uint64_t offset, struct error *err)
{
	if (write_target_get(disk, ends->disk_data, length, offset, err) < 0)
		return -1;
	return memcmp(ends->disk_data, data, length) == 0;
}

static int prove(struct ends *ends, struct write_target *disk, const uint8_t *data, size_t length,
		 uint64_t offset, struct error *err)
{
	int r = is_there(ends, disk, data, length, offset, err);

	if (r == 0) {
		if (write_target_put(disk, data, length, offset, err) < 0 ||
		    write_target_flush(disk, err) < 0)
			return -1;
		r = is_there(ends, disk, data, length, offset, err);
		atomic_fetch_add(&disk->rewritten_bytes, r > 0 ? length : 0);
	}
	if (r == 0)
		return error_set(err,
				 "read back %zu bytes at offset %" PRIu64
				 ": the disk does not hold what was written to it, twice: it or "
				 "its cable, controller or memory is defective",
				 length, offset);
	atomic_fetch_add(&disk->verified_bytes, r > 0 ? length : 0);
	return r < 0 ? -1 : 0;
}

int ends_read_back(struct ends *ends, struct write_target *disk, struct error *err)
{
	uint64_t length;

	if (prove(ends, disk, ends->head, (size_t)ends->head_length, 0, err) < 0)
		return -1;
	for (uint64_t at = 0; at < ends->tail_length; at += length) {
		length = smaller(MIB, ends->tail_length - at);
		if (prove(ends, disk, ends->tail + at, (size_t)length, ends->tail_offset + at,
			  err) < 0)
			return -1;
	}
	return 0;
}
