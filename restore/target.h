// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * target: the disk that is about to be overwritten, opened exclusively.
 *
 * target_open() refuses a disk that is mounted (itself or a partition, in any mount namespace that
 * /proc/self/mountinfo shows), held by LVM, device-mapper, RAID or swap, that carries the running
 * system or the rescue medium, is read-only, or is not a disk or regular file. No option skips
 * these checks. Block devices are opened O_EXCL, so that the kernel refuses what we missed; regular
 * files are locked (flock). While the target is open nobody can mount, check or activate one of its
 * partitions: close it after target_reread() and before grow_filesystem().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/disk.h"

struct target {
	struct disk disk;
	int fd;       /* O_DIRECT where it is supported; see direct */
	int plain_fd; /* through the page cache: for what is not aligned */
	bool direct;  /* transfers on fd must be aligned to alignment */
	uint32_t alignment;
};

/* Why the disk may not be written, without opening it: 0 it may, -1 with the reason: who holds the
 * disk, and the command that makes the holder let go. */
int target_check(const struct disk *disk, struct error *err);
/*
 * Checks and opens. A regular file that is missing is created with create_size bytes (0: a missing
 * file is an error), except below /dev, where a missing name is a missing disk; one that exists
 * keeps its size. out is ready for target_close() in every case.
 */
int target_open(const char *path, uint64_t create_size, struct target *out, struct error *err);
/* Makes certain that what was written is on the medium. */
int target_flush(struct target *target, struct error *err);
/*
 * Lets the kernel read the partition table again and waits (bounded) until each partition has its
 * node and udev has settled. Nothing to do for regular files and for devices without
 * partition scanning (loop, device-mapper).
 */
int target_reread(struct target *target, struct error *err);
/* Accepts NULL and zeroed targets. */
void target_close(struct target *target);
#define _cleanup_target_ __attribute__((cleanup(target_close)))
