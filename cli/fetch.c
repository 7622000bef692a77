// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/fetch.h"

#include <curl/curl.h>

#include "base/version.h"

struct body {
	struct text *out;
	size_t limit;
	bool is_too_large;
};

bool is_url(const char *string)
{
	return has_prefix(string, "http://") || has_prefix(string, "https://");
}

static size_t receive(char *data, size_t size, size_t count, void *context)
{
	struct body *body = context;

	if (body->out->length + size * count > body->limit) {
		body->is_too_large = true;
		return 0;
	}
	text_add_bytes(body->out, data, size * count);
	return size * count;
}

static CURLcode perform(CURL *curl, const char *url, struct body *body, char *message)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 30L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "v2p/" V2P_VERSION);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	return curl_easy_perform(curl);
}

int fetch_url(const char *url, size_t limit, struct text *out, struct error *err)
{
	char message[CURL_ERROR_SIZE] = "";
	struct body body = {out, limit, false};
	CURL *curl = curl_easy_init();
	CURLcode code;

	if (!curl)
		return error_set(err, "fetch %s: libcurl cannot be initialised", url);
	code = perform(curl, url, &body, message);
	curl_easy_cleanup(curl);
	if (body.is_too_large)
		return error_set(err, "fetch %s: larger than the %zu bytes that are allowed", url,
				 limit);
	if (code != CURLE_OK)
		return error_set(err, "fetch %s: %s", url,
				 *message ? message : curl_easy_strerror(code));
	return 0;
}
