// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * http_blocks: a bounded cache between the readers of a file and those that fetch it.
 *
 * A reader that misses a block wants it, and, where the blocks before it were asked for as well,
 * also those that follow: the longer the sequence, the more, up to ahead_max. A fetcher takes a run
 * of neighbouring wanted blocks at once, so a sequence is fetched in long ranges by several
 * fetchers, and a small table in a short one.
 *
 * Blocks that were read to their end are used again first. What was read ahead gives way to other
 * reading ahead only when it was passed by. Offsets are bytes of the file.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	HTTP_BLOCK = 128 << 10,
	HTTP_BLOCKS_MAX = 80, /* 10 MiB */
	HTTP_RUN_MAX = 12,    /* blocks of one request: 1.5 MiB */
};

enum http_block_state { HTTP_BLOCK_EMPTY, HTTP_BLOCK_WANTED, HTTP_BLOCK_FETCHED, HTTP_BLOCK_THERE };

struct http_block {
	uint64_t number; /* file offset / HTTP_BLOCK */
	enum http_block_state state;
	unsigned int readers; /* that wait for it or copy from it */
	bool is_urgent;       /* a reader waits */
	bool is_used_up;      /* read to its end */
	uint32_t streak;      /* so many blocks before it belong to the same sequence */
	uint64_t claim;       /* counts claims: the block's age */
};

struct http_blocks {
	uint64_t size;      /* of the file */
	uint32_t count;     /* of blocks */
	uint32_t ahead_max; /* blocks */
	uint8_t *memory;
	struct http_block block[HTTP_BLOCKS_MAX];
	pthread_mutex_t lock;   /* guards what follows, and block */
	pthread_cond_t wanted;  /* fetchers wait for it */
	pthread_cond_t arrived; /* readers wait for it */
	uint64_t claims;
	unsigned int crowded; /* readers that wait for any block to be free */
	bool is_closing;
	bool has_failed;
	struct error failure; /* the first; all readers get it */
};

/* Neighbouring blocks to fetch, oldest first: bytes of the file [offset, offset + length). */
struct http_run {
	uint64_t offset;
	uint64_t length;
	struct http_block *block[HTTP_RUN_MAX];
};

/* count: at most HTTP_BLOCKS_MAX, at least 2. Memory is taken as blocks are used. */
int http_blocks_init(struct http_blocks *blocks, uint64_t size, uint32_t count, struct error *err);
void http_blocks_release(struct http_blocks *blocks);

/* Fills data; the range is within size. From any thread. */
int http_blocks_read(struct http_blocks *blocks, void *data, size_t length, uint64_t offset,
		     struct error *err);

/* For fetchers: waits for a run; false: the end. Until it is filled or failed it is theirs. */
bool http_blocks_take_run(struct http_blocks *blocks, struct http_run *run);
/* Bytes of the run from `at` on arrived; a block is there once it is full, the last one once the
 * run is finished: when the answer turned out sound to its end. */
void http_blocks_fill(struct http_blocks *blocks, const struct http_run *run, uint64_t at,
		      const uint8_t *data, size_t length);
void http_blocks_finish(struct http_blocks *blocks, const struct http_run *run);
/* Nothing more will come; err is moved. */
void http_blocks_fail(struct http_blocks *blocks, struct error *err);
/* Fetchers are sent home. No reader may be left. */
void http_blocks_close(struct http_blocks *blocks);
