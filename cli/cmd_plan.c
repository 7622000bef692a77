// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/scope.h"
#include "cli/command.h"
#include "cli/proposal.h"

/* A program that waits for a document gets one that says why. */
static enum exit_status refuse(struct output *output, const struct error *err)
{
	json_object *object;

	if (!output->json)
		return EXIT_REFUSED;
	object = json_object_new_object();
	json_object_object_add(object, "plan-version", json_object_new_int(PLAN_JSON_VERSION));
	json_object_object_add(object, "obstacle", json_object_new_string(error_text(err)));
	output_json(output, object);
	return EXIT_REFUSED;
}

enum exit_status plan_show(const struct options *options, enum job_kind kind, struct output *output,
			   struct error *err)
{
	_cleanup_job_ struct job job = {0};
	_cleanup_proposal_ struct proposal proposal = {0};

	if (job_make(options, kind, &job, err) < 0 ||
	    proposal_make(options, &job, &proposal, err) < 0)
		return refuse(output, err);
	proposal_show(&proposal, output);
	return proposal_check(&proposal, &job, err) < 0 ? EXIT_REFUSED : EXIT_DONE;
}

enum exit_status command_plan(const struct options *options, struct output *output,
			      struct error *err)
{
	if (options->arguments.count == 0 && options->profiles.count == 0) {
		error_set(err, "plan wants an image, and the disks that it is to be restored to, "
			       "or --profile, which names both");
		return EXIT_USAGE;
	}
	return plan_show(options, JOB_PLAN, output, err);
}
