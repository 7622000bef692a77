// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/report_output.h"
#include "cli/restoration.h"

/* The machine's firmware only matters for its own disk, or where a machine was named. */
static enum plan_firmware firmware_of(const struct options *options, const struct job *job,
				      const struct plan *plan)
{
	if (options->pci_dump || (plan->target[0].disk.is_file && !options->hardware))
		return PLAN_FIRMWARE_UNKNOWN;
	return job->hardware.is_uefi ? PLAN_FIRMWARE_UEFI : PLAN_FIRMWARE_BIOS;
}

/* Systems on several disks are told apart by nothing: the same UUIDs, the same volume groups. */
static int check_several(const struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->layout.count && plan->target_count > 1; i++)
		if (string_equal(plan->layout.partition[i].filesystem, "LVM2_member"))
			return error_set(err,
					 "the image holds LVM, and volume groups of the same name "
					 "on several disks cannot be adapted in one machine: "
					 "restore with --no-adapt, then start each machine from "
					 "the medium and use v2p adapt there");
	return 0;
}

static int check_adaptation(const struct options *options, const struct job *job,
			    const struct plan *plan, struct error *err)
{
	if (!job->adapt)
		return 0;
	if (geteuid() != 0)
		return error_set(err,
				 "adapting the restored system takes root; --no-adapt writes the "
				 "image only");
	if (check_several(plan, err) < 0)
		return -1;
	return plan_check_adaptable(plan, firmware_of(options, job, plan), err);
}

static int make_plan(const struct options *options, const struct job *job, struct source **source,
		     struct plan *plan, struct error *err)
{
	if (image_open(&job->image, source, err) < 0 ||
	    plan_make(*source, &job->disks, job->blocks, plan, err) < 0)
		return -1;
	return check_adaptation(options, job, plan, err);
}

static void show_plan(const struct plan *plan, struct output *output)
{
	_cleanup_text_ struct text text = {0};

	if (output->json) {
		output_json(output, plan_json(plan));
		return;
	}
	plan_render(plan, &text);
	output_result(output, text_string(&text));
}

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

static enum exit_status restore(const struct options *options, struct job *job,
				struct report *report, struct output *output, struct error *err)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_plan_ struct plan plan = {0};
	double start = clock_seconds();
	enum exit_status status;

	if (make_plan(options, job, &source, &plan, err) < 0)
		return refuse(job, report, output, err);
	if (options->dry_run || !output->json)
		show_plan(&plan, output);
	if (options->dry_run)
		return EXIT_DONE;
	if (confirm(options, &plan, err) < 0)
		return refuse(job, report, output, err);
	report_fact(report, "plan", plan_json(&plan));
	report_fact_string(report, "image", source->name);
	interrupt_catch();
	status = restoration_run(job, source, &plan, report, output, err);
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
	report_init(&report);
	if (job_make(options, &job, err) == 0)
		status = restore(options, &job, &report, output, err);
	else
		status = refuse(&job, &report, output, err);
	report_release(&report);
	return status;
}
