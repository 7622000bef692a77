// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/nbd_pool.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/scope.h"
#include "restore/nbd_map.h"

enum {
	STATUS_LENGTH = 1 << 30, /* asked for at once; lengths are 32 bits */
	/* A server may say that it takes several clients and leave the second one waiting. */
	MORE_CONNECTIONS_MS = 3000,
};

struct slot {
	struct nbd_connection connection;
	bool is_busy;
};

struct nbd_pool {
	struct nbd_pool_options options;
	uint64_t size;
	uint32_t granule;
	uint32_t alignment;
	bool has_allocation;
	pthread_mutex_t slots_lock;
	pthread_cond_t slot_is_free;
	struct slot slot[NBD_POOL_CONNECTIONS];
	unsigned int slots;
	pthread_mutex_t map_lock; /* held while the server is asked, too: once is enough */
	struct nbd_map map;
};

/* One command over a connection. */
struct job {
	int (*run)(struct nbd_pool *pool, struct nbd_connection *connection, const struct job *job,
		   struct error *err);
	void *data;
	size_t length;
	uint64_t offset;
};

static struct slot *take_slot(struct nbd_pool *pool)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&pool->slots_lock);
	for (unsigned int i = 0; !slot; i++) {
		if (i == pool->slots) {
			pthread_cond_wait(&pool->slot_is_free, &pool->slots_lock);
			i = 0;
		}
		if (!pool->slot[i].is_busy)
			slot = &pool->slot[i];
	}
	slot->is_busy = true;
	pthread_mutex_unlock(&pool->slots_lock);
	return slot;
}

static void give_slot(struct nbd_pool *pool, struct slot *slot)
{
	pthread_mutex_lock(&pool->slots_lock);
	slot->is_busy = false;
	pthread_cond_signal(&pool->slot_is_free);
	pthread_mutex_unlock(&pool->slots_lock);
}

static int connect_slot(struct nbd_pool *pool, struct slot *slot, int limit_ms, struct error *err)
{
	struct nbd_connection *c = &slot->connection;
	uint64_t size;

	if (nbd_connection_open(&pool->options.endpoint, limit_ms, c, err) < 0)
		return -1;
	if (c->size == pool->size && c->alignment <= pool->alignment)
		return 0;
	size = c->size;
	nbd_connection_close(c);
	return error_set(err,
			 "the disk on the NBD server has changed: it had %" PRIu64
			 " bytes and has %" PRIu64 " now",
			 pool->size, size);
}

static int try_job(struct nbd_pool *pool, struct slot *slot, const struct job *job,
		   struct error *err)
{
	if (!slot->connection.handle && connect_slot(pool, slot, pool->options.connect_ms, err) < 0)
		return -1;
	return job->run(pool, &slot->connection, job, err);
}

static int run_job(struct nbd_pool *pool, const struct job *job, struct error *err)
{
	const long long end = clock_ms() + pool->options.retry_ms;
	struct slot *slot = take_slot(pool);
	int r = try_job(pool, slot, job, err);

	for (long long pause = pool->options.pause_ms; r < 0 && clock_ms() + pause <= end;
	     pause *= 2) {
		nanosleep(&(struct timespec){pause / 1000, pause % 1000 * 1000000}, NULL);
		r = try_job(pool, slot, job, err);
	}
	give_slot(pool, slot);
	return r;
}

/* Not all of them need to succeed. */
static void add_connections(struct nbd_pool *pool)
{
	long long end = clock_ms() + MORE_CONNECTIONS_MS;

	while (pool->slots < NBD_POOL_CONNECTIONS && clock_ms() < end) {
		if (connect_slot(pool, &pool->slot[pool->slots], (int)(end - clock_ms()), NULL) < 0)
			return;
		pool->slots++;
	}
}

static int open_pool(struct nbd_pool *pool, struct error *err)
{
	struct nbd_connection *first = &pool->slot[0].connection;

	if (nbd_connection_open(&pool->options.endpoint, pool->options.connect_ms, first, err) < 0)
		return -1;
	pool->slots = 1;
	pool->size = first->size;
	pool->granule = first->preferred;
	pool->alignment = first->alignment;
	pool->has_allocation = first->has_allocation;
	if (first->can_share)
		add_connections(pool);
	return 0;
}

