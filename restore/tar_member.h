// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tar_member: the one regular file in a tar archive, as a stream. Nothing is unpacked, so names
 * and modes in the archive do not matter. Sparse members have their holes.
 *
 * Bounded whatever the archive says: the headers before a member (with its map of holes, which
 * libarchive keeps in memory) are at most 2 MiB, the members that are no files at most 1000.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"

struct tar_member;

/* The bytes of the archive, in order: 1 to capacity of them, 0 at the end. */
typedef int tar_reader(void *context, void *data, size_t capacity, size_t *got, struct error *err);

/* Are these the first 512 bytes of a tar archive? */
bool tar_is_begin(const uint8_t *head, size_t length);

/* Goes to the first regular file of the archive. */
int tar_member_open(tar_reader *reader, void *context, struct tar_member **out, struct error *err);
const char *tar_member_name(const struct tar_member *member); /* printable; borrowed */
uint64_t tar_member_size(const struct tar_member *member);
/*
 * As source_ops.next (out->offset is not set). At the end the rest of the archive has been read:
 * a second regular file in it is an error that names both.
 */
int tar_member_next(struct tar_member *member, void *data, size_t capacity, struct extent *out,
		    struct error *err);
void tar_member_close(struct tar_member *member); /* accepts NULL */
