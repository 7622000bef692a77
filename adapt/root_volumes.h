// SPDX-License-Identifier: GPL-3.0-or-later
/* root_volumes: the guest's half of root_chain: file system, LVM, RAID, encryption. */
#pragma once

#include "adapt/root_chain.h"

enum root_need { ROOT_OPTIONAL, ROOT_REQUIRED };

/* Unless it is there. alias: what the kernel asks for ("fs-ext4"), or NULL. */
void root_chain_add(struct root_chain *chain, const char *module, const char *alias,
		    enum root_need need, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Adds the modules that the guest's mounts, fstab, crypttab and mdadm.conf ask for. */
int root_volumes_find(const struct guest *guest, struct root_chain *chain, struct error *err);
