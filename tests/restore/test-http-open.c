// SPDX-License-Identifier: GPL-3.0-or-later
/* What happens before the first byte is read: redirects, refusals, files beside the image. */
#include "tests/restore/http-open.h"

#include "restore/source.h"

#define MiB (1ULL << 20)

static enum http_server_end answer_ranges(struct http_server *server, int fd,
					  const struct http_ask *ask)
{
	return server_range(server, fd, ask);
}

static enum http_server_end answer_404(struct http_server *server, int fd,
				       const struct http_ask *ask)
{
	(void)server, (void)ask;
	return server_status(fd, "404 Not Found");
}

static enum http_server_end answer_429(struct http_server *server, int fd,
				       const struct http_ask *ask)
{
	(void)server, (void)ask;
	return server_status(fd, "429 Too Many Requests");
}

static enum http_server_end answer_no_content(struct http_server *server, int fd,
					      const struct http_ask *ask)
{
	(void)server, (void)ask;
	server_print(fd, "HTTP/1.1 204 No Content\r\n\r\n");
	return SERVER_KEEP;
}

static enum http_server_end answer_not_modified(struct http_server *server, int fd,
						const struct http_ask *ask)
{
	(void)server, (void)ask;
	server_print(fd, "HTTP/1.1 304 Not Modified\r\n\r\n");
	return SERVER_KEEP;
}

static enum http_server_end answer_416(struct http_server *server, int fd,
				       const struct http_ask *ask)
{
	(void)server, (void)ask;
	server_print(fd, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */0\r\n"
			 "Content-Length: 0\r\n\r\n");
	return SERVER_KEEP;
}

static enum http_server_end answer_empty(struct http_server *server, int fd,
					 const struct http_ask *ask)
{
	(void)server, (void)ask;
	server_print(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	return SERVER_KEEP;
}

static enum http_server_end answer_stall(struct http_server *server, int fd,
					 const struct http_ask *ask)
{
	(void)server, (void)ask;
	return server_stall(fd);
}

static enum http_server_end answer_gzip(struct http_server *server, int fd,
					const struct http_ask *ask)
{
	server_range_header(server, fd, ask, "Content-Encoding: gzip\r\n");
	server_write(fd, server->content, 1);
	return SERVER_KEEP;
}

static enum http_server_end answer_other_range(struct http_server *server, int fd,
					       const struct http_ask *ask)
{
	struct http_ask other = *ask;

	other.first = other.last = 5;
	return server_range(server, fd, &other);
}

static enum http_server_end answer_rubbish(struct http_server *server, int fd,
					   const struct http_ask *ask)
{
	(void)server, (void)ask;
	server_print(fd, "SSH-2.0-OpenSSH_9.2\r\n");
	return SERVER_CLOSE;
}

static enum http_server_end answer_endless_headers(struct http_server *server, int fd,
						   const struct http_ask *ask)
{
	(void)server, (void)ask;
	server_print(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 20000; i++)
		server_print(fd, "X-%d: more\r\n", i);
	return SERVER_CLOSE;
}

static enum http_server_end redirect(int fd, const char *location)
{
	server_print(fd, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
		     location);
	return SERVER_KEEP;
}

static enum http_server_end answer_to_file(struct http_server *server, int fd,
					   const struct http_ask *ask)
{
	(void)server, (void)ask;
	return redirect(fd, "file:///etc/passwd");
}

static enum http_server_end answer_in_circles(struct http_server *server, int fd,
					      const struct http_ask *ask)
{
	(void)server, (void)ask;
	return redirect(fd, "/a.raw");
}

static enum http_server_end answer_endless_redirect(struct http_server *server, int fd,
						    const struct http_ask *ask)
{
	static const char zeroes[65536];

	(void)ask;
	server_print(fd, "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 99999999\r\n\r\n");
	for (int i = 0; i < 1024 && server->size > 0; i++)
		server_write(fd, zeroes, sizeof(zeroes));
	return SERVER_CLOSE;
}

static const struct {
	http_server_answer answer;
	const char *error;
} refusals[] = {
	{answer_404, "the server answers with HTTP status 404"},
	{answer_429, "the server answers with HTTP status 429 (3 tries)"},
	{answer_no_content, "the server answers with HTTP status 204"},
	{answer_not_modified, "the server answers with HTTP status 304"},
	{answer_416, "the file is empty"},
	{answer_empty, "the file is empty"},
	{answer_stall, "Operation too slow. Less than 1000 bytes/sec transferred the last 1 "
		       "seconds (3 tries)"},
	{answer_gzip, "the server sends the file encoded (gzip), which was not asked for: switch "
		      "that off for images"},
	{answer_other_range, "the server sends another range than it was asked for"},
	{answer_rubbish, "Received HTTP/0.9 when not allowed"},
	{answer_endless_headers, "the server's headers are longer than 65536 bytes"},
	{answer_to_file, "Protocol \"file\" not supported or disabled in libcurl: only http and "
			 "https are followed, and never https to http"},
	{answer_in_circles, "Maximum (5) redirects followed"},
	{answer_endless_redirect, "the server sends a redirect or an error without end"},
};

static void what_cannot_be_opened_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(refusals); i++) {
		struct http_server *server = start(refusals[i].answer, MiB);
		_cleanup_image_file_ struct image_file *file = NULL;
		_cleanup_error_ struct error err = {0};

		assert_int_equal(open_url(server, "", "/a.raw", &impatient, &file, &err), -1);
		if (strcmp(error_text(&err), refusals[i].error) != 0)
			fail_msg("expected \"%s\", got \"%s\"", refusals[i].error,
				 error_text(&err));
	}
}

