// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * hazards: what keeps, or may keep, a kernel of the guest from starting on this machine, and what a
 * person can do about it: controllers in a mode that hides disks, kernels that were built for
 * virtual machines or are older than the hardware, modules that settings of the guest or Secure
 * Boot keep out, firmware files that are not there.
 */
#pragma once

#include <json-c/json.h>

#include "adapt/drivers.h"
#include "base/error.h"

enum hazard_severity {
	HAZARD_NOTE,  /* it starts; something else is lacking, or worth knowing */
	HAZARD_RISK,  /* it may not start */
	HAZARD_FATAL, /* it does not start */
};
/* "note", "risk", "fatal". */
const char *hazard_severity_name(enum hazard_severity severity);

struct hazard {
	enum hazard_severity severity;
	char *what;   /* a sentence without a full stop */
	char *advice; /* what to do: a clause in the imperative; never NULL */
};

struct hazards {
	struct hazard *item; /* worst first */
	size_t count;
};

/*
 * matches: of drivers_match() for this kernel. A boot-critical device without a driver is always
 * among them. Each hazard stands once, with all the devices that it concerns.
 */
int hazards_find(const struct drivers_db *db, const struct hardware *hardware,
		 const struct guest *guest, const struct guest_kernel *kernel,
		 const struct driver_matches *matches, struct hazards *out, struct error *err);
void hazards_release(struct hazards *hazards);
#define _cleanup_hazards_ __attribute__((cleanup(hazards_release)))
/* [{ "severity", "what", "advice" }]; the caller owns it. */
json_object *hazards_json(const struct hazards *hazards);
