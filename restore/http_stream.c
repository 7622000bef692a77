// SPDX-License-Identifier: GPL-3.0-or-later
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "restore/image_file_http.h"

struct http_stream {
	const struct http_resource *resource;
	struct http_get get;
	struct http_request request;
	enum { STREAM_NEW, STREAM_RUNNING, STREAM_ENDED, STREAM_FAILED } state;
	struct error failure;
	/* What is to be filled now, and what came beyond it. */
	uint8_t *data;
	size_t capacity, got;
	struct text spill;
	size_t spill_taken;
};

static enum http_take stream_accept(void *context, const struct http_response *response,
				    struct error *err)
{
	const struct http_stream *stream = context;

	if (response->status != 200) {
		error_set(err, "the server answers with HTTP status %u", response->status);
		return HTTP_REFUSED;
	}
	if (response->length != stream->resource->size) {
		error_set(err, "the server names another length for the file than before");
		return HTTP_REFUSED;
	}
	if (http_resource_check(stream->resource, response, err) < 0 ||
	    http_resource_check_encoding(stream->resource, response, err) < 0)
		return HTTP_REFUSED;
	return HTTP_TAKEN;
}

static enum http_take stream_take(void *context, const uint8_t *data, size_t length,
				  struct error *err)
{
	struct http_stream *stream = context;
	size_t part = stream->capacity - stream->got;

	(void)err;
	if (part == 0)
		return HTTP_FULL;
	if (part > length)
		part = length;
	memcpy(stream->data + stream->got, data, part);
	stream->got += part;
	text_add_bytes(&stream->spill, data + part, length - part);
	return HTTP_TAKEN;
}

static void take_spill(struct http_stream *stream)
{
	size_t left = stream->spill.length - stream->spill_taken;

	stream->got = left < stream->capacity ? left : stream->capacity;
	if (stream->got > 0)
		memcpy(stream->data, stream->spill.data + stream->spill_taken, stream->got);
	stream->spill_taken += stream->got;
	if (stream->spill_taken < stream->spill.length)
		return;
	text_truncate(&stream->spill, 0);
	stream->spill_taken = 0;
}

static int stream_failed(struct http_stream *stream)
{
	stream->state = STREAM_FAILED;
	return error_in(&stream->failure, "fetch %s at file offset %" PRIu64,
			stream->resource->label, stream->request.done);
}

/* Once a byte has come, the server would have to be asked for the rest, which is a range. */
static int again(struct http_stream *stream, unsigned int failures)
{
	if (stream->request.done > 0) {
		error_in(&stream->failure,
			 "the server knows no ranges, so what broke off cannot be continued");
		return stream_failed(stream);
	}
	if (http_get_pause(&stream->get, failures, &stream->failure) < 0)
		return stream_failed(stream);
	http_get_start(&stream->get, &stream->request);
	return 0;
}

static int run(struct http_stream *stream)
{
	for (unsigned int failures = 0; stream->got == 0 && stream->state == STREAM_RUNNING;) {
		switch (http_get_step(&stream->get, &stream->failure)) {
		case HTTP_RUNNING:
			break;
		case HTTP_DONE:
			stream->state = STREAM_ENDED;
			break;
		case HTTP_AGAIN:
			if (again(stream, ++failures) < 0)
				return -1;
			break;
		case HTTP_FINAL:
			return stream_failed(stream);
		}
	}
	return 0;
}

static int fill(struct http_stream *stream)
{
	take_spill(stream);
	if (stream->got > 0 || stream->state == STREAM_ENDED)
		return 0;
	if (stream->state == STREAM_FAILED)
		return -1;
	if (stream->state == STREAM_NEW)
		http_get_start(&stream->get, &stream->request);
	stream->state = STREAM_RUNNING;
	if (stream->get.is_full)
		http_get_resume(&stream->get);
	return run(stream);
}

int http_stream_next(struct http_stream *stream, void *data, size_t capacity, size_t *got,
		     struct error *err)
{
	assert(capacity > 0);
	stream->data = data;
	stream->capacity = capacity;
	stream->got = 0;
	if (fill(stream) < 0)
		return error_set(err, "%s", error_text(&stream->failure));
	*got = stream->got;
	/* Nothing may be written there any more. */
	stream->capacity = stream->got = 0;
	return 0;
}

struct http_stream *http_stream_open(const struct http_resource *resource, struct error *err)
{
	struct http_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		abort();
	stream->resource = resource;
	stream->request = (struct http_request){
		.length = HTTP_UNKNOWN,
		.accept = stream_accept,
		.take = stream_take,
		.context = stream,
	};
	if (http_get_init(&stream->get, resource, NULL, err) == 0)
		return stream;
	http_stream_close(stream);
	return NULL;
}

void http_stream_close(struct http_stream *stream)
{
	if (!stream)
		return;
	http_get_release(&stream->get);
	error_release(&stream->failure);
	text_release(&stream->spill);
	free(stream);
}
