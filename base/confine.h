// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * confine: what takes rights away from the process that calls it, and from what it starts. For
 * the child between fork and exec; who calls decides on the order. Rights that are gone do not come
 * back.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/error.h"

#define CONFINE_CAPABILITY(capability) (1ULL << (capability))

struct confine_limit {
	int resource; /* RLIMIT_… */
	rlim_t limit; /* a limit that is lower already stays */
};

int confine_limits(const struct confine_limit *limits, size_t count, struct error *err);
/* Nothing that is executed later can have more capabilities than these. Takes CAP_SETPCAP. */
int confine_bounding_set(uint64_t kept, struct error *err);
/* No capabilities but these, and no_new_privs. */
int confine_capabilities(uint64_t kept, struct error *err);
/* The working directory, a mount of its own in a private mount namespace, becomes the root; the old
 * one is gone. */
int confine_root(struct error *err);
/*
 * The named system calls end in EPERM from here on; at most 128. no_new_privs must be set. Programs
 * of another architecture than x86-64 are killed at their first system call.
 */
int confine_system_calls(const unsigned int *refused, size_t count, struct error *err);
/* When memory ends, it is this process that goes, and not v2p. */
void confine_prefer_to_be_killed(void);
