// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/write.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/report.h"
#include "base/scope.h"

enum {
	MIB = 1 << 20,
	CHUNK = MIB,           /* bytes a worker reads and writes at once */
	ZERO_CHUNK = 32 * MIB, /* small enough that a slow disk still reacts to a stop */
	GRANULE = 4096,        /* chunks begin at multiples: serves every sector size */
	WORKERS_MIN = 2,
	WORKERS_MAX = 4,
	PROGRESS_MS = 200,
	PAGE = 4096,
};

/* A part of the image that one worker handles as one. */
struct chunk {
	uint64_t offset, length;
	enum extent_kind kind;
};

/*
 * Shared by the workers. Everything in it that changes is guarded by lock, but the counters, which
 * are only added to. Invariant: what lies before cursor is completed or in a worker's hands.
 */
struct engine {
	struct source *source;
	struct target *target;
	const struct write_options *options;
	double started;
	atomic_bool cannot_zero; /* the target refused to zero: zeroes are written from now on */
	atomic_bool failed;
	atomic_uint_fast64_t data_bytes, zero_bytes;

	pthread_mutex_t lock;
	pthread_cond_t ended; /* a worker has ended */
	int running;
	uint64_t cursor, end;
	struct extent extent; /* around the cursor, as far as the source told */
	struct error error;   /* the first one */
};

static bool is_stopped(const struct engine *engine)
{
	return engine->options && engine->options->stop && atomic_load(engine->options->stop);
}

static int check_stopped(const struct engine *engine, struct error *err)
{
	return is_stopped(engine) ? error_set(err, "it was stopped") : 0;
}

static uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Writes data (aligned memory) at an offset that is a multiple of GRANULE. What is not a multiple
 * of the sector at the end goes through the page cache: whole granules of its own, so that the two
 * ways never meet in one page.
 */
static int put(struct target *target, const uint8_t *data, size_t length, uint64_t offset,
	       struct error *err)
{
	bool direct = target->direct && target->alignment <= GRANULE;
	size_t aligned = direct ? length / GRANULE * GRANULE : 0;

	if (length == 0)
		return 0;
	assert(offset % GRANULE == 0);
	if (aligned && write_exactly(target->fd, target->disk.path, data, aligned, offset, err) < 0)
		return -1;
	if (aligned == length)
		return 0;
	return write_exactly(target->plain_fd, target->disk.path, data + aligned, length - aligned,
			     offset + aligned, err);
}

/* 1: the target cannot do it. Discard is not among the ways: what it leaves behind is not
 * certain. */
static int ask_for_zeroes(const struct target *target, uint64_t offset, uint64_t length)
{
	uint64_t range[] = {offset, length};

	if (target->disk.is_file)
		/* A hole first: a file stays as small as the image was. */
		return fallocate(target->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 (off_t)offset, (off_t)length) < 0 &&
		       fallocate(target->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
				 (off_t)offset, (off_t)length) < 0;
	return ioctl(target->fd, BLKZEROOUT, range) < 0;
}

/* Zeroes a range that begins at a multiple of GRANULE, however the target can. buffer holds CHUNK
 * bytes and is overwritten where zeroes have to be written. */
static int put_zeroes(struct engine *engine, uint8_t *buffer, uint64_t offset, uint64_t length,
		      struct error *err)
{
	uint64_t aligned = length / GRANULE * GRANULE, end = offset + length;

	if (aligned && !atomic_load(&engine->cannot_zero)) {
		if (ask_for_zeroes(engine->target, offset, aligned) == 0)
			offset += aligned;
		else
			atomic_store(&engine->cannot_zero, true);
	}
	if (offset == end)
		return 0;
	memset(buffer, 0, CHUNK);
	while (offset < end) {
		size_t piece = (size_t)smaller(end - offset, CHUNK);

		if (check_stopped(engine, err) < 0 ||
		    put(engine->target, buffer, piece, offset, err) < 0)
			return -1;
		offset += piece;
	}
	return 0;
}

