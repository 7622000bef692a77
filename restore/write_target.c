// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/write_target.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "base/scope.h"

enum { MIB = 1 << 20 };

static size_t whole(size_t length)
{
	return (length + WRITE_GRANULE - 1) / WRITE_GRANULE * WRITE_GRANULE;
}

bool write_target_is_hole(const struct write_target *disk, uint64_t offset, uint64_t length)
{
	off_t data;

	if (!disk->target->disk.is_file)
		return false;
	data = lseek(disk->target->fd, (off_t)offset, SEEK_DATA);
	return data < 0 ? errno == ENXIO : (uint64_t)data >= offset + length;
}

void write_target_init(struct write_target *disk, struct target *target,
		       struct write_outcome *outcome)
{
	*disk = (struct write_target){.target = target, .outcome = outcome};
	disk->was_empty = write_target_is_hole(disk, 0, target->disk.size);
}

/* How many of length bytes go the aligned way. */
static size_t aligned_part(const struct target *target, size_t length)
{
	uint32_t sector = target->alignment;

	if (!target->disk.is_file)
		return (length + sector - 1) / sector * sector;
	return target->direct ? length / WRITE_GRANULE * WRITE_GRANULE : length;
}

int write_target_put(struct write_target *disk, const uint8_t *data, size_t length, uint64_t offset,
		     struct error *err)
{
	const struct target *target = disk->target;
	size_t aligned = aligned_part(target, length);

	assert(offset % WRITE_GRANULE == 0);
	if (aligned > 0 &&
	    write_exactly(target->fd, target->disk.path, data, aligned, offset, err) < 0)
		return -1;
	if (aligned >= length)
		return 0;
	return write_exactly(target->plain_fd, target->disk.path, data + aligned, length - aligned,
			     offset + aligned, err);
}

int write_target_get(const struct write_target *disk, uint8_t *data, size_t length, uint64_t offset,
		     struct error *err)
{
	const struct target *target = disk->target;
	ssize_t n;

	do
		n = pread(target->fd, data, whole(length), (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n >= length)
		return 0;
	return read_exactly(target->plain_fd, target->disk.path, data, length, offset, err);
}

/*
 * A hole, so that a file stays as small as the image was. For a device this is "write zeroes, and
 * unmap where that reads as zeroes for certain" (block/fops.c), which is no discard, and is refused
 * where the kernel would have to write them itself.
 */
int write_target_unmap(struct write_target *disk, uint64_t offset, uint64_t length)
{
	if (atomic_load(&disk->cannot_unmap))
		return 1;
	if (fallocate(disk->target->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		      (off_t)length) == 0)
		return 0;
	atomic_store(&disk->cannot_unmap, true);
	return 1;
}

static int zero_slowly(const struct target *target, uint64_t offset, uint64_t length)
{
	uint64_t range[] = {offset, length};

	if (target->disk.is_file)
		return fallocate(target->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
				 (off_t)offset, (off_t)length);
	return ioctl(target->fd, BLKZEROOUT, range);
}

int write_target_zero(struct write_target *disk, uint64_t offset, uint64_t length)
{
	if (disk->was_empty || write_target_unmap(disk, offset, length) == 0)
		return 0;
	if (atomic_load(&disk->cannot_zero))
		return 1;
	if (zero_slowly(disk->target, offset, length) == 0)
		return 0;
	atomic_store(&disk->cannot_zero, true);
	return 1;
}

static int clear(struct write_target *disk, uint64_t offset, uint64_t length, struct error *err)
{
	_cleanup_free_ uint8_t *zeroes = NULL;
	uint64_t aligned = length / WRITE_GRANULE * WRITE_GRANULE;

	if (aligned > 0 && write_target_zero(disk, offset, aligned) == 0) {
		offset += aligned;
		length -= aligned;
	}
	if (length == 0)
		return 0;
	zeroes = aligned_alloc(WRITE_GRANULE, whole(length));
	if (!zeroes)
		return error_sys(err, ENOMEM, "allocate memory");
	memset(zeroes, 0, whole(length));
	return write_target_put(disk, zeroes, (size_t)length, offset, err);
}

int write_target_clear_ends(struct write_target *disk, struct error *err)
{
	uint64_t size = disk->target->disk.size;
	uint64_t last = size > MIB ? (size - MIB) / WRITE_GRANULE * WRITE_GRANULE : 0;

	if (clear(disk, 0, smaller(size, MIB), err) < 0 || clear(disk, last, size - last, err) < 0)
		return -1;
	return target_flush(disk->target, err);
}

int write_target_flush(struct write_target *disk, struct error *err)
{
	if (target_flush(disk->target, err) < 0)
		return -1;
	if (!disk->target->direct)
		posix_fadvise(disk->target->fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

void write_target_account(struct write_target *disk)
{
	struct write_outcome *outcome = disk->outcome;

	outcome->failed = atomic_load(&disk->failed);
	outcome->data_bytes = atomic_load(&disk->data_bytes);
	outcome->zero_bytes = atomic_load(&disk->zero_bytes);
	outcome->same_bytes = atomic_load(&disk->same_bytes);
	outcome->verified_bytes = atomic_load(&disk->verified_bytes);
	outcome->rewritten_bytes = atomic_load(&disk->rewritten_bytes);
}
