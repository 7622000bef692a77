// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/http.h"

#include <pthread.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "base/version.h"

const struct http_timing http_timing_usual = {
	.connect_seconds = 30,
	.stall_seconds = 30,
	.tries = 5,
	.wait_ms = 500,
	.wait_ms_max = 8000,
};

bool http_is_url(const char *string)
{
	return has_prefix(string, "http://") || has_prefix(string, "https://");
}

char *http_url_label(const char *url)
{
	const char *host = strstr(url, "://"), *at;

	if (!host)
		return string_copy(url);
	host += 3;
	at = memrchr(host, '@', strcspn(host, "/?#"));
	return at ? string_format("%.*s%s", (int)(host - url), url, at + 1) : string_copy(url);
}

static void initialise(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void set_limits(CURL *easy, const struct http_timing *timing)
{
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, timing->connect_seconds);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1000L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, timing->stall_seconds);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 5L);
}

static void set_trust(CURL *easy, const char *url, const char *ca_file)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR,
			 has_prefix(url, "https:") ? "https" : "http,https");
	if (!ca_file)
		return;
	curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

CURL *http_easy_new(const char *url, const char *ca_file, const struct http_timing *timing,
		    char *message, struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	CURL *easy;

	pthread_once(&once, initialise);
	easy = curl_easy_init();
	if (!easy) {
		error_set(err, "libcurl cannot be initialised");
		return NULL;
	}
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "v2p/" V2P_VERSION);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message);
	set_limits(easy, timing);
	set_trust(easy, url, ca_file);
	return easy;
}

/* What the user can do, where libcurl's words do not say. */
static const struct {
	CURLcode code;
	const char *advice;
} advices[] = {
	{CURLE_UNSUPPORTED_PROTOCOL, "only http and https are followed, and never https to http"},
	{CURLE_PEER_FAILED_VERIFICATION,
	 "name the certificate of the authority that signed the server's with --ca-file"},
	{CURLE_SSL_CACERT_BADFILE, "--ca-file names a file of PEM certificates"},
};

static const char *advice_for(CURL *easy, CURLcode code)
{
	long redirects = 0;

	curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirects);
	/* Without one, the server does not speak HTTP. */
	if (code == CURLE_UNSUPPORTED_PROTOCOL && redirects == 0)
		return NULL;
	for (size_t i = 0; i < array_length(advices); i++)
		if (advices[i].code == code)
			return advices[i].advice;
	return NULL;
}

int http_error(struct error *err, CURL *easy, CURLcode code, const char *message)
{
	const char *words = *message ? message : curl_easy_strerror(code);
	const char *advice = advice_for(easy, code);
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_HTTP_RETURNED_ERROR)
		return error_set(err, "the server answers with HTTP status %ld", status);
	if (advice)
		return error_set(err, "%s: %s", words, advice);
	return error_set(err, "%s", words);
}
