// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * grow: lets what is inside the grown partition use it: LVM physical volume, the logical volume
 * that holds the root file system, ext2/3/4. Uses the rescue system's lvm and e2fsprogs; the
 * file system is checked first and is not mounted.
 */
#pragma once

#include "base/error.h"
#include "base/report.h"
#include "restore/layout.h"

/*
 * The target must be closed: its exclusive opening keeps e2fsck and lvm away from the partitions.
 * path is the disk: a block device, or a regular file. Where the kernel has no device for the
 * partition, a loop device stands in for it (needs root); LVM is not supported on files; what
 * cannot be done there is a warning. Each command that was run becomes a change in report, repairs
 * become facts. Of a volume group, the logical volume named root, else the one that holds the
 * largest ext file system, gets all free extents; the group is not active afterwards. What is not
 * grown is a warning.
 */
int grow_filesystem(const char *path, const struct growth *growth, struct report *report,
		    struct error *err);
