// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * http_get: GET requests of one file of an HTTP server, one after the other over one connection,
 * repeated with growing pauses when something fails that may pass: network errors, time-outs,
 * bodies that end early, the statuses 408, 429 and 5xx. A repeated request asks for what is
 * missing only.
 */
#pragma once

#include <stdatomic.h>

#include "restore/http.h"
#include "restore/http_response.h"

/* The file; constant once it is open. */
struct http_resource {
	char *url;   /* with user information: never in messages */
	char *label; /* without */
	char *ca_file;
	struct http_timing timing;
	/* What the first response said, and all others must. */
	uint64_t size; /* HTTP_UNKNOWN where not said */
	char etag[sizeof(((struct http_response *)0)->etag)];
	char last_modified[sizeof(((struct http_response *)0)->last_modified)];
};

void http_resource_init(struct http_resource *resource, const char *url, const char *ca_file,
			const struct http_timing *timing);
void http_resource_release(struct http_resource *resource);
/* Takes from the first response what all others must repeat. */
void http_resource_learn(struct http_resource *resource, const struct http_response *response,
			 uint64_t size);
/* Is this response one of the same version of the file as the first? */
int http_resource_check(const struct http_resource *resource, const struct http_response *response,
			struct error *err);
/* Refuses a body that is not the file's bytes. */
int http_resource_check_encoding(const struct http_resource *resource,
				 const struct http_response *response, struct error *err);

enum http_take { HTTP_TAKEN, HTTP_FULL, HTTP_REFUSED, HTTP_ENOUGH };

struct http_request {
	uint64_t offset;
	uint64_t length; /* HTTP_UNKNOWN: the whole file, without asking for a range */
	uint64_t done;   /* bytes taken so far */
	/* The header of the answer is complete, its status is 2xx. HTTP_REFUSED (with err) and
	 * HTTP_ENOUGH end the transfer. */
	enum http_take (*accept)(void *context, const struct http_response *response,
				 struct error *err);
	/* The next bytes. HTTP_FULL: none was taken, http_get_resume() asks again. */
	enum http_take (*take)(void *context, const uint8_t *data, size_t length,
			       struct error *err);
	void *context;
};

struct http_get {
	const struct http_resource *resource; /* borrowed */
	CURL *easy;
	CURLM *multi;
	const atomic_bool *stop; /* ends what is under way, once http_get_wake() was called */
	char message[CURL_ERROR_SIZE];
	bool is_moved; /* the next request goes to where the last one was redirected to */
	/* Of the request under way. */
	struct http_request *request;
	struct http_response response;
	bool is_accepted, is_enough, is_full;
	struct error refusal;
};

/* stop may be NULL. Release it after an error, too. */
int http_get_init(struct http_get *get, const struct http_resource *resource,
		  const atomic_bool *stop, struct error *err);
void http_get_release(struct http_get *get);

/* Does the request, with all its repetitions. Errors name neither the file nor the offset, which
 * is request->offset + request->done; err must not be NULL, here and below. */
int http_get_all(struct http_get *get, struct http_request *request, struct error *err);

enum http_outcome {
	HTTP_DONE,
	HTTP_RUNNING,
	HTTP_AGAIN, /* err says what went wrong; it may pass */
	HTTP_FINAL, /* err says what went wrong */
};

/* Step by step: starts one try of the request, which must stay where it is. */
void http_get_start(struct http_get *get, struct http_request *request);
/* Waits for something to happen, and does it. HTTP_RUNNING: there is more; get->is_full says that
 * take() must be possible again first. */
enum http_outcome http_get_step(struct http_get *get, struct error *err);
void http_get_resume(struct http_get *get);
/* The pause after so many failures in a row; -1: there were enough, err says how many. */
int http_get_pause(struct http_get *get, unsigned int failures, struct error *err);

/* From another thread: the stop flag was set. */
void http_get_wake(struct http_get *get);
