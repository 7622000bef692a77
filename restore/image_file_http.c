// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/image_file_http.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/image_file_kinds.h"

struct http_file {
	struct http_resource resource;
	struct http_ranges *ranges; /* one of the two */
	struct http_stream *stream;
};

static const struct image_file_ops http_ranges_ops, http_stream_ops;

/* What the first response said about ranges. */
struct probe {
	struct http_resource *resource;
	bool has_ranges;
};

static enum http_take probe_accept(void *context, const struct http_response *response,
				   struct error *err)
{
	struct probe *probe = context;

	if (http_resource_check_encoding(probe->resource, response, err) < 0)
		return HTTP_REFUSED;
	if (response->status != 200 && response->status != 206) {
		error_set(err, "the server answers with HTTP status %u", response->status);
		return HTTP_REFUSED;
	}
	if (response->status == 200) {
		http_resource_learn(probe->resource, response, response->length);
		return HTTP_ENOUGH;
	}
	if (!response->has_range || response->first != 0 || response->last != 0) {
		error_set(err, "the server sends another range than it was asked for");
		return HTTP_REFUSED;
	}
	http_resource_learn(probe->resource, response, response->total);
	probe->has_ranges = response->total != HTTP_UNKNOWN;
	return probe->has_ranges ? HTTP_TAKEN : HTTP_ENOUGH;
}

static enum http_take probe_take(void *context, const uint8_t *data, size_t length,
				 struct error *err)
{
	(void)context, (void)data, (void)length, (void)err;
	return HTTP_TAKEN;
}

/* Asks for one byte: how long is the file, does the server know ranges? */
static int probe_resource(struct http_resource *resource, bool *has_ranges, struct error *err)
{
	struct probe probe = {.resource = resource};
	struct http_request request = {
		.length = 1, .accept = probe_accept, .take = probe_take, .context = &probe};
	_cleanup_error_ struct error reason = {0};
	_cleanup_(http_get_release) struct http_get get = {0};
	int r = http_get_init(&get, resource, NULL, &reason);

	if (r == 0)
		r = http_get_all(&get, &request, &reason);
	*has_ranges = probe.has_ranges;
	/* RFC 9110 section 15.5.17: there is no first byte. */
	if (get.response.status == 416 || (r == 0 && resource->size == 0))
		return error_set(err, "the file is empty");
	return r < 0 ? error_set(err, "%s", error_text(&reason)) : 0;
}

static int open_http(struct image_file *file, enum http_ranges_share share, struct error *err)
{
	struct http_file *http = file->state;
	bool has_ranges;

	if (probe_resource(&http->resource, &has_ranges, err) < 0)
		return -1;
	file->size = http->resource.size;
	file->is_seekable = has_ranges;
	if (has_ranges)
		http->ranges = http_ranges_open(&http->resource, share, err);
	else
		http->stream = http_stream_open(&http->resource, err);
	if (!has_ranges)
		file->ops = &http_stream_ops;
	return http->ranges || http->stream ? 0 : -1;
}

static int open_share(const char *url, const struct image_file_options *options,
		      enum http_ranges_share share, struct image_file **out, struct error *err)
{
	_cleanup_free_ char *label = http_url_label(url);
	_cleanup_image_file_ struct image_file *file = image_file_new(label, &http_ranges_ops);
	struct http_file *http = calloc(1, sizeof(*http));

	if (!http)
		return error_sys(err, ENOMEM, "read over HTTP");
	http_resource_init(&http->resource, url, options ? options->ca_file : NULL,
			   options ? options->http_timing : NULL);
	file->state = http;
	if (open_http(file, share, err) < 0)
		return -1;
	*out = steal(&file);
	return 0;
}

int image_file_http_open(const char *url, const struct image_file_options *options,
			 struct image_file **out, struct error *err)
{
	return open_share(url, options, HTTP_RANGES_MAIN, out, err);
}

/* Percent-encoded but for slashes, so that nothing in it has a meaning in a URL. */
static char *escaped_path(const char *name)
{
	_cleanup_strings_ struct strings parts = {0}, escaped = {0};

	strings_split(&parts, name, "/");
	for (size_t i = 0; i < parts.count; i++) {
		char *part = curl_easy_escape(NULL, parts.item[i], 0);

		if (!part)
			abort();
		strings_add(&escaped, part);
		curl_free(part);
	}
	return strings_join(&escaped, "/");
}

/* The URL up to the last slash of its path, and name; without query and fragment. */
static char *sibling_url(const char *url, const char *name)
{
	_cleanup_free_ char *path = escaped_path(name);
	const char *host = strstr(url, "://") + 3;
	int length = (int)(host - url) + (int)strcspn(host, "?#");
	const char *slash = memrchr(host, '/', (size_t)(url + length - host));

	if (!slash)
		return string_format("%.*s/%s", length, url, path);
	return string_format("%.*s/%s", (int)(slash - url), url, path);
}

static int http_open_sibling(const struct image_file *file, const char *name,
			     struct image_file **out, struct error *err)
{
	const struct http_file *http = file->state;
	_cleanup_free_ char *url = sibling_url(http->resource.url, name);
	const struct image_file_options options = {.ca_file = http->resource.ca_file,
						   .http_timing = &http->resource.timing};

	if (open_share(url, &options, HTTP_RANGES_SIBLING, out, err) == 0)
		return 0;
	return error_in(err, "open %s, which it names, beside it", name);
}

static int http_read(const struct image_file *file, const char *what, void *data, size_t length,
		     uint64_t offset, struct error *err)
{
	const struct http_file *http = file->state;

	if (http_ranges_read(http->ranges, data, length, offset, err) == 0)
		return 0;
	return error_in(err, "read %zu bytes of %s at offset %" PRIu64, length, what, offset);
}

static int http_next(struct image_file *file, void *data, size_t capacity, size_t *got,
		     struct error *err)
{
	const struct http_file *http = file->state;

	return http_stream_next(http->stream, data, capacity, got, err);
}

static void http_close(struct image_file *file)
{
	struct http_file *http = file->state;

	if (!http)
		return;
	http_ranges_close(http->ranges);
	http_stream_close(http->stream);
	http_resource_release(&http->resource);
	free(http);
}

static const struct image_file_ops http_ranges_ops = {
	.read = http_read,
	.open_sibling = http_open_sibling,
	.close = http_close,
};

static const struct image_file_ops http_stream_ops = {
	.next = http_next,
	.open_sibling = http_open_sibling,
	.close = http_close,
};
