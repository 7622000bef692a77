// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ends: the first MiB of an image and its last one to two MiB, which are kept in memory and land
 * last, because they hold the partition table and its backup.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"
#include "restore/write_target.h"

struct ends {
	uint8_t *head, *tail; /* of one and two MiB, and zeroes behind */
	uint8_t *disk_data;   /* one MiB, for reading back */
	uint64_t head_length, tail_offset, tail_length;
};

int ends_init(struct ends *ends, struct error *err);
void ends_release(struct ends *ends); /* accepts zeroed ones */
/* Where they lie in an image of this size; the tail begins at a multiple of MiB. */
void ends_place(struct ends *ends, uint64_t size);
/* Of random access sources. */
int ends_read(struct ends *ends, struct source *source, struct error *err);
/* The tail and all of the head but its first sectors, flushed. */
int ends_write(const struct ends *ends, struct write_target *disk, struct error *err);
/* The sectors that say "here is a table", flushed. */
int ends_write_first(const struct ends *ends, struct write_target *disk, struct error *err);
/* Reads both back; what is wrong is written again once. */
int ends_read_back(struct ends *ends, struct write_target *disk, struct error *err);
