// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/prediction.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/boot_initramfs.h"
#include "adapt/guest_image.h"
#include "adapt/uuid_conflict.h"
#include "base/scope.h"
#include "boot/boot_fit.h"
#include "boot/default_kernel.h"

enum { KERNELS_LIMIT_SECONDS = 120 }; /* for kernels that do not start by default */

struct maker {
	const struct prediction_request *request;
	struct prediction *out;
	struct guest guest;
	const struct drivers_db *db;
	struct hardware view;    /* as request->hardware; see make_view() */
	struct disk *view_disks; /* of the view; what they point to is borrowed */
	struct adaptation adaptation;
	const struct guest_kernel *kernel; /* that starts by default, or NULL */
	double start;
};

/*
 * The disk that will be written is called as the image is served now, so that the steps take it for
 * the disk that the guest is on: what is on it now is as good as gone.
 */
static void make_view(struct maker *maker)
{
	const struct disks *disks = &maker->request->hardware->disks;
	const struct plan_target *target = maker->request->target;

	maker->view = *maker->request->hardware;
	maker->view_disks = calloc(disks->count + 1, sizeof(*maker->view_disks));
	if (!maker->view_disks)
		abort();
	for (size_t i = 0; i < disks->count; i++) {
		maker->view_disks[i] = disks->item[i];
		if (target && string_equal(disks->item[i].path, target->disk.path))
			maker->view_disks[i].path = maker->guest.disk;
	}
	maker->view.disks.item = maker->view_disks;
}

/*
 * A step that cannot plan ends a restore behind the writing, in the middle of the adaptation. Where
 * not all of the guest is mounted, it may just not see what it needs.
 */
static void add_failure(struct maker *maker, const char *step, const struct error *err)
{
	bool is_loader = strcmp(step, "loader") == 0;

	if (maker->guest.unmounted.count)
		boot_answer_add(&maker->out->answer, BOOT_UNKNOWN, NULL,
				"%s; and so the step %s finds that %s",
				maker->guest.unmounted.item[0], step, error_text(err));
	else if (is_loader)
		boot_answer_add(&maker->out->answer, BOOT_WILL_NOT, NULL, "%s", error_text(err));
	else
		boot_answer_add(
			&maker->out->answer, BOOT_WILL_NOT,
			"put it right in the image, or leave the step out (skip in [Adapt])",
			"the step %s of the adaptation cannot be done: %s", step, error_text(err));
}

static void plan_steps(struct maker *maker)
{
	const struct step_ops *step;

	uuid_conflict_warn(&maker->guest, &maker->view, &maker->out->report);
	for (size_t i = 0; (step = adaptation_step(i)); i++) {
		_cleanup_error_ struct error why_not = {0};

		if (adaptation_plan_step(step, &maker->adaptation, maker->request->adaptation,
					 &maker->out->changes, &why_not) < 0)
			add_failure(maker, step->name, &why_not);
	}
}

/* The hazards as they are when the packs have brought what the boot depends on. Of a kernel that is
 * not there yet, nobody knows what else it lacks. */
static int find_hazards_left(const struct maker *maker, const struct pack_choice *choice,
			     struct prediction_kernel *out, struct error *err)
{
	const struct guest_kernel kernel = {.release = choice->release};
	struct driver_matches matches = out->matches;
	_cleanup_free_ struct driver_match *item = calloc(matches.count + 1, sizeof(*item));

	if (!item)
		abort();
	for (size_t i = 0; i < matches.count; i++) {
		item[i] = matches.item[i];
		if (item[i].verdict != VERDICT_NO_DRIVER_NEEDED &&
		    (choice->is_new_kernel || item[i].is_boot_critical))
			item[i].verdict = VERDICT_MODULE;
	}
	matches.item = item;
	if (choice->is_new_kernel)
		matches.root_count = 0;
	return hazards_find(maker->db, &maker->view, &maker->guest, &kernel, &matches,
			    &out->hazards, err);
}

