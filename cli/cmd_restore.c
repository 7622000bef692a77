// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "cli/adaptation.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/profile.h"
#include "cli/report_output.h"
#include "restore/grow.h"
#include "restore/plan.h"
#include "restore/write.h"

/* What the user asked for: the command line, over the profile. */
struct job {
	struct profile profile;
	struct hardware hardware;
	const char *image, *format, *rule, *report;
	bool adapt;
};

static void job_release(struct job *job)
{
	profile_release(&job->profile);
	hardware_release(&job->hardware);
}

static int job_make(const struct options *options, struct job *job, struct error *err)
{
	const struct strings *words = &options->arguments;

	job->adapt = !options->no_adapt;
	job->report = options->report;
	if (adaptation_hardware(options, &job->hardware, err) < 0)
		return -1;
	if (options->profiles.count > 0) {
		if (profile_choose(&options->profiles, &job->hardware, &job->profile, err) < 0)
			return -1;
		if (adaptation_check_skip(job->profile.skip, err) < 0)
			return error_in(err, "profile %s", job->profile.origin);
		job->adapt = job->adapt && job->profile.adapt;
	}
	job->image = words->count > 0 ? words->item[0] : job->profile.image;
	job->rule = words->count > 1 ? words->item[1] : job->profile.rule;
	job->format = options->format ? options->format : job->profile.format;
	if (!job->report)
		job->report = job->profile.report;
	if (!job->image)
		return error_set(err, "profile %s names no image: give it path = in [Image]",
				 job->profile.origin);
	if (!job->rule)
		return error_set(err, "profile %s names no disk: give it rule = in [Disk]",
				 job->profile.origin);
	return 0;
}

/* The machine's firmware only matters for its own disk, or where a machine was named. */
static enum plan_firmware firmware_of(const struct options *options, const struct job *job,
				      const struct plan *plan)
{
	if (options->pci_dump || (plan->disk.is_file && !options->hardware))
		return PLAN_FIRMWARE_UNKNOWN;
	return job->hardware.is_uefi ? PLAN_FIRMWARE_UEFI : PLAN_FIRMWARE_BIOS;
}

static int make_plan(const struct options *options, const struct job *job, struct source **source,
		     struct plan *plan, struct error *err)
{
	const struct source_options image = {.format = job->format};

	if (source_open(job->image, &image, source, err) < 0)
		return -1;
	if (plan_make(*source, job->rule, plan, err) < 0)
		return -1;
	if (!job->adapt)
		return 0;
	if (geteuid() != 0)
		return error_set(err,
				 "adapting the restored system takes root; --no-adapt writes the "
				 "image only");
	return plan_check_adaptable(plan, firmware_of(options, job, plan), err);
}

static void show_plan(const struct plan *plan, struct output *output)
{
	_cleanup_text_ struct text text = {0};

	if (!output->json) {
		plan_render(plan, &text);
		output_result(output, text_string(&text));
		return;
	}
	output_json(output, plan_json(plan));
}

static int confirm(const struct options *options, const struct plan *plan, struct error *err)
{
	char answer[64] = "";

	if (options->yes || plan->creates_file)
		return 0;
	if (!isatty(STDIN_FILENO))
		return error_set(err, "%s would be overwritten and nobody can be asked: say --yes",
				 plan->disk.path);
	fprintf(stderr, "Everything on %s will be lost. Type yes to go on: ", plan->disk.path);
	if (!fgets(answer, sizeof(answer), stdin) || strcmp(answer, "yes\n") != 0)
		return error_set(err, "not confirmed");
	return 0;
}

/* The name in the plan may have gone to another disk, most of all while a person was asked. */
static int open_planned(const struct plan *plan, struct target *target, struct error *err)
{
	_cleanup_free_ char *planned = disk_label(&plan->disk);
	_cleanup_free_ char *found = NULL;

	if (target_open(plan->disk.path, plan->creates_file ? plan->disk.size : 0, target, err) < 0)
		return -1;
	if (disk_is_same(&plan->disk, &target->disk))
		return 0;
	found = disk_label(&target->disk);
	target_close(target);
	return error_set(err,
			 "the plan was made for another disk, %s; now there is %s: start again",
			 planned, found);
}

/* The partition devices of a table that the kernel did not read lead to wrong places. */
static enum exit_status reread(struct target *target, struct error *err)
{
	if (target_reread(target, err) == 0)
		return EXIT_DONE;
	error_in(err, "the image was written, but neither grown nor adapted (start the rescue "
		      "system again, then use v2p adapt)");
	return EXIT_INCOMPLETE;
}

static enum exit_status write_failed(const struct write_stats *stats, struct error *err)
{
	_cleanup_free_ char *why = string_copy(error_text(err));

	if (!stats->began)
		return EXIT_REFUSED;
	if (stats->left_something)
		error_set(err,
			  "%s; the disk refused to be cleared afterwards, too: what is on it is "
			  "incomplete, whatever it looks like",
			  why);
	else
		error_set(err,
			  "%s; the disk was left without a partition table and does not start: "
			  "restore it again",
			  why);
	return EXIT_WRITTEN;
}

static enum exit_status write_disk(struct source *source, const struct plan *plan,
				   struct report *report, struct output *output, struct error *err)
{
	const struct write_options options = {output_progress, output, interrupt_flag()};
	enum exit_status status = EXIT_DONE;
	struct write_stats stats = {0};
	struct target target;
	int r;

