// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/adaptation.h"

#include <string.h>

#include "adapt/drivers.h"
#include "adapt/initramfs_tool.h"
#include "adapt/uuid_conflict.h"
#include "base/scope.h"
#include "boot/loader.h"
#include "cli/interrupt.h"

#define REPORT_PATH "/var/lib/v2p/report.json"

/* In the order in which they plan and run: what goes into the initramfs comes before it. */
static const struct step_ops *const steps[] = {
	&step_fstab,
	&step_network,
	&step_identity,
	&step_xorg,
	&step_tools,
	&step_quirks,
	&step_modules,
	&step_packs,
	&step_initramfs,
	&(const struct step_ops){
		"loader",
		loader_plan,
		loader_verify,
	},
};

static bool is_skipped(const char *skip, const char *name)
{
	_cleanup_strings_ struct strings names = {0};

	if (skip)
		strings_split(&names, skip, " ,\t");
	return strings_has(&names, name);
}

bool adaptation_skips(const struct adaptation_request *request, const char *step)
{
	return is_skipped(request->skip, step);
}

int adaptation_check_skip(const char *skip, struct error *err)
{
	_cleanup_strings_ struct strings names = {0}, known = {0};
	_cleanup_free_ char *all = NULL;

	for (size_t i = 0; i < array_length(steps); i++)
		strings_add(&known, steps[i]->name);
	all = strings_join(&known, ", ");
	if (skip)
		strings_split(&names, skip, " ,\t");
	for (size_t i = 0; i < names.count; i++)
		if (!strings_has(&known, names.item[i]))
			return error_set(err, "skip = %s: there is no such step; the steps are %s",
					 names.item[i], all);
	return 0;
}

int adaptation_initramfs(const char *name, enum initramfs_modules *out, struct error *err)
{
	for (*out = INITRAMFS_MOST; name && *out <= INITRAMFS_LIST; ++*out)
		if (strcmp(name, initramfs_modules_name(*out)) == 0)
			return 0;
	return name ? error_set(err, "--initramfs %s: it is most or list", name) : 0;
}

const struct step_ops *adaptation_step(size_t index)
{
	return index < array_length(steps) ? steps[index] : NULL;
}

int adaptation_plan_step(const struct step_ops *step, struct adaptation *adaptation,
			 const struct adaptation_request *request, struct changes *changes,
			 struct error *err)
{
	if (!is_skipped(request->skip, step->name))
		return step->plan(adaptation, changes, err);
	report_warning(adaptation->report, "step %s was left out, as asked", step->name);
	return 0;
}

static int plan_steps(struct adaptation *adaptation, const struct adaptation_request *request,
		      struct changes *changes, struct error *err)
{
	for (size_t i = 0; i < array_length(steps); i++)
		if (adaptation_plan_step(steps[i], adaptation, request, changes, err) < 0)
			return error_in(err, "plan step %s", steps[i]->name);
	return 0;
}

static int verify_steps(struct adaptation *adaptation, const struct adaptation_request *request,
			struct error *err)
{
	for (size_t i = 0; i < array_length(steps); i++) {
		if (!steps[i]->verify || is_skipped(request->skip, steps[i]->name))
			continue;
		if (steps[i]->verify(adaptation, err) < 0)
			return error_in(err, "verify step %s", steps[i]->name);
	}
	return 0;
}

static void show_changes(const struct changes *changes, struct report *report)
{
	for (size_t i = 0; i < changes->count; i++)
		report_change(report, changes->item[i].step, changes->item[i].path,
			      changes->item[i].why, changes->item[i].diff);
}

static int leave_report(struct guest *guest, const struct report *report, struct error *err)
{
	_cleanup_text_ struct text json = {0};

	report_json(report, &json);
	return guest_write(guest, REPORT_PATH, text_string(&json), json.length, err);
}

static void say_change(void *context, const struct change *change)
{
	output_say(context, "  %s: %s", change->step, change->path);
}

static int carry_out(struct adaptation *adaptation, const struct adaptation_request *request,
		     const struct changes *changes, double start, struct error *err)
{
	if (changes_apply(changes, adaptation, err) < 0 ||
	    verify_steps(adaptation, request, err) < 0)
		return -1;
	report_timing(adaptation->report, "adaptation", clock_seconds() - start, 0);
	if (changes->count == 0)
		return 0;
	return leave_report(adaptation->guest, adaptation->report, err);
}

int adaptation_run(struct guest *guest, const struct hardware *hardware,
		   const struct adaptation_request *request, struct report *report,
		   struct output *output, struct error *err)
{
	_cleanup_changes_ struct changes changes = {0};
	double start = clock_seconds();
	struct drivers_db *db = NULL;
	struct adaptation adaptation = {
		.guest = guest,
		.hardware = hardware,
		.report = report,
		.network = request->network,
		.initramfs = request->initramfs,
		.hostname = (char *)request->hostname,
		.packs = request->packs,
		.progress = say_change,
		.progress_context = output,
		.stop = interrupt_flag(),
	};
	int r;

	if (drivers_db_load(NULL, &db, err) < 0)
		return -1;
	adaptation.db = db;
	report_fact_string(report, "guest", guest->os_name);
	uuid_conflict_warn(guest, hardware, report);
	r = plan_steps(&adaptation, request, &changes, err);
	if (r == 0)
		output_say(output, "Adapting %s: %zu changes", guest->os_name, changes.count);
	if (r == 0 && request->dry_run)
		show_changes(&changes, report);
	else if (r == 0)
		r = carry_out(&adaptation, request, &changes, start, err);
	drivers_db_free(db);
	return r;
}

int adaptation_packs(const struct strings *places, const struct packs_options *options,
		     struct packs **packs, struct error *err)
{
	*packs = NULL;
	if (places->count)
		return packs_open(places, options, packs, err);
	return options->key ? error_set(err, "a key for driver packs was given, but no driver pack")
			    : 0;
}

int adaptation_hardware(const struct options *options, struct hardware *out, struct error *err)
{
	if (options->hardware && options->pci_dump)
		return error_set(err, "--hardware and --pci-dump exclude each other");
	if (options->hardware)
		return hardware_read_json(options->hardware, out, err);
	if (options->pci_dump)
		return hardware_read_pci_dump(options->pci_dump, out, err);
	return hardware_detect(out, err);
}
