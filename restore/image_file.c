// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/image_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/http.h"
#include "restore/image_file_kinds.h"

struct image_file *image_file_new(const char *name, const struct image_file_ops *ops)
{
	struct image_file *file = calloc(1, sizeof(*file));

	if (!file)
		abort();
	file->name = string_copy(name);
	file->fd = -1;
	file->ops = ops;
	return file;
}

char *image_file_label(const char *name)
{
	if (string_equal(name, "-"))
		return string_copy("standard input");
	return http_is_url(name) ? http_url_label(name) : string_copy(name);
}

int image_file_open_fd(int fd, const char *name, struct image_file **out, struct error *err)
{
	_cleanup_image_file_ struct image_file *file = image_file_new(name, &image_file_local_ops);

	file->fd = fd;
	if (image_file_local_measure(file, err) < 0)
		return -1;
	*out = steal(&file);
	return 0;
}

static int open_stdin(struct image_file **out, struct error *err)
{
	_cleanup_image_file_ struct image_file *file =
		image_file_new("standard input", &image_file_stdin_ops);

	if (image_file_stdin_open(file, err) < 0)
		return -1;
	*out = steal(&file);
	return 0;
}

static int open_kind(const char *name, const struct image_file_options *options,
		     struct image_file **out, struct error *err)
{
	int fd;

	if (http_is_url(name))
		return image_file_http_open(name, options, out, err);
	if (string_equal(name, "-"))
		return open_stdin(out, err);
	fd = image_file_local_open(name, err);
	return fd < 0 ? -1 : image_file_open_fd(fd, name, out, err);
}

int image_file_open(const char *name, const struct image_file_options *options,
		    struct image_file **out, struct error *err)
{
	_cleanup_image_file_ struct image_file *file = NULL;

	if (open_kind(name, options, &file, err) < 0)
		return -1;
	if (options && options->digests &&
	    image_digest_new(options->digests, &file->digest, err) < 0)
		return -1;
	*out = steal(&file);
	return 0;
}

/* A name that stays in its directory, however it is put together. */
static bool is_plain_name(const char *name)
{
	_cleanup_strings_ struct strings parts = {0};

	strings_split(&parts, name, "/");
	return *name != '\0' && *name != '/' && parts.count > 0 && !strings_has(&parts, "..") &&
	       !strchr(name, ':');
}

/* "base.qcow2" for "/srv/images/base.qcow2" beside /srv/images/a.qcow2. */
static const char *within_directory(const struct image_file *file, const char *name)
{
	_cleanup_free_ char *image = realpath(file->name, NULL);
	_cleanup_free_ char *named = realpath(name, NULL);
	size_t directory = image ? (size_t)(strrchr(image, '/') - image) + 1 : 0;

	if (!image || !named || *name != '/' || strncmp(image, named, directory) != 0 ||
	    strchr(named + directory, '/'))
		return NULL;
	return strrchr(name, '/') + 1;
}

int image_file_open_sibling(const struct image_file *file, const char *name,
			    struct image_file **out, struct error *err)
{
	const char *plain = is_plain_name(name) ? name : NULL;

	if (!plain && file->fd >= 0)
		plain = within_directory(file, name);
	if (!plain || !file->ops->open_sibling)
		return error_set(err,
				 "the image names another file, '%s': only files in the image's "
				 "own directory are opened; copy it there, or make one image of "
				 "both with `qemu-img convert -O qcow2`",
				 name);
	return file->ops->open_sibling(file, plain, out, err);
}

void image_file_close(struct image_file *file)
{
	if (!file)
		return;
	if (file->ops->close)
		file->ops->close(file);
	scope_close(&file->fd);
	image_digest_free(file->digest);
	free(file->head);
	free(file->name);
	free(file);
}

int image_file_has(const struct image_file *file, const char *what, uint64_t offset,
		   uint64_t length, struct error *err)
{
	if (length <= file->size && offset <= file->size - length)
		return 0;
	return error_set(err,
			 "image is truncated: %s of %" PRIu64 " bytes at file offset %" PRIu64
			 " is missing, the file ends at %" PRIu64,
			 what, length, offset, file->size);
}

int image_file_read(const struct image_file *file, const char *what, void *data, size_t length,
		    uint64_t offset, struct error *err)
{
	assert(file->is_seekable);
	if (image_file_has(file, what, offset, length, err) < 0)
		return -1;
	return length == 0 ? 0 : file->ops->read(file, what, data, length, offset, err);
}

static int next_by_reading(struct image_file *file, void *data, size_t capacity, size_t *got,
			   struct error *err)
{
	uint64_t left = file->size - file->position;

	*got = left < capacity ? (size_t)left : capacity;
	return *got == 0 ? 0 : file->ops->read(file, "image", data, *got, file->position, err);
}

/* Past what was read ahead. */
static int next_from_file(struct image_file *file, void *data, size_t capacity, size_t *got,
			  struct error *err)
{
	if (file->ops->next)
		return file->ops->next(file, data, capacity, got, err);
	return next_by_reading(file, data, capacity, got, err);
}

int image_file_next(struct image_file *file, void *data, size_t capacity, size_t *got,
		    struct error *err)
{
	*got = 0;
	if (file->position < file->head_length) {
		size_t left = file->head_length - (size_t)file->position;

		*got = left < capacity ? left : capacity;
		memcpy(data, file->head + file->position, *got);
	} else if (next_from_file(file, data, capacity, got, err) < 0) {
		return -1;
	}
	file->position += *got;
	return file->digest ? image_digest_add(file->digest, data, *got, err) : 0;
}

/* Takes the head off the stream; image_file_next() gives it out again. */
static int read_head(struct image_file *file, struct error *err)
{
	assert(file->position == 0);
	file->head = malloc(IMAGE_FILE_HEAD);
	if (!file->head)
		return error_sys(err, ENOMEM, "read ahead");
	for (size_t got = 1; got > 0 && file->position < IMAGE_FILE_HEAD; file->position += got)
		if (next_from_file(file, file->head + file->position,
				   IMAGE_FILE_HEAD - (size_t)file->position, &got, err) < 0)
			return -1;
	file->head_length = (size_t)file->position;
	file->position = 0;
	return 0;
}

int image_file_peek(struct image_file *file, void *data, size_t length, size_t *got,
		    struct error *err)
{
	assert(length <= IMAGE_FILE_HEAD);
	if (file->is_seekable) {
		*got = file->size < length ? (size_t)file->size : length;
		return image_file_read(file, "first sectors", data, *got, 0, err);
	}
	if (!file->head && read_head(file, err) < 0)
		return -1;
	*got = file->head_length < length ? file->head_length : length;
	memcpy(data, file->head, *got);
	return 0;
}
