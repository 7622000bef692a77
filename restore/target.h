// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * target: the disk that is about to be overwritten, opened exclusively.
 *
 * target_open() refuses a disk that is mounted (itself or a partition, in any mount namespace that
 * /proc/self/mountinfo shows), held by LVM, device-mapper, RAID or swap, that carries the running
 * system or the rescue medium, is read-only, or is not a disk or regular file. No option skips
 * these checks. Block devices are opened O_EXCL, so that the kernel refuses what we missed; regular
 * files are locked (flock).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/disk.h"

struct target {
	struct disk disk;
	int fd;      /* O_DIRECT where it is supported; see direct */
	bool direct; /* transfers must be aligned to alignment */
	uint32_t alignment;
};

/* Why the disk may not be written, without opening it: 0 it may, -1 with the reason. */
int target_check(const struct disk *disk, struct error *err);
/*
 * A regular file that is smaller than minimum_size is extended to it when create_size is not 0…
 * that is: a missing file is created with create_size bytes (0: a missing file is an error).
 */
int target_open(const char *path, uint64_t create_size, struct target *out, struct error *err);
/* Makes certain that what was written is on the medium. */
int target_flush(struct target *target, struct error *err);
/* Lets the kernel read the partition table again; nothing to do for files. Waits for udev. */
int target_reread(struct target *target, struct error *err);
void target_close(struct target *target);