/* 1 and the choice when the packs bring all that the boot depends on, 0 when not. */
static int choose_packs(const struct maker *maker, const struct guest_kernel *kernel,
			struct pack_choice *choice, struct error *err)
{
	const struct packs *packs = maker->request->adaptation->packs;

	*choice = (struct pack_choice){0};
	if (!packs || adaptation_skips(maker->request->adaptation, "packs") ||
	    kernel != maker->kernel || kernel != packs_default_kernel(&maker->guest))
		return 0;
	if (packs_choose(packs, maker->db, &maker->view, &maker->guest, kernel, choice, err) < 0)
		return -1;
	return choice->count > 0 && choice->critical_left == 0 &&
	       (!choice->is_new_kernel || packs_can_set_default(&maker->guest));
}

static int look_up(const struct maker *maker, const struct guest_kernel *kernel,
		   struct prediction_kernel *out, struct error *err)
{
	_cleanup_pack_choice_ struct pack_choice choice = {0};
	int is_supplied;

	if (drivers_match(maker->db, &maker->view, &maker->guest, kernel->release, &out->matches,
			  err) < 0)
		return -1;
	is_supplied = choose_packs(maker, kernel, &choice, err);
	if (is_supplied < 0)
		return -1;
	if (!is_supplied)
		return hazards_find(maker->db, &maker->view, &maker->guest, kernel, &out->matches,
				    &out->hazards, err);
	out->supplied = string_copy(choice.release);
	out->is_replaced = choice.is_new_kernel;
	return find_hazards_left(maker, &choice, out, err);
}

static void add_kernel(struct maker *maker, const struct guest_kernel *kernel)
{
	struct prediction_kernel *out = &maker->out->kernel[maker->out->kernel_count++];
	_cleanup_error_ struct error why_not = {0};

	out->release = string_copy(kernel->release);
	if (kernel != maker->kernel && clock_seconds() - maker->start > KERNELS_LIMIT_SECONDS)
		error_set(&why_not, "reading the image takes too long");
	else if (look_up(maker, kernel, out, &why_not) == 0)
		out->can_start = boot_answer_can_start(&out->hazards);
	if (why_not.text)
		out->why_not = string_copy(error_text(&why_not));
}

/* The one that starts by default comes first; modules without a kernel do not count. */
static void add_kernels(struct maker *maker)
{
	const struct guest *guest = &maker->guest;

	maker->out->kernel = calloc(guest->kernel_count + 1, sizeof(*maker->out->kernel));
	if (!maker->out->kernel)
		abort();
	if (maker->kernel)
		add_kernel(maker, maker->kernel);
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (guest->kernel[i].image && &guest->kernel[i] != maker->kernel)
			add_kernel(maker, &guest->kernel[i]);
}

static void answer_kernel(struct maker *maker)
{
	struct prediction *out = maker->out;
	const struct driver_matches none = {0};
	struct boot_kernel facts = {.db = maker->db, .kernel = maker->kernel};

	if (maker->kernel && out->kernel[0].why_not) {
		boot_answer_add(&out->answer, BOOT_UNKNOWN, NULL,
				"the modules of kernel %s cannot be looked up: %s",
				maker->kernel->release, out->kernel[0].why_not);
		return;
	}
	if (maker->kernel) {
		facts.matches = out->kernel[0].is_replaced ? &none : &out->kernel[0].matches;
		facts.hazards = &out->kernel[0].hazards;
	}
	for (size_t i = 1; i < out->kernel_count && !facts.better; i++)
		if (out->kernel[i].can_start)
			facts.better = out->kernel[i].release;
	boot_answer_kernel(&out->answer, &facts);
}

static int find_default(struct maker *maker, struct error *err)
{
	_cleanup_default_kernel_ struct default_kernel found = {0};

	if (default_kernel_find(&maker->guest, &found, err) < 0)
		return -1;
	maker->kernel = found.kernel;
	if (!found.kernel)
		return 0;
	maker->out->default_kernel = string_copy(found.kernel->release);
	maker->out->default_how = steal(&found.how);
	return 0;
}

