// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/restoration.h"

#include <stdlib.h>

#include "base/scope.h"
#include "cli/adaptation.h"
#include "cli/interrupt.h"
#include "restore/grow.h"

/* One disk on its way. */
struct station {
	struct plan_target *planned;
	struct write_outcome outcome;
	enum exit_status status;
	struct error error;
};

struct restoration {
	struct job *job;
	struct source *source;
	struct plan *plan;
	struct report *report;
	struct output *output;
	struct station *station; /* one for each of the plan's targets */
	struct target *target;   /* likewise, while they are open */
	size_t opened;
};

/* The name in the plan may have gone to another disk, most of all while a person was asked. */
static int open_planned(const struct plan_target *planned, struct target *target, struct error *err)
{
	_cleanup_free_ char *label = disk_label(&planned->disk);
	_cleanup_free_ char *found = NULL;

	if (target_open(planned->disk.path, planned->creates_file ? planned->disk.size : 0, target,
			err) < 0)
		return -1;
	if (disk_is_same(&planned->disk, &target->disk))
		return 0;
	found = disk_label(&target->disk);
	target_close(target);
	return error_set(err,
			 "the plan was made for another disk, %s; now there is %s: start again",
			 label, found);
}

/* All or none: nothing was written yet. */
static int open_all(struct restoration *run, struct error *err)
{
	while (run->opened < run->plan->target_count) {
		if (open_planned(run->station[run->opened].planned, &run->target[run->opened],
				 err) < 0)
			return -1;
		run->opened++;
	}
	return 0;
}

static void close_all(struct restoration *run)
{
	for (size_t i = 0; i < run->opened; i++)
		target_close(&run->target[i]);
	run->opened = 0;
}

/* What follows from a write that failed, for the one who has the disk before him. */
static enum exit_status tell_failure(const struct write_outcome *outcome, struct error *err)
{
	_cleanup_free_ char *why = string_copy(error_text(err));

