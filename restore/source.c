// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/source.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "restore/bmap_window.h"
#include "restore/integrity.h"
#include "restore/used_blocks.h"

void source_close(struct source *source)
{
	if (!source)
		return;
	used_blocks_free(source->used);
	integrity_free(source->integrity);
	bmap_free(source->map);
	if (source->ops)
		source->ops->close(source);
	image_file_close(source->file);
	free(source->name);
	free(source);
}

int source_extent(struct source *source, uint64_t offset, uint64_t length, struct extent *out,
		  struct error *err)
{
	assert(!source->is_stream);
	if (length == 0 || offset >= source->size)
		return error_set(err,
				 "look at %" PRIu64 " bytes of %s at offset %" PRIu64
				 ": the disk in it ends at %" PRIu64,
				 length, source->name, offset, source->size);
	if (length > source->size - offset)
		length = source->size - offset;
	/* Asked first: it makes the stretch short that the format has to look through. Zeroes that
	 * nobody uses need not be there either. */
	if (source->used && !used_blocks_is_used(source->used, offset, &length) &&
	    !(source->map && bmap_has(source->map, offset, &length))) {
		*out = (struct extent){offset, length, EXTENT_UNUSED};
		return 0;
	}
	*out = (struct extent){.offset = offset, .length = length, .kind = EXTENT_DATA};
	if (source->ops->extent && source->ops->extent(source, offset, length, out, err) < 0)
		return error_in(err, "look at %s at offset %" PRIu64, source->name, offset);
	assert(out->offset == offset && out->length > 0 && out->length <= length);
	return 0;
}

int source_read(struct source *source, void *data, size_t length, uint64_t offset,
		struct error *err)
{
	uint64_t end = source->is_stream ? source->head_length : source->size;

	if (length > end || offset > end - length)
		return error_set(err, "read %zu bytes of %s at offset %" PRIu64 ": %s %" PRIu64,
				 length, source->name, offset,
				 source->is_stream ? "of a stream only its head can be read, up to"
						   : "the disk in it ends at",
				 end);
	if (length == 0)
		return 0;
	if (source->ops->read(source, data, length, offset, err) < 0)
		return error_in(err, "read %zu bytes of %s at offset %" PRIu64, length,
				source->name, offset);
	return 0;
}

int source_next(struct source *source, void *data, size_t capacity, struct extent *out,
		struct error *err)
{
	assert(source->is_stream && capacity > 0);
	if (source->ops->next(source, data, capacity, out, err) < 0)
		return error_in(err, "read %s", source->name);
	assert(out->kind == EXTENT_ZERO || out->length <= capacity);
	if (source->integrity && integrity_observe(source->integrity, data, out, err) < 0)
		return error_in(err, "check image %s", source->name);
	return 0;
}

int source_finish(struct source *source, struct error *err)
{
	if (source->ops->finish && source->ops->finish(source, err) < 0)
		return error_in(err, "check image %s", source->name);
	if (source->integrity && integrity_finish(source->integrity, source->file, err) < 0)
		return error_in(err, "check image %s", source->name);
	return 0;
}

int source_check(struct source *source, struct error *err)
{
	if (source->ops->check && source->ops->check(source, err) < 0)
		return error_in(err, "check image %s", source->name);
	return 0;
}

bool source_is_being_written(const struct source *source)
{
	/* QEMU, block/file-posix.c: whoever has the permission N keeps a shared lock on the byte
	 * RAW_LOCK_PERM_BASE + N; BLK_PERM_WRITE is bit 1. */
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 101, .l_len = 1};

	if (!source->file || source->file->fd < 0 ||
	    fcntl(source->file->fd, F_OFD_GETLK, &lock) < 0)
		return false;
	return lock.l_type != F_UNLCK;
}

json_object *source_describe(const struct source *source)
{
	json_object *out = json_object_new_object();

	json_object_object_add(out, "path", json_object_new_string(source->name));
	json_object_object_add(out, "format", json_object_new_string(source->ops->name));
	json_object_object_add(out, "size", json_object_new_uint64(source->size));
	if (source->file && source->file->size != IMAGE_FILE_SIZE_UNKNOWN)
		json_object_object_add(out, "file-size",
				       json_object_new_uint64(source->file->size));
	if (source->ops->describe)
		source->ops->describe(source, out);
	return out;
}
