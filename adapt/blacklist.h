// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * blacklist: what the guest's settings keep from being loaded: modprobe.d (blacklist, install with
 * a command that does nothing, alias to `off`) and the kernel command lines of its boot entries
 * (module_blacklist=, modprobe.blacklist=, rd.driver.blacklist=, initcall_blacklist=).
 *
 * Specifications: modprobe.d(5); Documentation/admin-guide/kernel-parameters of the kernel;
 * dracut.cmdline(7).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "adapt/drivers.h"
#include "adapt/guest.h"
#include "base/error.h"

struct blacklist_rule;

struct blacklist {
	struct blacklist_rule *rule;
	size_t count;
};

/*
 * For one kernel: a boot entry of another one does not count. Files that cannot be read (too large,
 * no regular file) are left out, as modprobe leaves them out.
 */
int blacklist_read(const struct guest *guest, const char *release, struct blacklist *out,
		   struct error *err);
/* modalias: of the device that asks, or NULL. by, when not NULL, gets who says so, borrowed. */
enum blacklisting blacklist_find(const struct blacklist *blacklist, const char *module,
				 const char *modalias, const char **by);
/* Only initcall_blacklist= can keep what is built into the kernel from starting. */
enum blacklisting blacklist_find_builtin(const struct blacklist *blacklist, const char *module,
					 const char **by);
void blacklist_release(struct blacklist *blacklist);
#define _cleanup_blacklist_ __attribute__((cleanup(blacklist_release)))
