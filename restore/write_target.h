// SPDX-License-Identifier: GPL-3.0-or-later
/* write_target: one of the disks that the engine writes, and how bytes and zeroes get there. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/write.h"

/* Sectors of every size are multiples of it or divide it. */
enum { WRITE_GRANULE = 4096 };

struct write_target {
	struct target *target;
	struct write_outcome *outcome;
	atomic_bool failed;       /* left behind */
	atomic_bool cannot_unmap; /* knows no command that makes zeroes at no cost */
	atomic_bool cannot_zero;  /* refused to zero: zeroes are written from now on */
	/* A file in which nothing was written before: zeroes are there already. */
	bool was_empty;
	_Atomic uint64_t data_bytes, zero_bytes, same_bytes, verified_bytes, rewritten_bytes;
};

void write_target_init(struct write_target *disk, struct target *target,
		       struct write_outcome *outcome);
/*
 * Writes length bytes of data (aligned memory) at offset, a multiple of WRITE_GRANULE. Where the
 * last sector is not filled, a file keeps its own rest; on a device zeroes follow, which must be
 * there behind length in data, up to the next multiple of WRITE_GRANULE.
 */
int write_target_put(struct write_target *disk, const uint8_t *data, size_t length, uint64_t offset,
		     struct error *err);
/* Reads at least length bytes, past the page cache where the disk allows it; data has room up to
 * the next multiple of WRITE_GRANULE. */
int write_target_get(const struct write_target *disk, uint8_t *data, size_t length, uint64_t offset,
		     struct error *err);
/* Makes a range zero by a command that costs nothing; 1: the disk knows none. */
int write_target_unmap(struct write_target *disk, uint64_t offset, uint64_t length);
/* Makes a range zero by command. Discard is not among the ways: what it leaves behind is not
 * certain. 1: the disk cannot do it, zeroes must be written. Offset and length are multiples of
 * WRITE_GRANULE. */
int write_target_zero(struct write_target *disk, uint64_t offset, uint64_t length);
/* Is the range of a file a hole? */
bool write_target_is_hole(const struct write_target *disk, uint64_t offset, uint64_t length);
/* Zeroes the first and the last MiB, where partition tables and their backups are, and flushes. */
int write_target_clear_ends(struct write_target *disk, struct error *err);
/* Flushes; what is read then comes from the disk where the disk allows it: without O_DIRECT (some
 * network and memory file systems) the kernel is asked to forget what it keeps. */
int write_target_flush(struct write_target *disk, struct error *err);
/* What outcome tells at the end. */
void write_target_account(struct write_target *disk);
