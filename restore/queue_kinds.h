// SPDX-License-Identifier: GPL-3.0-or-later
/* queue_kinds: what queue.c chooses from. */
#pragma once

#include <stdbool.h>

#include "restore/queue.h"

struct queue_ops {
	int (*open)(struct queue *queue, struct error *err);
	void (*submit)(struct queue *queue, struct queue_request *request);
	struct queue_request *(*wait)(struct queue *queue); /* one is under way */
	void (*close)(struct queue *queue); /* none is under way; state may be NULL */
};

struct queue {
	const struct queue_ops *ops;
	void *memory;
	size_t length, depth, pending;
	void *state;
};

/* A transfer has ended with a count of bytes or -errno. Does a part of the request remain? */
bool queue_request_goes_on(struct queue_request *request, long result);

extern const struct queue_ops queue_ring_ops, queue_threads_ops;
