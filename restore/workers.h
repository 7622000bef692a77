// SPDX-License-Identifier: GPL-3.0-or-later
/* workers: one function in a few threads at once, until it has ended in all of them. */
#pragma once

#include <stdatomic.h>

#include "base/error.h"

enum { WORKERS_MAX = 4 };

struct workers {
	/* Runs in each thread and returns when nothing is left, when failed was set, or -1. */
	int (*work)(void *context, struct error *err);
	/* Called a few times a second from the calling thread. */
	void (*tick)(void *context);
	void *context;
	atomic_bool failed; /* set when one returned -1 */
};

/* How many threads there are at most: one more than processors, but never more than WORKERS_MAX. */
int workers_count(void);
/* 0, or -1 and the first error. Signals stay with the calling thread. */
int workers_run(struct workers *workers, struct error *err);
