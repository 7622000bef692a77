// SPDX-License-Identifier: GPL-3.0-or-later
/* engine: what the parts of write_image() share. Not for others. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/queue.h"
#include "restore/record.h"
#include "restore/window.h"
#include "restore/workers.h"
#include "restore/write.h"
#include "restore/write_target.h"

enum {
	UNITS = 4,       /* that a worker has in hands at most */
	MEMORY_MAX = 16, /* windows of memory, of all workers together */
	UNIT_REQUESTS =
		WINDOW_PIECES / 2 * WRITE_TARGETS, /* stretches of a window, for all disks */
	/* Disks take 128 pages and more at once. What has to be divided by the kernel leaves the
	 * fast way through io_uring. */
	REQUEST = 512 << 10,
	ZEROES_AT_ONCE = 32 * WINDOW, /* a slow disk still reacts to a stop */
};

struct engine {
	struct source *source;
	struct write_options options;
	struct write_target *disk;
	size_t count;
	struct windows windows;
	struct records records;
	struct workers workers;
	double started;

	_Atomic uint64_t data_bytes, zero_bytes, done, written; /* of the image */
	_Atomic uint64_t read_back;                             /* of all disks, in this phase */
	uint64_t total, read_back_total;                        /* of done, of read_back */
	enum write_phase phase;

	pthread_mutex_t lock; /* of what follows, and of each outcome's error */
	struct error first;   /* what failed first */
};

/* A unit of a worker: a window on its way. */
struct unit {
	struct window window;
	uint8_t *data;
	uint8_t *disk_data;          /* what a disk holds; where differences are written */
	bool is_read;                /* data is what the image holds */
	uint16_t written;            /* the pieces that at least one disk was given */
	uint16_t unread;             /* the pieces that a disk could not tell */
	const struct record *record; /* that is read back */
	size_t number;               /* of a disk: whose turn it is */
	size_t pending;              /* requests under way */
	struct unit *next;
	struct queue_request request[UNIT_REQUESTS];
};

/* A worker's own memory, queue and units. */
struct worker {
	struct engine *engine;
	struct queue *queue;
	uint8_t *memory;
	size_t length;
	struct unit *units; /* UNITS of them */
	struct unit *idle;
};

enum worker_memory { WORKER_DATA, WORKER_DATA_AND_DISK };

int worker_init(struct worker *worker, struct engine *engine, enum worker_memory memory,
		struct error *err);
/* Waits for what is under way. */
void worker_release(struct worker *worker);
struct unit *worker_take(struct worker *worker);
void worker_give_back(struct worker *worker, struct unit *unit);
/* Pieces of the unit's window between memory (that of a whole window) and the disk whose turn it
 * is; all that a unit has under way is submitted before one is waited for. */
void worker_submit(struct worker *worker, struct unit *unit, enum queue_way way, uint16_t pieces,
		   uint8_t *memory);

bool engine_is_stopped(const struct engine *engine);
int engine_check_stopped(const struct engine *engine, struct error *err);
void engine_show_progress(void *engine);
/* Leaves a disk behind; takes the error, which its outcome gets with the names. From any thread. */
void engine_disk_failed(struct engine *engine, struct write_target *disk, struct error *err);
/* For what concerns all that are still alive. */
void engine_all_failed(struct engine *engine, const struct error *err);
bool engine_has_disks(const struct engine *engine);
static inline bool engine_is_alive(const struct write_target *disk)
{
	return !atomic_load(&disk->failed);
}

/* Everything but the ends, written; returns early, with windows left, when records are full.
 * -1: something that concerns all disks. */
int engine_copy(struct engine *engine, struct error *err);
/* Reads back what records hold, and forgets them. */
int engine_read_back(struct engine *engine, struct error *err);
