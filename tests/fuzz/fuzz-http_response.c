// SPDX-License-Identifier: GPL-3.0-or-later
/* Headers of any content, line by line. */
#include <stdlib.h>
#include <string.h>

#include "restore/http_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_response response;

	http_response_init(&response);
	for (size_t at = 0; at < size;) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t length = end ? (size_t)(end - data) + 1 - at : size - at;
		/* A copy of its own, so that reading past its end is seen. */
		char *line = malloc(length);

		if (!line)
			abort();
		memcpy(line, data + at, length);
		if (http_response_add(&response, line, length) < 0)
			size = at;
		free(line);
		at += length;
	}
	if (response.has_range &&
	    (response.first > response.last || response.last >= response.total))
		abort();
	if (response.header_bytes > HTTP_HEADERS_MAX || response.status > 999)
		abort();
	return 0;
}
