// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * nbd_connection: one connection to an NBD server, through libnbd.
 *
 * The server is not trusted: sizes are checked, and nothing waits for it without a limit. A call
 * that fails closes the connection (handle is NULL then). One thread at a time.
 *
 * Specification: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
 */
#pragma once

#include <libnbd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* How a server is reached. */
struct nbd_endpoint {
	/* Sets what the connection needs, and begins it with one of nbd_aio_connect_*(). */
	int (*connect)(void *context, struct nbd_handle *handle, struct error *err);
	void *context;
	int silence_ms; /* a server that says nothing for so long is given up */
};

struct nbd_connection {
	struct nbd_handle *handle; /* NULL: not connected */
	int silence_ms;
	uint64_t size;
	uint32_t alignment;  /* of offsets and lengths that the server takes; a power of two */
	uint32_t preferred;  /* likewise, what it likes best; a power of two */
	uint32_t longest;    /* length of a read */
	bool has_allocation; /* it can be asked what reads as zeroes */
	bool can_share;      /* several connections see the same bytes */
};

/* What the server says of a range: entries are pairs of length and flags. -1 ends the answer. */
typedef int nbd_status_fn(void *context, const uint32_t *entries, size_t count, struct error *err);

/* Connects within limit_ms. */
int nbd_connection_open(const struct nbd_endpoint *endpoint, int limit_ms,
			struct nbd_connection *out, struct error *err);
void nbd_connection_close(struct nbd_connection *connection);
/* Exactly length bytes; the range is within size. */
int nbd_connection_read(struct nbd_connection *connection, void *data, size_t length,
			uint64_t offset, struct error *err);
/* Asks for base:allocation of a range within size, aligned where it does not end the disk. The
 * answer may be shorter, longer, or missing. The connection stays open when the server only
 * refused to answer. */
int nbd_connection_status(struct nbd_connection *connection, uint64_t offset, uint32_t length,
			  nbd_status_fn *say, void *context, struct error *err);
/* The error from libnbd's last one in this thread. Returns -1. */
int nbd_complain(struct error *err);
