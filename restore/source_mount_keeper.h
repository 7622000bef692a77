// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * source_mount_keeper: ends a FUSE mount whose process is killed.
 *
 * A thread that mounts a file system which a loop device has over a file of this very process waits
 * in the kernel, where no signal reaches it. Were the process killed then, the threads that serve
 * the file would be gone, and that one would wait for them for ever, with the descriptor of
 * /dev/fuse whose end would free it. So a child process watches: it hears of the end of the serving
 * thread, which waits for nobody, by PR_SET_PDEATHSIG, and takes away what was mounted.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

struct source_mount_keeper {
	pid_t pid; /* 0: none */
	int fd;    /* its end ends the keeper */
};

/*
 * Called by the thread whose end is to be noticed, in the mount namespace of the mounts. places:
 * directories to be unmounted by force and removed, in this order, NULL-terminated; that one is no
 * mount, or was removed before, is no error.
 */
int source_mount_keeper_start(const char *const *places, struct source_mount_keeper *out,
			      struct error *err);
/* Any thread. */
void source_mount_keeper_stop(struct source_mount_keeper *keeper);
