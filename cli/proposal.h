// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * proposal: everything that a restore would do and whether the machine starts then, as a value:
 * `plan` prints it, `restore` prints it, asks, and carries out its plan.
 */
#pragma once

#include <json-c/json.h>

#include "cli/command.h"
#include "cli/job.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/prediction.h"
#include "restore/duration.h"
#include "restore/plan.h"

enum { PLAN_JSON_VERSION = 1 };

struct proposal {
	struct source *source;
	struct plan plan;
	struct duration duration;
	struct prediction *prediction; /* for each of the plan's disks; one without any disk */
	size_t prediction_count;       /* 0: nothing is adapted */
	char *machine;                 /* for people: what it is compared with; NULL: nothing */
	struct error obstacle;         /* why restore would refuse, whatever the answer */
};

/*
 * What a restore could never do is an error; what stands only in the way of the adaptation is the
 * proposal's obstacle. Release out after an error, too. The hardware of the job is borrowed, and
 * may be completed by what the image tells of it.
 */
int proposal_make(const struct options *options, struct job *job, struct proposal *out,
		  struct error *err);
/* The worst of all disks; NULL when nothing is adapted. Borrowed. */
const struct boot_answer *proposal_answer(const struct proposal *proposal);
/*
 * May it be carried out? -1 and the reason: an obstacle, or an answer of "will not boot" that is
 * not forced.
 */
int proposal_check(const struct proposal *proposal, const struct job *job, struct error *err);
/* A warning for each change of the guest in the report that the proposal did not foresee. */
void proposal_compare(const struct proposal *proposal, struct report *report);
/* The last line is the answer. */
void proposal_render(const struct proposal *proposal, struct text *out);
/*
 * { "plan-version": 1, members of plan_json(), "duration": { "seconds", "limit" }, "machine",
 *   "predictions": [{ "disk", members of prediction_json() }], "obstacle", "answer" }
 * Where none can be made: { "plan-version", "obstacle" }.
 */
json_object *proposal_json(const struct proposal *proposal);
/* On standard output, as text or, with --json, as a document. */
void proposal_show(const struct proposal *proposal, struct output *output);
/* Makes one and shows it: `plan`, and `restore --dry-run`. Status 1 where a restore would refuse.
 */
enum exit_status plan_show(const struct options *options, enum job_kind kind, struct output *output,
			   struct error *err);
void proposal_release(struct proposal *proposal);
#define _cleanup_proposal_ __attribute__((cleanup(proposal_release)))