int nbd_pool_open(const struct nbd_pool_options *options, struct nbd_pool **out, struct error *err)
{
	struct nbd_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return error_sys(err, ENOMEM, "open");
	pool->options = *options;
	pthread_mutex_init(&pool->slots_lock, NULL);
	pthread_mutex_init(&pool->map_lock, NULL);
	pthread_cond_init(&pool->slot_is_free, NULL);
	if (open_pool(pool, err) < 0) {
		nbd_pool_close(pool);
		return -1;
	}
	*out = pool;
	return 0;
}

void nbd_pool_close(struct nbd_pool *pool)
{
	if (!pool)
		return;
	for (unsigned int i = 0; i < NBD_POOL_CONNECTIONS; i++)
		nbd_connection_close(&pool->slot[i].connection);
	pthread_cond_destroy(&pool->slot_is_free);
	pthread_mutex_destroy(&pool->map_lock);
	pthread_mutex_destroy(&pool->slots_lock);
	free(pool);
}

uint64_t nbd_pool_size(const struct nbd_pool *pool)
{
	return pool->size;
}

uint32_t nbd_pool_granule(const struct nbd_pool *pool)
{
	return pool->granule;
}

unsigned int nbd_pool_connections(const struct nbd_pool *pool)
{
	return pool->slots;
}

static int run_read(struct nbd_pool *pool, struct nbd_connection *connection, const struct job *job,
		    struct error *err)
{
	(void)pool;
	return nbd_connection_read(connection, job->data, job->length, job->offset, err);
}

int nbd_pool_read(struct nbd_pool *pool, void *data, size_t length, uint64_t offset,
		  struct error *err)
{
	const struct job job = {run_read, data, length, offset};

	return run_job(pool, &job, err);
}

static int on_status(void *context, const uint32_t *entries, size_t count, struct error *err)
{
	struct nbd_pool *pool = context;

	return nbd_map_add_status(&pool->map, entries, count, pool->size, err);
}

/* A server that does not say what it has is asked for the bytes. */
static int run_status(struct nbd_pool *pool, struct nbd_connection *connection,
		      const struct job *job, struct error *err)
{
	nbd_map_restart(&pool->map, job->offset);
	if (nbd_connection_status(connection, job->offset, (uint32_t)job->length, on_status, pool,
				  err) < 0 &&
	    !connection->handle)
		return -1;
	if (nbd_map_end(&pool->map) == job->offset)
		nbd_map_add(&pool->map, job->length, false);
	return 0;
}

static int ask(struct nbd_pool *pool, uint64_t offset, struct error *err)
{
	uint64_t start = offset - offset % pool->alignment;
	uint64_t left = pool->size - start;
	const struct job job = {
		.run = run_status,
		.length = left < STATUS_LENGTH ? (size_t)left : STATUS_LENGTH,
		.offset = start,
	};

	return run_job(pool, &job, err);
}

static int look_up(struct nbd_pool *pool, uint64_t offset, uint64_t length, struct extent *out,
		   struct error *err)
{
	const struct nbd_range *range = nbd_map_find(&pool->map, offset);

	if (!range) {
		if (ask(pool, offset, err) < 0)
			return -1;
		range = nbd_map_find(&pool->map, offset);
	}
	*out = (struct extent){offset, length, EXTENT_DATA};
	/* The answer may end within the first block. */
	if (!range)
		return 0;
	out->kind = range->is_zero ? EXTENT_ZERO : EXTENT_DATA;
	if (length > range->end - offset)
		out->length = range->end - offset;
	return 0;
}

int nbd_pool_extent(struct nbd_pool *pool, uint64_t offset, uint64_t length, struct extent *out,
		    struct error *err)
{
	int r;

	*out = (struct extent){offset, length, EXTENT_DATA};
	if (!pool->has_allocation)
		return 0;
	pthread_mutex_lock(&pool->map_lock);
	r = look_up(pool, offset, length, out, err);
	pthread_mutex_unlock(&pool->map_lock);
	return r;
}
