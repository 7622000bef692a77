// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/source_overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "base/scope.h"

static const char name[] = "the changes to the image in memory";

int source_overlay_open(struct source *source, struct source_overlay *out, struct error *err)
{
	*out = (struct source_overlay){
		.source = source,
		.fd = memfd_create("v2p-overlay", MFD_CLOEXEC),
		.block = (size_t)sysconf(_SC_PAGESIZE),
	};
	pthread_mutex_init(&out->lock, NULL);
	if (out->fd < 0 || ftruncate(out->fd, (off_t)source->size) < 0) {
		error_sys(err, errno, "make a file in memory");
		source_overlay_close(out);
		return -1;
	}
	return 0;
}

void source_overlay_close(struct source_overlay *overlay)
{
	if (overlay->fd >= 0)
		close(overlay->fd);
	overlay->fd = -1;
	pthread_mutex_destroy(&overlay->lock);
}

/* Where what was written begins, from offset on; the end of the source when nothing was. */
static uint64_t find_written(const struct source_overlay *overlay, uint64_t offset)
{
	off_t at = lseek(overlay->fd, (off_t)offset, SEEK_DATA);

	return at < 0 ? overlay->source->size : (uint64_t)at;
}

static uint64_t find_unwritten(const struct source_overlay *overlay, uint64_t offset)
{
	off_t at = lseek(overlay->fd, (off_t)offset, SEEK_HOLE);

	return at < 0 ? overlay->source->size : (uint64_t)at;
}

int source_overlay_read(struct source_overlay *overlay, void *data, size_t length, uint64_t offset,
			struct error *err)
{
	uint8_t *to = data;

	if (!atomic_load(&overlay->is_written))
		return source_read(overlay->source, data, length, offset, err);
	while (length > 0) {
		uint64_t written = find_written(overlay, offset);
		uint64_t end = written > offset ? written : find_unwritten(overlay, offset);
		size_t piece = smaller(length, end - offset);
		int r = written > offset ? source_read(overlay->source, to, piece, offset, err)
					 : read_exactly(overlay->fd, name, to, piece, offset, err);

		if (r < 0)
			return -1;
		to += piece;
		offset += piece;
		length -= piece;
	}
	return 0;
}

/* Makes the block that begins at start one that is kept. */
static int keep_block(struct source_overlay *overlay, uint64_t start, struct error *err)
{
	size_t length = smaller(overlay->block, overlay->source->size - start);
	_cleanup_free_ uint8_t *block = NULL;

	if (find_written(overlay, start) == start)
		return 0;
	if (overlay->kept + overlay->block > SOURCE_OVERLAY_LIMIT)
		return error_set(
			err,
			"its file systems were not shut down, and the changes in their "
			"journals are more than the %d MiB that v2p keeps: shut the virtual "
			"machine down before its disk is copied",
			SOURCE_OVERLAY_LIMIT >> 20);
	block = malloc(overlay->block);
	if (!block)
		abort();
	if (source_read(overlay->source, block, length, start, err) < 0 ||
	    write_exactly(overlay->fd, name, block, length, start, err) < 0)
		return -1;
	overlay->kept += overlay->block;
	atomic_store(&overlay->is_written, true);
	return 0;
}

static int write_blocks(struct source_overlay *overlay, const void *data, size_t length,
			uint64_t offset, struct error *err)
{
	for (uint64_t at = offset - offset % overlay->block; at < offset + length;
	     at += overlay->block)
		if (keep_block(overlay, at, err) < 0)
			return -1;
	return write_exactly(overlay->fd, name, data, length, offset, err);
}

int source_overlay_write(struct source_overlay *overlay, const void *data, size_t length,
			 uint64_t offset, struct error *err)
{
	int r;

	pthread_mutex_lock(&overlay->lock);
	r = write_blocks(overlay, data, length, offset, err);
	pthread_mutex_unlock(&overlay->lock);
	return r;
}
