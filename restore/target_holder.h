// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * target_holder: who uses a disk or one of its partitions: mounts, swap, device-mapper, RAID, loop
 * devices. Part of target; asked through target_check().
 */
#pragma once

#include "base/error.h"
#include "restore/disk.h"

/* 0: nobody. -1: err names the holder and the command that makes it let go. */
int target_find_holder(const struct disk *disk, struct error *err);
