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
 * path is the disk (block device whose partitions the kernel knows, or a regular file, where LVM is
 * not supported and reported as a warning). Changes and timings go to report. With LVM, the volume
 * group's logical volume that holds the largest ext file system grows; what is not grown is a
 * warning.
 */
int grow_filesystem(const char *path, const struct growth *growth, struct report *report,
		    struct error *err);
