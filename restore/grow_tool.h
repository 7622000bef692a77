// SPDX-License-Identifier: GPL-3.0-or-later
/* grow_tool: the programs that grow runs, and what of them is reported. Part of grow. */
#pragma once

#include "base/error.h"
#include "base/process.h"
#include "base/report.h"
#include "restore/layout.h"

/* Runs argv with a time limit that suits a large disk. result as process_run(). */
int grow_run(const char *const *argv, struct process_result *result, struct error *err);
/* Checks and grows the ext2/3/4 file system on a device to the device's size. */
int grow_ext(const char *device, struct report *report, struct error *err);
/* Grows the physical volume in a partition of disk, its group's root volume and what that holds. */
int grow_lvm(const char *disk, const struct layout *layout, int partition, struct report *report,
	     struct error *err);
