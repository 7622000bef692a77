// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/fetch.h"

#include "base/scope.h"
#include "restore/http.h"

struct body {
	struct text *out;
	size_t limit;
	bool is_too_large;
};

static size_t receive(char *data, size_t size, size_t count, void *context)
{
	struct body *body = context;

	if (size * count > body->limit - body->out->length) {
		body->is_too_large = true;
		return 0;
	}
	text_add_bytes(body->out, data, size * count);
	return size * count;
}

static int perform(CURL *curl, struct body *body, const char *message, struct error *err)
{
	CURLcode code;

	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	code = curl_easy_perform(curl);
	if (body->is_too_large)
		return error_set(err, "larger than the %zu bytes that are allowed", body->limit);
	return code == CURLE_OK ? 0 : http_error(err, curl, code, message);
}

int fetch_url(const char *url, const char *ca_file, size_t limit, struct text *out,
	      struct error *err)
{
	_cleanup_free_ char *label = http_url_label(url);
	char message[CURL_ERROR_SIZE] = "";
	struct body body = {out, limit, false};
	CURL *curl = http_easy_new(url, ca_file, &http_timing_usual, message, err);
	int r = curl ? perform(curl, &body, message, err) : -1;

	curl_easy_cleanup(curl);
	return r < 0 ? error_in(err, "fetch %s", label) : 0;
}
