// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * plan: everything that restoring an image onto disks will do, as a value. Made without writing;
 * everything that can be refused is refused while it is made. `v2p plan` prints the very structure
 * that `restore` carries out.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "restore/disk.h"
#include "restore/layout.h"
#include "restore/source.h"

/* One disk that is written to. */
struct plan_target {
	struct disk disk;
	bool creates_file; /* the disk is a regular file that does not exist yet */
	bool is_elsewhere; /* it is another machine's: it cannot be written to */
	/* What is on it now and will be lost; disk_size 0: nothing that could be read. */
	struct layout present;
	struct growth growth;
};

struct plan {
	json_object *image;       /* as source_describe() has it */
	json_object *used_blocks; /* as used_blocks_json() has it, or NULL: all is written */
	uint64_t image_size;
	/* A stream: image_size is what is certain, how much of it is data shows while writing. */
	bool is_stream;
	uint64_t data_bytes, zero_bytes; /* what is written, and what is made zero */
	uint64_t unused_bytes;           /* what stays as it is on the disk */
	struct layout layout;            /* of the image */
	struct plan_target *target;
	size_t target_count;
	struct strings warnings;
};

enum plan_blocks {
	PLAN_USED_BLOCKS, /* leave out what no file system in the image uses, where that is sure */
	PLAN_ALL_BLOCKS,
};

/*
 * disks: paths or rules, see disk_choose(); a file that does not exist is made when its name holds
 * a '/' or a '.'. None at all: a plan that shows the image alone. The disks are found and their
 * sizes compared with the image's, then the image is checked (source_check), then the disks, then
 * whether the one fits the other. With PLAN_USED_BLOCKS, source->used is set.
 *
 * elsewhere: the disks of another machine, among which rules and paths below /dev are looked for;
 * the plan shows what a restore would do there. NULL: this machine's.
 */
int plan_make(struct source *source, const struct strings *disks, const struct disks *elsewhere,
	      enum plan_blocks blocks, struct plan *out, struct error *err);

/*
 * After a stream was written, and image_size was set to what it turned out to be: its table and
 * file systems can only be read from the disk. Sets layout and the target's growth from there;
 * nothing to do for other sources.
 */
int plan_complete(struct plan *plan, struct plan_target *target, struct error *err);

enum plan_firmware { PLAN_FIRMWARE_BIOS, PLAN_FIRMWARE_UEFI, PLAN_FIRMWARE_UNKNOWN };

/*
 * Can the image hold a Linux system that the adaptation stage finds, and can it start with that
 * firmware, as far as its partition table and file systems tell? An error says what is in the way
 * and what to do.
 */
int plan_check_root(const struct plan *plan, struct error *err);
int plan_check_firmware(const struct plan *plan, enum plan_firmware firmware, struct error *err);

json_object *plan_json(const struct plan *plan);
/* For people, at most 80 columns wide. */
void plan_render(const struct plan *plan, struct text *out);
void plan_release(struct plan *plan);
#define _cleanup_plan_ __attribute__((cleanup(plan_release)))
