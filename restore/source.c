// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/integrity.h"
#include "restore/source_foreign.h"
#include "restore/source_nbd.h"
#include "restore/source_qemu.h"
#include "restore/used_blocks.h"

/* raw accepts everything, so it is last. */
static const struct source_ops *const formats[] = {
	&source_qcow2_ops, &source_vmdk_ops, &source_ova_ops, &source_archive_ops, &source_raw_ops};

static const struct source_ops *own_format_named(const char *name)
{
	for (size_t i = 0; i < array_length(formats); i++)
		if (string_equal(formats[i]->name, name))
			return formats[i];
	return NULL;
}

/* Of a format that has kinds which only QEMU reads (VMDK), the content says which it is. */
static int format_named(struct image_file *file, const char *name, const struct source_ops **out,
			struct error *err)
{
	const struct source_ops *other = source_qemu_named(name);
	uint8_t head[512];
	size_t length;

	*out = own_format_named(name);
	if (!*out || !other) {
		*out = *out ? *out : other;
		return 0;
	}
	if (image_file_peek(file, head, sizeof(head), &length, err) < 0)
		return -1;
	if (!(*out)->probe(head, length))
		*out = other;
	return 0;
}

const struct source_ops *source_format_of(const uint8_t *head, size_t length)
{
	for (size_t i = 0; i < array_length(formats); i++)
		if (formats[i]->probe(head, length))
			return formats[i];
	return NULL;
}

int source_probe(struct image_file *file, const struct source_ops **out, struct error *err)
{
	_cleanup_free_ uint8_t *head = calloc(1, SOURCE_FOREIGN_HEAD);
	uint8_t tail[512] = {0};
	size_t length, tail_length = 0;
	const char *foreign;

	if (!head)
		return error_sys(err, ENOMEM, "probe");
	if (image_file_peek(file, head, SOURCE_FOREIGN_HEAD, &length, err) < 0)
		return -1;
	if (file->is_seekable)
		tail_length = length < sizeof(tail) ? length : sizeof(tail);
	if (tail_length && image_file_read(file, "last sector", tail, tail_length,
					   file->size - tail_length, err) < 0)
		return -1;
	*out = source_format_of(head, length < 4096 ? length : 4096);
	if (*out != &source_raw_ops)
		return 0;
	if (source_foreign_find(head, length, tail, tail_length, &foreign, err) < 0)
		return -1;
	if (foreign)
		*out = source_qemu_named(foreign);
	return 0;
}

static int refuse_format(const char *name, struct error *err)
{
	_cleanup_strings_ struct strings known = {0};
	_cleanup_free_ char *list = NULL;

	for (size_t i = 0; i < array_length(formats); i++)
		strings_add(&known, formats[i]->name);
	source_qemu_names(&known);
	list = strings_join(&known, ", ");
	return error_set(err, "there is no image format %s; known are %s", name, list);
}

static int choose_format(struct image_file *file, const char *name, const struct source_ops **out,
			 struct error *err)
{
	*out = NULL;
	if (name && format_named(file, name, out, err) < 0)
		return -1;
	if (name && !*out)
		return refuse_format(name, err);
	if (!*out && file->is_block_device)
		*out = &source_raw_ops;
	if (!*out && source_probe(file, out, err) < 0)
		return -1;
	if (!file->is_seekable && !(*out)->takes_streams)
		return error_set(err,
				 "the format %s is read at many places, which %s does not allow: "
				 "name a file or a URL of a server that knows ranges",
				 (*out)->name, file->name);
	return 0;
}

/* source has its file. */
static int open_reader(struct source *source, const struct source_ops *ops,
		       const struct source_options *options, struct error *err)
{
	source->ops = ops;
	source->size_is_known = true;
	if (options->snapshot && !ops->has_snapshots)
		return error_set(err, "snapshot '%s': images of the format %s have none",
				 options->snapshot, ops->name);
	if (ops->open(source, options, err) < 0)
		return -1;
	if (source->size == 0)
		return error_set(err, "the disk in this image has a size of 0");
	assert(source->granule > 0 && (source->granule & (source->granule - 1)) == 0);
	assert(source->is_stream == (ops->next && source->head_length > 0));
	return 0;
}

