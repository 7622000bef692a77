// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/used_blocks.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/used_blocks_kinds.h"

enum {
	WINDOWS = 4,
	/* How many windows one answer may be put together from: others wait meanwhile. */
	ANSWER_WINDOWS = 256,
};

static const struct used_ops *const kinds[] = {&used_ext_ops, &used_swap_ops};

struct filesystem {
	int partition;
	char *name;                 /* as libblkid says it, or NULL */
	const struct used_ops *ops; /* NULL: all of it is in use */
	void *state;
	struct used_region region;
	char *why_not;
};

/* A stretch of the source that belongs to a file system that was understood. */
struct piece {
	uint64_t start, length;
	struct filesystem *filesystem;
	uint64_t offset; /* in its region */
};

struct window {
	const struct filesystem *filesystem; /* NULL: empty */
	uint64_t touched;
	struct used_window *content;
};

struct used_blocks {
	pthread_mutex_t lock;
	struct used_cache cache;
	struct filesystem **filesystem;
	size_t filesystems;
	struct piece *piece; /* by start, not overlapping */
	size_t pieces;
	struct window window[WINDOWS];
	uint64_t clock;
};

static const struct used_ops *ops_named(const char *name)
{
	for (size_t i = 0; i < array_length(kinds); i++)
		for (const char *const *known = kinds[i]->names; *known; known++)
			if (string_equal(*known, name))
				return kinds[i];
	return NULL;
}

static void filesystem_forget(struct filesystem *filesystem)
{
	if (filesystem->ops)
		filesystem->ops->close(filesystem->state);
	filesystem->ops = NULL;
}

static struct filesystem *filesystem_add(struct used_blocks *used, int partition, const char *name)
{
	struct filesystem *filesystem = calloc(1, sizeof(*filesystem));

	used->filesystem =
		reallocarray(used->filesystem, used->filesystems + 1, sizeof(struct filesystem *));
	if (!filesystem || !used->filesystem)
		abort();
	used->filesystem[used->filesystems++] = filesystem;
	filesystem->partition = partition;
	filesystem->name = name ? string_copy(name) : NULL;
	filesystem->region.cache = &used->cache;
	return filesystem;
}

static void add_pieces(struct used_blocks *used, struct filesystem *filesystem)
{
	const struct used_region *region = &filesystem->region;
	uint64_t offset = 0;

	used->piece =
		reallocarray(used->piece, used->pieces + region->segments, sizeof(struct piece));
	if (!used->piece)
		abort();
	for (size_t i = 0; i < region->segments; i++) {
		used->piece[used->pieces++] = (struct piece){
			.start = region->segment[i].offset,
			.length = region->segment[i].length,
			.filesystem = filesystem,
			.offset = offset,
		};
		offset += region->segment[i].length;
	}
}

/* The filesystem's region is complete. */
static int filesystem_open(struct used_blocks *used, struct filesystem *filesystem,
			   struct error *err)
{
	const struct used_ops *ops = ops_named(filesystem->name);
	_cleanup_error_ struct error cause = {0};
	int r;

	if (!ops) {
		filesystem->why_not = string_copy(filesystem->name ? "its kind is not understood"
								   : "its content is not known");
		return 0;
	}
	r = ops->open(&filesystem->region, &filesystem->state, &cause);
	if (r == USED_FAILED) {
		error_move(err, &cause);
		return -1;
	}
	if (r == USED_DECLINED) {
		filesystem->why_not = string_copy(error_text(&cause));
		return 0;
	}
	filesystem->ops = ops;
	add_pieces(used, filesystem);
	return 0;
}

static int add_partition(struct used_blocks *used, const struct partition *partition,
			 struct error *err)
{
	struct filesystem *filesystem =
		filesystem_add(used, partition->number, partition->filesystem);

	if (!used_region_add(&filesystem->region, partition->start, partition->length)) {
		filesystem->why_not = string_copy("it does not lie within the image");
		return 0;
	}
	if (filesystem_open(used, filesystem, err) < 0)
		return error_in(err, "find what partition %d uses", partition->number);
	return 0;
}

static int compare_pieces(const void *a, const void *b)
{
	const struct piece *one = a, *other = b;

	return one->start < other->start ? -1 : one->start > other->start;
}

