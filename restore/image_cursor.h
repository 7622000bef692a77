// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * image_cursor: going through an image_file from its beginning to its end, whether it is seekable
 * or not. Where it is, nothing is read of what is passed over, and several cursors can be on their
 * way at once; where it is not, the cursor is the one reader of the file.
 */
#pragma once

#include "restore/image_file.h"

struct image_cursor {
	struct image_file *file; /* borrowed */
	uint64_t offset;         /* of the next byte */
};

/* Exactly length bytes; the file's end is an error that names `what` and the offset. */
int image_cursor_read(struct image_cursor *cursor, const char *what, void *data, size_t length,
		      struct error *err);
/* Passes over length bytes, all of which must be there. */
int image_cursor_skip(struct image_cursor *cursor, const char *what, uint64_t length,
		      struct error *err);
/* 1 to capacity bytes; *got is 0 at the file's end. */
int image_cursor_some(struct image_cursor *cursor, void *data, size_t capacity, size_t *got,
		      struct error *err);
/*
 * Reads what follows the end of the image, so that who writes into a pipe can finish. Only padding
 * can be there: more than 1 MiB is an error.
 */
int image_cursor_finish(struct image_cursor *cursor, struct error *err);
