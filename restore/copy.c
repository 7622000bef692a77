// SPDX-License-Identifier: GPL-3.0-or-later
/* The workers that carry windows from the image to the disks. */
#include <inttypes.h>
#include <string.h>

#include "restore/bmap_window.h"
#include "restore/engine.h"

static uint64_t bytes_of(uint16_t pieces)
{
	return (uint64_t)__builtin_popcount(pieces) * PIECE;
}

static bool is_proven(const struct engine *engine)
{
	return engine->options.proof == WRITE_READ_BACK;
}

/* A stream shows only now that it is too long. */
static int check_fits(const struct write_target *disk, uint64_t end, struct error *err)
{
	if (end <= disk->target->disk.size)
		return 0;
	return error_set(err,
			 "the image is larger than the disk: %" PRIu64
			 " bytes do not hold what is at offset %" PRIu64 " and behind it",
			 disk->target->disk.size, end - 1);
}

/* Makes pieces zero by command, and returns those that have to be written instead. */
static uint16_t zero_pieces(struct write_target *disk, const struct unit *unit, uint16_t pieces)
{
	struct stretch stretch;
	uint16_t left = 0;

	for (unsigned int at = 0; pieces_next(pieces, &at, &stretch);)
		if (write_target_zero(disk, unit->window.offset + stretch.offset, stretch.length))
			left |= pieces_of(stretch.offset, stretch.length);
	atomic_fetch_add(&disk->zero_bytes, bytes_of(pieces));
	return left;
}

/* Gives pieces of the unit to the disk whose turn it is. */
static void give(struct worker *worker, struct unit *unit, uint16_t data, uint16_t zero)
{
	struct write_target *disk = &worker->engine->disk[unit->number];
	struct stretch stretch;

	zero = zero_pieces(disk, unit, zero);
	for (unsigned int at = 0; pieces_next(zero, &at, &stretch);)
		memset(unit->data + stretch.offset, 0, stretch.length);
	unit->written |= data | zero;
	worker_submit(worker, unit, QUEUE_WRITE, data | zero, unit->data);
	atomic_fetch_add(&disk->data_bytes, bytes_of(data));
}

static bool can_have(struct engine *engine, struct write_target *disk, uint64_t end)
{
	struct error err = {0};

	if (!engine_is_alive(disk))
		return false;
	if (check_fits(disk, end, &err) == 0)
		return true;
	engine_disk_failed(engine, disk, &err);
	return false;
}

/* Differences: zeroes need not be looked at where they are a hole of a file, or can be had faster
 * than they are read. */
static bool has_already(const struct engine *engine, const struct unit *unit,
			struct write_target *disk)
{
	const struct window *window = &unit->window;

	if (engine->options.method != WRITE_DIFFERENCES || window->data ||
	    window->zero != UINT16_MAX)
		return false;
	if (write_target_is_hole(disk, window->offset, window->length)) {
		atomic_fetch_add(&disk->same_bytes, window->length);
		return true;
	}
	if (write_target_unmap(disk, window->offset, window->length))
		return false;
	atomic_fetch_add(&disk->zero_bytes, window->length);
	return true;
}

/* The next disk from unit->number on that wants the unit: it is alive and large enough. */
static bool next_disk(struct engine *engine, struct unit *unit)
{
	uint64_t end = unit->window.offset + unit->window.length;

	for (; unit->number < engine->count; unit->number++) {
		struct write_target *disk = &engine->disk[unit->number];

		if (can_have(engine, disk, end) && !has_already(engine, unit, disk))
			return true;
	}
	return false;
}

static void prove(struct engine *engine, const struct unit *unit)
{
	if (unit->written && is_proven(engine))
		records_add(&engine->records, unit->window.offset, unit->written, unit->data);
}

static void unit_done(struct worker *worker, struct unit *unit)
{
	struct engine *engine = worker->engine;

	atomic_fetch_add(&engine->done, unit->window.length);
	atomic_fetch_add(&engine->written, bytes_of(unit->written));
	atomic_fetch_add(&engine->data_bytes, bytes_of(unit->window.data));
	atomic_fetch_add(&engine->zero_bytes, bytes_of(unit->window.zero));
	worker_give_back(worker, unit);
}

/* All disks get the same, at once. */
static void give_to_all(struct worker *worker, struct unit *unit)
{
	for (; next_disk(worker->engine, unit); unit->number++)
		give(worker, unit, unit->window.data, unit->window.zero);
	prove(worker->engine, unit);
	if (unit->pending == 0)
		unit_done(worker, unit);
}

