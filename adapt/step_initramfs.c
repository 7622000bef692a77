// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * step initramfs: every kernel's initramfs holds what reaches the root on this machine's storage.
 *
 * An image that lacks something, waits for a swap device that is gone, or holds a copy of a file
 * that changes, is built anew by the guest's own tool (adapt/initramfs_tool.h), beside the old one,
 * which is replaced only when the new one was opened and holds everything. The guest's tool is also
 * told for its later updates.
 *
 * The new image holds the drivers of all storage (INITRAMFS_MOST), and those of this machine in any
 * case. A list of the latter alone (INITRAMFS_LIST) is a third or half of the size and a fraction
 * of the time, but it is only as complete as what v2p knows of the way from the processor to the
 * disk and to the keyboard, and searching the image proves no more than that; nor does it start
 * when the disk is moved to another controller. It is for those who restore the same machines every
 * night and have seen them start, and is taken where /boot has no room for the other.
 *
 * Where a driver pack brings kernels or modules, what is needed is known only when it is in place:
 * then all of this is decided between the packs and the boot loader.
 */
#include <string.h>

#include "adapt/initramfs_build.h"
#include "adapt/initramfs_image.h"
#include "adapt/initramfs_others.h"
#include "adapt/initramfs_settings.h"
#include "adapt/initramfs_tool.h"
#include "base/scope.h"

#define STEP "initramfs"

enum { NAMES_IN_REASON = 4, NAMES_IN_PROOF = 12 };

/* What is decided for all kernels before anything is planned, since the settings come first. */
struct decision {
	const char
		*changed; /* a file that images hold copies of and that is another now; or NULL */
	struct strings listed, required;
	struct initramfs_needs needs; /* of the kernel that starts */
	bool has_needs;
	char **why; /* per kernel: why its image is built anew; NULL: it stays */
	size_t rebuilds;
};

static void decision_release(struct decision *decision, size_t count)
{
	for (size_t i = 0; decision->why && i < count; i++)
		free(decision->why[i]);
	free(decision->why);
	strings_release(&decision->listed);
	strings_release(&decision->required);
	initramfs_needs_release(&decision->needs);
}

/* A change of a file that images hold copies of; borrowed, or NULL. */
static const char *changed_copy(const struct guest *guest, const struct changes *changes)
{
	const struct initramfs_ops *ops = initramfs_ops_find(guest);

	for (size_t i = 0; ops && i < changes->count; i++) {
		const struct change *change = &changes->item[i];

		if (change->kind != CHANGE_WRITE && change->kind != CHANGE_REMOVE)
			continue;
		for (size_t j = 0; ops->copied[j]; j++)
			if (has_prefix(change->path, ops->copied[j]))
				return change->path;
	}
	return NULL;
}

/* Why the image is built anew, heap; NULL: it stays. */
static char *reason_to_build(const struct guest *guest, const char *changed,
			     const struct initramfs_image *image)
{
	_cleanup_free_ char *names = initramfs_names(&image->missing, NAMES_IN_REASON);
	_cleanup_free_ char *resume = initramfs_gone_resume(guest, &image->content);
	bool has_image = image->kernel->initramfs != NULL;

	if (image->why_not && (has_image || image->missing.count))
		return string_copy(image->why_not);
	if (image->missing.count)
		return string_format("it lacks %s", names);
	if (resume)
		return string_format("it waits for the swap device %s, which is not there", resume);
	if (changed && has_image)
		return string_format("it holds a copy of %s", changed);
	return NULL;
}

static void collect(struct decision *decision, struct initramfs_image *image)
{
	for (size_t i = 0; i < image->set.listed.count; i++)
		strings_add_once(&decision->listed, image->set.listed.item[i]);
	for (size_t i = 0; i < image->set.required.count; i++) {
		_cleanup_free_ char *name = module_of_file(image->set.required.item[i]);

		strings_add_once(&decision->required, name);
	}
	if (decision->has_needs)
		return;
	decision->needs = image->needs;
	image->needs = (struct initramfs_needs){0};
	decision->has_needs = true;
}

/* A kernel whose modules cannot be looked up must not keep the others from starting; verify says
 * that it is not proven. */
