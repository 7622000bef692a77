// SPDX-License-Identifier: GPL-3.0-or-later
/* Servers that know no ranges. */
#include "tests/restore/http-open.h"

#include "restore/source.h"

#define MiB (1ULL << 20)
#define SIZE (3 * MiB + 77)

static enum http_server_end answer_whole(struct http_server *server, int fd,
					 const struct http_ask *ask)
{
	(void)ask;
	return server_whole(server, fd);
}

/* Neither a length nor ranges. */
static enum http_server_end answer_chunked(struct http_server *server, int fd,
					   const struct http_ask *ask)
{
	(void)ask;
	server_print(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (uint64_t at = 0; at < server->size;) {
		uint64_t left = server->size - at, part = left < 70000 ? left : 70000;

		server_print(fd, "%llx\r\n", (unsigned long long)part);
		server_write(fd, server->content + at, (size_t)part);
		server_print(fd, "\r\n");
		at += part;
	}
	server_print(fd, "0\r\n\r\n");
	return SERVER_KEEP;
}

/* Reads to the end in pieces; -1 after an error. */
static int read_all(struct image_file *file, const struct http_server *server, struct error *err)
{
	_cleanup_free_ uint8_t *data = malloc(50000);
	uint64_t at = 0;

	for (size_t got = 1; got > 0; at += got) {
		if (image_file_next(file, data, 1 + at % 50000, &got, err) < 0)
			return -1;
		assert_memory_equal(data, server->content + at, got);
	}
	assert_int_equal(at, server->size);
	return 0;
}

static void a_server_without_ranges_is_a_stream(void **state)
{
	struct http_server *server = start(answer_whole, SIZE);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");
	_cleanup_error_ struct error err = {0};
	uint8_t head[4096];
	size_t got;

	(void)state;
	assert_false(file->is_seekable);
	assert_int_equal(file->size, SIZE);
	assert_int_equal(image_file_peek(file, head, sizeof(head), &got, &err), 0);
	assert_int_equal(got, sizeof(head));
	assert_memory_equal(head, server->content, sizeof(head));
	assert_int_equal(read_all(file, server, &err), 0);
	/* And the end stays the end. */
	assert_int_equal(image_file_next(file, head, sizeof(head), &got, &err), 0);
	assert_int_equal(got, 0);
}

static void a_length_may_be_unknown(void **state)
{
	struct http_server *server = start(answer_chunked, SIZE);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_false(file->is_seekable);
	assert_true(file->size == IMAGE_FILE_SIZE_UNKNOWN);
	assert_int_equal(read_all(file, server, &err), 0);
}

static enum http_server_end answer_busy_first(struct http_server *server, int fd,
					      const struct http_ask *ask)
{
	if (ask->number == 0 || ask->number == 2)
		return server_status(fd, "503 Service Unavailable");
	return server_whole(server, fd);
}

static void before_the_first_byte_it_is_tried_again(void **state)
{
	struct http_server *server = start(answer_busy_first, SIZE);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(read_all(file, server, &err), 0);
}

static enum http_server_end answer_cut(struct http_server *server, int fd,
				       const struct http_ask *ask)
{
	(void)ask;
	server_print(fd, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
		     (unsigned long long)server->size);
	server_write(fd, server->content, 100000);
	return SERVER_CLOSE;
}

static enum http_server_end answer_stall(struct http_server *server, int fd,
					 const struct http_ask *ask)
{
	(void)ask;
	server_print(fd, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
		     (unsigned long long)server->size);
	server_write(fd, server->content, 100000);
	return server_stall(fd);
}

static enum http_server_end answer_other_length(struct http_server *server, int fd,
						const struct http_ask *ask)
{
	struct http_server other = {.content = server->content, .size = server->size - 1};

	return server_whole(ask->number == 0 ? server : &other, fd);
}

static enum http_server_end answer_gone(struct http_server *server, int fd,
					const struct http_ask *ask)
{
	return ask->number == 0 ? server_whole(server, fd) : server_status(fd, "410 Gone");
}

static enum http_server_end answer_busy(struct http_server *server, int fd,
					const struct http_ask *ask)
{
	return ask->number == 0 ? server_whole(server, fd) : server_status(fd, "500 Oops");
}

static const struct {
	http_server_answer answer;
	const char *error;
} faults[] = {
	{answer_cut,
	 "fetch URL at file offset 100000: the server knows no ranges, so what broke "
	 "off cannot be continued: transfer closed with 3045805 bytes remaining to read"},
	{answer_stall, "fetch URL at file offset 100000: the server knows no ranges, so what broke "
		       "off cannot be continued: Operation too slow. Less than 1000 bytes/sec "
		       "transferred the last 1 seconds"},
	{answer_other_length, "fetch URL at file offset 0: the server names another length for the "
			      "file than before"},
	{answer_gone, "fetch URL at file offset 0: the server answers with HTTP status 410"},
	{answer_busy,
	 "fetch URL at file offset 0: the server answers with HTTP status 500 (3 tries)"},
};

static void what_a_server_does_wrong_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(faults); i++) {
		struct http_server *server = start(faults[i].answer, SIZE);
		_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");
		_cleanup_error_ struct error err = {0};

		assert_int_equal(read_all(file, server, &err), -1);
		check_message(server, faults[i].error, &err);
		assert_int_equal(read_all(file, server, NULL), -1);
	}
}

static void a_format_that_is_read_at_many_places_is_refused(void **state)
{
	struct http_server *server = start(answer_whole, SIZE);
	_cleanup_free_ char *url = string_format("http://127.0.0.1:%u/a", server->port);
	_cleanup_error_ struct error err = {0};
	const struct source_options options = {.format = "qcow2"};
	struct source *source;

	(void)state;
	assert_int_equal(source_open(url, &options, &source, &err), -1);
	assert_true(has_suffix(error_text(&err),
			       ": name a file or a URL of a server that knows ranges"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_server_without_ranges_is_a_stream, stop_all),
		cmocka_unit_test_teardown(a_length_may_be_unknown, stop_all),
		cmocka_unit_test_teardown(before_the_first_byte_it_is_tried_again, stop_all),
		cmocka_unit_test_teardown(what_a_server_does_wrong_is_named, stop_all),
		cmocka_unit_test_teardown(a_format_that_is_read_at_many_places_is_refused,
					  stop_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