/* Zeroes that only the data shows. */
static void find_zeroes(struct unit *unit)
{
	struct window *window = &unit->window;

	for (unsigned int piece = 0; piece < WINDOW_PIECES; piece++)
		if ((window->data >> piece & 1) &&
		    is_zero(unit->data + (size_t)piece * PIECE, PIECE))
			window->zero |= (uint16_t)(1U << piece);
	window->data &= (uint16_t)~window->zero;
}

/* Nothing of the image is written before it is what the block map, if there is one, promises. */
static int read_image(struct engine *engine, struct unit *unit, struct error *err)
{
	const struct window *window = &unit->window;
	const struct bmap *map = engine->source->map;
	struct stretch stretch;

	if (window_read(engine->source, window, unit->data, err) < 0)
		return -1;
	for (unsigned int at = 0; map && pieces_next(window->zero, &at, &stretch);)
		memset(unit->data + stretch.offset, 0, stretch.length);
	if (map && bmap_prove(map, unit->data, window->offset, window->length, err) < 0)
		return -1;
	find_zeroes(unit);
	unit->is_read = true;
	return 0;
}

/* Can a disk alone tell that it holds the window? */
static bool is_promised(const struct engine *engine, const struct window *window)
{
	return engine->source->map && window->data && bmap_covers(engine->source->map, window);
}

/* Differences: begins to read what the disk whose turn it is holds. */
static void read_disk(struct worker *worker, struct unit *unit)
{
	unit->unread = 0;
	worker_submit(worker, unit, QUEUE_READ, unit->window.data | unit->window.zero,
		      unit->disk_data);
}

static bool differs(const struct unit *unit, unsigned int piece)
{
	size_t at = (size_t)piece * PIECE;

	if (unit->window.zero >> piece & 1)
		return !is_zero(unit->disk_data + at, PIECE);
	return memcmp(unit->data + at, unit->disk_data + at, PIECE) != 0;
}

/* What could not be read differs. */
static uint16_t differences(const struct unit *unit)
{
	uint16_t used = unit->window.data | unit->window.zero, out = unit->unread;

	for (unsigned int piece = 0; piece < WINDOW_PIECES; piece++)
		if ((used & ~out) >> piece & 1 && differs(unit, piece))
			out |= (uint16_t)(1U << piece);
	return out;
}

/* The image was not read: does the disk hold what the block map promises of it? */
static bool holds_promise(const struct engine *engine, const struct unit *unit)
{
	const struct window *window = &unit->window;
	struct stretch stretch;

	if (unit->unread)
		return false;
	for (unsigned int at = 0; pieces_next(window->zero, &at, &stretch);)
		if (!is_zero(unit->disk_data + stretch.offset, stretch.length))
			return false;
	return !bmap_compare(engine->source->map, unit->disk_data, window->offset, window->length);
}

static int compare(struct worker *worker, struct unit *unit, struct error *err)
{
	struct engine *engine = worker->engine;
	struct write_target *disk = &engine->disk[unit->number];
	uint16_t used = unit->window.data | unit->window.zero, different = 0;

	if (unit->is_read || !holds_promise(engine, unit)) {
		if (!unit->is_read && read_image(engine, unit, err) < 0)
			return -1;
		different = differences(unit);
	}
	atomic_fetch_add(&disk->same_bytes, bytes_of(used & (uint16_t)~different));
	give(worker, unit, unit->window.data & different, unit->window.zero & different);
	return 0;
}

static void tell_failure(struct engine *engine, const struct queue_request *request)
{
	struct write_target *disk = &engine->disk[request->number];
	struct error err = {0};

	error_sys(&err, request->error, "write %zu bytes to %s at offset %" PRIu64,
		  request->length - request->done, disk->target->disk.path,
		  request->offset + request->done);
	engine_disk_failed(engine, disk, &err);
}

static int request_ended(struct worker *worker, const struct queue_request *request,
			 struct error *err)
{
	struct engine *engine = worker->engine;
	struct unit *unit = request->owner;

	if (request->error && request->way == QUEUE_WRITE)
		tell_failure(engine, request);
	else if (request->error)
		unit->unread |= pieces_of(request->offset % WINDOW, request->length);
	if (--unit->pending > 0)
		return 0;
	if (engine->options.method == WRITE_ALL) {
		unit_done(worker, unit);
		return 0;
	}
	if (request->way == QUEUE_READ && compare(worker, unit, err) < 0)
		return -1;
	if (unit->pending > 0)
		return 0;
	unit->number++;
	if (next_disk(engine, unit)) {
		read_disk(worker, unit);
		return 0;
	}
	prove(engine, unit);
	unit_done(worker, unit);
	return 0;
}

