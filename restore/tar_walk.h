// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tar_walk: the members of a tar archive and where their bytes are, as reading one in place asks
 * for. POSIX ustar and pax (IEEE 1003.1, "ustar Interchange Format", "pax Interchange Format") and
 * GNU's long names and large sizes; regular files only. libarchive would read them as well, but
 * does not tell where in the file a member's bytes are.
 *
 *   struct tar_walk walk = {.cursor = {.file = file}};
 *   _cleanup_tar_member_ struct tar_member member = {0};
 *
 *   while ((r = tar_walk_next(&walk, &member, err)) > 0)
 *           …
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"
#include "restore/image_cursor.h"

struct tar_walk {
	struct image_cursor cursor;
	uint64_t next_header; /* file offset of what follows the last member */
	unsigned int members; /* so far; bounded */
};

struct tar_member {
	char *name;      /* as it stands in the archive: check it before use */
	uint64_t offset; /* of its first byte in the file */
	uint64_t length;
};

/*
 * The next member: 1, or 0 at the end of the archive, or -1. The member's name is freed and set
 * anew. The cursor is at its first byte; how much of it is read before the next call is the
 * caller's business.
 */
int tar_walk_next(struct tar_walk *walk, struct tar_member *member, struct error *err);
/* Appends the member's content, at most limit bytes, to text, which ends with a NUL. Right after
 * tar_walk_next(). */
int tar_walk_read(struct tar_walk *walk, const struct tar_member *member, size_t limit,
		  struct text *text, struct error *err);
void tar_member_release(struct tar_member *member);
#define _cleanup_tar_member_ __attribute__((cleanup(tar_member_release)))

/* Does the file that begins like this hold a tar archive whose first member's name has this suffix
 * (in whatever case)? */
bool tar_begins_with(const uint8_t *head, size_t length, const char *suffix);
