// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * integrity: is the image file the one that its maker published?
 *
 *   --checksum sha256:HEX      the image file has this SHA-256
 *   --checksum FILE            FILE is a list of `sha256sum` (the line of the image's name counts),
 *                              or a block map of bmaptool (.bmap), which describes the disk
 *   --signature FILE --key KEY a detached signature: OpenPGP with a keyring, or minisign. It signs
 *                              the checksum FILE where one is given, else the image file
 *
 * Checksums of a file prove that one file: of an image in several files (backing chains, VMDK
 * extents) a block map proves the disk that they make.
 *
 * A seekable image is read and proven before anything is written; a stream is proven while it is
 * read, and source_finish() refuses it before a partition table is written. An image that disks are
 * to be compared with (WRITE_DIFFERENCES) need not be read where they hold what a block map with
 * small ranges promises: it is proven window by window, each before it is written.
 */
#pragma once

#include "base/error.h"
#include "restore/source.h"

enum integrity_moment {
	INTEGRITY_NOW,
	INTEGRITY_COMPARED, /* where that is possible; write_image() must compare then */
};

struct integrity_options {
	const char *checksum;  /* or NULL */
	const char *signature; /* or NULL */
	const char *key;       /* or NULL: refused when there is a signature, and the reverse */
	enum integrity_moment moment;
};

/* Which digests a stream's file must be opened with (image_file_options.digests). */
unsigned int integrity_digests(const struct integrity_options *options);
/* "none asked" is 0, too. An error says what was promised and what was found. Sets source->map
 * where that is left to write_image(), source->integrity where it is left to source_finish(). */
int integrity_require(struct source *source, const struct integrity_options *options,
		      struct error *err);

/* For source.c: what integrity_require() left to be proven of a stream. */
struct integrity;

/* As source_next() gives it. */
int integrity_observe(struct integrity *integrity, const void *data, const struct extent *extent,
		      struct error *err);
/* The disk is at its end. Reads the file to its own end. */
int integrity_finish(struct integrity *integrity, struct image_file *file, struct error *err);
void integrity_free(struct integrity *integrity); /* accepts NULL */
