// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * guest_sandbox: where programs of the guest run.
 *
 *   v2p ── monitor ── init (PID 1 of the namespace) ── the program
 *
 * monitor is process_run()'s child: it stays outside and passes the status on. init builds the
 * mounts, reaps orphans, and takes everything in the namespace with it when it ends. Each dies with
 * its parent, so that nothing of the guest outlives v2p. All mounts are made in the namespace and
 * vanish with it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "adapt/guest.h"
#include "base/error.h"

/* An entry of the sandbox's /dev: a device node, or a symbolic link when target is set. */
struct sandbox_node {
	char *path; /* below /dev, without it: "mapper/control" */
	char *target;
	mode_t mode; /* S_IFCHR or S_IFBLK, and permissions */
	dev_t device;
};

struct sandbox {
	int root_fd; /* borrowed */
	enum guest_permission permission;
	bool has_volumes; /* the guest's disk has LVM, which asks for CAP_SYS_ADMIN */
	struct sandbox_node *node;
	size_t count;
};

/* Gathers the nodes that permission grants. */
int sandbox_init(struct sandbox *sandbox, const struct guest *guest,
		 enum guest_permission permission, struct error *err);
void sandbox_release(struct sandbox *sandbox);
#define _cleanup_sandbox_ __attribute__((cleanup(sandbox_release)))

/* A prepare() of struct process; context is the sandbox. Returns in the program's process only. */
int sandbox_enter(void *context, struct error *err);
