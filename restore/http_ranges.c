// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "restore/http_blocks.h"
#include "restore/image_file_http.h"

enum { FETCHERS_MAX = 4 };

/* A main file and three siblings fit into 20 MiB. */
static const struct {
	uint32_t blocks;
	unsigned int fetchers;
} shares[] = {
	[HTTP_RANGES_MAIN] = {HTTP_BLOCKS_MAX, FETCHERS_MAX},
	[HTTP_RANGES_SIBLING] = {HTTP_BLOCKS_MAX / 3, 2},
};

struct fetcher {
	struct http_ranges *ranges;
	struct http_get get;
	struct http_run run;
	pthread_t thread;
};

struct http_ranges {
	const struct http_resource *resource;
	struct http_blocks blocks;
	atomic_bool stop;
	struct fetcher fetcher[FETCHERS_MAX];
	unsigned int ready;   /* fetchers that have their handle */
	unsigned int running; /* fetchers that have their thread */
};

static enum http_take run_accept(void *context, const struct http_response *response,
				 struct error *err)
{
	const struct fetcher *fetcher = context;
	const struct http_resource *resource = fetcher->ranges->resource;
	const struct http_request *request = fetcher->get.request;

	if (response->status != 206) {
		error_set(err, "the server sends the whole file instead of a range, now");
		return HTTP_REFUSED;
	}
	if (!response->has_range || response->first != request->offset + request->done ||
	    response->last != request->offset + request->length - 1) {
		error_set(err, "the server sends another range than it was asked for");
		return HTTP_REFUSED;
	}
	if (response->total != resource->size) {
		error_set(err,
			  "the file had %" PRIu64 " bytes, and now has another size: start again",
			  resource->size);
		return HTTP_REFUSED;
	}
	if (http_resource_check(resource, response, err) < 0 ||
	    http_resource_check_encoding(resource, response, err) < 0)
		return HTTP_REFUSED;
	return HTTP_TAKEN;
}

static enum http_take run_take(void *context, const uint8_t *data, size_t length, struct error *err)
{
	struct fetcher *fetcher = context;

	(void)err;
	http_blocks_fill(&fetcher->ranges->blocks, &fetcher->run, fetcher->get.request->done, data,
			 length);
	return HTTP_TAKEN;
}

static int fetch_run(struct fetcher *fetcher, struct error *err)
{
	struct http_request request = {
		.offset = fetcher->run.offset,
		.length = fetcher->run.length,
		.accept = run_accept,
		.take = run_take,
		.context = fetcher,
	};

	if (http_get_all(&fetcher->get, &request, err) == 0) {
		http_blocks_finish(&fetcher->ranges->blocks, &fetcher->run);
		return 0;
	}
	return error_in(err, "fetch %" PRIu64 " bytes of %s at file offset %" PRIu64,
			request.length - request.done, fetcher->ranges->resource->label,
			request.offset + request.done);
}

static void *fetcher_main(void *context)
{
	struct fetcher *fetcher = context;
	struct http_blocks *blocks = &fetcher->ranges->blocks;
	_cleanup_error_ struct error err = {0};

	while (http_blocks_take_run(blocks, &fetcher->run))
		if (fetch_run(fetcher, &err) < 0)
			http_blocks_fail(blocks, &err);
	return NULL;
}

static int init_fetchers(struct http_ranges *ranges, unsigned int count, struct error *err)
{
	while (ranges->ready < count) {
		struct fetcher *fetcher = &ranges->fetcher[ranges->ready++];

		fetcher->ranges = ranges;
		if (http_get_init(&fetcher->get, ranges->resource, &ranges->stop, err) < 0)
			return -1;
	}
	return 0;
}

/* As many as can be started; one is enough. Signals stay with the other threads. */
static int start_fetchers(struct http_ranges *ranges, struct error *err)
{
	sigset_t all, before;
	int number = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (ranges->running < ranges->ready && number == 0) {
		struct fetcher *fetcher = &ranges->fetcher[ranges->running];

		number = pthread_create(&fetcher->thread, NULL, fetcher_main, fetcher);
		ranges->running += number == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ranges->running > 0 ? 0 : error_sys(err, number, "start a thread");
}

struct http_ranges *http_ranges_open(const struct http_resource *resource,
				     enum http_ranges_share share, struct error *err)
{
	struct http_ranges *ranges = calloc(1, sizeof(*ranges));

	if (!ranges)
		abort();
	ranges->resource = resource;
	if (http_blocks_init(&ranges->blocks, resource->size, shares[share].blocks, err) == 0 &&
	    init_fetchers(ranges, shares[share].fetchers, err) == 0 &&
	    start_fetchers(ranges, err) == 0)
		return ranges;
	http_ranges_close(ranges);
	return NULL;
}

int http_ranges_read(struct http_ranges *ranges, void *data, size_t length, uint64_t offset,
		     struct error *err)
{
	return http_blocks_read(&ranges->blocks, data, length, offset, err);
}

void http_ranges_close(struct http_ranges *ranges)
{
	if (!ranges)
		return;
	atomic_store(&ranges->stop, true);
	http_blocks_close(&ranges->blocks);
	for (unsigned int i = 0; i < ranges->running; i++) {
		http_get_wake(&ranges->fetcher[i].get);
		pthread_join(ranges->fetcher[i].thread, NULL);
	}
	for (unsigned int i = 0; i < ranges->ready; i++)
		http_get_release(&ranges->fetcher[i].get);
	http_blocks_release(&ranges->blocks);
	free(ranges);
}
