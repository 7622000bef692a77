// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * step packs: drivers, firmware and kernels that the image lacks come from driver packs. Before the
 * initramfs, which is to hold them.
 *
 * Asked about is the kernel that starts: the newest, or the one that a pack brought before. A new
 * kernel of the same version is not always the one that GRUB starts: it takes 6.1.0-9-cloud-amd64
 * for newer than 6.1.0-9-amd64. A drop-in chooses it for as long as it is installed.
 */
#include <string.h>

#include "adapt/pack_install.h"
#include "adapt/packs.h"
#include "adapt/step.h"
#include "base/scope.h"

#define STEP "packs"
#define DROP_IN "/etc/default/grub.d/zz-v2p-kernel.cfg"

enum { WHY_LIMIT = 8 };

static const char drop_in[] =
	"# Written by v2p, which installed kernel %s from a driver pack: it drives this machine,\n"
	"# and the kernel that was here before does not. To undo: remove this file and run\n"
	"# update-grub.\n"
	"if [ -e \"/boot/vmlinuz-%s\" ]; then\n"
	"\tv2p_root=${GRUB_DEVICE_UUID:-$GRUB_DEVICE}\n"
	"\tcase ${GRUB_DISABLE_SUBMENU:-n} in\n"
	"\ty | true) GRUB_DEFAULT=\"gnulinux-%s-advanced-$v2p_root\" ;;\n"
	"\t*) GRUB_DEFAULT=\"gnulinux-advanced-$v2p_root>gnulinux-%s-advanced-$v2p_root\" ;;\n"
	"\tesac\n"
	"fi\n";

/* 1 and a choice that is not empty, 0 when there is nothing to do. */
static int choose(const struct adaptation *adaptation, struct pack_choice *choice,
		  struct error *err)
{
	const struct guest_kernel *kernel = packs_default_kernel(adaptation->guest);

	*choice = (struct pack_choice){0};
	if (!adaptation->packs || !kernel)
		return 0;
	if (packs_choose(adaptation->packs, adaptation->db, adaptation->hardware, adaptation->guest,
			 kernel, choice, err) < 0)
		return -1;
	return choice->count > 0;
}

/* Packages are named with the change itself. */
static void report_files(const struct adaptation *adaptation, const struct pack_pick *pick,
			 const struct strings *paths)
{
	_cleanup_free_ char *why =
		string_format("%s (from driver pack %s)", pick->why, pick->pack->place);

	for (size_t i = 0; i < paths->count; i++)
		report_change(adaptation->report, STEP, paths->item[i], why, NULL);
}

static int install_files(struct adaptation *adaptation, const struct pack_choice *choice,
			 struct error *err)
{
	bool has_modules = false;

	for (size_t i = 0; i < choice->count; i++) {
		const struct pack_pick *pick = &choice->pick[i];
		_cleanup_strings_ struct strings paths = {0};

		if (pick->entry->kind == PACK_PACKAGE)
			continue;
		if (pack_install_files(adaptation->guest, choice->release, pick, &paths, err) < 0)
			return -1;
		report_files(adaptation, pick, &paths);
		has_modules = has_modules || pick->entry->kind == PACK_MODULES;
	}
	return has_modules ? pack_install_index(adaptation->guest, choice->release, err) : 0;
}

static int install(struct adaptation *adaptation, const struct pack_choice *choice,
		   struct error *err)
{
	if (pack_install_packages(adaptation->guest, choice, adaptation->report, err) < 0 ||
	    install_files(adaptation, choice, err) < 0)
		return -1;
	return pack_record_add(adaptation->guest, choice, err);
}

/* That it did not work is a failed check: what else makes the system start goes on. */
static int install_all(struct adaptation *adaptation, const struct change *change,
		       struct error *err)
{
	_cleanup_pack_choice_ struct pack_choice choice = {0};
	int r = choose(adaptation, &choice, err);

	(void)change;
	if (r <= 0)
		return r;
	if (install(adaptation, &choice, err) < 0) {
		report_check(adaptation->report, false, "driver packs are installed",
			     error_text(err));
		return 1;
	}
	report_check(adaptation->report, true, "driver packs are installed", choice.release);
	return guest_find_kernels(adaptation->guest, err);
}

/* grub-mkconfig reads the directory on Debian and what comes from it. */
bool packs_can_set_default(const struct guest *guest)
{
	_cleanup_text_ struct text script = {0};

	return guest_read(guest, "/usr/sbin/grub-mkconfig", &script, NULL) > 0 &&
	       strstr(text_string(&script), "/default/grub.d") != NULL;
}

static int plan_default(struct adaptation *adaptation, struct changes *changes, const char *release,
			struct error *err)
{
	_cleanup_free_ char *content = string_format(drop_in, release, release, release, release);

	if (!packs_can_set_default(adaptation->guest)) {
		report_warning(adaptation->report,
			       "kernel %s of a driver pack is installed, but which kernel starts "
			       "is the boot loader's choice: make it the default one",
			       release);
		return 0;
	}
	return changes_write(changes, adaptation->guest, STEP, DROP_IN, content,
			     "the kernel that drives this machine is the one that starts", err);
}

static char *reasons(const struct pack_choice *choice)
{
	_cleanup_strings_ struct strings list = {0};

	for (size_t i = 0; i < choice->count && i < WHY_LIMIT; i++)
		strings_addf(&list, "%s of %s: %s", choice->pick[i].entry->label,
			     choice->pick[i].pack->place, choice->pick[i].why);
	if (choice->count > WHY_LIMIT)
		strings_addf(&list, "and %zu more", choice->count - WHY_LIMIT);
	return strings_join(&list, "; ");
}

static int packs_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	_cleanup_pack_choice_ struct pack_choice choice = {0};
	_cleanup_free_ char *why = NULL;
	int r = choose(adaptation, &choice, err);

	for (size_t i = 0; i < choice.left.count; i++)
		report_warning(adaptation->report, "%s", choice.left.item[i]);
	if (r <= 0)
		return r;
	report_fact(adaptation->report, "driver-packs", pack_choice_json(&choice));
	why = reasons(&choice);
	changes_call(changes, STEP, "driver packs", why, install_all);
	return choice.is_new_kernel ? plan_default(adaptation, changes, choice.release, err) : 0;
}

const struct step_ops step_packs = {
	.name = STEP,
	.plan = packs_plan,
};
