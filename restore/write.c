// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/write.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/report.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/bmap_window.h"
#include "restore/ends.h"
#include "restore/engine.h"

static int check_fits(const struct source *source, const struct target *target, struct error *err)
{
	if (source->size <= target->disk.size)
		return 0;
	return error_set(
		err, "the image is larger than the disk: %" PRIu64 " bytes do not fit on %" PRIu64,
		source->size, target->disk.size);
}

/* What each disk that is still alive has to go through; one that fails is left behind. */
typedef int each_fn(struct engine *engine, struct ends *ends, struct write_target *disk,
		    struct error *err);

/* -1 when none is left, or it was stopped. */
static int each(struct engine *engine, struct ends *ends, each_fn *function, struct error *err)
{
	for (size_t i = 0; i < engine->count; i++) {
		struct write_target *disk = &engine->disk[i];
		struct error failure = {0};

		if (!engine_is_alive(disk))
			continue;
		if (engine_check_stopped(engine, err) < 0)
			return -1;
		if (function(engine, ends, disk, &failure) < 0)
			engine_disk_failed(engine, disk, &failure);
	}
	return engine_has_disks(engine) ? 0 : -1;
}

static int fits(struct engine *engine, struct ends *ends, struct write_target *disk,
		struct error *err)
{
	(void)ends;
	return check_fits(engine->source, disk->target, err);
}

static int invalidate(struct engine *engine, struct ends *ends, struct write_target *disk,
		      struct error *err)
{
	(void)engine;
	(void)ends;
	disk->outcome->began = true;
	return write_target_clear_ends(disk, err);
}

static int flush(struct engine *engine, struct ends *ends, struct write_target *disk,
		 struct error *err)
{
	(void)engine;
	(void)ends;
	return write_target_flush(disk, err);
}

static int write_ends(struct engine *engine, struct ends *ends, struct write_target *disk,
		      struct error *err)
{
	(void)engine;
	return ends_write(ends, disk, err);
}

static int write_first(struct engine *engine, struct ends *ends, struct write_target *disk,
		       struct error *err)
{
	(void)engine;
	return ends_write_first(ends, disk, err);
}

static int read_ends_back(struct engine *engine, struct ends *ends, struct write_target *disk,
			  struct error *err)
{
	(void)engine;
	return ends_read_back(ends, disk, err);
}

static int read_back(struct engine *engine, struct write_stats *stats, struct error *err)
{
	double start = clock_seconds();
	int r = engine_read_back(engine, err);

	stats->verify_seconds += clock_seconds() - start;
	return r < 0 || !engine_has_disks(engine) ? -1 : 0;
}

/* More than once where so much is written that it has to be read back in between. */
static int copy_and_prove(struct engine *engine, struct write_stats *stats, struct error *err)
{
	do {
		if (engine_copy(engine, err) < 0 || each(engine, NULL, flush, err) < 0)
			return -1;
		if (engine->options.proof == WRITE_READ_BACK && read_back(engine, stats, err) < 0)
			return -1;
	} while (!engine->windows.is_over);
	return 0;
}

static int read_ends(struct source *source, struct ends *ends, struct error *err)
{
	const struct bmap *map = source->map;

	if (ends_read(ends, source, err) < 0)
		return -1;
	if (map && (bmap_prove(map, ends->head, 0, ends->head_length, err) < 0 ||
		    bmap_prove(map, ends->tail, ends->tail_offset, ends->tail_length, err) < 0))
		return -1;
	return 0;
}

/* All of a stream was read: what is still held is its end. */
static int take_ends(struct engine *engine, struct ends *ends, struct error *err)
{
	const struct windows *windows = &engine->windows;

	if (!engine->source->is_stream)
		return read_ends(engine->source, ends, err);
	ends->tail_offset = windows->cursor;
	ends->tail_length = windows->read - windows->cursor;
	memset(ends->tail + ends->tail_length, 0, WRITE_GRANULE);
	return 0;
}

/* Of the image, whatever the number of disks. */
static void count_ends(struct engine *engine, const struct ends *ends)
{
	atomic_fetch_add(&engine->data_bytes, ends->head_length + ends->tail_length);
	atomic_fetch_add(&engine->written, ends->head_length + ends->tail_length);
	engine->total = engine->source->size;
	atomic_store(&engine->done, engine->total);
	engine->phase = WRITE_COPYING;
}

/* The order that write.h promises. */
static int write_in_order(struct engine *engine, struct ends *ends, struct write_stats *stats,
			  struct error *err)
{
	double start;

