// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/source_file.h"
#include "restore/source_foreign.h"

/* raw accepts everything, so it is last. */
static const struct source_ops *const formats[] = {&source_qcow2_ops, &source_raw_ops};

static const struct source_ops *format_named(const char *name)
{
	for (size_t i = 0; i < array_length(formats); i++)
		if (string_equal(formats[i]->name, name))
			return formats[i];
	return NULL;
}

static const struct source_ops *format_of(const uint8_t *head, size_t length)
{
	for (size_t i = 0; i < array_length(formats); i++)
		if (formats[i]->probe(head, length))
			return formats[i];
	return NULL;
}

static int probe(const struct source *source, const struct source_ops **out, struct error *err)
{
	size_t length = source->file_size < SOURCE_FOREIGN_HEAD ? (size_t)source->file_size
								: SOURCE_FOREIGN_HEAD;
	size_t tail_length = length < 512 ? length : 512;
	_cleanup_free_ uint8_t *head = calloc(1, SOURCE_FOREIGN_HEAD);
	uint8_t tail[512];

	if (!head)
		return error_sys(err, ENOMEM, "probe");
	if (source_file_read(source, "first sectors", head, length, 0, err) < 0 ||
	    source_file_read(source, "last sector", tail, tail_length,
			     source->file_size - tail_length, err) < 0)
		return -1;
	*out = format_of(head, length < 4096 ? length : 4096);
	if (*out != &source_raw_ops)
		return 0;
	return source_foreign_refuse(source->path, head, length, tail, tail_length, err);
}

static bool is_block_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode);
}

/* ops NULL: to be found. */
static int open_reader(struct source *source, const struct source_ops *ops, struct error *err)
{
	if (source->fd >= 0 && source_file_measure(source, err) < 0)
		return -1;
	if (!ops && is_block_device(source->fd))
		ops = &source_raw_ops;
	if (!ops && probe(source, &ops, err) < 0)
		return -1;
	source->ops = ops;
	if (ops->open(source, err) < 0)
		return -1;
	if (source->size == 0)
		return error_set(err, "the disk in this image has a size of 0");
	assert(source->granule > 0 && (source->granule & (source->granule - 1)) == 0);
	return 0;
}

/* fd is the source's own from here on. */
static int open_with(const char *path, const struct source_ops *ops, int fd, struct source **out,
		     struct error *err)
{
	_cleanup_source_ struct source *source = calloc(1, sizeof(*source));

	if (!source) {
		scope_close(&fd);
		return error_sys(err, ENOMEM, "open image %s", path);
	}
	source->fd = fd;
	source->path = string_copy(path);
	if (open_reader(source, ops, err) < 0)
		return error_in(err, "open image %s", path);
	*out = steal(&source);
	return 0;
}

int source_open(const char *path, const char *format, struct source **out, struct error *err)
{
	const struct source_ops *ops = format ? format_named(format) : NULL;
	int fd;

	if (format && !ops) {
		source_foreign_unknown(format, err);
		return error_in(err, "open image %s", path);
	}
	/* O_NONBLOCK: a FIFO must be refused, not waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_sys(err, errno, "open image %s", path);
	return open_with(path, ops, fd, out, err);
}

int source_open_ops(const char *path, const struct source_ops *ops, int fd, struct source **out,
		    struct error *err)
{
	return open_with(path, ops, fd, out, err);
}

void source_close(struct source *source)
{
	if (!source)
		return;
	if (source->ops)
		source->ops->close(source);
	scope_close(&source->fd);
	free(source->path);
	free(source);
}

int source_extent(struct source *source, uint64_t offset, uint64_t length, struct extent *out,
		  struct error *err)
{
	if (length == 0 || offset >= source->size)
		return error_set(err,
				 "look at %" PRIu64 " bytes of %s at offset %" PRIu64
				 ": the disk in it ends at %" PRIu64,
				 length, source->path, offset, source->size);
	if (length > source->size - offset)
		length = source->size - offset;
	*out = (struct extent){.offset = offset, .length = length, .kind = EXTENT_DATA};
	if (source->ops->extent && source->ops->extent(source, offset, length, out, err) < 0)
		return error_in(err, "look at %s at offset %" PRIu64, source->path, offset);
	assert(out->offset == offset && out->length > 0 && out->length <= length);
	return 0;
}

int source_read(struct source *source, void *data, size_t length, uint64_t offset,
		struct error *err)
{
	if (length > source->size || offset > source->size - length)
		return error_set(err,
				 "read %zu bytes of %s at offset %" PRIu64
				 ": the disk in it ends at %" PRIu64,
				 length, source->path, offset, source->size);
	if (length == 0)
		return 0;
	if (source->ops->read(source, data, length, offset, err) < 0)
		return error_in(err, "read %zu bytes of %s at offset %" PRIu64, length,
				source->path, offset);
	return 0;
}

int source_check(struct source *source, struct error *err)
{
	if (source->ops->check && source->ops->check(source, err) < 0)
		return error_in(err, "check image %s", source->path);
	return 0;
}

bool source_is_being_written(const struct source *source)
{
	/* QEMU, block/file-posix.c: whoever has the permission N keeps a shared lock on the byte
	 * RAW_LOCK_PERM_BASE + N; BLK_PERM_WRITE is bit 1. */
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 101, .l_len = 1};

	if (source->fd < 0 || fcntl(source->fd, F_OFD_GETLK, &lock) < 0)
		return false;
	return lock.l_type != F_UNLCK;
}

json_object *source_describe(const struct source *source)
{
	json_object *out = json_object_new_object();

	json_object_object_add(out, "path", json_object_new_string(source->path));
	json_object_object_add(out, "format", json_object_new_string(source->ops->name));
	json_object_object_add(out, "size", json_object_new_uint64(source->size));
	if (source->fd >= 0)
		json_object_object_add(out, "file-size", json_object_new_uint64(source->file_size));
	if (source->ops->describe)
		source->ops->describe(source, out);
	return out;
}
