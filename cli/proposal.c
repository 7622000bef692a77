// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/proposal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fold.h"
#include "base/json.h"
#include "base/scope.h"

/* A disk image is started by whatever machine it is given to, unless that machine was named. */
static enum plan_firmware firmware_of(const struct options *options, const struct job *job,
				      const struct plan *plan)
{
	if (options->pci_dump ||
	    (plan->target_count && plan->target[0].disk.is_file && !options->hardware))
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

static int check_adaptation(const struct plan *plan, struct error *err)
{
	if (geteuid() != 0)
		return error_set(err,
				 "adapting the restored system takes root; --no-adapt writes the "
				 "image only");
	if (check_several(plan, err) < 0)
		return -1;
	return plan_check_root(plan, err);
}

/* `lspci -x` does not tell by what firmware a machine starts: by the one that the image wants. */
static void assume_firmware(const struct options *options, const struct plan *plan,
			    struct hardware *hardware)
{
	if (!options->pci_dump)
		return;
	hardware->is_uefi = false;
	for (size_t i = 0; i < plan->layout.count; i++)
		hardware->is_uefi |= plan->layout.partition[i].is_esp;
}

/* What the partition table tells of firmware, where the boot loader in the guest could not be asked
 * or said nothing. */
static void answer_firmware(const struct options *options, const struct job *job,
			    const struct plan *plan, struct boot_answer *answer)
{
	_cleanup_error_ struct error err = {0};

	if (answer->verdict != BOOT_WILL_NOT &&
	    plan_check_firmware(plan, firmware_of(options, job, plan), &err) < 0)
		boot_answer_add(answer, BOOT_WILL_NOT, NULL, "%s", error_text(&err));
}

static int predict(const struct options *options, struct job *job, struct proposal *proposal,
		   const struct plan_target *target, struct error *err)
{
	const struct adaptation_request adaptation = job_adaptation(job);
	const struct prediction_request request = {
		.source = proposal->source,
		.hardware = &job->hardware,
		.target = target,
		.adaptation = &adaptation,
	};
	struct prediction *prediction = &proposal->prediction[proposal->prediction_count++];

	if (prediction_make(&request, prediction, err) < 0)
		return -1;
	answer_firmware(options, job, &proposal->plan, &prediction->answer);
	return 0;
}

static int predict_all(const struct options *options, struct job *job, struct proposal *proposal,
		       struct error *err)
{
	const struct plan *plan = &proposal->plan;

	proposal->prediction = calloc(plan->target_count + 1, sizeof(*proposal->prediction));
	if (!proposal->prediction)
		abort();
	if (plan->target_count == 0)
		return predict(options, job, proposal, NULL, err);
	for (size_t i = 0; i < plan->target_count; i++)
		if (predict(options, job, proposal, &plan->target[i], err) < 0)
			return -1;
	return 0;
}

static char *describe_machine(const struct options *options, const struct hardware *hardware)
{
	struct text out = {0};

	text_add(&out, hardware->source ? hardware->source : "a machine");
	if (hardware->dmi_vendor || hardware->dmi_product)
		text_addf(&out, ": %s %s", hardware->dmi_vendor ? hardware->dmi_vendor : "",
			  hardware->dmi_product ? hardware->dmi_product : "");
	text_addf(&out, ", starts by %s%s", hardware->is_uefi ? "UEFI" : "BIOS",
		  hardware->has_secure_boot ? " with Secure Boot" : "");
	if (options->pci_dump)
		text_add(&out, " (which the list does not tell; it is what the image needs)");
	return text_take(&out);
}

/* Of a machine that is somewhere else, its disks are chosen; that can be planned and not done. */
static const struct disks *disks_elsewhere(const struct job *job)
{
	bool is_elsewhere = job->kind == JOB_PLAN && !job->hardware.is_live;

	return is_elsewhere && job->hardware.disks.count ? &job->hardware.disks : NULL;
}

int proposal_make(const struct options *options, struct job *job, struct proposal *out,
		  struct error *err)
{
	*out = (struct proposal){0};
	if (image_open(&job->image, &out->source, err) < 0 ||
	    plan_make(out->source, &job->disks, disks_elsewhere(job), job->blocks, &out->plan,
		      err) < 0)
		return -1;
	duration_estimate(out->source, &out->plan, job->proof, &out->duration);
	if (!job->adapt)
		return 0;
	assume_firmware(options, &out->plan, &job->hardware);
	out->machine = describe_machine(options, &job->hardware);
	if (check_adaptation(&out->plan, &out->obstacle) < 0 && job->kind == JOB_RESTORE)
		return 0;
	return predict_all(options, job, out, err);
}

static const struct prediction *worst(const struct proposal *proposal)
{
	static const enum boot_verdict by_weight[] = {BOOT_WILL_NOT, BOOT_UNKNOWN, BOOT_WILL_BUT,
						      BOOT_WILL};

	for (size_t w = 0; w < array_length(by_weight); w++)
		for (size_t i = 0; i < proposal->prediction_count; i++)
			if (proposal->prediction[i].answer.verdict == by_weight[w])
				return &proposal->prediction[i];
	return NULL;
}

const struct boot_answer *proposal_answer(const struct proposal *proposal)
{
	const struct prediction *prediction = worst(proposal);

	return prediction ? &prediction->answer : NULL;
}

int proposal_check(const struct proposal *proposal, const struct job *job, struct error *err)
{
	const struct boot_answer *answer = proposal_answer(proposal);
	_cleanup_free_ char *sentence = NULL;

	if (proposal->obstacle.text)
		return error_set(err, "%s", error_text(&proposal->obstacle));
	if (!answer || answer->verdict != BOOT_WILL_NOT || job->force_boot_verdict)
		return 0;
	sentence = boot_answer_sentence(answer);
	return error_set(err, "%s (--force-boot-verdict restores it nevertheless)", sentence);
}

/* Of what packs bring, and of an initramfs that holds it, only the beginning is foreseen. */
static bool has_packs(const struct prediction *prediction)
{
	for (size_t i = 0; i < prediction->changes.count; i++)
		if (strcmp(prediction->changes.item[i].step, "packs") == 0)
			return true;
	return false;
}

static void list_foreseen(const struct proposal *proposal, struct strings *out)
{
	for (size_t i = 0; i < proposal->prediction_count; i++) {
		const struct changes *changes = &proposal->prediction[i].changes;

		for (size_t j = 0; j < changes->count; j++)
			strings_addf(out, "%s: %s", changes->item[j].step, changes->item[j].path);
	}
}

/* Writing and growing are not the guest's. */
static bool is_of_guest(const char *step)
{
	return strcmp(step, "restore") != 0 && strcmp(step, "layout") != 0 &&
	       strcmp(step, "grow") != 0;
}

void proposal_compare(const struct proposal *proposal, struct report *report)
{
	json_object *changes = json_object_object_get(report->document, "changes");
	_cleanup_strings_ struct strings foreseen = {0};

	if (proposal->prediction_count == 0 || !proposal->prediction[0].guest ||
	    has_packs(&proposal->prediction[0]))
		return;
	list_foreseen(proposal, &foreseen);
	for (size_t i = 0; i < json_object_array_length(changes); i++) {
		json_object *change = json_object_array_get_idx(changes, i);
		const char *step = json_object_get_string(json_object_object_get(change, "step"));
		const char *file = json_object_get_string(json_object_object_get(change, "file"));
		_cleanup_free_ char *name = string_format("%s: %s", step, file);

		if (is_of_guest(step) && !strings_has(&foreseen, name))
			report_warning(report, "this change was not in the plan: %s", name);
	}
}

static void render_duration(const struct duration *duration, struct text *out)
{
	_cleanup_free_ char *length = duration_format(duration->seconds);
	_cleanup_free_ char *line =
		duration->seconds > 0
			? string_format("about %s; %s sets the pace", length, duration->limit)
			: string_format("not known: %s", duration->limit);

	fold(out, "  time    ", line);
}

/* The disks of one machine get the same changes; what differs is the answer. */
static void render_predictions(const struct proposal *proposal, struct text *out)
{
	if (proposal->prediction_count)
		prediction_render(&proposal->prediction[0], out);
	for (size_t i = 1; i < proposal->prediction_count; i++) {
		_cleanup_free_ char *head =
			string_format("\n%s: ", proposal->plan.target[i].disk.path);
		_cleanup_free_ char *sentence =
			boot_answer_sentence(&proposal->prediction[i].answer);

		fold(out, head, sentence);
	}
}

void proposal_render(const struct proposal *proposal, struct text *out)
{
	const struct boot_answer *answer = proposal_answer(proposal);
	_cleanup_free_ char *sentence = answer ? boot_answer_sentence(answer) : NULL;

	plan_render(&proposal->plan, out);
	render_duration(&proposal->duration, out);
	if (proposal->machine)
		fold(out, "  machine ", proposal->machine);
	render_predictions(proposal, out);
	if (sentence)
		fold(out, "\nAnswer: ", sentence);
}

static json_object *duration_json(const struct duration *duration)
{
	json_object *object = json_object_new_object();

	json_object_object_add(
		object, "seconds",
		duration->seconds > 0 ? json_object_new_int64((int64_t)duration->seconds) : NULL);
	json_object_object_add(object, "limit", json_string_or_null(duration->limit));
	return object;
}

static json_object *predictions_json(const struct proposal *proposal)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < proposal->prediction_count; i++) {
		json_object *object = prediction_json(&proposal->prediction[i]);

		json_object_object_add(
			object, "disk",
			json_string_or_null(proposal->plan.target_count
						    ? proposal->plan.target[i].disk.path
						    : NULL));
		json_object_array_add(list, object);
	}
	return list;
}

