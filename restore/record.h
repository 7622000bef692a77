// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * record: what was written where: the checksum of each window's written pieces, taken from the
 * memory that they were written from. Bounded: 2 MiB of memory are full when 124 GiB were written,
 * which are then read back before more is written.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct record {
	uint64_t place; /* the window's number, and 16 bits that say which of its pieces */
	uint64_t checksum;
};

struct records {
	struct record *item; /* memory that is not there before it is touched */
	atomic_size_t count;
};

int records_init(struct records *records, struct error *err);
void records_release(struct records *records); /* accepts zeroed ones */
/* From any thread. data is the window's first byte; pieces is not 0. */
void records_add(struct records *records, uint64_t offset, uint16_t pieces, const uint8_t *data);
/* No window must be begun now: those that are under way have their place. */
bool records_are_full(const struct records *records);
void records_sort(struct records *records);
void records_clear(struct records *records);

uint64_t record_offset(const struct record *record); /* of its window */
uint16_t record_pieces(const struct record *record);
size_t record_bytes(const struct record *record);
bool record_fits(const struct record *record, const uint8_t *data);