	if (!outcome->began)
		return EXIT_REFUSED;
	if (outcome->left_something)
		error_set(err,
			  "%s; the disk refused to be cleared afterwards, too: what is on it is "
			  "incomplete, whatever it looks like",
			  why);
	else
		error_set(err,
			  "%s; the disk was left without a partition table and does not start: "
			  "the same command with --resume goes on from there",
			  why);
	return EXIT_WRITTEN;
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

static void settle(struct restoration *run, size_t i)
{
	struct station *station = &run->station[i];

	if (!station->outcome.failed) {
		report_change(run->report, "restore", station->planned->disk.path,
			      "the image was written to it", NULL);
		station->status = reread(&run->target[i], &station->error);
		return;
	}
	error_move(&station->error, &station->outcome.error);
	station->status = tell_failure(&station->outcome, &station->error);
}

static json_object *outcome_json(const struct station *station)
{
	const struct write_outcome *outcome = &station->outcome;
	json_object *out = json_object_new_object();

	json_object_object_add(out, "disk", json_object_new_string(station->planned->disk.path));
	json_object_object_add(out, "written-bytes", json_object_new_uint64(outcome->data_bytes));
	json_object_object_add(out, "zeroed-bytes", json_object_new_uint64(outcome->zero_bytes));
	json_object_object_add(out, "same-bytes", json_object_new_uint64(outcome->same_bytes));
	json_object_object_add(out, "verified-bytes",
			       json_object_new_uint64(outcome->verified_bytes));
	json_object_object_add(out, "rewritten-bytes",
			       json_object_new_uint64(outcome->rewritten_bytes));
	json_object_object_add(out, "exit-status", json_object_new_int(station->status));
	if (station->status != EXIT_DONE)
		json_object_object_add(out, "error",
				       json_object_new_string(error_text(&station->error)));
	return out;
}

static void report_write(struct restoration *run, const struct write_stats *stats)
{
	uint64_t verified = 0, rewritten = 0;

	for (size_t i = 0; i < run->plan->target_count; i++) {
		verified += run->station[i].outcome.verified_bytes;
		rewritten += run->station[i].outcome.rewritten_bytes;
	}
	report_timing(run->report, "write", stats->write_seconds,
		      stats->data_bytes + stats->zero_bytes);
	if (verified)
		report_timing(run->report, "read back", stats->verify_seconds, verified);
	if (rewritten)
		report_warning(run->report,
			       "%llu bytes were read back wrong and then right: the disk, its "
			       "cable or the memory of this machine is failing",
			       (unsigned long long)rewritten);
}

static int write_disks(struct restoration *run, struct error *err)
{
	const struct write_options options = {
		.method = run->job->method,
		.proof = run->job->proof,
		.progress = output_progress,
		.context = run->output,
		.stop = interrupt_flag(),
	};
	size_t count = run->plan->target_count;
	_cleanup_free_ struct write_outcome *outcome = calloc(count, sizeof(*outcome));
	struct write_stats stats = {0};

	if (!outcome)
		abort();
	if (open_all(run, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		output_say(run->output, "Writing %s", run->station[i].planned->disk.path);
	write_image(run->source, run->target, count, &options, &stats, outcome, NULL);
	for (size_t i = 0; i < count; i++)
		run->station[i].outcome = outcome[i];
	if (run->plan->is_stream)
		run->plan->image_size = stats.size;
	report_write(run, &stats);
	for (size_t i = 0; i < count; i++)
		settle(run, i);
	return 0;
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

static void report_growth(const struct plan_target *planned, struct report *report)
{
	const struct growth *growth = &planned->growth;
	_cleanup_free_ char *why = NULL;

	if (growth->moves_backup_gpt)
		report_change(report, "layout", planned->disk.path,
			      "the backup GPT moved to the end of the disk", NULL);
	if (!growth->partition)
		return;
	why = string_format("partition %d reaches to the end of the disk", growth->partition);
	report_change(report, "layout", planned->disk.path, why, NULL);
}

static int grow(const struct plan_target *planned, struct report *report, struct error *err)
{
	if (layout_grow(planned->disk.path, &planned->growth, err) < 0 ||
	    read_table_again(planned->disk.path, err) < 0)
		return -1;
	report_growth(planned, report);
	return grow_filesystem(planned->disk.path, &planned->growth, report, err);
}

/* What goes wrong here leaves a system that starts, on a smaller file system. */
static void use_whole_disk(struct restoration *run, struct plan_target *planned)
{
	_cleanup_error_ struct error err = {0};
	double start = clock_seconds();

	if (plan_complete(run->plan, planned, &err) < 0) {
		report_check(run->report, false, "the whole disk is used", error_text(&err));
		return;
	}
	if (!planned->growth.moves_backup_gpt && !planned->growth.partition)
		return;
	output_say(run->output, "Growing to the size of %s", planned->disk.path);
	if (grow(planned, run->report, &err) < 0) {
		report_check(run->report, false, "the whole disk is used", error_text(&err));
		return;
	}
	report_timing(run->report, "grow", clock_seconds() - start, 0);
	report_check(run->report, true, "the whole disk is used", NULL);
}

static int adapt_disk(struct restoration *run, const struct disk *disk, struct error *err)
{
	struct job *job = run->job;
	const struct adaptation_request request = job_adaptation(job);
	struct guest guest = {.root_fd = -1};
	int r;

	if (job->hardware.is_live && !disk->is_file &&
	    hardware_follow_disk(&job->hardware, disk, err) < 0)
		report_warning(run->report, "%s: all storage controllers are taken as needed",
			       error_text(err));
	if (guest_open_disk(disk->path, GUEST_READ_WRITE, &guest, err) < 0)
		return -1;
	r = adaptation_run(&guest, &job->hardware, &request, run->report, run->output, err);
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

static enum exit_status finish(struct restoration *run, struct station *station)
{
	const struct disk *disk = &station->planned->disk;
	struct error *err = &station->error;

	if (check_interrupted(err) < 0)
		return EXIT_INCOMPLETE;
	use_whole_disk(run, station->planned);
	if (run->job->adapt && check_interrupted(err) < 0)
		return EXIT_INCOMPLETE;
	if (run->job->adapt && adapt_disk(run, disk, err) < 0) {
		error_in(err, "adapt the system on %s", disk->path);
		report_check(run->report, false, "the system is adapted", error_text(err));
		return EXIT_INCOMPLETE;
	}
	if (report_has_failed_check(run->report)) {
		error_set(err,
			  "the image was restored, but the machine is not expected to work as it "
			  "should: see what is marked FAILED above");
		return EXIT_INCOMPLETE;
	}
	return EXIT_DONE;
}

/* Which disks did not end well, and the worst of it: a disk without a table outweighs one that
 * only lacks its adaptation. */
static enum exit_status sum_up(const struct restoration *run, struct error *err)
{
	static const enum exit_status by_weight[] = {EXIT_WRITTEN, EXIT_INCOMPLETE, EXIT_REFUSED};
	_cleanup_text_ struct text all = {0};
	size_t count = run->plan->target_count;

	for (size_t i = 0; i < count; i++) {
		const struct station *station = &run->station[i];

		if (station->status != EXIT_DONE)
			text_addf(&all, "%s%s%s%s", all.length ? "; " : "",
				  count > 1 ? station->planned->disk.path : "",
				  count > 1 ? ": " : "", error_text(&station->error));
	}
	if (!all.length)
		return EXIT_DONE;
	error_set(err, "%s", text_string(&all));
	for (size_t w = 0; w < array_length(by_weight); w++)
		for (size_t i = 0; i < count; i++)
			if (run->station[i].status == by_weight[w])
				return by_weight[w];
	return EXIT_REFUSED;
}

static void report_outcomes(const struct restoration *run)
{
	json_object *disks = json_object_new_array();

	for (size_t i = 0; i < run->plan->target_count; i++)
		json_object_array_add(disks, outcome_json(&run->station[i]));
	report_fact(run->report, "disks", disks);
}

static enum exit_status run_all(struct restoration *run, struct error *err)
{
	int r = write_disks(run, err);

	/* While a disk is open exclusively nobody can mount one of its partitions. */
	close_all(run);
	if (r < 0)
		return EXIT_REFUSED;
	for (size_t i = 0; i < run->plan->target_count; i++)
		if (run->station[i].status == EXIT_DONE)
			run->station[i].status = finish(run, &run->station[i]);
	report_outcomes(run);
	return sum_up(run, err);
}

enum exit_status restoration_run(struct job *job, struct source *source, struct plan *plan,
				 struct report *report, struct output *output, struct error *err)
{
	size_t count = plan->target_count;
	_cleanup_free_ struct station *station = calloc(count, sizeof(*station));
	_cleanup_free_ struct target *target = calloc(count, sizeof(*target));
	struct restoration run = {job, source, plan, report, output, station, target, 0};
	enum exit_status status;

	if (!station || !target)
		abort();
	for (size_t i = 0; i < count; i++)
		station[i].planned = &plan->target[i];
	status = run_all(&run, err);
	for (size_t i = 0; i < count; i++) {
		write_outcome_release(&station[i].outcome);
		error_release(&station[i].error);
	}
	return status;
}
