// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/report.h"
#include "base/scope.h"
#include "restore/queue.h"
#include "restore/window.h"
#include "restore/workers.h"

enum {
	STEP = 4096, /* what differs is told in multiples of it */
	ZEROES_AT_ONCE = WINDOW,
};

/* Shared by the workers; out is guarded by lock. */
struct verifier {
	struct source *source;
	struct write_options options;
	const char *path;
	int fd, plain_fd; /* fd: past the page cache where that is possible */
	uint64_t disk_size, total;
	struct windows windows;
	struct workers workers;
	double started;
	_Atomic uint64_t compared;
	pthread_mutex_t lock;
	struct verification *out;
};

/* A worker's own. */
struct comparison {
	struct queue *queue;
	struct queue_request request[WINDOW_PIECES];
	uint8_t *data, *disk_data;
	struct window window;
};

static void remove_at(struct verification *out, size_t index)
{
	out->count--;
	memmove(&out->difference[index], &out->difference[index + 1],
		(out->count - index) * sizeof(out->difference[0]));
}

/* The list is in order; of too many the first are kept. */
static void note(struct verification *out, uint64_t offset, uint64_t length)
{
	struct difference *list = out->difference;
	size_t at = 0;

	while (at < out->count && list[at].offset + list[at].length < offset)
		at++;
	if (at < out->count && list[at].offset + list[at].length == offset) {
		list[at].length += length;
	} else if (at < out->count && offset + length == list[at].offset) {
		list[at].offset = offset;
		list[at].length += length;
	} else if (at < VERIFY_DIFFERENCES) {
		out->count -= out->count == VERIFY_DIFFERENCES;
		memmove(&list[at + 1], &list[at], (out->count - at) * sizeof(list[0]));
		list[at] = (struct difference){offset, length};
		out->count++;
	} else {
		return;
	}
	if (at + 1 < out->count && list[at].offset + list[at].length == list[at + 1].offset) {
		list[at].length += list[at + 1].length;
		remove_at(out, at + 1);
	}
}

static void differs(struct verifier *verifier, uint64_t offset, uint64_t length)
{
	pthread_mutex_lock(&verifier->lock);
	verifier->out->different_bytes += length;
	note(verifier->out, offset, length);
	pthread_mutex_unlock(&verifier->lock);
}

/* Two stretches of memory that were read from offset on. */
static void compare(struct verifier *verifier, const uint8_t *a, const uint8_t *b, size_t length,
		    uint64_t offset)
{
	size_t step, start = 0;
	bool was_different = false;

	if (memcmp(a, b, length) == 0)
		return;
	for (size_t at = 0; at < length; at += step) {
		step = length - at < STEP ? length - at : STEP;
		bool is_different = memcmp(a + at, b + at, step) != 0;

		if (was_different && !is_different)
			differs(verifier, offset + start, at - start);
		if (is_different && !was_different)
			start = at;
		was_different = is_different;
	}
	if (was_different)
		differs(verifier, offset + start, length - start);
}

static int check_size(const struct verifier *verifier, uint64_t end, struct error *err)
{
	if (end <= verifier->disk_size)
		return 0;
	return error_set(err,
			 "%s is smaller than the image: %" PRIu64
			 " bytes do not hold what is at offset %" PRIu64 " and behind it",
			 verifier->path, verifier->disk_size, end - 1);
}

/* Begins to read the disk; what does not end with a STEP is read at once, the other way. */
static int read_disk(struct verifier *verifier, struct comparison *comparison, uint16_t pieces,
		     struct error *err)
{
	const struct window *window = &comparison->window;
	struct queue_request *request = comparison->request;
	struct stretch stretch;

	for (unsigned int at = 0; pieces_next(pieces, &at, &stretch);) {
		size_t length = window_stretch(window, &stretch), whole = length / STEP * STEP;
		uint64_t offset = window->offset + stretch.offset;
		uint8_t *data = comparison->disk_data + stretch.offset;

		*request = (struct queue_request){
			.way = QUEUE_READ,
			.fd = verifier->fd,
			.data = data,
			.length = whole,
			.offset = offset,
		};
		if (whole > 0)
			queue_submit(comparison->queue, request++);
		if (whole < length && read_exactly(verifier->plain_fd, verifier->path, data + whole,
						   length - whole, offset + whole, err) < 0)
			return -1;
	}
	return 0;
}

static int wait_for_disk(struct verifier *verifier, struct comparison *comparison,
			 struct error *err)
{
	const struct queue_request *request;

	while ((request = queue_wait(comparison->queue)))
		if (request->error)
			return error_sys(err, request->error,
					 "read %zu bytes of %s at offset %" PRIu64, request->length,
					 verifier->path, request->offset);
	return 0;
}

static int compare_window(struct verifier *verifier, struct comparison *comparison,
			  struct error *err)
{
	struct window *window = &comparison->window;
	struct stretch stretch;
	uint16_t pieces;

