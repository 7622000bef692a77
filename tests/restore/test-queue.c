// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/scope.h"
#include "restore/queue_kinds.h"

enum { BLOCK = 64 << 10, BLOCKS = 16 };

static const enum queue_kind kinds[] = {QUEUE_BEST, QUEUE_THREADS};

static int scratch_file(void)
{
	char path[] = "/var/tmp/v2p-queue-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

static void close_queue(struct queue **queue)
{
	queue_close(*queue);
}

static void transfer_all(struct queue *queue, enum queue_way way, int fd, uint8_t *memory)
{
	struct queue_request request[BLOCKS];
	bool ended[BLOCKS] = {false};
	struct queue_request *got;

	for (size_t i = 0; i < BLOCKS; i++) {
		request[i] = (struct queue_request){
			.way = way,
			.fd = fd,
			.data = memory + i * BLOCK,
			.length = BLOCK,
			.offset = (BLOCKS - 1 - i) * BLOCK,
			.number = i,
		};
		queue_submit(queue, &request[i]);
	}
	while ((got = queue_wait(queue))) {
		assert_int_equal(got->error, 0);
		assert_ptr_equal(got, &request[got->number]);
		assert_false(ended[got->number]);
		ended[got->number] = true;
	}
	for (size_t i = 0; i < BLOCKS; i++)
		assert_true(ended[i]);
}

static void what_was_written_is_read(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < array_length(kinds); kind++) {
		_cleanup_free_ uint8_t *memory = malloc(BLOCKS * BLOCK);
		_cleanup_free_ uint8_t *before = malloc(BLOCKS * BLOCK);
		_cleanup_close_ int fd = scratch_file();
		_cleanup_(close_queue) struct queue *queue = NULL;

		for (size_t i = 0; i < BLOCKS * BLOCK; i++)
			before[i] = memory[i] = (uint8_t)(i * 2654435761U >> 13);
		assert_int_equal(
			queue_open(kinds[kind], memory, BLOCKS * BLOCK, BLOCKS, &queue, NULL), 0);
		transfer_all(queue, QUEUE_WRITE, fd, memory);
		memset(memory, 0, BLOCKS * BLOCK);
		transfer_all(queue, QUEUE_READ, fd, memory);
		assert_memory_equal(memory, before, BLOCKS * BLOCK);
	}
}

static int error_of(enum queue_kind kind, enum queue_way way, int fd, uint64_t offset)
{
	struct queue_request request = {.way = way, .fd = fd, .length = BLOCK, .offset = offset};
	_cleanup_free_ uint8_t *memory = calloc(1, BLOCK);
	_cleanup_(close_queue) struct queue *queue = NULL;

	request.data = memory;
	assert_int_equal(queue_open(kind, memory, BLOCK, 1, &queue, NULL), 0);
	queue_submit(queue, &request);
	assert_ptr_equal(queue_wait(queue), &request);
	assert_null(queue_wait(queue));
	return request.error;
}

static void a_failure_is_told_with_its_number(void **state)
{
	_cleanup_close_ int fd = scratch_file();
	_cleanup_close_ int read_only = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, BLOCK + 512), 0);
	for (size_t i = 0; i < array_length(kinds); i++) {
		assert_int_equal(error_of(kinds[i], QUEUE_READ, fd, 0), 0);
		assert_int_equal(error_of(kinds[i], QUEUE_READ, fd, BLOCK), ENODATA);
		assert_int_equal(error_of(kinds[i], QUEUE_WRITE, read_only, 0), EBADF);
		assert_int_equal(error_of(kinds[i], QUEUE_WRITE, full, 0), ENOSPC);
	}
}

static void closing_waits_for_what_is_under_way(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < array_length(kinds); kind++) {
		_cleanup_free_ uint8_t *memory = calloc(1, BLOCK);
		_cleanup_close_ int fd = scratch_file();
		struct queue_request request = {
			.way = QUEUE_WRITE, .fd = fd, .data = memory, .length = BLOCK};
		struct queue *queue;

		assert_int_equal(queue_open(kinds[kind], memory, BLOCK, 1, &queue, NULL), 0);
		queue_submit(queue, &request);
		queue_close(queue);
		assert_int_equal(request.error, 0);
		assert_int_equal(lseek(fd, 0, SEEK_END), BLOCK);
	}
}

/* A ring needs a descriptor: where none can be had, as where rings are forbidden, threads do. */
static void without_a_ring_there_are_threads(void **state)
{
	_cleanup_free_ uint8_t *memory = calloc(1, BLOCK);
	struct rlimit before, none;
	struct queue *queue;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(queue_open(QUEUE_BEST, memory, BLOCK, 1, &queue, NULL), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_ptr_equal(queue->ops, &queue_threads_ops);
	queue_close(queue);
}

static void short_transfers_go_on_where_they_ended(void **state)
{
	struct queue_request request = {.way = QUEUE_WRITE, .length = 1000};

	(void)state;
	assert_true(queue_request_goes_on(&request, 400));
	assert_true(queue_request_goes_on(&request, -EINTR));
	assert_int_equal(request.done, 400);
	assert_false(queue_request_goes_on(&request, 600));
	assert_int_equal(request.error, 0);
	request.done = 0;
	assert_false(queue_request_goes_on(&request, 0));
	assert_int_equal(request.error, EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(a_failure_is_told_with_its_number),
		cmocka_unit_test(closing_waits_for_what_is_under_way),
		cmocka_unit_test(without_a_ring_there_are_threads),
		cmocka_unit_test(short_transfers_go_on_where_they_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
