// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * root_chain: what stands between the guest's root file system and the processor of the machine
 * that it moves to: file system, LVM, RAID or encryption, disk driver, host controller, and the
 * bridges or the VMD domain above that.
 *
 * The upper part is the guest's (its mounts, fstab, crypttab, mdadm.conf), the lower one the
 * machine's. There the devices that hardware_follow_disk() marked are taken; else those above the
 * disks that the machine has, removable ones left out; else, as of a machine of which no disk is
 * known (an lspci listing), every storage controller and what stands above it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "adapt/drivers.h"
#include "base/error.h"

struct root_link {
	char *module;         /* as most kernels have it */
	struct strings names; /* to ask the index for, best first: "fs-ext4", "ext4" */
	char *why;            /* "file system ext4" */
	/* false: it is loaded where it exists, and often not needed */
	bool is_required;
	bool is_of_disk; /* drives what hangs on a controller, not what lies on the disk */
};

struct root_chain {
	struct root_link *link;
	size_t link_count;
	bool *is_critical;   /* [i]: hardware->device[i] stands in the chain */
	bool is_way_assumed; /* no disk is known: every storage controller was taken */
};

int root_chain_find(const struct drivers_db *db, const struct hardware *hardware,
		    const struct guest *guest, struct root_chain *out, struct error *err);
/* Adds what the module index has to be asked for the links. */
void root_chain_ask(const struct root_chain *chain, struct strings *questions);
void root_chain_release(struct root_chain *chain);
#define _cleanup_root_chain_ __attribute__((cleanup(root_chain_release)))