	if (each(engine, ends, invalidate, err) < 0 || copy_and_prove(engine, stats, err) < 0)
		return -1;
	if (take_ends(engine, ends, err) < 0 || source_finish(engine->source, err) < 0)
		return -1;
	if (each(engine, ends, fits, err) < 0 || each(engine, ends, write_ends, err) < 0 ||
	    each(engine, ends, write_first, err) < 0)
		return -1;
	start = clock_seconds();
	if (engine->options.proof == WRITE_READ_BACK && each(engine, ends, read_ends_back, err) < 0)
		return -1;
	stats->verify_seconds += clock_seconds() - start;
	count_ends(engine, ends);
	return 0;
}

/* Nothing may be found on a disk that failed, also where only the last flush did. The first error
 * counts; that the disk refuses this too is told by its outcome. */
static void wipe_failed(struct engine *engine)
{
	for (size_t i = 0; i < engine->count; i++) {
		struct write_target *disk = &engine->disk[i];

		if (!engine_is_alive(disk) && disk->outcome->began) {
			disk->was_empty = false;
			disk->outcome->left_something = write_target_clear_ends(disk, NULL) < 0;
		}
	}
}

/* The windows between the ends; a stream's head is read now. */
static int prepare(struct engine *engine, struct ends *ends, struct error *err)
{
	struct source *source = engine->source;
	bool compares = engine->options.method == WRITE_DIFFERENCES;

	if (source->size == 0)
		return error_set(err, "the image is empty");
	if (ends_init(ends, err) < 0 || records_init(&engine->records, err) < 0 ||
	    engine_check_stopped(engine, err) < 0)
		return -1;
	engine->total = source->size_is_known ? source->size : 0;
	ends_place(ends, source->size);
	windows_init(&engine->windows, source, WINDOW, ends->tail_offset,
		     compares ? WINDOW : ZEROES_AT_ONCE, source->is_stream ? ends->tail : NULL);
	if (source->is_stream &&
	    windows_read_head(&engine->windows, ends->head, &ends->head_length, err) < 0)
		return -1;
	return each(engine, ends, fits, err);
}

static int run(struct engine *engine, struct write_stats *stats, struct error *err)
{
	_cleanup_(ends_release) struct ends ends = {0};

	if (prepare(engine, &ends, err) < 0)
		return -1;
	return write_in_order(engine, &ends, stats, err);
}

static void account(struct engine *engine, struct write_stats *stats)
{
	stats->size = engine->source->size;
	stats->data_bytes = atomic_load(&engine->data_bytes);
	stats->zero_bytes = atomic_load(&engine->zero_bytes);
	stats->unused_bytes = engine->windows.unused_bytes;
	stats->write_seconds = clock_seconds() - engine->started - stats->verify_seconds;
	for (size_t i = 0; i < engine->count; i++)
		write_target_account(&engine->disk[i]);
}

static int end(struct engine *engine, struct write_stats *stats, struct error *err)
{
	wipe_failed(engine);
	account(engine, stats);
	if (!engine->first.text) {
		engine_show_progress(engine);
		return 0;
	}
	if (err)
		error_move(err, &engine->first);
	return -1;
}

int write_image(struct source *source, struct target *targets, size_t count,
		const struct write_options *options, struct write_stats *stats,
		struct write_outcome *outcome, struct error *err)
{
	struct write_target disk[WRITE_TARGETS];
	struct engine engine = {
		.source = source,
		.options = options ? *options : (struct write_options){0},
		.disk = disk,
		.count = count,
		.started = clock_seconds(),
	};
	_cleanup_error_ struct error failure = {0};
	int r;

	assert(count > 0 && count <= WRITE_TARGETS);
	assert(!source->map || engine.options.method == WRITE_DIFFERENCES);
	*stats = (struct write_stats){0};
	pthread_mutex_init(&engine.lock, NULL);
	for (size_t i = 0; i < count; i++) {
		outcome[i] = (struct write_outcome){0};
		write_target_init(&disk[i], &targets[i], &outcome[i]);
	}
	if (run(&engine, stats, &failure) < 0)
		engine_all_failed(&engine, &failure);
	r = end(&engine, stats, err);
	windows_release(&engine.windows);
	records_release(&engine.records);
	pthread_mutex_destroy(&engine.lock);
	error_release(&engine.first);
	return r;
}

void write_outcome_release(struct write_outcome *outcome)
{
	error_release(&outcome->error);
}
