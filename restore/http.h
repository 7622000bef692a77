// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * http: what every HTTP transfer of v2p has in common (libcurl). Only http and https are spoken,
 * at most five redirects are followed, none from https to http, and certificates are checked.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* How long to be patient. */
struct http_timing {
	long connect_seconds;     /* until a connection stands */
	long stall_seconds;       /* with less than 1000 bytes a second */
	unsigned int tries;       /* without a gain, until it is given up */
	unsigned int wait_ms;     /* before the second try; doubled for each that follows … */
	unsigned int wait_ms_max; /* … up to this */
};

extern const struct http_timing http_timing_usual;

bool http_is_url(const char *string);
/* The URL without user name and password, for messages: heap, the caller frees. */
char *http_url_label(const char *url);

/*
 * A handle with the common settings, for GET. ca_file (PEM, or NULL) replaces the system's
 * certificates. message (CURL_ERROR_SIZE bytes) takes libcurl's words; it and ca_file must outlive
 * the handle. The caller owns the handle.
 */
CURL *http_easy_new(const char *url, const char *ca_file, const struct http_timing *timing,
		    char *message, struct error *err);
/* The sentence for a transfer of this handle that ended with code, which is not CURLE_OK. */
int http_error(struct error *err, CURL *easy, CURLcode code, const char *message);
