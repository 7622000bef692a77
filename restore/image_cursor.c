// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/image_cursor.h"

#include <inttypes.h>

#define PADDING_LIMIT (1U << 20)

int image_cursor_some(struct image_cursor *cursor, void *data, size_t capacity, size_t *got,
		      struct error *err)
{
	struct image_file *file = cursor->file;
	int r;

	if (file->is_seekable) {
		uint64_t left = file->size - cursor->offset;

		*got = left < capacity ? (size_t)left : capacity;
		r = *got ? image_file_read(file, "image", data, *got, cursor->offset, err) : 0;
	} else {
		r = image_file_next(file, data, capacity, got, err);
	}
	if (r == 0)
		cursor->offset += *got;
	return r;
}

static int truncated(const struct image_cursor *cursor, const char *what, struct error *err)
{
	return error_set(
		err, "image is truncated: it ends at file offset %" PRIu64 ", in the middle of %s",
		cursor->offset, what);
}

int image_cursor_read(struct image_cursor *cursor, const char *what, void *data, size_t length,
		      struct error *err)
{
	if (cursor->file->is_seekable) {
		if (image_file_read(cursor->file, what, data, length, cursor->offset, err) < 0)
			return -1;
		cursor->offset += length;
		return 0;
	}
	for (size_t done = 0, got; done < length; done += got) {
		if (image_cursor_some(cursor, (uint8_t *)data + done, length - done, &got, err) < 0)
			return -1;
		if (got == 0)
			return truncated(cursor, what, err);
	}
	return 0;
}

int image_cursor_skip(struct image_cursor *cursor, const char *what, uint64_t length,
		      struct error *err)
{
	uint8_t waste[16384];
	size_t got;

	if (cursor->file->is_seekable) {
		if (image_file_has(cursor->file, what, cursor->offset, length, err) < 0)
			return -1;
		cursor->offset += length;
		return 0;
	}
	for (; length > 0; length -= got) {
		if (image_cursor_some(cursor, waste,
				      length < sizeof(waste) ? (size_t)length : sizeof(waste), &got,
				      err) < 0)
			return -1;
		if (got == 0)
			return truncated(cursor, what, err);
	}
	return 0;
}

int image_cursor_finish(struct image_cursor *cursor, struct error *err)
{
	uint64_t end = cursor->offset;
	uint8_t waste[16384];

	for (size_t got = 1; got > 0;) {
		if (cursor->offset - end > PADDING_LIMIT)
			return error_set(err,
					 "more than 1 MiB follows the end of the image at file "
					 "offset %" PRIu64,
					 end);
		if (image_cursor_some(cursor, waste, sizeof(waste), &got, err) < 0)
			return -1;
	}
	return 0;
}
