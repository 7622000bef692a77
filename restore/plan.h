// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * plan: everything that restoring an image onto a disk will do, as a value. Made without writing;
 * everything that can be refused is refused while it is made. `restore --dry-run` prints the very
 * structure that `restore` carries out.
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

struct plan {
	json_object *image; /* as source_describe() has it */
	uint64_t image_size;
	uint64_t data_bytes, zero_bytes; /* what is written, and what is made zero */
	struct layout layout;            /* of the image */
	struct disk disk;
	bool creates_file; /* the disk is a regular file that does not exist yet */
	struct growth growth;
	struct strings warnings;
};

/*
 * disk_or_rule: see disk_choose(); a file that does not exist is made when its name holds a '/' or
 * a '.'. The disk is found and its size compared with the image's, then the image is checked
 * (source_check), then the disk, then whether the one fits the other.
 */
int plan_make(struct source *source, const char *disk_or_rule, struct plan *out, struct error *err);

enum plan_firmware { PLAN_FIRMWARE_BIOS, PLAN_FIRMWARE_UEFI, PLAN_FIRMWARE_UNKNOWN };

/*
 * Can the adaptation stage make this image start with that firmware, as far as the image's
 * partition table and file systems tell? An error says what is in the way and what to do.
 */
int plan_check_adaptable(const struct plan *plan, enum plan_firmware firmware, struct error *err);

json_object *plan_json(const struct plan *plan);
void plan_render(const struct plan *plan, struct text *out);
void plan_release(struct plan *plan);
#define _cleanup_plan_ __attribute__((cleanup(plan_release)))