static void refuse_overlap(struct filesystem *filesystem)
{
	filesystem_forget(filesystem);
	free(filesystem->why_not);
	filesystem->why_not = string_copy("it overlaps another");
}

/* The same bytes cannot belong to two: neither is believed. */
static void drop_overlaps(struct used_blocks *used)
{
	size_t kept = 0;

	qsort(used->piece, used->pieces, sizeof(struct piece), compare_pieces);
	for (size_t i = 1, widest = 0; i < used->pieces; i++) {
		const struct piece *before = &used->piece[widest], *here = &used->piece[i];

		if (here->start - before->start < before->length) {
			refuse_overlap(before->filesystem);
			refuse_overlap(here->filesystem);
		}
		if (here->start + here->length > before->start + before->length)
			widest = i;
	}
	for (size_t i = 0; i < used->pieces; i++)
		if (used->piece[i].filesystem->ops)
			used->piece[kept++] = used->piece[i];
	used->pieces = kept;
}

int used_blocks_find(struct source *source, const struct layout *layout, struct used_blocks **out,
		     struct error *err)
{
	struct used_blocks *used = calloc(1, sizeof(*used));

	assert(!source->is_stream);
	if (!used)
		abort();
	pthread_mutex_init(&used->lock, NULL);
	used->cache.source = source;
	used->cache.memory_left = USED_MEMORY;
	*out = NULL;
	for (size_t i = 0; i < layout->count; i++) {
		if (layout->partition[i].is_extended)
			continue;
		if (add_partition(used, &layout->partition[i], err) < 0) {
			used_blocks_free(used);
			return -1;
		}
	}
	drop_overlaps(used);
	*out = used;
	return 0;
}

void used_blocks_free(struct used_blocks *used)
{
	if (!used)
		return;
	for (size_t i = 0; i < used->filesystems; i++) {
		filesystem_forget(used->filesystem[i]);
		used_region_release(&used->filesystem[i]->region);
		free(used->filesystem[i]->name);
		free(used->filesystem[i]->why_not);
		free(used->filesystem[i]);
	}
	for (size_t i = 0; i < WINDOWS; i++)
		free(used->window[i].content);
	used_cache_release(&used->cache);
	pthread_mutex_destroy(&used->lock);
	free(used->filesystem);
	free(used->piece);
	free(used);
}

/* The window that the offset is in, or the one that was not touched for longest. */
static struct window *window_slot(struct used_blocks *used, const struct filesystem *filesystem,
				  uint64_t offset)
{
	struct window *oldest = &used->window[0];

	for (size_t i = 0; i < WINDOWS; i++) {
		struct window *window = &used->window[i];

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
static void window_reset(const struct filesystem *filesystem, struct used_window *window)
{
	window->start = 0;
	window->end = filesystem->region.length;
	window->count = 0;
}

static bool window_fill(const struct filesystem *filesystem, uint64_t offset,
			struct used_window *window)
{
	window_reset(filesystem, window);
	if (!filesystem->ops)
		return true;
	return filesystem->ops->window(filesystem->state, offset, window, NULL) == USED_KNOWN &&
	       window->start <= offset && offset < window->end;
}

/* Never fails: what cannot be read from here on is in use. */
static const struct used_window *window_at(struct used_blocks *used, struct filesystem *filesystem,
					   uint64_t offset)
{
	struct window *window = window_slot(used, filesystem, offset);
	struct used_window *content = window->content;

	window->touched = ++used->clock;
	if (window->filesystem)
		return content;
	if (!content)
		content = window->content = malloc(sizeof(*content));
	if (!content)
		abort();
	if (!window_fill(filesystem, offset, content)) {
		filesystem_forget(filesystem);
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
		const struct piece *piece = &used->piece[middle];

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
	const struct piece *piece = &used->piece[i];
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
		const struct filesystem *filesystem = used->filesystem[i];
		json_object *entry = json_object_new_object();

		json_object_object_add(entry, "partition",
				       json_object_new_int(filesystem->partition));
		json_object_object_add(entry, "filesystem", json_string_or_null(filesystem->name));
		json_object_object_add(entry, "understood",
				       json_object_new_boolean(filesystem->why_not == NULL));
		json_object_object_add(entry, "why", json_string_or_null(filesystem->why_not));
		json_object_array_add(out, entry);
	}
	return out;
}
