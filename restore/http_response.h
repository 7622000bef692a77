// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * http_response: what v2p looks at in the header of a response (RFC 9110, RFC 9112). The server is
 * hostile until proven otherwise: what is malformed counts as not said, and the length of all
 * headers of a transfer is bounded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_UNKNOWN UINT64_MAX

enum { HTTP_HEADERS_MAX = 64 << 10 };

struct http_response {
	size_t header_bytes; /* of all responses of the transfer, redirects too */
	unsigned int status;
	uint64_t length; /* Content-Length; HTTP_UNKNOWN: not said */
	/* Content-Range: bytes first-last/total */
	bool has_range;
	uint64_t first, last, total; /* total is HTTP_UNKNOWN for an asterisk */
	/* These name the version of the file; "" where not said. A weak ETag promises less than
	 * equal bytes and counts as not said. */
	char etag[256], last_modified[64];
	char encoding[16]; /* Content-Encoding; "" for none and identity */
};

void http_response_init(struct http_response *response);
/* One line of the header, with or without its line end; a status line begins a new response.
 * -1: the headers are longer than HTTP_HEADERS_MAX. */
int http_response_add(struct http_response *response, const char *line, size_t length);