json_object *proposal_json(const struct proposal *proposal)
{
	const struct boot_answer *answer = proposal_answer(proposal);
	json_object *object = plan_json(&proposal->plan);

	json_object_object_add(object, "plan-version", json_object_new_int(PLAN_JSON_VERSION));
	json_object_object_add(object, "duration", duration_json(&proposal->duration));
	json_object_object_add(object, "machine", json_string_or_null(proposal->machine));
	json_object_object_add(object, "predictions", predictions_json(proposal));
	json_object_object_add(object, "obstacle", json_string_or_null(proposal->obstacle.text));
	json_object_object_add(object, "answer", answer ? boot_answer_json(answer) : NULL);
	return object;
}

void proposal_show(const struct proposal *proposal, struct output *output)
{
	_cleanup_text_ struct text text = {0};

	if (output->json) {
		output_json(output, proposal_json(proposal));
		return;
	}
	proposal_render(proposal, &text);
	output_result(output, text_string(&text));
}

void proposal_release(struct proposal *proposal)
{
	for (size_t i = 0; i < proposal->prediction_count; i++)
		prediction_release(&proposal->prediction[i]);
	free(proposal->prediction);
	free(proposal->machine);
	duration_release(&proposal->duration);
	plan_release(&proposal->plan);
	source_close(proposal->source);
	error_release(&proposal->obstacle);
	*proposal = (struct proposal){0};
}
