// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/image_file_window.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/scope.h"
#include "base/text.h"

struct window {
	struct image_file *parent;
	const struct image_file_watcher *watcher;
	uint64_t offset;
};

static int window_read(const struct image_file *file, const char *what, void *data, size_t length,
		       uint64_t offset, struct error *err)
{
	const struct window *window = file->state;

	return image_file_read(window->parent, what, data, length, window->offset + offset, err);
}

/* The two ways of reading the parent. */
static int parent_next(struct image_file *file, void *data, size_t capacity, size_t *got,
		       struct error *err)
{
	const struct window *window = file->state;

	if (!window->parent->is_seekable)
		return image_file_next(window->parent, data, capacity, got, err);
	*got = capacity;
	return window_read(file, "image", data, capacity, file->position, err);
}

static int window_next(struct image_file *file, void *data, size_t capacity, size_t *got,
		       struct error *err)
{
	const struct window *window = file->state;
	uint64_t left = file->size - file->position;

	*got = 0;
	if (left == 0)
		return 0;
	if (parent_next(file, data, left < capacity ? (size_t)left : capacity, got, err) < 0)
		return -1;
	if (window->watcher)
		window->watcher->seen(window->watcher->context, data, *got);
	return 0;
}

static void window_close(struct image_file *file)
{
	free(file->state);
}

static const struct image_file_ops window_ops = {
	.read = window_read,
	.next = window_next,
	.close = window_close,
};

int image_file_window_open(struct image_file *parent, const char *name, uint64_t offset,
			   uint64_t length, const struct image_file_watcher *watcher,
			   struct image_file **out, struct error *err)
{
	struct image_file *file;
	struct window *window;

	if (length == 0)
		return error_set(err, "%s is empty", name);
	if (parent->is_seekable && image_file_has(parent, name, offset, length, err) < 0)
		return -1;
	assert(parent->is_seekable || parent->position == offset);
	file = calloc(1, sizeof(*file));
	window = calloc(1, sizeof(*window));
	if (!file || !window)
		abort();
	*window = (struct window){.parent = parent, .watcher = watcher, .offset = offset};
	*file = (struct image_file){
		.ops = &window_ops,
		.name = string_copy(name),
		.fd = -1,
		.size = length,
		.is_seekable = parent->is_seekable,
		.state = window,
	};
	*out = file;
	return 0;
}