int source_open_ops(const char *name, const struct source_ops *ops, struct image_file *file,
		    const struct source_options *options, struct source **out, struct error *err)
{
	static const struct source_options none;
	_cleanup_source_ struct source *source = calloc(1, sizeof(*source));

	if (!source)
		abort();
	source->file = file;
	source->name = string_copy(name);
	if (open_reader(source, ops, options ? options : &none, err) < 0)
		return error_in(err, "open image %s", name);
	*out = steal(&source);
	return 0;
}

/* What a server gives out must be a disk, too: an image file behind it would be taken for raw. */
static int check_is_disk(struct source *source, struct error *err)
{
	_cleanup_free_ uint8_t *head = calloc(1, SOURCE_FOREIGN_HEAD);
	uint8_t tail[512] = {0};
	size_t length = source->size < SOURCE_FOREIGN_HEAD ? source->size : SOURCE_FOREIGN_HEAD;
	size_t tail_length = length < sizeof(tail) ? length : sizeof(tail);
	const char *format;

	if (!head)
		return error_sys(err, ENOMEM, "probe");
	if (source_read(source, head, length, 0, err) < 0 ||
	    source_read(source, tail, tail_length, source->size - tail_length, err) < 0)
		return -1;
	format = source_format_of(head, length < 4096 ? length : 4096)->name;
	if (string_equal(format, "raw") &&
	    source_foreign_find(head, length, tail, tail_length, &format, err) < 0)
		return -1;
	if (!format)
		return 0;
	return error_set(err,
			 "the server gives out the image file of a disk, and not the disk: start "
			 "it with the format %s, or use --format raw to write it as it is",
			 format);
}

static int open_nbd(const char *name, const struct source_options *options, struct source **out,
		    struct error *err)
{
	const char *format = options ? options->format : NULL;
	_cleanup_source_ struct source *source = NULL;

	if (format && !string_equal(format, "raw") && !string_equal(format, "nbd"))
		return error_set(err,
				 "open image %s: the server gives out the disk itself: start it "
				 "with the format %s, and leave --format out here",
				 name, format);
	if (source_open_ops(name, &source_nbd_ops, NULL, options, &source, err) < 0)
		return -1;
	if (!format && check_is_disk(source, err) < 0)
		return error_in(err, "open image %s", name);
	*out = steal(&source);
	return 0;
}

/* "image.qcow2@before": a path that is not there as a whole, while what stands before an '@' is.
 * Returns that, which the caller frees, or NULL. */
static char *split_snapshot(const char *name, const char **snapshot)
{
	_cleanup_free_ char *path = string_copy(name);
	char *at;

	if (access(name, F_OK) == 0)
		return NULL;
	while ((at = strrchr(path, '@')) != NULL) {
		*at = '\0';
		if (at[1] == '\0' || at == path || access(path, F_OK) < 0)
			continue;
		*snapshot = name + (at - path) + 1;
		return steal(&path);
	}
	return NULL;
}

int source_open(const char *name, const struct source_options *options, struct source **out,
		struct error *err)
{
	struct source_options chosen = options ? *options : (struct source_options){0};
	_cleanup_free_ char *path = chosen.snapshot ? NULL : split_snapshot(name, &chosen.snapshot);
	_cleanup_free_ char *label = image_file_label(name);
	const struct source_ops *ops;
	struct image_file *file;

	if (source_nbd_is_name(name))
		return open_nbd(name, options, out, err);
	if (image_file_open(path ? path : name, &chosen.file, &file, err) < 0)
		return error_in(err, "open image %s", label);
	if (choose_format(file, chosen.format, &ops, err) < 0) {
		image_file_close(file);
		return error_in(err, "open image %s", label);
	}
	return source_open_ops(label, ops, file, &chosen, out, err);
}

void source_close(struct source *source)
{
	if (!source)
		return;
	used_blocks_free(source->used);
	integrity_free(source->integrity);
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
	*out = (struct extent){.offset = offset, .length = length, .kind = EXTENT_DATA};
	if (source->ops->extent && source->ops->extent(source, offset, length, out, err) < 0)
		return error_in(err, "look at %s at offset %" PRIu64, source->name, offset);
	assert(out->offset == offset && out->length > 0 && out->length <= length);
	/* Zeroes that nobody uses need not be there either. */
	if (source->used && !used_blocks_is_used(source->used, offset, &out->length))
		out->kind = EXTENT_UNUSED;
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
