// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * pack_archive: members of tar and ar archives, compressed or not, by libarchive, one after the
 * other. Hostile: only regular files are given out; the number of entries and the bytes that they
 * unpack to are bounded; no program is started for a compression.
 */
#pragma once

#include <archive.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum { PACK_ARCHIVE_ENTRIES = 200000 };
#define PACK_ARCHIVE_BYTES (16ULL << 30) /* unpacked, of all entries together */

enum pack_archive_format {
	PACK_ARCHIVE_TAR,
	PACK_ARCHIVE_AR,
	PACK_ARCHIVE_CPIO, /* also that of an .rpm */
	PACK_ARCHIVE_NONE, /* one compressed file */
};

/* Where an archive's bytes come from: as image_file_next(). */
typedef int (*pack_archive_source)(void *context, void *data, size_t capacity, size_t *got,
				   struct error *err);

/* A source: context points to a descriptor, which is read from its offset on. */
int pack_archive_fd(void *context, void *data, size_t capacity, size_t *got, struct error *err);

struct pack_archive {
	struct archive *archive;
	pack_archive_source source;
	void *context;
	uint8_t *buffer;
	struct error source_error;
	unsigned int entries;
	uint64_t unpacked; /* of the entries passed, as they say */
	/* The member reached. */
	char *name; /* without leading "./" and "/"; as it stands in the archive otherwise */
	uint64_t size, done; /* size as the archive says it */
};

/* Zeroed before. Release it after an error, too. */
int pack_archive_open(struct pack_archive *archive, enum pack_archive_format format,
		      pack_archive_source source, void *context, struct error *err);
/* The next regular file: 1, or 0 at the end. */
int pack_archive_next(struct pack_archive *archive, struct error *err);
/* Of the member reached: 1 to capacity bytes; *got is 0 at its end. */
int pack_archive_read(struct pack_archive *archive, void *data, size_t capacity, size_t *got,
		      struct error *err);
/* Appends the rest of the member; more than limit bytes is an error. */
int pack_archive_text(struct pack_archive *archive, size_t limit, struct text *out,
		      struct error *err);
void pack_archive_release(struct pack_archive *archive);
#define _cleanup_pack_archive_ __attribute__((cleanup(pack_archive_release)))
