// SPDX-License-Identifier: GPL-3.0-or-later
/* image_file_http: the two ways of reading a file of an HTTP server. */
#pragma once

#include "restore/http_get.h"
#include "restore/image_file.h"

/* The server knows ranges: a cache of blocks, filled by a few threads with a connection each. */
struct http_ranges;
enum http_ranges_share { HTTP_RANGES_MAIN, HTTP_RANGES_SIBLING };
/* resource is borrowed, its size is known. A sibling, which is read less, gets less memory. */
struct http_ranges *http_ranges_open(const struct http_resource *resource,
				     enum http_ranges_share share, struct error *err);
int http_ranges_read(struct http_ranges *ranges, void *data, size_t length, uint64_t offset,
		     struct error *err);
/* Ends what is under way. Accepts NULL. */
void http_ranges_close(struct http_ranges *ranges);

/* It does not: one request for all, which cannot be repeated once a byte has come. */
struct http_stream;
struct http_stream *http_stream_open(const struct http_resource *resource, struct error *err);
/* As image_file_ops.next. */
int http_stream_next(struct http_stream *stream, void *data, size_t capacity, size_t *got,
		     struct error *err);
void http_stream_close(struct http_stream *stream);
