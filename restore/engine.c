// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/report.h"
#include "base/scope.h"
#include "base/text.h"

/* Memory in one piece is few segments to a disk's controller. */
enum { HUGE_PAGE = 2 << 20 };

bool engine_is_stopped(const struct engine *engine)
{
	return engine->options.stop && atomic_load(engine->options.stop);
}

int engine_check_stopped(const struct engine *engine, struct error *err)
{
	return engine_is_stopped(engine) ? error_set(err, "it was stopped") : 0;
}

void engine_show_progress(void *context)
{
	struct engine *engine = context;
	bool reads = engine->phase == WRITE_READING_BACK;
	const struct write_progress progress = {
		.phase = engine->phase,
		.done = atomic_load(reads ? &engine->read_back : &engine->done),
		.total = reads ? engine->read_back_total : engine->total,
		.written = atomic_load(&engine->written),
		.seconds = clock_seconds() - engine->started,
	};

	if (engine->options.progress)
		engine->options.progress(engine->options.context, &progress);
}

void engine_disk_failed(struct engine *engine, struct write_target *disk, struct error *err)
{
	pthread_mutex_lock(&engine->lock);
	if (!atomic_exchange(&disk->failed, true)) {
		error_in(err, "write %s to %s", engine->source->name, disk->target->disk.path);
		if (!engine->first.text)
			engine->first = (struct error){string_copy(error_text(err)), err->number};
		error_move(&disk->outcome->error, err);
	}
	pthread_mutex_unlock(&engine->lock);
	error_release(err);
}

void engine_all_failed(struct engine *engine, const struct error *err)
{
	for (size_t i = 0; i < engine->count; i++) {
		struct error copy = {string_copy(error_text(err)), err->number};

		engine_disk_failed(engine, &engine->disk[i], &copy);
	}
}

bool engine_has_disks(const struct engine *engine)
{
	for (size_t i = 0; i < engine->count; i++)
		if (engine_is_alive(&engine->disk[i]))
			return true;
	return false;
}

/* Windows of memory that a unit takes. */
static size_t windows_of(enum worker_memory memory)
{
	return memory == WORKER_DATA ? 1 : 2;
}

/* With more workers each has fewer units, so that all together take no more memory. */
static size_t units_of(enum worker_memory memory)
{
	size_t units = MEMORY_MAX / ((size_t)workers_count() * windows_of(memory));

	return units < UNITS ? units : UNITS;
}

static void share_memory(struct worker *worker, enum worker_memory memory)
{
	size_t own = windows_of(memory) * WINDOW;

	for (size_t i = 0; i < worker->length / own; i++) {
		struct unit *unit = &worker->units[i];

		unit->data = worker->memory + i * own;
		unit->disk_data = memory == WORKER_DATA ? NULL : unit->data + WINDOW;
		worker_give_back(worker, unit);
	}
}

int worker_init(struct worker *worker, struct engine *engine, enum worker_memory memory,
		struct error *err)
{
	size_t length = units_of(memory) * windows_of(memory) * WINDOW;

	*worker = (struct worker){.engine = engine, .memory = aligned_alloc(HUGE_PAGE, length)};
	worker->units = calloc(UNITS, sizeof(struct unit));
	if (!worker->memory || !worker->units)
		return error_sys(err, ENOMEM, "allocate memory");
	madvise(worker->memory, length, MADV_HUGEPAGE);
	worker->length = length;
	share_memory(worker, memory);
	return queue_open(engine->options.io, worker->memory, length, UNITS * UNIT_REQUESTS,
			  &worker->queue, err);
}

void worker_release(struct worker *worker)
{
	queue_close(worker->queue);
	free(worker->units);
	free(worker->memory);
}

struct unit *worker_take(struct worker *worker)
{
	struct unit *unit = worker->idle;

	if (!unit)
		return NULL;
	worker->idle = unit->next;
	unit->pending = 0;
	unit->written = 0;
	unit->is_read = false;
	unit->number = 0;
	return unit;
}

void worker_give_back(struct worker *worker, struct unit *unit)
{
	unit->next = worker->idle;
	worker->idle = unit;
}

static void submit_part(struct worker *worker, struct unit *unit, enum queue_way way,
			uint8_t *memory, const struct stretch *part)
{
	struct queue_request *request = &unit->request[unit->pending++];

	*request = (struct queue_request){
		.way = way,
		.fd = worker->engine->disk[unit->number].target->fd,
		.data = memory + part->offset,
		.length = part->length,
		.offset = unit->window.offset + part->offset,
		.owner = unit,
		.number = unit->number,
	};
	queue_submit(worker->queue, request);
}

void worker_submit(struct worker *worker, struct unit *unit, enum queue_way way, uint16_t pieces,
		   uint8_t *memory)
{
	struct stretch stretch, part;

	for (unsigned int at = 0; pieces_next(pieces, &at, &stretch);)
		for (size_t done = 0; done < stretch.length; done += part.length) {
			size_t left = stretch.length - done;

			part.offset = stretch.offset + done;
			part.length = left < REQUEST ? left : REQUEST;
			submit_part(worker, unit, way, memory, &part);
		}
}
