// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/proposal.h"
#include "cli/report_output.h"
#include "cli/restoration.h"

/* The disks whose content would be lost. */
static char *overwritten(const struct plan *plan)
{
	_cleanup_strings_ struct strings paths = {0};

	for (size_t i = 0; i < plan->target_count; i++)
		if (!plan->target[i].creates_file)
			strings_add(&paths, plan->target[i].disk.path);
	return paths.count ? strings_join(&paths, ", ") : NULL;
}

static int confirm(const struct options *options, const struct plan *plan, struct error *err)
{
	_cleanup_free_ char *disks = overwritten(plan);
	char answer[64] = "";

	if (options->yes || !disks)
		return 0;
	if (!isatty(STDIN_FILENO))
		return error_set(err, "%s would be overwritten and nobody can be asked: say --yes",
				 disks);
	fprintf(stderr, "Everything on %s will be lost. Type yes to go on: ", disks);
	if (!fgets(answer, sizeof(answer), stdin) || strcmp(answer, "yes\n") != 0)
		return error_set(err, "not confirmed");
	return 0;
}

static void tell_outcome(struct report *report, enum exit_status status, const struct error *err)
{
	report_fact(report, "exit-status", json_object_new_int(status));
	if (status != EXIT_DONE)
		report_fact_string(report, "error", error_text(err));
}

/* A program that waits for a document gets one that says why. */
static enum exit_status refuse(const struct job *job, struct report *report, struct output *output,
			       const struct error *err)
{
	tell_outcome(report, EXIT_REFUSED, err);
	if (output->json)
		report_output(report, REPORT_BRIEF, job->report, output);
	else if (job->report)
		report_save(report, job->report, output);
	return EXIT_REFUSED;
}

/* What was known before the first byte, for whoever reads the report. */
static void report_proposal(struct report *report, const struct proposal *proposal)
{
	const struct boot_answer *answer = proposal_answer(proposal);
	_cleanup_free_ char *sentence = NULL;

	report_fact(report, "plan", proposal_json(proposal));
	report_fact_string(report, "image", proposal->source->name);
	if (!answer)
		return;
	sentence = boot_answer_sentence(answer);
	report_fact_string(report, "answer", sentence);
	if (answer->verdict == BOOT_UNKNOWN)
		report_warning(report, "%s", sentence);
}

/* It was written against the answer, and nothing that was proven since says otherwise. */
static enum exit_status remember_force(const struct proposal *proposal, enum exit_status status,
				       struct error *err)
{
	const struct boot_answer *answer = proposal_answer(proposal);
	_cleanup_free_ char *sentence = NULL;

	if (status != EXIT_DONE || !answer || answer->verdict != BOOT_WILL_NOT)
		return status;
	sentence = boot_answer_sentence(answer);
	error_set(err, "the image was restored as --force-boot-verdict asks; it %s", sentence);
	return EXIT_INCOMPLETE;
}

static int make_ready(const struct options *options, struct job *job, struct proposal *proposal,
		      struct output *output, struct report *report, struct error *err)
{
	if (proposal_make(options, job, proposal, err) < 0)
		return -1;
	if (!output->json)
		proposal_show(proposal, output);
	report_proposal(report, proposal);
	if (proposal_check(proposal, job, err) < 0)
		return -1;
	return confirm(options, &proposal->plan, err);
}

static enum exit_status restore(const struct options *options, struct job *job,
				struct report *report, struct output *output, struct error *err)
{
	_cleanup_proposal_ struct proposal proposal = {0};
	double start = clock_seconds();
	enum exit_status status;

	if (make_ready(options, job, &proposal, output, report, err) < 0)
		return refuse(job, report, output, err);
	interrupt_catch();
	status = restoration_run(job, proposal.source, &proposal.plan, report, output, err);
	proposal_compare(&proposal, report);
	status = remember_force(&proposal, status, err);
	report_timing(report, "total", clock_seconds() - start, 0);
	tell_outcome(report, status, err);
	report_output(report, REPORT_BRIEF, job->report, output);
	return status;
}

enum exit_status command_restore(const struct options *options, struct output *output,
				 struct error *err)
{
	_cleanup_job_ struct job job = {0};
	struct report report;
	enum exit_status status;

	if (options->arguments.count < 2 &&
	    (options->arguments.count != 0 || options->profiles.count == 0)) {
		error_set(err, "restore wants an image and the disks to write it to, or "
			       "--profile, which names both");
		return EXIT_USAGE;
	}
	if (options->dry_run)
		return plan_show(options, JOB_RESTORE, output, err);
	report_init(&report);
	if (job_make(options, JOB_RESTORE, &job, err) == 0)
		status = restore(options, &job, &report, output, err);
	else
		status = refuse(&job, &report, output, err);
	report_release(&report);
	return status;
}