/* The slow way, for a disk that has no command: data is zeroed memory for it. */
static int write_zeroes(struct engine *engine, struct write_target *disk,
			const struct window *window, uint8_t *data, struct error *err)
{
	memset(data, 0, WINDOW);
	for (uint64_t at = 0; at < window->length; at += WINDOW) {
		if (engine_check_stopped(engine, err) < 0)
			return -1;
		if (write_target_put(disk, data, WINDOW, window->offset + at, err) < 0)
			return -1;
	}
	return 0;
}

/* Once for all disks: what one of them had to have written is read back from each. */
static void prove_zeroes(struct engine *engine, const struct window *window, const uint8_t *data)
{
	for (uint64_t at = 0; at < window->length && is_proven(engine); at += WINDOW)
		records_add(&engine->records, window->offset + at, UINT16_MAX, data);
}

static int zero_all(struct worker *worker, struct unit *unit, struct error *err)
{
	struct engine *engine = worker->engine;
	const struct window *window = &unit->window;
	bool is_written = false;

	for (; next_disk(engine, unit); unit->number++) {
		struct write_target *disk = &engine->disk[unit->number];
		struct error failure = {0};

		atomic_fetch_add(&disk->zero_bytes, window->length);
		if (write_target_zero(disk, window->offset, window->length) == 0)
			continue;
		is_written = true;
		if (write_zeroes(engine, disk, window, unit->data, &failure) < 0)
			engine_disk_failed(engine, disk, &failure);
	}
	if (is_written)
		prove_zeroes(engine, window, unit->data);
	atomic_fetch_add(&engine->zero_bytes, window->length);
	unit_done(worker, unit);
	return engine_check_stopped(engine, err) < 0 ? -1 : 1;
}

/* Differences: the disk is read while the image is, or instead. */
static int compare_window(struct worker *worker, struct unit *unit, struct error *err)
{
	struct engine *engine = worker->engine;
	struct window *window = &unit->window;
	const struct bmap *map = engine->source->map;
	/* Zeroes are made by command, without a look at disk or image. */
	bool is_read_first = map && !window->data && bmap_touches(map, window);

	if (window->is_zeroes)
		window->zero = pieces_of(0, window->length);
	if (is_read_first && read_image(engine, unit, err) < 0)
		return -1;
	if (!next_disk(engine, unit)) {
		unit_done(worker, unit);
		return 1;
	}
	read_disk(worker, unit);
	if (is_read_first || is_promised(engine, window))
		return 1;
	return read_image(engine, unit, err) < 0 ? -1 : 1;
}

static int copy_window(struct worker *worker, struct unit *unit, struct error *err)
{
	struct engine *engine = worker->engine;

	if (engine->options.method == WRITE_DIFFERENCES)
		return compare_window(worker, unit, err);
	if (unit->window.is_zeroes)
		return zero_all(worker, unit, err);
	if (!next_disk(engine, unit)) {
		unit_done(worker, unit);
		return 1;
	}
	if (read_image(engine, unit, err) < 0)
		return -1;
	give_to_all(worker, unit);
	return 1;
}

/* 1, 0 when there is nothing to begin, -1. */
static int begin(struct worker *worker, struct unit *unit, struct error *err)
{
	struct engine *engine = worker->engine;
	int r;

	if (engine_check_stopped(engine, err) < 0)
		return -1;
	if (atomic_load(&engine->workers.failed) || !engine_has_disks(engine) ||
	    records_are_full(&engine->records))
		return 0;
	r = windows_next(&engine->windows, unit->data, &unit->window, err);
	return r <= 0 ? r : copy_window(worker, unit, err);
}

static int copy_all(struct worker *worker, struct error *err)
{
	const struct queue_request *request;
	int r = 1;

	for (;;) {
		struct unit *unit = r > 0 ? worker_take(worker) : NULL;

		if (unit) {
			r = begin(worker, unit, err);
			if (r < 0)
				return -1;
			continue;
		}
		request = queue_wait(worker->queue);
		if (!request)
			return 0;
		if (request_ended(worker, request, err) < 0)
			return -1;
	}
}

static int copy_main(void *context, struct error *err)
{
	struct engine *engine = context;
	struct worker worker;
	int r = worker_init(
		&worker, engine,
		engine->options.method == WRITE_ALL ? WORKER_DATA : WORKER_DATA_AND_DISK, err);

	if (r == 0)
		r = copy_all(&worker, err);
	worker_release(&worker);
	return r;
}

int engine_copy(struct engine *engine, struct error *err)
{
	engine->phase = WRITE_COPYING;
	engine->workers = (struct workers){
		.work = copy_main, .tick = engine_show_progress, .context = engine};
	return workers_run(&engine->workers, err);
}
