// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * memory-file: image files that are bytes in memory, with siblings, for what needs many of them
 * quickly.
 *
 *   struct memory_file files[] = {{"image", bytes, length}, {"b", …}, {0}};
 *   struct image_file *file = memory_file_open(files, &files[0]);
 *
 * files must outlive what is opened.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "restore/image_file.h"

struct memory_file {
	const char *name; /* NULL ends the list */
	const uint8_t *bytes;
	size_t length;
};

struct memory_state {
	const struct memory_file *all, *self;
};

static inline struct image_file *memory_file_open(const struct memory_file *all,
						  const struct memory_file *self);

static inline int memory_file_read(const struct image_file *file, const char *what, void *data,
				   size_t length, uint64_t offset, struct error *err)
{
	const struct memory_state *state = file->state;

	(void)what;
	(void)err;
	memcpy(data, state->self->bytes + offset, length);
	return 0;
}

static inline int memory_file_open_sibling(const struct image_file *file, const char *name,
					   struct image_file **out, struct error *err)
{
	const struct memory_state *state = file->state;

	for (const struct memory_file *other = state->all; other->name; other++) {
		if (!string_equal(other->name, name) || other->length == 0)
			continue;
		*out = memory_file_open(state->all, other);
		return 0;
	}
	return error_set(err, "there is no file '%s'", name);
}

static inline void memory_file_close(struct image_file *file)
{
	free(file->state);
}

static inline struct image_file *memory_file_open(const struct memory_file *all,
						  const struct memory_file *self)
{
	static const struct image_file_ops ops = {
		.read = memory_file_read,
		.open_sibling = memory_file_open_sibling,
		.close = memory_file_close,
	};
	struct image_file *file = calloc(1, sizeof(*file));
	struct memory_state *state = calloc(1, sizeof(*state));

	if (!file || !state)
		abort();
	*state = (struct memory_state){all, self};
	*file = (struct image_file){
		.ops = &ops,
		.name = string_copy(self->name),
		.fd = -1,
		.size = self->length,
		.is_seekable = true,
		.state = state,
	};
	return file;
}
