// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/http_response.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/scope.h"

/* The value of a header line, trimmed; not terminated. */
struct value {
	const char *data;
	size_t length;
};

static struct value trimmed(const char *data, size_t length)
{
	while (length > 0 && isspace((unsigned char)*data)) {
		data++;
		length--;
	}
	while (length > 0 && isspace((unsigned char)data[length - 1]))
		length--;
	return (struct value){data, length};
}

static bool take_word(struct value *value, const char *word)
{
	size_t length = strlen(word);

	if (value->length < length || strncasecmp(value->data, word, length) != 0)
		return false;
	value->data += length;
	value->length -= length;
	return true;
}

static bool take_number(struct value *value, uint64_t *out)
{
	size_t digits = 0;

	*out = 0;
	while (digits < value->length && isdigit((unsigned char)value->data[digits])) {
		if (digits == 18) /* no file is that long, and nothing overflows */
			return false;
		*out = *out * 10 + (uint64_t)(value->data[digits++] - '0');
	}
	value->data += digits;
	value->length -= digits;
	return digits > 0;
}

static void copy(char *out, size_t size, struct value value)
{
	size_t length = value.length < size ? value.length : size - 1;

	memcpy(out, value.data, length);
	out[length] = '\0';
}

static void set_length(struct http_response *response, struct value value)
{
	uint64_t length;

	if (take_number(&value, &length) && value.length == 0)
		response->length = length;
}

static void set_range(struct http_response *response, struct value value)
{
	uint64_t first, last, total = HTTP_UNKNOWN;

	response->has_range = false;
	if (!take_word(&value, "bytes ") || !take_number(&value, &first) ||
	    !take_word(&value, "-") || !take_number(&value, &last) || !take_word(&value, "/"))
		return;
	if (!take_word(&value, "*") && !take_number(&value, &total))
		return;
	if (value.length > 0 || first > last || last >= total)
		return;
	response->has_range = true;
	response->first = first;
	response->last = last;
	response->total = total;
}

static void set_etag(struct http_response *response, struct value value)
{
	if (value.length > 0 && *value.data == '"')
		copy(response->etag, sizeof(response->etag), value);
}

static void set_last_modified(struct http_response *response, struct value value)
{
	copy(response->last_modified, sizeof(response->last_modified), value);
}

static void set_encoding(struct http_response *response, struct value value)
{
	copy(response->encoding, sizeof(response->encoding), value);
	if (strcasecmp(response->encoding, "identity") == 0)
		response->encoding[0] = '\0';
}

static const struct {
	const char *name;
	void (*set)(struct http_response *response, struct value value);
} headers[] = {
	{"Content-Length:", set_length},
	{"Content-Range:", set_range},
	{"ETag:", set_etag},
	{"Last-Modified:", set_last_modified},
	{"Content-Encoding:", set_encoding},
};

static void begin(struct http_response *response, struct value line)
{
	size_t header_bytes = response->header_bytes;
	const char *space = memchr(line.data, ' ', line.length);
	uint64_t status = 0;

	http_response_init(response);
	response->header_bytes = header_bytes;
	if (space)
		line = trimmed(space, line.length - (size_t)(space - line.data));
	if (space && take_number(&line, &status) && status < 1000)
		response->status = (unsigned int)status;
}

void http_response_init(struct http_response *response)
{
	memset(response, 0, sizeof(*response));
	response->length = HTTP_UNKNOWN;
}

int http_response_add(struct http_response *response, const char *line, size_t length)
{
	struct value rest = trimmed(line, length);

	if (length > HTTP_HEADERS_MAX - response->header_bytes)
		return -1;
	response->header_bytes += length;
	if (rest.length >= 5 && memcmp(rest.data, "HTTP/", 5) == 0) {
		begin(response, rest);
		return 0;
	}
	for (size_t i = 0; i < array_length(headers); i++)
		if (take_word(&rest, headers[i].name)) {
			headers[i].set(response, trimmed(rest.data, rest.length));
			return 0;
		}
	return 0;
}
