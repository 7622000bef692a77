// SPDX-License-Identifier: GPL-3.0-or-later
/* source_file: what the readers of image files share. Offsets and lengths are bytes of the image
 * file, not of the virtual disk. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"

/*
 * Sets source->file_size from source->fd: the size of a regular file or of a block device. Other
 * kinds of files, and empty ones, are refused.
 */
int source_file_measure(struct source *source, struct error *err);

/* Is the range within the file? If not, the error says that the image is truncated. what names the
 * thing that should be there ("L2 table"). */
int source_file_has(const struct source *source, const char *what, uint64_t offset, uint64_t length,
		    struct error *err);

/* source_file_has(), then reads exactly length bytes. From any thread. */
int source_file_read(const struct source *source, const char *what, void *data, size_t length,
		     uint64_t offset, struct error *err);
