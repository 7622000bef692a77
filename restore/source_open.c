// SPDX-License-Identifier: GPL-3.0-or-later
/* Which reader an image gets: by its name, by --format, by its content. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/source.h"
#include "restore/source_foreign.h"
#include "restore/source_nbd.h"
#include "restore/source_qemu.h"

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
		return error_set(err,
				 "snapshot '%s': snapshots are read from qcow2 images only, and "
				 "this is %s",
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
