// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * source_mount_keeper: ends a FUSE mount whose process is killed.
 *
 * A thread that mounts a file system which a loop device has over a file of this very process waits
 * in the kernel, where no signal reaches it. Were the process killed then, the threads that serve
 * the file would be gone, and that one would wait for them for ever, with the descriptor of
 * /dev/fuse whose end would free it. So a child process watches. It hears of the kill by
 * PR_SET_PDEATHSIG, from a thread whose end nothing holds up: that has no descriptors, whose
 * closing may wait as well, and does nothing. Then it takes away what was mounted.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <sys/types.h>

#include "base/error.h"

/* Stays where it is while it is in use. */
struct source_mount_keeper {
	pid_t pid; /* 0: none */
	int fd;    /* its end ends the keeper, too */
	int child_fd;
	int number; /* why there is none: an errno value */
	pthread_t thread;
	sem_t is_forked, is_over;
	const char *const *places;
};

/*
 * In the mount namespace of the mounts. places: directories to be unmounted by force and removed,
 * in this order, NULL-terminated, that stay as they are until this returns; that one is no mount,
 * or was removed before, is no error.
 */
int source_mount_keeper_start(const char *const *places, struct source_mount_keeper *keeper,
			      struct error *err);
/* Accepts a zeroed one. */
void source_mount_keeper_stop(struct source_mount_keeper *keeper);
