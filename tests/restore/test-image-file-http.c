// SPDX-License-Identifier: GPL-3.0-or-later
/* Ranges: random access through the block cache. */
#include "tests/restore/http-server.h"

#include "base/scope.h"
#include "restore/http.h"
#include "restore/image_file.h"
#include "tests/restore/http-open.h"

#define MiB (1ULL << 20)
#define SIZE (24 * MiB + 777)

static enum http_server_end answer_ranges(struct http_server *server, int fd,
					  const struct http_ask *ask)
{
	return server_range(server, fd, ask);
}

static void check_read(const struct image_file *file, const struct http_server *server,
		       uint64_t offset, size_t length)
{
	_cleanup_free_ uint8_t *data = malloc(length);
	_cleanup_error_ struct error err = {0};

	if (image_file_read(file, "data", data, length, offset, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_memory_equal(data, server->content + offset, length);
}

static void a_server_that_knows_ranges_is_seekable(void **state)
{
	struct http_server *server = start(answer_ranges, SIZE);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");

	(void)state;
	assert_true(file->is_seekable);
	assert_int_equal(file->size, SIZE);
	assert_int_equal(file->fd, -1);
	check_read(file, server, 0, 1);
	check_read(file, server, SIZE - 1000, 1000);
	check_read(file, server, MiB - 3, 3 * MiB);
}

static void the_bytes_in_order_are_those_of_the_file(void **state)
{
	struct http_server *server = start(answer_ranges, SIZE);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");
	_cleanup_free_ uint8_t *data = malloc(700000);
	uint64_t at = 0;

	(void)state;
	for (size_t got = 1; got > 0; at += got) {
		assert_int_equal(image_file_next(file, data, 700000, &got, NULL), 0);
		assert_memory_equal(data, server->content + at, got);
	}
	assert_int_equal(at, SIZE);
	/* In long ranges, each byte once. */
	assert_in_range(atomic_load(&server->asked_bytes), SIZE, SIZE + 1);
	assert_in_range(atomic_load(&server->asked), 12, 40);
}

struct reader {
	pthread_t thread;
	const struct image_file *file;
	const struct http_server *server;
	unsigned int seed;
	bool is_right;
};

static void *read_at_random(void *context)
{
	struct reader *reader = context;
	_cleanup_free_ uint8_t *data = malloc(300000);

	reader->is_right = true;
	for (int i = 0; i < 300 && reader->is_right; i++) {
		uint64_t offset = (uint64_t)rand_r(&reader->seed) % (SIZE - 300000);
		size_t length = 1 + (size_t)rand_r(&reader->seed) % 300000;

		reader->is_right =
			image_file_read(reader->file, "data", data, length, offset, NULL) == 0 &&
			memcmp(data, reader->server->content + offset, length) == 0;
	}
	return NULL;
}

static void four_threads_read_at_random_what_is_in_the_file(void **state)
{
	struct http_server *server = start(answer_ranges, SIZE);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");
	struct reader reader[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		reader[i] = (struct reader){.file = file, .server = server, .seed = i};
		assert_int_equal(
			pthread_create(&reader[i].thread, NULL, read_at_random, &reader[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(reader[i].thread, NULL);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(reader[i].is_right);
}

static void a_small_table_is_not_fetched_with_megabytes(void **state)
{
	struct http_server *server = start(answer_ranges, SIZE);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");

	(void)state;
	for (uint64_t at = 0; at + 4096 < SIZE; at += 3 * MiB)
		check_read(file, server, at, 4096);
	assert_true(atomic_load(&server->asked_bytes) <= 9 * (128 << 10) + 1);
}

static enum http_server_end answer_503_twice(struct http_server *server, int fd,
					     const struct http_ask *ask)
{
	if (ask->number == 1 || ask->number == 2)
		return server_status(fd, "503 Service Unavailable");
	return server_range(server, fd, ask);
}

static void a_server_that_is_busy_is_asked_again(void **state)
{
	struct http_server *server = start(answer_503_twice, 2 * MiB);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");

	(void)state;
	check_read(file, server, 0, 2 * MiB);
}

/* Only the first range after the probe breaks off, after 300000 bytes. */
static enum http_server_end answer_cut(struct http_server *server, int fd,
				       const struct http_ask *ask)
{
	if (ask->number != 1)
		return server_range(server, fd, ask);
	server_range_header(server, fd, ask, "ETag: \"1\"\r\n");
	server_write(fd, server->content + ask->first, 300000);
	return SERVER_CLOSE;
}

static void what_breaks_off_is_continued_where_it_stopped(void **state)
{
	struct http_server *server = start(answer_cut, MiB);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");

	(void)state;
	check_read(file, server, 0, MiB);
	/* One byte to begin with, all, the rest. */
	assert_int_equal(atomic_load(&server->asked_bytes), 1 + MiB + MiB - 300000);
}

/* All bytes, but not the end of the last chunk. */
static enum http_server_end answer_without_end(struct http_server *server, int fd,
					       const struct http_ask *ask)
{
	unsigned long long length = ask->last - ask->first + 1;

	server_print(fd,
		     "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %llu-%llu/%llu\r\n"
		     "Transfer-Encoding: chunked\r\n\r\n%llx\r\n",
		     (unsigned long long)ask->first, (unsigned long long)ask->last,
		     (unsigned long long)server->size, length);
	server_write(fd, server->content + ask->first, (size_t)length);
	return SERVER_CLOSE;
}

static void nothing_is_asked_for_again_when_nothing_is_missing(void **state)
{
	struct http_server *server = start(answer_without_end, MiB);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");

	(void)state;
	check_read(file, server, 0, MiB);
	assert_int_equal(atomic_load(&server->asked), 2);
}

static enum http_server_end answer_always_cut(struct http_server *server, int fd,
					      const struct http_ask *ask)
{
	if (ask->number == 0)
		return server_range(server, fd, ask);
	server_range_header(server, fd, ask, "ETag: \"1\"\r\n");
	server_write(fd, server->content + ask->first, 100);
	return SERVER_CLOSE;
}

static enum http_server_end answer_stall(struct http_server *server, int fd,
					 const struct http_ask *ask)
{
	if (ask->number == 0)
		return server_range(server, fd, ask);
	server_range_header(server, fd, ask, "ETag: \"1\"\r\n");
	return server_stall(fd);
}

static enum http_server_end answer_gone(struct http_server *server, int fd,
					const struct http_ask *ask)
{
	return ask->number == 0 ? server_range(server, fd, ask)
				: server_status(fd, "404 Not Found");
}

static enum http_server_end answer_503(struct http_server *server, int fd,
				       const struct http_ask *ask)
{
	return ask->number == 0 ? server_range(server, fd, ask)
				: server_status(fd, "503 Service Unavailable");
}

static enum http_server_end answer_other_range(struct http_server *server, int fd,
					       const struct http_ask *ask)
{
	struct http_ask other = *ask;

	if (ask->number == 0)
		return server_range(server, fd, ask);
	other.first += 512;
	return server_range(server, fd, &other);
}

static enum http_server_end answer_other_size(struct http_server *server, int fd,
					      const struct http_ask *ask)
{
	struct http_server other = {.content = server->content, .size = server->size + 1};

	return server_range(ask->number == 0 ? server : &other, fd, ask);
}

static enum http_server_end answer_other_version(struct http_server *server, int fd,
						 const struct http_ask *ask)
{
	if (ask->number == 0)
		return server_range(server, fd, ask);
	server_range_header(server, fd, ask, "ETag: \"2\"\r\n");
	server_write(fd, server->content + ask->first, (size_t)(ask->last - ask->first + 1));
	return SERVER_KEEP;
}

static enum http_server_end answer_other_date(struct http_server *server, int fd,
					      const struct http_ask *ask)
{
	server_range_header(server, fd, ask,
			    ask->number == 0 ? "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
					     : "Last-Modified: Mon, 01 Jan 2024 00:00:01 GMT\r\n");
	server_write(fd, server->content + ask->first, (size_t)(ask->last - ask->first + 1));
	return SERVER_KEEP;
}

static enum http_server_end answer_whole_later(struct http_server *server, int fd,
					       const struct http_ask *ask)
{
	return ask->number == 0 ? server_range(server, fd, ask) : server_whole(server, fd);
}

static enum http_server_end answer_too_much(struct http_server *server, int fd,
					    const struct http_ask *ask)
{
	if (ask->number == 0)
		return server_range(server, fd, ask);
	server_print(fd,
		     "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %llu-%llu/%llu\r\n"
		     "ETag: \"1\"\r\nConnection: close\r\n\r\n",
		     (unsigned long long)ask->first, (unsigned long long)ask->last,
		     (unsigned long long)server->size);
	server_write(fd, server->content, (size_t)server->size);
	server_write(fd, server->content, (size_t)server->size);
	return SERVER_CLOSE;
}

static enum http_server_end answer_gzip_later(struct http_server *server, int fd,
					      const struct http_ask *ask)
{
	if (ask->number == 0)
		return server_range(server, fd, ask);
	server_range_header(server, fd, ask, "ETag: \"1\"\r\nContent-Encoding: gzip\r\n");
	return SERVER_CLOSE;
}

#define READING "read 1048576 bytes of data at offset 0: "
#define FETCHING "fetch 1048576 bytes of URL at file offset 0: "

static const struct {
	http_server_answer answer;
	const char *error;
} faults[] = {
	{answer_always_cut, "fetch 1048276 bytes of URL at file offset 300: transfer closed with "
			    "1048276 bytes remaining to read (3 tries)"},
	{answer_stall, FETCHING
	 "Operation too slow. Less than 1000 bytes/sec transferred the last 1 seconds (3 tries)"},
	{answer_gone, FETCHING "the server answers with HTTP status 404"},
	{answer_503, FETCHING "the server answers with HTTP status 503 (3 tries)"},
	{answer_other_range, FETCHING "the server sends another range than it was asked for"},
	{answer_other_size,
	 FETCHING "the file had 1048576 bytes, and now has another size: start again"},
	{answer_other_version,
	 FETCHING "the file has changed on the server since it was opened: start again"},
	{answer_other_date,
	 FETCHING "the file has changed on the server since it was opened: start again"},
	{answer_whole_later, FETCHING "the server sends the whole file instead of a range, now"},
	{answer_too_much, "the server sends more bytes than it was asked for"},
	{answer_gzip_later,
	 FETCHING "the server sends the file encoded (gzip), which was not asked for: switch that "
		  "off for images"},
};

static void what_a_server_does_wrong_is_named(void **state)
{
	_cleanup_free_ uint8_t *data = malloc(MiB);

	(void)state;
	for (size_t i = 0; i < array_length(faults); i++) {
		struct http_server *server = start(faults[i].answer, MiB);
		_cleanup_image_file_ struct image_file *file =
			open_with(server, "/a.raw", &impatient);
		_cleanup_error_ struct error err = {0};

		assert_int_equal(image_file_read(file, "data", data, MiB, 0, &err), -1);
		check_message(server, faults[i].error, &err);
		/* It stays so. */
		assert_int_equal(image_file_read(file, "data", data, MiB, 0, NULL), -1);
	}
}

/* A sequence of 1 MiB, then nothing more. */
static enum http_server_end answer_first_mebibyte(struct http_server *server, int fd,
						  const struct http_ask *ask)
{
	return ask->last < MiB ? server_range(server, fd, ask) : server_stall(fd);
}

static void closing_ends_what_is_under_way(void **state)
{
	struct http_server *server = start(answer_first_mebibyte, SIZE);
	struct http_timing endless = patient;
	struct image_file *file;

	(void)state;
	endless.stall_seconds = 3600;
	file = open_with(server, "/a.raw", &endless);
	check_read(file, server, 0, MiB);
	while (atomic_load(&server->asked) < 3)
		usleep(1000);
	image_file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_server_that_knows_ranges_is_seekable, stop_all),
		cmocka_unit_test_teardown(the_bytes_in_order_are_those_of_the_file, stop_all),
		cmocka_unit_test_teardown(four_threads_read_at_random_what_is_in_the_file,
					  stop_all),
		cmocka_unit_test_teardown(a_small_table_is_not_fetched_with_megabytes, stop_all),
		cmocka_unit_test_teardown(a_server_that_is_busy_is_asked_again, stop_all),
		cmocka_unit_test_teardown(what_breaks_off_is_continued_where_it_stopped, stop_all),
		cmocka_unit_test_teardown(nothing_is_asked_for_again_when_nothing_is_missing,
					  stop_all),
		cmocka_unit_test_teardown(what_a_server_does_wrong_is_named, stop_all),
		cmocka_unit_test_teardown(closing_ends_what_is_under_way, stop_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