	if (open_planned(plan, &target, err) < 0)
		return EXIT_REFUSED;
	output_say(output, "Writing %s", plan->disk.path);
	r = write_image(source, &target, &options, &stats, err);
	report_timing(report, "write", stats.seconds, stats.data_bytes + stats.zero_bytes);
	report_fact(report, "written-bytes", json_object_new_int64((int64_t)stats.data_bytes));
	if (r == 0) {
		report_change(report, "restore", plan->disk.path, "the image was written to it",
			      NULL);
		status = reread(&target, err);
	}
	target_close(&target);
	if (r == 0)
		return status;
	return write_failed(&stats, err);
}

static int read_table_again(const char *path, struct error *err)
{
	struct target target;
	int r;

	if (target_open(path, 0, &target, err) < 0)
		return -1;
	r = target_reread(&target, err);
	target_close(&target);
	return r;
}

static void report_growth(const struct plan *plan, struct report *report)
{
	const struct growth *growth = &plan->growth;
	_cleanup_free_ char *why = NULL;

	if (growth->moves_backup_gpt)
		report_change(report, "layout", plan->disk.path,
			      "the backup GPT moved to the end of the disk", NULL);
	if (!growth->partition)
		return;
	why = string_format("partition %d reaches to the end of the disk", growth->partition);
	report_change(report, "layout", plan->disk.path, why, NULL);
}

/* What goes wrong here leaves a system that starts, on a smaller file system. */
static void use_whole_disk(const struct plan *plan, struct report *report, struct output *output)
{
	_cleanup_error_ struct error err = {0};
	double start = clock_seconds();

	if (!plan->growth.moves_backup_gpt && !plan->growth.partition)
		return;
	output_say(output, "Growing to the size of %s", plan->disk.path);
	if (layout_grow(plan->disk.path, &plan->growth, &err) < 0 ||
	    read_table_again(plan->disk.path, &err) < 0) {
		report_check(report, false, "the whole disk is used", error_text(&err));
		return;
	}
	report_growth(plan, report);
	if (grow_filesystem(plan->disk.path, &plan->growth, report, &err) < 0) {
		report_check(report, false, "the whole disk is used", error_text(&err));
		return;
	}
	report_timing(report, "grow", clock_seconds() - start, 0);
	report_check(report, true, "the whole disk is used", NULL);
}

static int adapt_disk(struct job *job, const struct plan *plan, struct report *report,
		      struct output *output, struct error *err)
{
	const struct adaptation_request request = {
		.network = job->profile.network,
		.hostname = job->profile.hostname,
		.skip = job->profile.skip,
	};
	struct guest guest = {.root_fd = -1};
	int r;

	if (job->hardware.is_live && !plan->disk.is_file &&
	    hardware_follow_disk(&job->hardware, &plan->disk, err) < 0)
		report_warning(report, "%s: all storage controllers are taken as needed",
			       error_text(err));
	if (guest_open_disk(plan->disk.path, GUEST_READ_WRITE, &guest, err) < 0)
		return -1;
	r = adaptation_run(&guest, &job->hardware, &request, report, output, err);
	if (r == 0)
		r = guest_close(&guest, err);
	guest_release(&guest);
	return r;
}

/* A stop that comes after the write is obeyed between the stages, which each end whole. */
static int check_interrupted(struct error *err)
{
	if (!is_interrupted())
		return 0;
	return error_set(err, "the image was written, then it was stopped: the system is not "
			      "adapted; v2p adapt does the rest");
}

static enum exit_status finish(struct job *job, const struct plan *plan, struct report *report,
			       struct output *output, struct error *err)
{
	if (check_interrupted(err) < 0)
		return EXIT_INCOMPLETE;
	use_whole_disk(plan, report, output);
	if (job->adapt && check_interrupted(err) < 0)
		return EXIT_INCOMPLETE;
	if (job->adapt && adapt_disk(job, plan, report, output, err) < 0) {
		error_in(err, "adapt the system on %s", plan->disk.path);
		report_check(report, false, "the system is adapted", error_text(err));
		return EXIT_INCOMPLETE;
	}
	if (report_has_failed_check(report)) {
		error_set(err,
			  "the image was restored, but the machine is not expected to work as it "
			  "should: see what is marked FAILED above");
		return EXIT_INCOMPLETE;
	}
	return EXIT_DONE;
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
	report_fact_string(report, "disk", plan.disk.path);
	interrupt_catch();
	status = write_disk(source, &plan, report, output, err);
	if (status == EXIT_DONE)
		status = finish(job, &plan, report, output, err);
	report_timing(report, "total", clock_seconds() - start, 0);
	tell_outcome(report, status, err);
	report_output(report, REPORT_BRIEF, job->report, output);
	return status;
}

enum exit_status command_restore(const struct options *options, struct output *output,
				 struct error *err)
{
	struct job job = {0};
	struct report report;
	enum exit_status status;

	if (options->arguments.count != 2 &&
	    (options->arguments.count != 0 || options->profiles.count == 0)) {
		error_set(err,
			  "restore wants an image and one disk (several disks are not supported "
			  "yet), or --profile, which names both");
		return EXIT_USAGE;
	}
	report_init(&report);
	if (job_make(options, &job, err) == 0)
		status = restore(options, &job, &report, output, err);
	else
		status = refuse(&job, &report, output, err);
	report_release(&report);
	job_release(&job);
	return status;
}
