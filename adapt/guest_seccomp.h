// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * guest_seccomp: what a program of the guest may not ask the kernel for even with CAP_SYS_ADMIN,
 * which the device mapper's ioctls need. Part of the sandbox.
 */
#pragma once

#include "base/error.h"

/*
 * From here on this process and its children can neither mount, nor enter or leave namespaces, nor
 * do the other things that CAP_SYS_ADMIN opens: EPERM. no_new_privs must be set. Programs of
 * another architecture than x86-64 are killed at their first system call.
 */
int seccomp_confine(struct error *err);
