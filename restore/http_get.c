// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/http_get.h"

#include <inttypes.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"

enum {
	BODY_REFUSED_MAX = 64 << 10, /* of a redirect or an error, read for the connection's sake */
	RECEIVE_BUFFER = 128 << 10,  /* fits into the processor's cache */
	GAIN = 128 << 10,            /* so many bytes later, failures are counted anew */
};

/* Is this the answer that the caller waits for, or one on the way to it? */
static bool is_answer(const struct http_response *response)
{
	return response->status >= 200 && response->status < 300;
}

static bool go_on(struct http_get *get, enum http_take verdict)
{
	get->is_enough = verdict == HTTP_ENOUGH;
	return verdict == HTTP_TAKEN;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
	struct http_get *get = context;
	struct http_response trailer = {.header_bytes = get->response.header_bytes};
	struct http_response *response = get->is_accepted ? &trailer : &get->response;
	size_t length = size * count;

	if (http_response_add(response, line, length) < 0) {
		error_set(&get->refusal, "the server's headers are longer than %d bytes",
			  HTTP_HEADERS_MAX);
		return 0;
	}
	get->response.header_bytes = response->header_bytes;
	if (get->is_accepted || length > 2 || !is_answer(response) ||
	    (*line != '\r' && *line != '\n'))
		return length;
	get->is_accepted = true;
	return go_on(get, get->request->accept(get->request->context, response, &get->refusal))
		       ? length
		       : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct http_get *get = context;
	struct http_request *request = get->request;
	size_t length = size * count;
	enum http_take verdict;

	if (!get->is_accepted)
		return 0;
	if (length > request->length - request->done) {
		error_set(&get->refusal, "the server sends more bytes than it was asked for");
		return 0;
	}
	verdict = request->take(request->context, (const uint8_t *)data, length, &get->refusal);
	get->is_full = verdict == HTTP_FULL;
	if (verdict == HTTP_FULL)
		return CURL_WRITEFUNC_PAUSE;
	request->done += length;
	return go_on(get, verdict) ? length : 0;
}

/* libcurl reads the bodies of redirects and drops them, however long they are. */
static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
		       curl_off_t up_now)
{
	struct http_get *get = context;

	(void)total, (void)up_total, (void)up_now;
	if (get->is_accepted || now <= BODY_REFUSED_MAX)
		return 0;
	return error_set(&get->refusal, "the server sends a redirect or an error without end");
}