/* Keeps engine->extent around the cursor. */
static int look_ahead(struct engine *engine, struct error *err)
{
	struct extent *extent = &engine->extent;
	uint64_t left = engine->end - engine->cursor;

	if (engine->cursor < extent->offset + extent->length)
		return 0;
	if (source_extent(engine->source, engine->cursor, left, extent, err) < 0)
		return -1;
	if (extent->offset != engine->cursor || extent->length == 0 || extent->length > left)
		return error_set(err, "%s: wrong extent at offset %llu", engine->source->name,
				 (unsigned long long)engine->cursor);
	return 0;
}

/* Takes the next chunk off the cursor, which stays a multiple of GRANULE: a piece of zeroes that is
 * smaller is read as data together with its neighbours. */
static int cut_chunk(struct engine *engine, struct chunk *out, struct error *err)
{
	uint64_t left = engine->end - engine->cursor, known;

	assert(engine->cursor % GRANULE == 0 && left > 0);
	if (look_ahead(engine, err) < 0)
		return -1;
	known = engine->extent.offset + engine->extent.length - engine->cursor;
	*out = (struct chunk){.offset = engine->cursor, .kind = engine->extent.kind};
	if (out->kind == EXTENT_ZERO && known < left)
		known = known / GRANULE * GRANULE;
	if (out->kind == EXTENT_ZERO && known > 0) {
		out->length = smaller(known, ZERO_CHUNK);
	} else {
		out->kind = EXTENT_DATA;
		known = known ? round_up(known, GRANULE) : GRANULE;
		/* Ends at a multiple of CHUNK, where the readers and disks like to begin. */
		out->length = smaller(known, CHUNK - engine->cursor % CHUNK);
		out->length = smaller(out->length, left);
	}
	engine->cursor += out->length;
	return 0;
}

/* 1 and a chunk, 0 at the end (also when another worker failed), -1. */
static int next_chunk(struct engine *engine, struct chunk *out, struct error *err)
{
	int r = 0;

	if (atomic_load(&engine->failed))
		return 0;
	if (check_stopped(engine, err) < 0)
		return -1;
	pthread_mutex_lock(&engine->lock);
	if (engine->cursor < engine->end)
		r = cut_chunk(engine, out, err) < 0 ? -1 : 1;
	pthread_mutex_unlock(&engine->lock);
	return r;
}

static int copy_data(struct engine *engine, uint8_t *buffer, uint64_t offset, size_t length,
		     struct error *err)
{
	if (source_read(engine->source, buffer, length, offset, err) < 0)
		return -1;
	return put(engine->target, buffer, length, offset, err);
}

static int copy_chunk(struct engine *engine, const struct chunk *chunk, uint8_t *buffer,
		      struct error *err)
{
	if (chunk->kind == EXTENT_ZERO) {
		if (put_zeroes(engine, buffer, chunk->offset, chunk->length, err) < 0)
			return -1;
		atomic_fetch_add(&engine->zero_bytes, chunk->length);
		return 0;
	}
	if (copy_data(engine, buffer, chunk->offset, (size_t)chunk->length, err) < 0)
		return -1;
	atomic_fetch_add(&engine->data_bytes, chunk->length);
	return 0;
}

static int copy_all(struct engine *engine, struct error *err)
{
	_cleanup_free_ uint8_t *buffer = aligned_alloc(PAGE, CHUNK);
	struct chunk chunk;
	int r;

	if (!buffer)
		return error_sys(err, ENOMEM, "allocate a buffer");
	while ((r = next_chunk(engine, &chunk, err)) > 0)
		if (copy_chunk(engine, &chunk, buffer, err) < 0)
			return -1;
	return r;
}

static void *worker_main(void *context)
{
	struct engine *engine = context;
	_cleanup_error_ struct error err = {0};
	int r = copy_all(engine, &err);

	pthread_mutex_lock(&engine->lock);
	if (r < 0 && !atomic_exchange(&engine->failed, true))
		error_move(&engine->error, &err);
	engine->running--;
	pthread_cond_signal(&engine->ended);
	pthread_mutex_unlock(&engine->lock);
	return NULL;
}