static void consider(struct adaptation *adaptation, const struct changes *changes,
		     const struct guest_kernel *kernel, struct decision *decision, char **why)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_initramfs_image_ struct initramfs_image image = {0};

	if (initramfs_image_examine(adaptation, changes, kernel, &image, &err) < 0) {
		report_warning(adaptation->report,
			       "%s; its initramfs is left as it is, and it may not find its root",
			       error_text(&err));
		return;
	}
	*why = reason_to_build(adaptation->guest, decision->changed, &image);
	decision->rebuilds += *why != NULL;
	for (size_t i = 0; i < image.set.missing.count; i++)
		report_warning(adaptation->report, "%s", image.set.missing.item[i]);
	collect(decision, &image);
}

static void warn_unbuilt(const struct adaptation *adaptation, const struct decision *decision,
			 const char *reason)
{
	const struct guest *guest = adaptation->guest;

	for (size_t i = 0; i < guest->kernel_count; i++)
		if (decision->why[i])
			report_warning(adaptation->report,
				       "the initramfs of %s should be built anew (%s), but %s: "
				       "build it yourself, or this kernel may not find its root",
				       guest->kernel[i].release, decision->why[i], reason);
}

/* Why v2p cannot build images in this guest: heap; NULL when it can. */
static char *reason_not_to_build(const struct guest *guest)
{
	const struct initramfs_ops *ops = initramfs_ops_find(guest);

	if (!ops)
		return string_copy("the guest has no tool for that which v2p knows");
	return ops->refuses ? ops->refuses(guest) : NULL;
}

static int plan_settings(const struct adaptation *adaptation, struct changes *changes,
			 const struct decision *decision, struct error *err)
{
	const struct initramfs_ops *ops = initramfs_ops_find(adaptation->guest);
	const struct initramfs_work work = {.adaptation = adaptation,
					    .listed = &decision->listed,
					    .required = &decision->required,
					    .needs = &decision->needs};
	_cleanup_strings_ struct strings narrow = {0}, exclude = {0};
	_cleanup_free_ char *found = NULL;

	if (ops->find_settings(&work, changes, &narrow, &exclude, err) < 0)
		return -1;
	if (!decision->rebuilds && !exclude.count)
		return 0;
	for (size_t i = 0; i < narrow.count; i++)
		strings_add(&exclude, narrow.item[i]);
	found = strings_join(&exclude, "; ");
	return ops->plan_settings(
		&work, changes,
		*found ? found : "an initramfs for this machine, not for the one that builds it",
		err);
}

static int plan_decision(struct adaptation *adaptation, struct changes *changes,
			 const struct decision *decision, struct error *err)
{
	const struct guest *guest = adaptation->guest;
	_cleanup_free_ char *reason = reason_not_to_build(guest);

	if (reason) {
		warn_unbuilt(adaptation, decision, reason);
		return 0;
	}
	if (plan_settings(adaptation, changes, decision, err) < 0)
		return -1;
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (decision->why[i] && initramfs_plan_build(adaptation, changes, &guest->kernel[i],
							     decision->why[i], err) < 0)
			return -1;
	if (decision->rebuilds)
		initramfs_others_report(guest, adaptation->report);
	return 0;
}

static int plan_now(struct adaptation *adaptation, struct changes *changes, const char *changed,
		    struct error *err)
{
	const struct guest *guest = adaptation->guest;
	struct decision decision = {.changed = changed,
				    .why = calloc(guest->kernel_count + 1, sizeof(char *))};
	int r;

	if (!decision.why)
		abort();
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (guest->kernel[i].image)
			consider(adaptation, changes, &guest->kernel[i], &decision,
				 &decision.why[i]);
	r = plan_decision(adaptation, changes, &decision, err);
	decision_release(&decision, guest->kernel_count);
	return r;
}

/* Everything that plan_now() does, when the packs are in place. */
static int plan_and_apply(struct adaptation *adaptation, const struct change *change,
			  struct error *err)
{
	_cleanup_changes_ struct changes changes = {0};

	if (guest_find_kernels(adaptation->guest, err) < 0 ||
	    plan_now(adaptation, &changes, change->input, err) < 0)
		return -1;
	return changes_apply(&changes, adaptation, err);
}

