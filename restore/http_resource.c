// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/http_get.h"

void http_resource_init(struct http_resource *resource, const char *url, const char *ca_file,
			const struct http_timing *timing)
{
	*resource = (struct http_resource){
		.url = string_copy(url),
		.label = http_url_label(url),
		.ca_file = ca_file ? string_copy(ca_file) : NULL,
		.timing = timing ? *timing : http_timing_usual,
		.size = HTTP_UNKNOWN,
	};
}

void http_resource_release(struct http_resource *resource)
{
	free(resource->url);
	free(resource->label);
	free(resource->ca_file);
	*resource = (struct http_resource){0};
}

void http_resource_learn(struct http_resource *resource, const struct http_response *response,
			 uint64_t size)
{
	resource->size = size;
	memcpy(resource->etag, response->etag, sizeof(resource->etag));
	memcpy(resource->last_modified, response->last_modified, sizeof(resource->last_modified));
}

int http_resource_check(const struct http_resource *resource, const struct http_response *response,
			struct error *err)
{
	if (strcmp(resource->etag, response->etag) == 0 &&
	    strcmp(resource->last_modified, response->last_modified) == 0)
		return 0;
	return error_set(err,
			 "the file has changed on the server since it was opened: start again");
}

/* Servers that know the suffix call the file itself encoded; its bytes are what it should be. */
static const struct {
	const char *suffix, *encoding;
} own_encodings[] = {
	{".gz", "gzip"},   {".gz", "x-gzip"},   {".tgz", "gzip"}, {".tgz", "x-gzip"},
	{".bz2", "bzip2"}, {".bz2", "x-bzip2"}, {".zst", "zstd"}, {".xz", "xz"},
};

static bool is_own_encoding(const char *label, const char *encoding)
{
	_cleanup_free_ char *path = string_format("%.*s", (int)strcspn(label, "?#"), label);

	for (size_t i = 0; i < array_length(own_encodings); i++)
		if (has_suffix(path, own_encodings[i].suffix) &&
		    strcasecmp(encoding, own_encodings[i].encoding) == 0)
			return true;
	return false;
}

int http_resource_check_encoding(const struct http_resource *resource,
				 const struct http_response *response, struct error *err)
{
	if (!*response->encoding || is_own_encoding(resource->label, response->encoding))
		return 0;
	return error_set(err,
			 "the server sends the file encoded (%s), which was not asked for: switch "
			 "that off for images",
			 response->encoding);
}