static void a_server_that_is_not_there_is_tried_again_and_named(void **state)
{
	struct http_server *server = start(answer_ranges, MiB);
	_cleanup_image_file_ struct image_file *file = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	shutdown(server->listener, SHUT_RDWR);
	assert_int_equal(open_url(server, "", "/a.raw", &impatient, &file, &err), -1);
	assert_non_null(strstr(error_text(&err), "Failed to connect to 127.0.0.1 port"));
	assert_true(has_suffix(error_text(&err), "(3 tries)"));
}

/* /a.raw leads to /signed, which can be used twice. */
static enum http_server_end answer_expiring(struct http_server *server, int fd,
					    const struct http_ask *ask)
{
	static atomic_uint used;

	if (strcmp(ask->path, "/a.raw") == 0) {
		atomic_store(&used, 0);
		return redirect(fd, "/signed");
	}
	if (atomic_fetch_add(&used, 1) > 1)
		return server_status(fd, "403 Forbidden");
	return server_range(server, fd, ask);
}

static void where_a_redirect_led_is_forgotten_when_it_expires(void **state)
{
	struct http_server *server = start(answer_expiring, 8 * MiB);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/a.raw");
	_cleanup_free_ uint8_t *data = malloc(MiB);

	(void)state;
	for (uint64_t at = 0; at < 8 * MiB; at += 2 * MiB) {
		_cleanup_error_ struct error err = {0};

		if (image_file_read(file, "data", data, 1000, at, &err) < 0)
			fail_msg("%s", error_text(&err));
		assert_memory_equal(data, server->content + at, 1000);
	}
}

/* Whoever has the right name and password. */
static enum http_server_end answer_friends(struct http_server *server, int fd,
					   const struct http_ask *ask)
{
	if (!strstr(ask->request, "\r\nAuthorization: Basic am9lOnNlY3JldA==\r\n"))
		return server_status(fd, "401 Unauthorized");
	return server_range(server, fd, ask);
}

