// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * adaptation: the steps and the boot loader in their order, on one opened guest.
 *
 * First every step plans on what the earlier ones planned; then all changes are carried out; then
 * every step proves its result.
 */
#pragma once

#include "adapt/guest.h"
#include "adapt/hardware.h"
#include "adapt/step.h"
#include "base/error.h"
#include "base/report.h"
#include "cli/options.h"
#include "cli/output.h"

struct adaptation_request {
	enum network_mode network;
	enum initramfs_modules initramfs;
	const char *hostname;      /* or NULL */
	const char *skip;          /* names of steps to leave out, or NULL */
	const struct packs *packs; /* driver packs at hand, or NULL */
	bool dry_run;              /* plan only; the changes are in the report with their diffs */
};

/* Is every name in skip that of a step? */
int adaptation_check_skip(const char *skip, struct error *err);
/* "most", "list"; NULL: the default. */
int adaptation_initramfs(const char *name, enum initramfs_modules *out, struct error *err);
/* Is the step left out, as asked? */
bool adaptation_skips(const struct adaptation_request *request, const char *step);
/* The steps in their order; NULL behind the last one. */
const struct step_ops *adaptation_step(size_t index);
/* One step plans on the changes of those before it, unless it is to be left out, which is a
 * warning. Nothing is carried out. */
int adaptation_plan_step(const struct step_ops *step, struct adaptation *adaptation,
			 const struct adaptation_request *request, struct changes *changes,
			 struct error *err);
/*
 * Changes, proofs and timings go to report, which is also left in the guest as
 * /var/lib/v2p/report.json when anything was changed.
 */
int adaptation_run(struct guest *guest, const struct hardware *hardware,
		   const struct adaptation_request *request, struct report *report,
		   struct output *output, struct error *err);
/* places: NULL packs when there are none. A key without packs is an error. */
int adaptation_packs(const struct strings *places, const struct packs_options *options,
		     struct packs **packs, struct error *err);
/* The machine to adapt for: --hardware, --pci-dump, or this one. */
int adaptation_hardware(const struct options *options, struct hardware *out, struct error *err);
