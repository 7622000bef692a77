// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/used_blocks.h"

#include <assert.h>
#include <stdlib.h>

#include "base/json.h"
#include "restore/used_blocks_state.h"

enum {
	/* How many windows one answer may be put together from: others wait meanwhile. */
	ANSWER_WINDOWS = 256,
};

void used_filesystem_forget(struct used_filesystem *filesystem)
{
	if (filesystem->ops)
		filesystem->ops->close(filesystem->state);
	filesystem->ops = NULL;
}

void used_blocks_free(struct used_blocks *used)
{
	if (!used)
		return;
	for (size_t i = 0; i < used->filesystems; i++) {
		used_filesystem_forget(used->filesystem[i]);
		used_region_release(&used->filesystem[i]->region);
		free(used->filesystem[i]->volume);
		free(used->filesystem[i]->name);
		free(used->filesystem[i]->why_not);
		free(used->filesystem[i]);
	}
	for (size_t i = 0; i < USED_WINDOWS; i++)
		free(used->window[i].content);
	used_cache_release(&used->cache);
	pthread_mutex_destroy(&used->lock);
	free(used->filesystem);
	free(used->piece);
	free(used);
}

/* The window that the offset is in, or the one that was not touched for longest. */
static struct used_window_slot *
window_slot(struct used_blocks *used, const struct used_filesystem *filesystem, uint64_t offset)
{
	struct used_window_slot *oldest = &used->window[0];

	for (size_t i = 0; i < USED_WINDOWS; i++) {
		struct used_window_slot *window = &used->window[i];

		if (window->filesystem == filesystem && window->content->start <= offset &&
		    offset < window->content->end)
			return window;
		if (window->touched < oldest->touched)
			oldest = window;
	}
	oldest->filesystem = NULL;
	return oldest;
}

/* All of it is in use. */
static void window_reset(const struct used_filesystem *filesystem, struct used_window *window)
{
	window->start = 0;
	window->end = filesystem->region.length;
	window->count = 0;
}

static bool window_fill(const struct used_filesystem *filesystem, uint64_t offset,
			struct used_window *window)
{
	window_reset(filesystem, window);
	if (!filesystem->ops)
		return true;
	return filesystem->ops->window(filesystem->state, offset, window, NULL) == USED_KNOWN &&
	       window->start <= offset && offset < window->end;
}

/* Never fails: what cannot be read from here on is in use. */
static const struct used_window *window_at(struct used_blocks *used,
					   struct used_filesystem *filesystem, uint64_t offset)
{
	struct used_window_slot *window = window_slot(used, filesystem, offset);
	struct used_window *content = window->content;

	window->touched = ++used->clock;
	if (window->filesystem)
		return content;
	if (!content)
		content = window->content = malloc(sizeof(*content));
	if (!content)
		abort();
	if (!window_fill(filesystem, offset, content)) {
		used_filesystem_forget(filesystem);
		window_reset(filesystem, content);
	}
	window->filesystem = filesystem;
	return content;
}

/* Where the stretch ends that offset is in. */
static uint64_t window_answer(const struct used_window *window, uint64_t offset, bool *is_used)
{
	size_t low = 0, high = window->count;

	*is_used = true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (window->unused[middle].end <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == window->count)
		return window->end;
	if (window->unused[low].start > offset)
		return window->unused[low].start;
	*is_used = false;
	return window->unused[low].end;
}

/* The first piece that ends behind offset; used->pieces when there is none. */
static size_t piece_at(const struct used_blocks *used, uint64_t offset)
{
	size_t low = 0, high = used->pieces;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct used_piece *piece = &used->piece[middle];

		if (piece->start + piece->length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* One stretch that begins at offset: its end, not necessarily where its neighbour differs. */
static uint64_t stretch_end(struct used_blocks *used, uint64_t offset, bool *is_used)
{
	size_t i = piece_at(used, offset);
	const struct used_piece *piece = &used->piece[i];
	uint64_t within, end;

	*is_used = true;
	if (i == used->pieces)
		return UINT64_MAX;
	if (piece->start > offset)
		return piece->start;
	within = offset - piece->start;
	end = window_answer(window_at(used, piece->filesystem, piece->offset + within),
			    piece->offset + within, is_used) -
	      piece->offset;
	return piece->start + (end < piece->length ? end : piece->length);
}

bool used_blocks_is_used(struct used_blocks *used, uint64_t offset, uint64_t *length)
{
	uint64_t limit = *length <= UINT64_MAX - offset ? offset + *length : UINT64_MAX;
	bool is_used, next;
	uint64_t end;

	assert(*length > 0);
	pthread_mutex_lock(&used->lock);
	end = stretch_end(used, offset, &is_used);
	for (int i = 0; i < ANSWER_WINDOWS && end < limit; i++) {
		uint64_t next_end = stretch_end(used, end, &next);

		if (next != is_used)
			break;
		end = next_end;
	}
	pthread_mutex_unlock(&used->lock);
	*length = (end < limit ? end : limit) - offset;
	return is_used;
}

json_object *used_blocks_json(const struct used_blocks *used)
{
	json_object *out = json_object_new_array();

	for (size_t i = 0; used && i < used->filesystems; i++) {
		const struct used_filesystem *filesystem = used->filesystem[i];
		json_object *entry = json_object_new_object();

		json_object_object_add(entry, "partition",
				       json_object_new_int(filesystem->partition));
		if (filesystem->volume)
			json_object_object_add(entry, "volume",
					       json_object_new_string(filesystem->volume));
		json_object_object_add(entry, "filesystem", json_string_or_null(filesystem->name));
		json_object_object_add(entry, "understood",
				       json_object_new_boolean(filesystem->why_not == NULL));
		json_object_object_add(entry, "why", json_string_or_null(filesystem->why_not));
		json_object_array_add(out, entry);
	}
	return out;
}
