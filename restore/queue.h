// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * queue: transfers between memory and files that go on while the caller does something else.
 *
 * Two ways behind one table: io_uring, with the memory registered where that is allowed, and a few
 * threads where the kernel has no io_uring or forbids it (by sysctl or seccomp); chosen
 * when the queue is opened. A queue belongs to the thread that opened it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum queue_kind {
	QUEUE_BEST,
	QUEUE_THREADS, /* though io_uring may be there */
};

enum queue_way { QUEUE_READ, QUEUE_WRITE };

struct queue_request {
	enum queue_way way;
	int fd;
	void *data;
	size_t length;
	uint64_t offset;
	void *owner;
	size_t number; /* owner and number are the caller's own */
	/* When it has ended: 0 and all of length was transferred, or an errno; ENODATA where the
	 * file ends before. */
	int error;
	/* The queue's own. */
	size_t done;
	struct queue_request *next;
};

struct queue;

/* At most depth requests are under way at once. What they transfer lies in memory, which the
 * caller owns and keeps until the queue is closed. */
int queue_open(enum queue_kind kind, void *memory, size_t length, size_t depth, struct queue **out,
	       struct error *err);
/* request stays the caller's and must stay where it is until queue_wait() returns it. */
void queue_submit(struct queue *queue, struct queue_request *request);
/* The next request that has ended, in any order; NULL when none is under way. */
struct queue_request *queue_wait(struct queue *queue);
/* Waits for everything that is under way. Accepts NULL. */
void queue_close(struct queue *queue);
