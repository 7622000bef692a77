// SPDX-License-Identifier: GPL-3.0-or-later
/* http-open: servers with content, and files of theirs opened with little patience. */
#pragma once

#include "base/scope.h"
#include "restore/http.h"
#include "restore/image_file.h"
#include "tests/restore/http-server.h"

static const struct http_timing impatient = {
	.connect_seconds = 5, .stall_seconds = 1, .tries = 3, .wait_ms = 1, .wait_ms_max = 2};

/* Stopped and freed by stop_all(), after the test's files were closed. */
static struct http_server *started[16];
static size_t started_count;

static inline struct http_server *start(http_server_answer answer, uint64_t size)
{
	struct http_server *server = malloc(sizeof(*server));
	uint8_t *content = malloc(size);
	uint32_t value = 1;

	assert_non_null(server);
	assert_non_null(content);
	assert_true(started_count < array_length(started));
	for (uint64_t i = 0; i < size; i++) {
		value = value * 1664525 + 1013904223;
		content[i] = (uint8_t)(value >> 24);
	}
	server_start(server, answer, content, size);
	started[started_count++] = server;
	return server;
}

static inline int stop_all(void **state)
{
	(void)state;
	while (started_count > 0) {
		struct http_server *server = started[--started_count];

		server_stop(server);
		free((void *)server->content);
		free(server);
	}
	return 0;
}

static inline int open_url(const struct http_server *server, const char *user, const char *path,
			   struct image_file **out, struct error *err)
{
	const struct image_file_options options = {.http_timing = &impatient};
	_cleanup_free_ char *url =
		string_format("http://%s127.0.0.1:%u%s", user, server->port, path);

	return image_file_open(url, &options, out, err);
}

static inline struct image_file *open_ok(const struct http_server *server, const char *path)
{
	_cleanup_error_ struct error err = {0};
	struct image_file *file = NULL;

	if (open_url(server, "", path, &file, &err) < 0)
		fail_msg("%s", error_text(&err));
	return file;
}

/* Does the message end like this? URL stands for the one of /a.raw. */
static inline void check_message(const struct http_server *server, const char *expected,
				 const struct error *err)
{
	_cleanup_free_ char *url = string_format("http://127.0.0.1:%u/a.raw", server->port);
	const char *place = strstr(expected, "URL");
	_cleanup_free_ char *whole =
		place ? string_format("%.*s%s%s", (int)(place - expected), expected, url, place + 3)
		      : string_copy(expected);

	if (!has_suffix(error_text(err), whole))
		fail_msg("expected \"…%s\", got \"%s\"", whole, error_text(err));
}
