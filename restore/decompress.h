// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * decompress: the content of a compressed file, as one stream: gzip, xz, lzip, zstd, bzip2, lz4.
 *
 * Files of several members, as pigz, pbzip2 and pzstd make them, are one content. A content is
 * whole or it is an error: a file that ends early, a checksum that is wrong, and bytes behind the
 * last member that are none of the format (zeroes excepted where the format's own tool takes
 * them) are told with the place in the compressed file. libarchive would do all of this, but it
 * does not look at gzip's checksums and lets xz and zstd have as much memory as the file asks for.
 *
 * Memory: half a MiB and the window that the file asks for: 32 KiB for gzip, at most 32 MiB for
 * zstd (`zstd -19` uses 8; more is refused), 4 MiB for bzip2 and lz4. xz and lzip have no window
 * but a dictionary, of 8 MiB with their default and 64 MiB with the common `xz -9`: with that one
 * the program takes up to 72 MiB more; more is refused.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/image_file.h"

enum { DECOMPRESS_HEAD = 16 }; /* bytes by which decompress_kind() tells */

struct decompressor;

/* "gzip", or NULL: the file does not begin like one that is known. */
const char *decompress_kind(const uint8_t *head, size_t length);

/* file is borrowed; it is read by image_file_next() from its beginning. kind is one that
 * decompress_kind() has given. */
int decompressor_open(struct image_file *file, const char *kind, struct decompressor **out,
		      struct error *err);
/* 1 to capacity bytes of the content; *got is 0 at its end, which was proven then. */
int decompressor_read(struct decompressor *decompressor, void *data, size_t capacity, size_t *got,
		      struct error *err);
const char *decompressor_kind(const struct decompressor *decompressor);
void decompressor_close(struct decompressor *decompressor); /* accepts NULL */