static bool has_packs(const struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++)
		if (strcmp(changes->item[i].step, "packs") == 0)
			return true;
	return false;
}

static int initramfs_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	const char *changed = changed_copy(adaptation->guest, changes);
	_cleanup_free_ char *kept = changed ? string_copy(changed) : NULL;
	struct change *call;

	if (!has_packs(changes))
		return plan_now(adaptation, changes, kept, err);
	call = changes_call(changes, STEP, "initramfs of every kernel",
			    "what the driver packs bring is known when it is in place",
			    plan_and_apply);
	call->input = steal(&kept);
	return 0;
}

static void prove_image(const struct adaptation *adaptation, const struct initramfs_image *image)
{
	const struct guest_kernel *kernel = image->kernel;
	_cleanup_free_ char *check = string_format("initramfs of %s", kernel->release);
	_cleanup_free_ char *lacks = initramfs_names(&image->missing, NAMES_IN_PROOF);
	_cleanup_free_ char *detail = NULL, *holds = NULL;
	_cleanup_strings_ struct strings names = {0};

	for (size_t i = 0; i < image->set.required.count; i++) {
		const char *slash = strrchr(image->set.required.item[i], '/');

		strings_add(&names, slash ? slash + 1 : image->set.required.item[i]);
	}
	holds = initramfs_names(&names, NAMES_IN_PROOF);
	if (image->why_not && (kernel->initramfs || image->missing.count))
		detail = string_copy(image->why_not);
	else if (image->missing.count)
		detail = string_format("lacks %s", lacks);
	else
		detail = string_format("holds %s",
				       *holds ? holds : "all it needs: the drivers are built in");
	report_check(adaptation->report,
		     image->missing.count == 0 && !(image->why_not && kernel->initramfs), check,
		     detail);
}

/* Not a failure: the system starts, late or with older microcode. */
static void note_image(const struct adaptation *adaptation, const struct initramfs_image *image)
{
	const struct guest *guest = adaptation->guest;
	_cleanup_free_ char *resume = initramfs_gone_resume(guest, &image->content);
	_cleanup_free_ char *note = NULL;

	if (resume)
		report_warning(adaptation->report,
			       "the initramfs of %s waits half a minute for the swap device %s, "
			       "which is not there",
			       image->kernel->release, resume);
	if (!initramfs_is_default(guest, image->kernel) || !adaptation->hardware)
		return;
	note = initramfs_microcode_note(adaptation->db, guest, &image->content,
					adaptation->hardware->cpu_vendor);
	if (note)
		report_fact_string(adaptation->report, "microcode", note);
}

/* Devices that a kernel cannot drive matter for the one that starts by default. */
static void prove_devices(const struct adaptation *adaptation, const struct initramfs_image *image)
{
	const struct strings *missing = &image->set.missing;
	_cleanup_free_ char *check = string_format("drivers of kernel %s", image->kernel->release);
	_cleanup_free_ char *detail = strings_join(missing, "; ");

	if (missing->count && initramfs_is_default(adaptation->guest, image->kernel))
		report_check(adaptation->report, false, check, detail);
}

static void prove_kernel(const struct adaptation *adaptation, const struct guest_kernel *kernel)
{
	_cleanup_free_ char *check = string_format("drivers of kernel %s", kernel->release);
	_cleanup_initramfs_image_ struct initramfs_image image = {0};
	const struct changes none = {0};
	_cleanup_error_ struct error err = {0};

	if (initramfs_image_examine(adaptation, &none, kernel, &image, &err) < 0) {
		report_check(adaptation->report, false, check, error_text(&err));
		return;
	}
	prove_image(adaptation, &image);
	note_image(adaptation, &image);
	prove_devices(adaptation, &image);
}

static int initramfs_verify(struct adaptation *adaptation, struct error *err)
{
	const struct guest *guest = adaptation->guest;

	(void)err;
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (guest->kernel[i].image)
			prove_kernel(adaptation, &guest->kernel[i]);
	return 0;
}

const struct step_ops step_initramfs = {
	.name = STEP,
	.plan = initramfs_plan,
	.verify = initramfs_verify,
};