static void user_and_password_are_used_and_not_shown(void **state)
{
	struct http_server *server = start(answer_friends, MiB);
	_cleanup_image_file_ struct image_file *file = NULL, *sibling = NULL;
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *label = string_format("http://127.0.0.1:%u/dir/a", server->port);
	_cleanup_free_ char *url =
		string_format("http://joe:secret@127.0.0.1:%u/dir/a", server->port);
	const struct source_options options = {.format = "qcow2",
					       .file = {.http_timing = &patient}};
	struct source *source;

	(void)state;
	assert_int_equal(open_url(server, "joe:secret@", "/dir/a", &patient, &file, &err), 0);
	assert_string_equal(file->name, label);
	assert_int_equal(image_file_open_sibling(file, "b", &sibling, &err), 0);
	assert_int_equal(source_open(url, &options, &source, &err), -1);
	assert_null(strstr(error_text(&err), "secret"));
	assert_non_null(strstr(error_text(&err), label));
}

static enum http_server_end answer_sibling(struct http_server *server, int fd,
					   const struct http_ask *ask)
{
	static const char *const known[] = {"/dir/a.qcow2?token=1", "/dir/base.qcow2",
					    "/dir/x%3Fy%23%25%20z", "/dir/sub/c"};

	for (size_t i = 0; i < array_length(known); i++)
		if (strcmp(ask->path, known[i]) == 0)
			return server_range(server, fd, ask);
	return server_status(fd, "404 Not Found");
}

static void files_beside_the_image_are_those_of_its_directory(void **state)
{
	static const char *const names[] = {"base.qcow2", "x?y#% z", "sub/c"};
	struct http_server *server = start(answer_sibling, MiB);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/dir/a.qcow2?token=1");
	_cleanup_error_ struct error err = {0};
	struct image_file *sibling;
	uint8_t byte;

	(void)state;
	for (size_t i = 0; i < array_length(names); i++) {
		if (image_file_open_sibling(file, names[i], &sibling, &err) < 0)
			fail_msg("%s", error_text(&err));
		assert_int_equal(image_file_read(sibling, "byte", &byte, 1, 77, &err), 0);
		assert_int_equal(byte, server->content[77]);
		image_file_close(sibling);
	}
	assert_int_equal(image_file_open_sibling(file, "none", &sibling, &err), -1);
	assert_string_equal(error_text(&err),
			    "open none, which it names, beside it: the server answers with "
			    "HTTP status 404");
}

static void files_elsewhere_are_not_opened(void **state)
{
	static const char *const names[] = {"../b", "/etc/passwd", "file:///etc/passwd",
					    "http://127.0.0.1/b", "sub/../../b"};
	struct http_server *server = start(answer_ranges, MiB);
	_cleanup_image_file_ struct image_file *file = open_ok(server, "/dir/a");
	struct image_file *sibling;

	(void)state;
	for (size_t i = 0; i < array_length(names); i++)
		assert_int_equal(image_file_open_sibling(file, names[i], &sibling, NULL), -1);
	assert_int_equal(atomic_load(&server->asked), 1);
}

static void labels_hold_no_user_information(void **state)
{
	static const char *const labels[][2] = {
		{"http://a:b@host/x", "http://host/x"},
		{"https://a@b@host:1", "https://host:1"},
		{"http://host/x@y?z@w", "http://host/x@y?z@w"},
		{"http://host", "http://host"},
		{"http://u:p@host?x", "http://host?x"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(labels); i++) {
		_cleanup_free_ char *label = image_file_label(labels[i][0]);

		assert_string_equal(label, labels[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_cannot_be_opened_is_named, stop_all),
		cmocka_unit_test_teardown(a_server_that_is_not_there_is_tried_again_and_named,
					  stop_all),
		cmocka_unit_test_teardown(where_a_redirect_led_is_forgotten_when_it_expires,
					  stop_all),
		cmocka_unit_test_teardown(user_and_password_are_used_and_not_shown, stop_all),
		cmocka_unit_test_teardown(files_beside_the_image_are_those_of_its_directory,
					  stop_all),
		cmocka_unit_test_teardown(files_elsewhere_are_not_opened, stop_all),
		cmocka_unit_test(labels_hold_no_user_information),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