	if (window->is_zeroes)
		window->zero = pieces_of(0, window->length);
	pieces = window->data | window->zero;
	if (check_size(verifier, window->offset + window->length, err) < 0 ||
	    read_disk(verifier, comparison, pieces, err) < 0 ||
	    window_read(verifier->source, window, comparison->data, err) < 0)
		return -1;
	for (unsigned int at = 0; pieces_next(window->zero, &at, &stretch);)
		memset(comparison->data + stretch.offset, 0, stretch.length);
	if (wait_for_disk(verifier, comparison, err) < 0)
		return -1;
	for (unsigned int at = 0; pieces_next(pieces, &at, &stretch);) {
		size_t length = window_stretch(window, &stretch);

		compare(verifier, comparison->data + stretch.offset,
			comparison->disk_data + stretch.offset, length,
			window->offset + stretch.offset);
		atomic_fetch_add(&verifier->compared, length);
	}
	return 0;
}

static int compare_all(struct verifier *verifier, struct comparison *comparison, struct error *err)
{
	const atomic_bool *stop = verifier->options.stop;
	int r;

	while (!atomic_load(&verifier->workers.failed)) {
		if (stop && atomic_load(stop))
			return error_set(err, "it was stopped");
		r = windows_next(&verifier->windows, comparison->data, &comparison->window, err);
		if (r <= 0)
			return r;
		if (compare_window(verifier, comparison, err) < 0)
			return -1;
	}
	return 0;
}

static int verify_main(void *context, struct error *err)
{
	struct verifier *verifier = context;
	struct comparison comparison = {0};
	uint8_t *memory = aligned_alloc(STEP, 2 * WINDOW);
	int r;

	if (!memory)
		return error_sys(err, ENOMEM, "allocate memory");
	comparison.data = memory;
	comparison.disk_data = memory + WINDOW;
	r = queue_open(verifier->options.io, memory, 2 * WINDOW, WINDOW_PIECES, &comparison.queue,
		       err);
	if (r == 0)
		r = compare_all(verifier, &comparison, err);
	queue_close(comparison.queue);
	free(memory);
	return r;
}

static void tick(void *context)
{
	struct verifier *verifier = context;
	const struct write_progress progress = {
		.phase = WRITE_READING_BACK,
		.done = atomic_load(&verifier->compared),
		.total = verifier->total,
		.seconds = clock_seconds() - verifier->started,
	};

	if (verifier->options.progress)
		verifier->options.progress(verifier->options.context, &progress);
}

static int open_disk(struct verifier *verifier, struct error *err)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
	off_t size;

	verifier->plain_fd = open(verifier->path, flags);
	if (verifier->plain_fd < 0)
		return error_sys(err, errno, "open %s", verifier->path);
	size = lseek(verifier->plain_fd, 0, SEEK_END);
	if (size < 0)
		return error_sys(err, errno, "ask for the size of %s", verifier->path);
	verifier->disk_size = (uint64_t)size;
	verifier->fd = open(verifier->path, flags | O_DIRECT);
	if (verifier->fd >= 0)
		return 0;
	/* Without O_DIRECT the kernel is asked to forget what it keeps. */
	fdatasync(verifier->plain_fd);
	posix_fadvise(verifier->plain_fd, 0, 0, POSIX_FADV_DONTNEED);
	verifier->fd = fcntl(verifier->plain_fd, F_DUPFD_CLOEXEC, 0);
	return verifier->fd < 0 ? error_sys(err, errno, "open %s", verifier->path) : 0;
}

static int run(struct verifier *verifier, struct error *err)
{
	struct source *source = verifier->source;
	int r;

	if (open_disk(verifier, err) < 0 ||
	    (source->size_is_known && check_size(verifier, source->size, err) < 0))
		return -1;
	verifier->total = source->size_is_known ? source->size : 0;
	windows_init(&verifier->windows, source, 0, source->size, ZEROES_AT_ONCE, NULL);
	verifier->workers =
		(struct workers){.work = verify_main, .tick = tick, .context = verifier};
	r = workers_run(&verifier->workers, err);
	verifier->out->unused_bytes = verifier->windows.unused_bytes;
	windows_release(&verifier->windows);
	return r < 0 ? -1 : source_finish(source, err);
}

int verify_image(struct source *source, const char *path, const struct write_options *options,
		 struct verification *out, struct error *err)
{
	struct verifier verifier = {
		.source = source,
		.options = options ? *options : (struct write_options){0},
		.path = path,
		.fd = -1,
		.plain_fd = -1,
		.started = clock_seconds(),
		.out = out,
	};
	int r;

	*out = (struct verification){0};
	pthread_mutex_init(&verifier.lock, NULL);
	r = run(&verifier, err);
	pthread_mutex_destroy(&verifier.lock);
	scope_close(&verifier.fd);
	scope_close(&verifier.plain_fd);
	out->compared_bytes = atomic_load(&verifier.compared);
	out->seconds = clock_seconds() - verifier.started;
	if (r < 0)
		return error_in(err, "compare %s with %s", source->name, path);
	return 0;
}
