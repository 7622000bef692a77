// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/bmap_make.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/report.h"
#include "base/scope.h"
#include "restore/bmap_write.h"
#include "restore/sha256_many.h"
#include "restore/window.h"
#include "restore/workers.h"

/* Shared by the workers; out is guarded by lock. */
struct maker {
	struct source *source;
	struct write_options options;
	struct windows windows;
	struct workers workers;
	size_t range_size; /* at most, and a multiple of it is where one ends */
	double started;
	_Atomic uint64_t done;
	pthread_mutex_t lock;
	struct bmap *out;
};

static int too_much(struct error *err)
{
	return error_set(err,
			 "it holds more than a block map of %d MiB describes, which is %d pieces "
			 "of up to 1 MiB: use sha256sum on the image file",
			 BMAP_LIMIT >> 20, BMAP_RANGES);
}

static int add(struct maker *maker, const struct bmap_range *range, struct error *err)
{
	bool is_full;

	pthread_mutex_lock(&maker->lock);
	is_full = maker->out->count == BMAP_RANGES;
	if (!is_full)
		bmap_add(maker->out, range);
	pthread_mutex_unlock(&maker->lock);
	return is_full ? too_much(err) : 0;
}

/* The data of a window in ranges, at most WINDOW_PIECES. */
static size_t cut_window(const struct maker *maker, const struct window *window,
			 const uint8_t *data, struct bmap_range *range)
{
	struct stretch stretch;
	size_t count = 0, part;

	for (unsigned int at = 0; pieces_next(window->data, &at, &stretch);) {
		size_t end = stretch.offset + window_stretch(window, &stretch);

		for (size_t from = stretch.offset; from < end; from += part) {
			part = (size_t)smaller(end - from,
					       maker->range_size - from % maker->range_size);
			/* A stream shows only now what other images know to be zeroes. */
			if (maker->source->is_stream && is_zero(data + from, part))
				continue;
			range[count++] = (struct bmap_range){
				.offset = window->offset + from,
				.end = window->offset + from + part,
			};
		}
	}
	return count;
}

static int add_window(struct maker *maker, const struct window *window, uint8_t *data,
		      struct error *err)
{
	struct bmap_range range[WINDOW_PIECES];
	struct sha256_message message[WINDOW_PIECES];
	size_t count;

	if (window_read(maker->source, window, data, err) < 0)
		return -1;
	count = cut_window(maker, window, data, range);
	for (size_t i = 0; i < count; i++)
		message[i] = (struct sha256_message){
			.data = data + (range[i].offset - window->offset),
			.length = range[i].end - range[i].offset,
		};
	if (sha256_of_many(message, count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		memcpy(range[i].sum, message[i].sum, SHA256_LENGTH);
		if (add(maker, &range[i], err) < 0)
			return -1;
	}
	atomic_store(&maker->done, window->offset + window->length);
	return 0;
}

/*
 * Ranges of half a MiB, whose checksums can be made two at a time, unless that is too many. What a
 * stream has too much of shows late; of other images the tables tell before they are read.
 */
static int choose_range_size(struct maker *maker, struct error *err)
{
	struct windows windows;
	struct window window;
	struct stretch stretch;
	size_t count = 0, halves = 0;
	int r = 0;

	maker->range_size = WINDOW;
	if (maker->source->is_stream)
		return 0;
	windows_init(&windows, maker->source, 0, maker->source->size, WINDOW, NULL);
	while (count <= BMAP_RANGES && (r = windows_next(&windows, NULL, &window, err)) > 0)
		for (unsigned int at = 0; pieces_next(window.data, &at, &stretch); count++) {
			size_t end = stretch.offset + window_stretch(&window, &stretch);

			halves += stretch.offset < WINDOW / 2 && end > WINDOW / 2 ? 2 : 1;
		}
	windows_release(&windows);
	if (r < 0)
		return -1;
	if (halves <= BMAP_RANGES)
		maker->range_size = WINDOW / 2;
	return count > BMAP_RANGES ? too_much(err) : 0;
}

static int make_main(void *context, struct error *err)
{
	struct maker *maker = context;
	_cleanup_free_ uint8_t *data = malloc(WINDOW);
	struct window window;
	int r;

	if (!data)
		return error_sys(err, ENOMEM, "allocate memory");
	while (!atomic_load(&maker->workers.failed)) {
		if (maker->options.stop && atomic_load(maker->options.stop))
			return error_set(err, "it was stopped");
		r = windows_next(&maker->windows, data, &window, err);
		if (r <= 0)
			return r;
		if (add_window(maker, &window, data, err) < 0)
			return -1;
	}
	return 0;
}

static void tick(void *context)
{
	struct maker *maker = context;
	const struct source *source = maker->source;
	const struct write_progress progress = {
		.phase = WRITE_READING_BACK,
		.done = atomic_load(&maker->done),
		.total = source->size_is_known ? source->size : 0,
		.seconds = clock_seconds() - maker->started,
	};

	if (maker->options.progress)
		maker->options.progress(maker->options.context, &progress);
}

static int by_offset(const void *a, const void *b)
{
	const struct bmap_range *left = a, *right = b;

	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static int run(struct maker *maker, struct error *err)
{
	struct source *source = maker->source;
	int r;

	if (choose_range_size(maker, err) < 0)
		return -1;
	windows_init(&maker->windows, source, 0, source->size, WINDOW, NULL);
	maker->workers = (struct workers){.work = make_main, .tick = tick, .context = maker};
	r = workers_run(&maker->workers, err);
	windows_release(&maker->windows);
	if (r < 0 || source_finish(source, err) < 0)
		return -1;
	if (maker->out->count == 0)
		return error_set(err, "it holds nothing but zeroes, and a block map has none");
	qsort(maker->out->range, maker->out->count, sizeof(*maker->out->range), by_offset);
	maker->out->size = source->size;
	atomic_store(&maker->done, source->size);
	tick(maker);
	return 0;
}

int bmap_make(struct source *source, const struct write_options *options, struct bmap *out,
	      struct error *err)
{
	struct maker maker = {
		.source = source,
		.options = options ? *options : (struct write_options){0},
		.started = clock_seconds(),
		.out = out,
	};
	int r;

	*out = (struct bmap){0};
	pthread_mutex_init(&maker.lock, NULL);
	r = run(&maker, err);
	pthread_mutex_destroy(&maker.lock);
	return r < 0 ? error_in(err, "make a block map of %s", source->name) : 0;
}
