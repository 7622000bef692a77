// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/http_blocks.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	SEQUENCE_GAP = 8,    /* blocks: several readers in one sequence are a little apart */
	STREAK_MISS_MAX = 4, /* in a long sequence only a straggler misses a block: it needs few */
};

static uint32_t min32(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

static uint8_t *memory_of(const struct http_blocks *blocks, const struct http_block *block)
{
	return blocks->memory + (size_t)(block - blocks->block) * HTTP_BLOCK;
}

/* The last block of the file may be shorter. */
static size_t length_of(const struct http_blocks *blocks, uint64_t number)
{
	return min32(blocks->size - number * HTTP_BLOCK, HTTP_BLOCK);
}

static struct http_block *find(struct http_blocks *blocks, uint64_t number)
{
	for (uint32_t i = 0; i < blocks->count; i++)
		if (blocks->block[i].number == number && blocks->block[i].state != HTTP_BLOCK_EMPTY)
			return &blocks->block[i];
	return NULL;
}

enum claim { CLAIM_NOW, CLAIM_AHEAD };

/* How gladly a block is given up; 0: not at all. */
static int worth_giving(const struct http_blocks *blocks, const struct http_block *block,
			enum claim claim)
{
	if (block->state == HTTP_BLOCK_EMPTY)
		return 4;
	if (block->state != HTTP_BLOCK_THERE || block->readers > 0)
		return 0;
	if (block->is_used_up)
		return 3;
	if (blocks->claims - block->claim > blocks->count)
		return 2;
	return claim == CLAIM_NOW ? 1 : 0;
}

/* A block to use anew, the oldest of the best; NULL: all are needed. */
static struct http_block *victim(struct http_blocks *blocks, enum claim claim)
{
	struct http_block *best = NULL;
	int best_worth = 0;

	for (uint32_t i = 0; i < blocks->count; i++) {
		struct http_block *block = &blocks->block[i];
		int worth = worth_giving(blocks, block, claim);

		if (worth < best_worth || worth == 0)
			continue;
		if (worth == best_worth && block->claim >= best->claim)
			continue;
		best = block;
		best_worth = worth;
	}
	return best;
}

static struct http_block *claim_block(struct http_blocks *blocks, uint64_t number, uint64_t streak,
				      enum claim claim)
{
	struct http_block *block = victim(blocks, claim);

	if (!block)
		return NULL;
	*block = (struct http_block){
		.number = number,
		.state = HTTP_BLOCK_WANTED,
		.streak = min32(streak, blocks->ahead_max),
		.claim = ++blocks->claims,
	};
	return block;
}

/* So many blocks before this one were asked for in order. */
static uint64_t streak_before(struct http_blocks *blocks, uint64_t number)
{
	for (uint64_t gap = 1; gap <= SEQUENCE_GAP && gap <= number; gap++) {
		const struct http_block *before = find(blocks, number - gap);

		if (before)
			return min32(before->streak + gap, STREAK_MISS_MAX);
	}
	return 0;
}

static void claim_ahead(struct http_blocks *blocks, const struct http_block *block, uint64_t count)
{
	uint64_t last = (blocks->size - 1) / HTTP_BLOCK;

	for (uint64_t i = 1; i <= count && block->number + i <= last; i++)
		if (!find(blocks, block->number + i) &&
		    !claim_block(blocks, block->number + i, block->streak + i, CLAIM_AHEAD))
			return;
}

/* Has another reader led the same sequence beyond what this block's window reaches? */
static bool is_overtaken(const struct http_blocks *blocks, const struct http_block *block,
			 uint64_t window)
{
	for (uint32_t i = 0; i < blocks->count; i++) {
		const struct http_block *other = &blocks->block[i];

		if (other->state != HTTP_BLOCK_EMPTY && other->streak >= block->streak &&
		    other->number > block->number + window &&
		    other->number - block->number < 2ULL * blocks->count)
			return true;
	}
	return false;
}

/* Half of the window is fetched while the other half is read, so that ranges are long. */
static void read_ahead(struct http_blocks *blocks, const struct http_block *block)
{
	uint64_t window = min32(2ULL * block->streak, blocks->ahead_max);
	uint64_t middle = block->number + window / 2 + 1;

	if (window > 1 && middle * HTTP_BLOCK < blocks->size && !find(blocks, middle) &&
	    !is_overtaken(blocks, block, window))
		claim_ahead(blocks, block, window);
}

/* Waits until the block is there and keeps it there. rest: blocks of the same read that follow. */
static struct http_block *acquire(struct http_blocks *blocks, uint64_t number, uint64_t rest)
{
	struct http_block *block = find(blocks, number);
	uint64_t claims = blocks->claims;

	while (!block && !blocks->has_failed) {
		block = claim_block(blocks, number, streak_before(blocks, number), CLAIM_NOW);
		if (block)
			break;
		blocks->crowded++;
		pthread_cond_wait(&blocks->arrived, &blocks->lock);
		blocks->crowded--;
		block = find(blocks, number);
	}
	if (!block)
		return NULL;
	block->readers++;
	block->is_urgent = true;
	claim_ahead(blocks, block, rest);
	read_ahead(blocks, block);
	/* One fetcher takes many, and calls the next one where something is left. */
	if (blocks->claims != claims)
		pthread_cond_signal(&blocks->wanted);
	while (block->state != HTTP_BLOCK_THERE && !blocks->has_failed)
		pthread_cond_wait(&blocks->arrived, &blocks->lock);
	if (block->state == HTTP_BLOCK_THERE)
		return block;
	block->readers--;
	return NULL;
}

static void let_go(struct http_blocks *blocks, struct http_block *block)
{
	block->readers--;
	if (block->readers == 0 && blocks->crowded > 0)
		pthread_cond_broadcast(&blocks->arrived);
}

/* Up to the end of one block; returns how much, 0 when fetching has failed. */
static size_t read_block(struct http_blocks *blocks, void *data, size_t length, uint64_t offset)
{
	uint64_t number = offset / HTTP_BLOCK, last = (offset + length - 1) / HTTP_BLOCK;
	size_t within = (size_t)(offset % HTTP_BLOCK), block_length = length_of(blocks, number);
	size_t part = length < block_length - within ? length : block_length - within;
	struct http_block *block = acquire(blocks, number, min32(last - number, HTTP_RUN_MAX));

	if (!block)
		return 0;
	pthread_mutex_unlock(&blocks->lock);
	memcpy(data, memory_of(blocks, block) + within, part);
	pthread_mutex_lock(&blocks->lock);
	if (within + part == block_length)
		block->is_used_up = true;
	let_go(blocks, block);
	return part;
}

int http_blocks_read(struct http_blocks *blocks, void *data, size_t length, uint64_t offset,
		     struct error *err)
{
	size_t part = 1;
	int r = 0;

	pthread_mutex_lock(&blocks->lock);
	for (size_t done = 0; done < length && part > 0; done += part)
		part = read_block(blocks, (uint8_t *)data + done, length - done, offset + done);
	if (part == 0)
		r = error_set(err, "%s", error_text(&blocks->failure));
	pthread_mutex_unlock(&blocks->lock);
	return r;
}

/* The oldest wanted block; those that a reader waits for come first. */
static struct http_block *most_wanted(struct http_blocks *blocks)
{
	struct http_block *best = NULL;

	for (uint32_t i = 0; i < blocks->count; i++) {
		struct http_block *block = &blocks->block[i];

		if (block->state != HTTP_BLOCK_WANTED)
			continue;
		if (!best || block->is_urgent > best->is_urgent ||
		    (block->is_urgent == best->is_urgent && block->claim < best->claim))
			best = block;
	}
	return best;
}

static void collect(struct http_blocks *blocks, struct http_block *block, struct http_run *run)
{
	*run = (struct http_run){.offset = block->number * HTTP_BLOCK};
	for (uint32_t i = 0; i < HTTP_RUN_MAX && block && block->state == HTTP_BLOCK_WANTED; i++) {
		block->state = HTTP_BLOCK_FETCHED;
		run->block[i] = block;
		run->length += length_of(blocks, block->number);
		block = find(blocks, block->number + 1);
	}
}

bool http_blocks_take_run(struct http_blocks *blocks, struct http_run *run)
{
	struct http_block *block = NULL;
	bool is_end;

	pthread_mutex_lock(&blocks->lock);
	while (!blocks->is_closing && !blocks->has_failed && !(block = most_wanted(blocks)))
		pthread_cond_wait(&blocks->wanted, &blocks->lock);
	is_end = blocks->is_closing || blocks->has_failed;
	if (!is_end)
		collect(blocks, block, run);
	if (!is_end && most_wanted(blocks))
		pthread_cond_signal(&blocks->wanted);
	pthread_mutex_unlock(&blocks->lock);
	return !is_end;
}

static void block_arrived(struct http_blocks *blocks, struct http_block *block)
{
	pthread_mutex_lock(&blocks->lock);
	block->state = HTTP_BLOCK_THERE;
	if (block->readers > 0 || blocks->crowded > 0)
		pthread_cond_broadcast(&blocks->arrived);
	pthread_mutex_unlock(&blocks->lock);
}

void http_blocks_fill(struct http_blocks *blocks, const struct http_run *run, uint64_t at,
		      const uint8_t *data, size_t length)
{
	assert(length <= run->length && at <= run->length - length);
	while (length > 0) {
		struct http_block *block = run->block[at / HTTP_BLOCK];
		size_t within = (size_t)(at % HTTP_BLOCK);
		size_t block_length = length_of(blocks, block->number);
		size_t part = length < block_length - within ? length : block_length - within;

		memcpy(memory_of(blocks, block) + within, data, part);
		at += part;
		if (within + part == block_length && at < run->length)
			block_arrived(blocks, block);
		data += part;
		length -= part;
	}
}

void http_blocks_finish(struct http_blocks *blocks, const struct http_run *run)
{
	block_arrived(blocks, run->block[(run->length - 1) / HTTP_BLOCK]);
}

void http_blocks_fail(struct http_blocks *blocks, struct error *err)
{
	pthread_mutex_lock(&blocks->lock);
	if (!blocks->has_failed)
		error_move(&blocks->failure, err);
	blocks->has_failed = true;
	pthread_cond_broadcast(&blocks->arrived);
	pthread_cond_broadcast(&blocks->wanted);
	pthread_mutex_unlock(&blocks->lock);
}

void http_blocks_close(struct http_blocks *blocks)
{
	pthread_mutex_lock(&blocks->lock);
	blocks->is_closing = true;
	pthread_cond_broadcast(&blocks->wanted);
	pthread_mutex_unlock(&blocks->lock);
}

int http_blocks_init(struct http_blocks *blocks, uint64_t size, uint32_t count, struct error *err)
{
	assert(count >= 2 && count <= HTTP_BLOCKS_MAX && size > 0);
	*blocks = (struct http_blocks){.size = size, .count = count, .ahead_max = count / 7 * 3};
	pthread_mutex_init(&blocks->lock, NULL);
	pthread_cond_init(&blocks->wanted, NULL);
	pthread_cond_init(&blocks->arrived, NULL);
	blocks->memory = malloc((size_t)count * HTTP_BLOCK);
	return blocks->memory ? 0 : error_sys(err, ENOMEM, "read over HTTP");
}

void http_blocks_release(struct http_blocks *blocks)
{
	free(blocks->memory);
	blocks->memory = NULL;
	error_release(&blocks->failure);
	pthread_cond_destroy(&blocks->wanted);
	pthread_cond_destroy(&blocks->arrived);
	pthread_mutex_destroy(&blocks->lock);
}
