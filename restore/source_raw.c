// SPDX-License-Identifier: GPL-3.0-or-later
/* The image file is the disk, byte by byte. Holes of a sparse file are known zeroes. A file that is
 * not seekable is a stream. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "restore/image_file.h"
#include "restore/source.h"
#include "restore/stream_head.h"

static bool raw_probe(const uint8_t *head, size_t length)
{
	(void)head;
	(void)length;
	return true;
}

static int take(struct source *source, void *data, size_t capacity, struct extent *out,
		struct error *err)
{
	size_t got;

	if (image_file_next(source->file, data, capacity, &got, err) < 0)
		return -1;
	*out = (struct extent){.length = got, .kind = EXTENT_DATA};
	return 0;
}

static int open_stream(struct source *source, struct error *err)
{
	struct stream_head *head = calloc(1, sizeof(*head));

	if (!head)
		return error_sys(err, ENOMEM, "read a stream");
	source->state = head;
	source->size = source->file->size == IMAGE_FILE_SIZE_UNKNOWN ? 0 : source->file->size;
	return stream_head_open(head, source, take, err);
}

static int raw_open(struct source *source, const struct source_options *options, struct error *err)
{
	(void)options;
	if (!source->file->is_seekable)
		return open_stream(source, err);
	source->size = source->file->size;
	source->granule = STREAM_GRANULE;
	return 0;
}

static void raw_close(struct source *source)
{
	if (source->state)
		stream_head_release(source->state);
	free(source->state);
}

/* lseek() says "no data from here on" behind the end of a file, too: a file that was cut while it
 * is being read must end in a read error, not in zeroes. */
static bool is_whole(const struct source *source)
{
	struct stat st;

	return fstat(source->file->fd, &st) == 0 && (uint64_t)st.st_size >= source->size;
}

/* Block devices and file systems without holes answer EINVAL: then everything is data, as is
 * everything when the question fails for another reason (the read will say why). */
static int raw_extent(struct source *source, uint64_t offset, uint64_t length, struct extent *out,
		      struct error *err)
{
	off_t next = lseek(source->file->fd, (off_t)offset, SEEK_DATA);
	int number = next < 0 ? errno : 0;

	(void)err;
	*out = (struct extent){.offset = offset, .length = length, .kind = EXTENT_DATA};
	if (number == ENXIO && is_whole(source)) {
		out->kind = EXTENT_ZERO;
		return 0;
	}
	if (number != 0)
		return 0;
	if ((uint64_t)next > offset)
		out->kind = EXTENT_ZERO;
	else
		next = lseek(source->file->fd, (off_t)offset, SEEK_HOLE);
	if (next > (off_t)offset && (uint64_t)next - offset < length)
		out->length = (uint64_t)next - offset;
	return 0;
}

static int raw_read(struct source *source, void *data, size_t length, uint64_t offset,
		    struct error *err)
{
	if (!source->is_stream)
		return image_file_read(source->file, "image", data, length, offset, err);
	stream_head_read(source->state, data, length, offset);
	return 0;
}

static int raw_next(struct source *source, void *data, size_t capacity, struct extent *out,
		    struct error *err)
{
	return stream_head_next(source->state, source, data, capacity, out, err);
}

const struct source_ops source_raw_ops = {
	.name = "raw",
	.takes_streams = true,
	.probe = raw_probe,
	.open = raw_open,
	.close = raw_close,
	.extent = raw_extent,
	.read = raw_read,
	.next = raw_next,
};
