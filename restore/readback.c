// SPDX-License-Identifier: GPL-3.0-or-later
/* What was written is read back and compared with the checksums that were taken then. */
#include <inttypes.h>
#include <string.h>

#include "restore/engine.h"

/* Shared by the workers. Each record is read from each disk, all disks at once. */
struct reading {
	struct engine *engine;
	atomic_size_t next; /* record * disks + disk */
	size_t count;
};

/* What the record was taken from, again. */
static int read_source(struct engine *engine, const struct record *record, uint8_t *data,
		       struct error *err)
{
	struct window window = {
		.offset = record_offset(record),
		.length = WINDOW,
		.data = record_pieces(record),
	};

	if (engine->source->is_stream)
		return error_set(err, "the disk does not hold what was written to it, and a stream "
				      "cannot be read again");
	if (window_read(engine->source, &window, data, err) < 0)
		return -1;
	if (!record_fits(record, data))
		return error_set(err, "the disk does not hold what was written to it, or the image "
				      "changed meanwhile");
	return 0;
}

static int put_and_get(struct write_target *disk, const struct record *record, uint8_t *data,
		       struct error *err)
{
	struct stretch stretch;

	for (unsigned int at = 0; pieces_next(record_pieces(record), &at, &stretch);)
		if (write_target_put(disk, data + stretch.offset, stretch.length,
				     record_offset(record) + stretch.offset, err) < 0)
			return -1;
	if (write_target_flush(disk, err) < 0)
		return -1;
	memset(data, 0, WINDOW);
	for (unsigned int at = 0; pieces_next(record_pieces(record), &at, &stretch);)
		if (write_target_get(disk, data + stretch.offset, stretch.length,
				     record_offset(record) + stretch.offset, err) < 0)
			return -1;
	return 0;
}

static int write_again(struct engine *engine, struct write_target *disk,
		       const struct record *record, uint8_t *data, struct error *err)
{
	if (engine_check_stopped(engine, err) < 0 || read_source(engine, record, data, err) < 0 ||
	    put_and_get(disk, record, data, err) < 0)
		return -1;
	if (!record_fits(record, data))
		return error_set(err, "the disk does not hold what was written to it, twice: it "
				      "or its cable, controller or memory is defective");
	atomic_fetch_add(&disk->rewritten_bytes, record_bytes(record));
	return 0;
}

static void unit_ended(struct engine *engine, struct unit *unit)
{
	const struct record *record = unit->record;
	struct write_target *disk = &engine->disk[unit->number];
	struct error err = {0};

	if (!engine_is_alive(disk))
		return;
	if ((unit->unread || !record_fits(record, unit->data)) &&
	    write_again(engine, disk, record, unit->data, &err) < 0) {
		error_in(&err, "read back %zu bytes in the MiB at offset %" PRIu64,
			 record_bytes(record), record_offset(record));
		engine_disk_failed(engine, disk, &err);
		return;
	}
	atomic_fetch_add(&disk->verified_bytes, record_bytes(record));
	atomic_fetch_add(&engine->read_back, record_bytes(record));
}

/* False: nothing is left. */
static bool begin(struct worker *worker, struct reading *reading, struct unit *unit)
{
	struct engine *engine = reading->engine;
	size_t next;

	do {
		next = atomic_fetch_add(&reading->next, 1);
		if (next >= reading->count || engine_is_stopped(engine))
			return false;
	} while (!engine_is_alive(&engine->disk[next % engine->count]));
	unit->number = next % engine->count;
	unit->record = &engine->records.item[next / engine->count];
	unit->window.offset = record_offset(unit->record);
	worker_submit(worker, unit, QUEUE_READ, record_pieces(unit->record), unit->data);
	return true;
}

static void read_all(struct worker *worker, struct reading *reading)
{
	const struct queue_request *request;
	bool has_more = true;

	for (;;) {
		struct unit *unit = has_more ? worker_take(worker) : NULL;

		if (unit) {
			has_more = begin(worker, reading, unit);
			continue;
		}
		request = queue_wait(worker->queue);
		if (!request)
			return;
		unit = request->owner;
		if (request->error)
			unit->unread = 1;
		if (--unit->pending > 0)
			continue;
		unit_ended(reading->engine, unit);
		worker_give_back(worker, unit);
	}
}

static int read_main(void *context, struct error *err)
{
	struct reading *reading = context;
	struct worker worker;

	if (worker_init(&worker, reading->engine, WORKER_DATA, err) < 0) {
		worker_release(&worker);
		return -1;
	}
	read_all(&worker, reading);
	worker_release(&worker);
	return engine_check_stopped(reading->engine, err);
}

static void tick(void *context)
{
	struct reading *reading = context;

	engine_show_progress(reading->engine);
}

int engine_read_back(struct engine *engine, struct error *err)
{
	struct reading reading = {
		.engine = engine,
		.count = atomic_load(&engine->records.count) * engine->count,
	};
	struct workers workers = {.work = read_main, .tick = tick, .context = &reading};
	uint64_t total = 0;
	int r;

	records_sort(&engine->records);
	for (size_t i = 0; i < reading.count / engine->count; i++)
		total += record_bytes(&engine->records.item[i]);
	atomic_store(&engine->read_back, 0);
	engine->read_back_total = total * engine->count;
	engine->phase = WRITE_READING_BACK;
	engine_show_progress(engine);
	r = workers_run(&workers, err);
	records_clear(&engine->records);
	return r;
}
