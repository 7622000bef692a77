// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * duration: how long a restore will take, roughly, from what is known before it begins: how the
 * disk is attached and whether it turns, where the image comes from and how it is packed. Nothing
 * is measured; a figure may be wrong by a factor of two.
 */
#pragma once

#include <stddef.h>

#include "restore/plan.h"
#include "restore/write.h"

struct duration {
	double seconds; /* of writing and reading back; 0: not known */
	char *limit;    /* what sets the pace, or why nothing is known: for people */
};

/* Of the slowest of the plan's disks. A plan without disks, and a stream, are not known. */
void duration_estimate(const struct source *source, const struct plan *plan, enum write_proof proof,
		       struct duration *out);
/* "15 seconds", "3 minutes", "2 hours": heap, the caller frees. */
char *duration_format(double seconds);
void duration_release(struct duration *duration);
#define _cleanup_duration_ __attribute__((cleanup(duration_release)))