int http_get_init(struct http_get *get, const struct http_resource *resource,
		  const atomic_bool *stop, struct error *err)
{
	*get = (struct http_get){.resource = resource, .stop = stop};
	get->easy = http_easy_new(resource->url, resource->ca_file, &resource->timing, get->message,
				  err);
	if (!get->easy)
		return -1;
	get->multi = curl_multi_init();
	if (!get->multi)
		return error_set(err, "libcurl cannot be initialised");
	/* HTTP/2 puts all requests on one connection and copies more. */
	curl_easy_setopt(get->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	/* A proxy's answer to CONNECT is not the server's. */
	curl_easy_setopt(get->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(get->easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
	curl_easy_setopt(get->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(get->easy, CURLOPT_HEADERDATA, get);
	curl_easy_setopt(get->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(get->easy, CURLOPT_WRITEDATA, get);
	curl_easy_setopt(get->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(get->easy, CURLOPT_XFERINFODATA, get);
	curl_easy_setopt(get->easy, CURLOPT_NOPROGRESS, 0L);
	return 0;
}

static void detach(struct http_get *get)
{
	if (get->request)
		curl_multi_remove_handle(get->multi, get->easy);
	get->request = NULL;
}

void http_get_release(struct http_get *get)
{
	detach(get);
	curl_easy_cleanup(get->easy);
	curl_multi_cleanup(get->multi);
	error_release(&get->refusal);
	*get = (struct http_get){0};
}

void http_get_start(struct http_get *get, struct http_request *request)
{
	_cleanup_free_ char *range = NULL;

	detach(get);
	get->request = request;
	get->is_accepted = get->is_enough = get->is_full = false;
	get->message[0] = '\0';
	error_release(&get->refusal);
	http_response_init(&get->response);
	if (request->length != HTTP_UNKNOWN)
		range = string_format("%" PRIu64 "-%" PRIu64, request->offset + request->done,
				      request->offset + request->length - 1);
	curl_easy_setopt(get->easy, CURLOPT_RANGE, range);
	curl_multi_add_handle(get->multi, get->easy);
}

/* Where a redirect led is asked at once from now on, until it fails: such addresses expire. With
 * user information in the URL, libcurl must decide anew who may see it. */
static void follow(struct http_get *get)
{
	const struct http_resource *resource = get->resource;
	_cleanup_free_ char *copy = NULL;
	char *url = NULL;
	long redirects = 0;

	curl_easy_getinfo(get->easy, CURLINFO_REDIRECT_COUNT, &redirects);
	curl_easy_getinfo(get->easy, CURLINFO_EFFECTIVE_URL, &url);
	if (redirects == 0 || !url || strcmp(resource->url, resource->label) != 0)
		return;
	get->is_moved = true;
	/* Setting the URL frees what was asked for before it is copied. */
	copy = string_copy(url);
	curl_easy_setopt(get->easy, CURLOPT_URL, copy);
}

static bool is_passing_status(unsigned int status)
{
	return status == 408 || status == 429 || status >= 500;
}

/* What no repetition mends; anything else of libcurl's may pass. */
static bool is_final(CURLcode code)
{
	static const CURLcode final[] = {
		CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT,
		CURLE_TOO_MANY_REDIRECTS,   CURLE_PEER_FAILED_VERIFICATION,
		CURLE_SSL_CACERT_BADFILE,   CURLE_SSL_CERTPROBLEM,
		CURLE_BAD_CONTENT_ENCODING, CURLE_LOGIN_DENIED,
		CURLE_OUT_OF_MEMORY,        CURLE_NOT_BUILT_IN,
	};

	for (size_t i = 0; i < array_length(final); i++)
		if (final[i] == code)
			return true;
	return false;
}

static enum http_outcome failed(struct http_get *get, CURLcode code, struct error *err)
{
	bool was_moved = get->is_moved;

	if (get->refusal.text) {
		error_move(err, &get->refusal);
		return HTTP_FINAL;
	}
	http_error(err, get->easy, code, get->message);
	get->is_moved = false;
	curl_easy_setopt(get->easy, CURLOPT_URL, get->resource->url);
	if (code == CURLE_HTTP_RETURNED_ERROR)
		return was_moved || is_passing_status(get->response.status) ? HTTP_AGAIN
									    : HTTP_FINAL;
	return is_final(code) ? HTTP_FINAL : HTTP_AGAIN;
}

static enum http_outcome finish(struct http_get *get, CURLcode code, struct error *err)
{
	const struct http_request *request = get->request;

	detach(get);
	if (get->is_enough)
		return HTTP_DONE;
	/* Whatever happened then, nothing is missing. */
	if (!get->refusal.text && request->done == request->length) {
		follow(get);
		return HTTP_DONE;
	}
	if (code != CURLE_OK)
		return failed(get, code, err);
	if (!get->is_accepted) {
		error_set(err, "the server answers with HTTP status %u", get->response.status);
		return HTTP_FINAL;
	}
	if (request->length == HTTP_UNKNOWN)
		return HTTP_DONE;
	error_set(err, "the server ends its answer %" PRIu64 " bytes too early",
		  request->length - request->done);
	return HTTP_AGAIN;
}

static bool is_stopped(const struct http_get *get)
{
	return get->stop && atomic_load(get->stop);
}

enum http_outcome http_get_step(struct http_get *get, struct error *err)
{
	const CURLMsg *message;
	int left;

	if (is_stopped(get)) {
		error_set(err, "the image was closed");
		return HTTP_FINAL;
	}
	curl_multi_perform(get->multi, &left);
	message = curl_multi_info_read(get->multi, &left);
	if (message && message->msg == CURLMSG_DONE)
		return finish(get, message->data.result, err);
	if (!get->is_full)
		curl_multi_poll(get->multi, NULL, 0, 1000, NULL);
	return HTTP_RUNNING;
}

void http_get_resume(struct http_get *get)
{
	get->is_full = false;
	curl_easy_pause(get->easy, CURLPAUSE_CONT);
}

int http_get_pause(struct http_get *get, unsigned int failures, struct error *err)
{
	const struct http_timing *timing = &get->resource->timing;
	unsigned int wait_ms = timing->wait_ms;

	if (failures >= timing->tries) {
		_cleanup_error_ struct error last = {0};

		error_move(&last, err);
		return error_set(err, "%s (%u tries)", error_text(&last), failures);
	}
	for (unsigned int i = 1; i < failures && wait_ms < timing->wait_ms_max; i++)
		wait_ms *= 2;
	if (wait_ms > timing->wait_ms_max)
		wait_ms = timing->wait_ms_max;
	/* Nothing is under way: this sleeps, until http_get_wake(). */
	curl_multi_poll(get->multi, NULL, 0, (int)wait_ms, NULL);
	error_release(err);
	return 0;
}

void http_get_wake(struct http_get *get)
{
	curl_multi_wakeup(get->multi);
}

static enum http_outcome one_try(struct http_get *get, struct http_request *request,
				 struct error *err)
{
	enum http_outcome outcome;

	http_get_start(get, request);
	do {
		outcome = http_get_step(get, err);
	} while (outcome == HTTP_RUNNING);
	return outcome;
}

int http_get_all(struct http_get *get, struct http_request *request, struct error *err)
{
	for (unsigned int failures = 1;; failures++) {
		uint64_t before = request->done / GAIN;
		enum http_outcome outcome = one_try(get, request, err);

		if (outcome == HTTP_DONE)
			return 0;
		if (request->done / GAIN > before)
			failures = 1;
		if (outcome == HTTP_FINAL || http_get_pause(get, failures, err) < 0)
			return -1;
	}
}
