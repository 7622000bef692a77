// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * http-server: an HTTP server on an ephemeral port of 127.0.0.1 whose every answer a test writes.
 *
 * Each connection is served by a thread of its own. An answer returns whether the connection stays
 * open.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/text.h"
#include "tests/test.h"

enum http_server_end { SERVER_CLOSE, SERVER_KEEP };

struct http_server;

struct http_ask {
	unsigned int number; /* 0 for the first request that the server got */
	const char *path;
	const char *request; /* all of it */
	bool has_range;
	uint64_t first, last; /* within the content */
};

typedef enum http_server_end (*http_server_answer)(struct http_server *server, int fd,
						   const struct http_ask *ask);

struct http_server_connection {
	struct http_server *server;
	pthread_t thread;
	int fd;
};

struct http_server {
	http_server_answer answer;
	const uint8_t *content;
	uint64_t size;
	atomic_uint asked;
	atomic_ullong asked_bytes; /* of ranges */
	int listener;
	unsigned int port;
	pthread_t thread;
	struct http_server_connection connection[512];
	unsigned int connections;
};

static inline void server_write(int fd, const void *data, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = send(fd, (const uint8_t *)data + done, length - done, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

__attribute__((format(printf, 2, 3))) static inline void server_print(int fd, const char *format,
								      ...)
{
	_cleanup_text_ struct text text = {0};
	va_list args;

	va_start(args, format);
	text_vaddf(&text, format, args);
	va_end(args);
	server_write(fd, text_string(&text), text.length);
}

/* Until the client goes away, or the test ends. */
static inline enum http_server_end server_stall(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) > 0)
		;
	return SERVER_CLOSE;
}

/* The header of a sound answer to a range, with more lines of the test's choice. */
static inline void server_range_header(const struct http_server *server, int fd,
				       const struct http_ask *ask, const char *lines)
{
	server_print(fd,
		     "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %llu-%llu/%llu\r\n"
		     "Content-Length: %llu\r\n%s\r\n",
		     (unsigned long long)ask->first, (unsigned long long)ask->last,
		     (unsigned long long)server->size,
		     (unsigned long long)(ask->last - ask->first + 1), lines);
}

static inline enum http_server_end server_range(const struct http_server *server, int fd,
						const struct http_ask *ask)
{
	server_range_header(server, fd, ask, "ETag: \"1\"\r\n");
	server_write(fd, server->content + ask->first, (size_t)(ask->last - ask->first + 1));
	return SERVER_KEEP;
}

static inline enum http_server_end server_whole(const struct http_server *server, int fd)
{
	server_print(fd, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
		     (unsigned long long)server->size);
	server_write(fd, server->content, (size_t)server->size);
	return SERVER_KEEP;
}

static inline enum http_server_end server_status(int fd, const char *status)
{
	server_print(fd, "HTTP/1.1 %s\r\nContent-Length: 5\r\n\r\nsorry", status);
	return SERVER_KEEP;
}

static inline bool server_read_request(int fd, char *request, size_t size)
{
	size_t length = 0;

	while (length + 1 < size) {
		ssize_t n = recv(fd, request + length, 1, 0);

		if (n <= 0)
			return false;
		request[++length] = '\0';
		if (length >= 4 && memcmp(request + length - 4, "\r\n\r\n", 4) == 0)
			return true;
	}
	return false;
}

static inline enum http_server_end server_answer(struct http_server *server, int fd, char *request)
{
	struct http_ask ask = {.request = request, .last = server->size - 1};
	_cleanup_free_ char *path = NULL;
	unsigned long long first, last;
	const char *range = strstr(request, "Range: bytes=");

	path = string_format("%.*s", (int)strcspn(request + 4, " "), request + 4);
	ask.path = path;
	ask.has_range = range && sscanf(range, "Range: bytes=%llu-%llu", &first, &last) == 2;
	if (ask.has_range) {
		ask.first = first;
		ask.last = last < ask.last ? last : ask.last;
		atomic_fetch_add(&server->asked_bytes, ask.last - ask.first + 1);
	}
	ask.number = atomic_fetch_add(&server->asked, 1);
	return server->answer(server, fd, &ask);
}

static inline void *server_connection_main(void *context)
{
	struct http_server_connection *connection = context;
	char request[8192] = "";

	while (server_read_request(connection->fd, request, sizeof(request)) &&
	       server_answer(connection->server, connection->fd, request) == SERVER_KEEP)
		;
	shutdown(connection->fd, SHUT_RDWR);
	return NULL;
}

static inline void *server_main(void *context)
{
	struct http_server *server = context;

	while (server->connections < array_length(server->connection)) {
		struct http_server_connection *connection =
			&server->connection[server->connections];

		connection->server = server;
		connection->fd = accept(server->listener, NULL, NULL);
		if (connection->fd < 0 ||
		    pthread_create(&connection->thread, NULL, server_connection_main, connection))
			return NULL;
		server->connections++;
	}
	return NULL;
}

static inline void server_start(struct http_server *server, http_server_answer answer,
				const uint8_t *content, uint64_t size)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	memset(server, 0, sizeof(*server));
	server->answer = answer;
	server->content = content;
	server->size = size;
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(server->listener >= 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(server->listener, 16), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, server_main, server), 0);
}

static inline void server_stop(struct http_server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	for (unsigned int i = 0; i < server->connections; i++) {
		shutdown(server->connection[i].fd, SHUT_RDWR);
		pthread_join(server->connection[i].thread, NULL);
		close(server->connection[i].fd);
	}
	close(server->listener);
}