static void show_progress(struct engine *engine)
{
	const struct write_options *options = engine->options;
	struct write_progress progress = {
		.written = atomic_load(&engine->data_bytes),
		.total = engine->source->size,
		.seconds = clock_seconds() - engine->started,
	};

	progress.done = progress.written + atomic_load(&engine->zero_bytes);
	if (options && options->progress)
		options->progress(options->context, &progress);
}

/* Returns when no worker runs any more; shows progress meanwhile. */
static void wait_for_workers(struct engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	while (engine->running > 0) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += PROGRESS_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		pthread_cond_timedwait(&engine->ended, &engine->lock, &until);
		pthread_mutex_unlock(&engine->lock);
		show_progress(engine);
		pthread_mutex_lock(&engine->lock);
	}
	pthread_mutex_unlock(&engine->lock);
}

static int worker_count(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (processors < WORKERS_MIN)
		return WORKERS_MIN;
	return processors > WORKERS_MAX ? WORKERS_MAX : (int)processors;
}

/* As many as can be started; one is enough. Signals stay with the calling thread. */
static int start_workers(struct engine *engine, pthread_t *threads, struct error *err)
{
	int wanted = worker_count(), count = 0, number = 0;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_mutex_lock(&engine->lock);
	while (count < wanted && number == 0) {
		number = pthread_create(&threads[count], NULL, worker_main, engine);
		count += number == 0;
	}
	engine->running = count;
	pthread_mutex_unlock(&engine->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return count ? count : error_sys(err, number, "start a thread");
}

/* Writes [from, to) of the image. */
static int write_range(struct engine *engine, uint64_t from, uint64_t to, struct error *err)
{
	pthread_t threads[WORKERS_MAX];
	int count;

	engine->cursor = from;
	engine->end = to;
	count = start_workers(engine, threads, err);
	if (count < 0)
		return -1;
	wait_for_workers(engine);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	if (!atomic_load(&engine->failed)) {
		assert(engine->cursor == engine->end);
		return 0;
	}
	error_move(err, &engine->error);
	return -1;
}

/* The image's two ends, which are written last: the head of at most 1 MiB, and a tail of at most
 * 1 MiB that begins at a multiple of GRANULE. */
struct ends {
	uint8_t *head, *tail;
	uint64_t head_length, tail_offset, tail_length;
};

static void ends_release(struct ends *ends)
{
	free(ends->head);
	free(ends->tail);
}

static int ends_init(struct ends *ends, uint64_t size, struct error *err)
{
	uint64_t tail = size > MIB ? round_up(size - MIB, GRANULE) : size;

	ends->head = aligned_alloc(PAGE, MIB);
	ends->tail = aligned_alloc(PAGE, MIB);
	ends->head_length = smaller(size, MIB);
	ends->tail_offset = tail > ends->head_length ? tail : smaller(size, MIB);
	ends->tail_length = size - ends->tail_offset;
	return ends->head && ends->tail ? 0 : error_sys(err, ENOMEM, "allocate buffers");
}

/* Both ends of the disk, where partition tables and their backups are. */
static int invalidate(struct engine *engine, uint8_t *buffer, struct error *err)
{
	uint64_t size = engine->target->disk.size;
	uint64_t last = size > MIB ? (size - MIB) / GRANULE * GRANULE : 0;

	if (put_zeroes(engine, buffer, 0, smaller(size, MIB), err) < 0 ||
	    put_zeroes(engine, buffer, last, size - last, err) < 0)
		return -1;
	return target_flush(engine->target, err);
}

/* Everything is read before the first byte of it lands; the sector that says "here is a table"
 * lands last of all. */
static int write_ends(struct engine *engine, struct ends *ends, struct error *err)
{
	struct target *target = engine->target;
	size_t first = (size_t)smaller(ends->head_length, GRANULE);

	if (put(target, ends->tail, ends->tail_length, ends->tail_offset, err) < 0 ||
	    put(target, ends->head + first, ends->head_length - first, first, err) < 0 ||
	    target_flush(target, err) < 0)
		return -1;
	if (check_stopped(engine, err) < 0 || put(target, ends->head, first, 0, err) < 0)
		return -1;
	atomic_fetch_add(&engine->data_bytes, ends->head_length + ends->tail_length);
	return target_flush(target, err);
}

static int read_ends(struct engine *engine, struct ends *ends, struct error *err)
{
	if (source_read(engine->source, ends->head, ends->head_length, 0, err) < 0)
		return -1;
	if (ends->tail_length == 0)
		return 0;
	return source_read(engine->source, ends->tail, ends->tail_length, ends->tail_offset, err);
}

/* The order that write.h promises. */
static int write_in_order(struct engine *engine, struct ends *ends, struct error *err)
{
	if (invalidate(engine, ends->head, err) < 0)
		return -1;
	if (ends->tail_offset > ends->head_length &&
	    write_range(engine, ends->head_length, ends->tail_offset, err) < 0)
		return -1;
	if (target_flush(engine->target, err) < 0 || read_ends(engine, ends, err) < 0)
		return -1;
	return check_stopped(engine, err) < 0 ? -1 : write_ends(engine, ends, err);
}

/* After an error nothing may be found on the disk, also where only the last flush failed. The
 * first error counts; that the disk refuses this too is told by stats. */
static int wipe_again(struct engine *engine, struct ends *ends)
{
	static const struct write_options none;

	engine->options = &none; /* a stop was obeyed; this must still be done */
	return invalidate(engine, ends->head, NULL);
}

static int check_fits(const struct source *source, const struct target *target, struct error *err)
{
	if (source->size == 0)
		return error_set(err, "the image is empty");
	if (source->size > target->disk.size)
		return error_set(
			err, "the image is larger than the disk: %llu bytes do not fit on %llu",
			(unsigned long long)source->size, (unsigned long long)target->disk.size);
	return 0;
}

static int engine_run(struct engine *engine, struct write_outcome *stats, struct error *err)
{
	_cleanup_(ends_release) struct ends ends = {0};

	if (check_fits(engine->source, engine->target, err) < 0 ||
	    ends_init(&ends, engine->source->size, err) < 0 || check_stopped(engine, err) < 0)
		return -1;
	stats->began = true;
	if (write_in_order(engine, &ends, err) < 0) {
		stats->left_something = wipe_again(engine, &ends) < 0;
		return -1;
	}
	show_progress(engine);
	return 0;
}

static void engine_init(struct engine *engine)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&engine->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&engine->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

static void engine_release(struct engine *engine)
{
	pthread_cond_destroy(&engine->ended);
	pthread_mutex_destroy(&engine->lock);
	error_release(&engine->error);
}

void write_outcome_release(struct write_outcome *outcome)
{
	error_release(&outcome->error);
}

int write_image(struct source *source, struct target *targets, size_t count,
		const struct write_options *options, struct write_stats *stats,
		struct write_outcome *outcome, struct error *err)
{
	struct engine engine = {
		.source = source,
		.target = targets,
		.options = options,
		.started = clock_seconds(),
	};
	int r;

	*stats = (struct write_stats){0};
	for (size_t i = 0; i < count; i++)
		outcome[i] = (struct write_outcome){0};
	if (count != 1)
		return error_set(err, "one disk at a time");
	engine_init(&engine);
	r = engine_run(&engine, outcome, err);
	stats->size = source->size;
	outcome->data_bytes = stats->data_bytes = atomic_load(&engine.data_bytes);
	outcome->zero_bytes = stats->zero_bytes = atomic_load(&engine.zero_bytes);
	stats->write_seconds = clock_seconds() - engine.started;
	engine_release(&engine);
	outcome->failed = r < 0;
	if (r < 0) {
		error_in(err, "write %s to %s", source->name, targets->disk.path);
		error_set(&outcome->error, "%s", error_text(err));
	}
	return r;
}