/* A kernel of a pack gets an image of its own. */
static int check_initramfs(struct maker *maker, struct error *err)
{
	const struct prediction_kernel *kernel = maker->out->kernel;

	if (!maker->kernel || kernel->why_not || kernel->supplied)
		return 0;
	return boot_initramfs_check(&maker->adaptation, &maker->out->changes, maker->kernel,
				    &kernel->matches, &maker->out->answer, err);
}

static int check_fit(struct maker *maker, struct error *err)
{
	return boot_fit_check(&maker->adaptation, maker->kernel, &maker->out->answer, err);
}

/* Reading fails where the image or the network does: then nothing is known for certain. */
static void ask(struct maker *maker, int (*question)(struct maker *, struct error *))
{
	_cleanup_error_ struct error err = {0};

	if (question(maker, &err) < 0)
		boot_answer_add(&maker->out->answer, BOOT_UNKNOWN, NULL, "%s", error_text(&err));
}

static void predict(struct maker *maker)
{
	make_view(maker);
	maker->adaptation = (struct adaptation){
		.guest = &maker->guest,
		.hardware = &maker->view,
		.db = maker->db,
		.report = &maker->out->report,
		.network = maker->request->adaptation->network,
		.initramfs = maker->request->adaptation->initramfs,
		.hostname = (char *)maker->request->adaptation->hostname,
		.packs = maker->request->adaptation->packs,
	};
	maker->out->guest = guest_json(&maker->guest);
	for (size_t i = 0; i < maker->guest.unmounted.count; i++)
		report_warning(&maker->out->report, "%s", maker->guest.unmounted.item[i]);
	ask(maker, find_default);
	add_kernels(maker);
	answer_kernel(maker);
	plan_steps(maker);
	ask(maker, check_initramfs);
	ask(maker, check_fit);
}

static int open_and_predict(struct maker *maker, struct error *err)
{
	_cleanup_error_ struct error why_not = {0};

	if (guest_open_image(maker->request->source, &maker->guest, &why_not) < 0) {
		boot_answer_add(&maker->out->answer, BOOT_UNKNOWN, NULL,
				"the system in the image was not looked at: %s",
				error_text(&why_not));
		return 0;
	}
	predict(maker);
	free(maker->view_disks);
	/* What stays mounted would be in the way of writing; and what could not be read may have
	 * looked like something that is not there. */
	if (guest_close(&maker->guest, err) < 0)
		return error_in(err, "read the system in the image");
	return 0;
}

/* A disk of this machine says nothing about the way to it in another one. */
static void follow_disk(const struct prediction_request *request, struct report *report)
{
	const struct plan_target *target = request->target;
	_cleanup_error_ struct error err = {0};

	if (target && request->hardware->is_live != target->is_elsewhere &&
	    hardware_follow_disk(request->hardware, &target->disk, &err) < 0)
		report_warning(report, "%s: all storage controllers are taken as needed",
			       error_text(&err));
}

int prediction_make(const struct prediction_request *request, struct prediction *out,
		    struct error *err)
{
	struct maker maker = {
		.request = request, .out = out, .guest = {.root_fd = -1}, .start = clock_seconds()};
	struct drivers_db *db = NULL;
	int r;

	*out = (struct prediction){.hardware = request->hardware};
	report_init(&out->report);
	if (drivers_db_load(NULL, &db, err) < 0)
		return -1;
	maker.db = db;
	follow_disk(request, &out->report);
	r = open_and_predict(&maker, err);
	drivers_db_free(db);
	return r;
}

void prediction_release(struct prediction *prediction)
{
	for (size_t i = 0; i < prediction->kernel_count; i++) {
		free(prediction->kernel[i].release);
		free(prediction->kernel[i].why_not);
		free(prediction->kernel[i].supplied);
		driver_matches_release(&prediction->kernel[i].matches);
		hazards_release(&prediction->kernel[i].hazards);
	}
	free(prediction->kernel);
	json_object_put(prediction->guest);
	free(prediction->default_kernel);
	free(prediction->default_how);
	changes_release(&prediction->changes);
	report_release(&prediction->report);
	boot_answer_release(&prediction->answer);
	*prediction = (struct prediction){0};
}
