// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * nbd_pool: a disk that an NBD server exports, read over several connections.
 *
 * A connection that is lost is made again and the command repeated, with growing pauses, until
 * retry_ms have passed; the disk must have the size it had. Every function may be called from
 * several threads; each has a connection to itself while it uses it.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "restore/nbd_connection.h"
#include "restore/source.h"

enum { NBD_POOL_CONNECTIONS = 4 };

struct nbd_pool_options {
	struct nbd_endpoint endpoint; /* its context is borrowed */
	int connect_ms;               /* limit of making a connection */
	int pause_ms;                 /* before the first repetition; doubled each time */
	int retry_ms;                 /* 0: what is lost is lost */
};

struct nbd_pool;

int nbd_pool_open(const struct nbd_pool_options *options, struct nbd_pool **out, struct error *err);
void nbd_pool_close(struct nbd_pool *pool); /* NULL is fine */
uint64_t nbd_pool_size(const struct nbd_pool *pool);
uint32_t nbd_pool_granule(const struct nbd_pool *pool);
unsigned int nbd_pool_connections(const struct nbd_pool *pool);
/* As source_ops.read and .extent. */
int nbd_pool_read(struct nbd_pool *pool, void *data, size_t length, uint64_t offset,
		  struct error *err);
int nbd_pool_extent(struct nbd_pool *pool, uint64_t offset, uint64_t length, struct extent *out,
		    struct error *err);
