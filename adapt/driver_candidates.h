// SPDX-License-Identifier: GPL-3.0-or-later
/* driver_candidates: the modules of one kernel that match one device, in the order in which they
 * are expected to bind. */
#pragma once

#include "adapt/blacklist.h"
#include "adapt/drivers_db.h"
#include "adapt/module_index.h"

struct candidate {
	const struct module_fact *fact; /* borrowed from the index */
	int rank;                       /* RANK_FALLBACK and more: named when no other matches */
	enum blacklisting blacklisting;
	const char *by; /* who blacklists it, borrowed; or NULL */
};

struct candidates {
	struct candidate *item; /* expected to bind first, first; what is blacklisted, last */
	size_t count;
};

/* Adds what the index has to be asked about this device. */
void candidates_ask(const struct drivers_db *db, const struct device *device,
		    struct strings *questions);
/*
 * The index of most kernels does not tell which devices the drivers that are built in are for: it
 * has their MODULE_ALIAS(), and not their MODULE_DEVICE_TABLE(). They are found by name: the driver
 * of the whole class, and the one that is bound to the device now.
 */
void candidates_find(const struct drivers_db *db, const struct module_index *index,
		     const struct blacklist *blacklist, const struct device *device,
		     struct candidates *out);
void candidates_release(struct candidates *candidates);
#define _cleanup_candidates_ __attribute__((cleanup(candidates_release)))
