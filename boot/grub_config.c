// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/grub_config.h"

#include <string.h>

#include "base/scope.h"
#include "boot/grub_menu.h"

enum { MKCONFIG_TIMEOUT_MS = 5 * 60 * 1000 };

/* How distributions name the same program and its directory. */
struct grub_flavour {
	const char *directory, *config, *mkconfig, *check;
};

static const struct grub_flavour flavours[] = {
	{"/boot/grub", "/boot/grub/grub.cfg", "grub-mkconfig", "grub-script-check"},
	{"/boot/grub2", "/boot/grub2/grub.cfg", "grub2-mkconfig", "grub2-script-check"},
};

static const struct grub_flavour *find_flavour(const struct guest *guest)
{
	for (size_t i = 0; i < array_length(flavours); i++)
		if (guest_has(guest, flavours[i].config))
			return &flavours[i];
	for (size_t i = 0; i < array_length(flavours); i++)
		if (guest_has(guest, flavours[i].directory))
			return &flavours[i];
	return NULL;
}

const char *grub_directory(const struct guest *guest)
{
	const struct grub_flavour *flavour = find_flavour(guest);

	return flavour ? flavour->directory : NULL;
}

/* As one clause for the user; the rest is counted. */
static char *summarise(const struct strings *sentences)
{
	if (sentences->count < 2)
		return string_copy(sentences->count ? sentences->item[0] : "");
	return string_format("%s, and %zu more", sentences->item[0], sentences->count - 1);
}

static void problems_of(const char *text, const struct grub_names *names, struct strings *problems)
{
	_cleanup_grub_menu_ struct grub_menu menu = {0};

	grub_menu_parse(text, &menu);
	grub_menu_problems(&menu, names, problems);
	if (!menu.count && !menu.has_boot_loader_entries)
		strings_add(problems, "it starts no kernel");
}

/* Why this would not start: what is wrong with its first entry. Others may be someone's own, and
 * are reported by verify. */
static int check_start(const char *text, const struct grub_names *names, struct error *err)
{
	_cleanup_grub_menu_ struct grub_menu menu = {0};
	_cleanup_strings_ struct strings problems = {0};
	_cleanup_free_ char *what = NULL;

	grub_menu_parse(text, &menu);
	if (!menu.count && !menu.has_boot_loader_entries)
		return error_set(err, "it starts no kernel");
	if (!menu.count)
		return 0;
	grub_menu_problems(&(struct grub_menu){.item = menu.item, .count = 1}, names, &problems);
	what = summarise(&problems);
	return problems.count ? error_set(err, "%s", what) : 0;
}

/* Refuses what GRUB would not understand; a guest without the checker is taken at its word. */
static int check_script(struct guest *guest, const struct grub_flavour *flavour, const char *text,
			struct error *err)
{
	const char *const argv[] = {flavour->check, NULL};

	if (!guest_has_program(guest, flavour->check))
		return 0;
	return guest_run(guest, GUEST_RUN_FILES, argv, text, MKCONFIG_TIMEOUT_MS, NULL, err);
}

/*
 * To stdout, not with -o: the old file stays until the new one is proven, and is replaced the way
 * every guest file is. os-prober stays off unless the guest's own configuration asks for it: it
 * would mount whatever else is on the disk.
 */
static int run_mkconfig(struct guest *guest, const struct grub_flavour *flavour,
			const struct grub_names *names, struct text *out,
			struct strings *corrections, struct error *err)
{
	const char *const argv[] = {"env", "GRUB_DISABLE_OS_PROBER=true", flavour->mkconfig, NULL};
	_cleanup_text_ struct text made = {0};

	if (!guest_has_program(guest, flavour->mkconfig))
		return error_set(err, "the guest has no %s", flavour->mkconfig);
	if (guest_run(guest, GUEST_RUN_DISKS, argv, NULL, MKCONFIG_TIMEOUT_MS, &made, err) < 0)
		return -1;
	grub_menu_correct(text_string(&made), names, out, corrections);
	if (check_start(text_string(out), names, err) < 0)
		return error_in(err, "%s wrote a configuration that does not start this disk",
				flavour->mkconfig);
	return check_script(guest, flavour, text_string(out), err);
}

/*
 * The old file with its names corrected: less than what grub-mkconfig knows, but it starts. reason
 * is why that did not work.
 */
static int correct_old(struct adaptation *adaptation, const struct grub_flavour *flavour,
		       const char *old, const struct grub_names *names, const struct error *reason,
		       struct text *out, struct strings *corrections, struct error *err)
{
	if (out->length)
		text_truncate(out, 0);
	strings_release(corrections);
	grub_menu_correct(old, names, out, corrections);
	if (check_start(text_string(out), names, err) < 0)
		return error_in(err, "%s; and the old %s does not start this disk",
				error_text(reason), flavour->config);
	report_warning(adaptation->report,
		       "%s was corrected in place and not made again, so that other changes of "
		       "/etc/default/grub are not in it: %s",
		       flavour->config, error_text(reason));
	return 0;
}

static int regenerate(struct adaptation *adaptation, const struct change *change, struct error *err)
{
	struct guest *guest = adaptation->guest;
	const struct grub_flavour *flavour = find_flavour(guest);
	const struct changes none = {0};
	_cleanup_grub_names_ struct grub_names names = {0};
	_cleanup_strings_ struct strings corrections = {0};
	_cleanup_text_ struct text old = {0}, new = {0};
	_cleanup_error_ struct error reason = {0};

	(void)change;
	if (!flavour)
		return error_set(err, "the guest has no GRUB configuration");
	if (grub_names_make(guest, &none, &names, err) < 0 ||
	    guest_read(guest, flavour->config, &old, err) < 0)
		return -1;
	if (run_mkconfig(guest, flavour, &names, &new, &corrections, &reason) < 0 &&
	    correct_old(adaptation, flavour, text_string(&old), &names, &reason, &new, &corrections,
			err) < 0)
		return -1;
	for (size_t i = 0; i < corrections.count; i++)
		report_warning(adaptation->report,
			       "%s: %s; an update of GRUB's configuration on "
			       "the running system may write it anew",
			       flavour->config, corrections.item[i]);
	if (string_equal(text_string(&old), text_string(&new)))
		return 0;
	return guest_write(guest, flavour->config, new.data, new.length, err);
}

/* grub-mkconfig reads /etc/default/grub and, on Debian, /etc/default/grub.d. */
static bool source_changed(const struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct change *change = &changes->item[i];

		if ((change->kind == CHANGE_WRITE || change->kind == CHANGE_REMOVE) &&
		    has_prefix(change->path, "/etc/default/grub"))
			return true;
	}
	return false;
}

/* Without a disk nothing is known but the names: what can be put right is put right in the file. */
static int plan_in_place(struct adaptation *adaptation, struct changes *changes, const char *step,
			 const char *path, const char *text, const struct grub_names *names,
			 struct error *err)
{
	_cleanup_strings_ struct strings corrections = {0};
	_cleanup_text_ struct text new = {0};
	_cleanup_free_ char *why = NULL;

	grub_menu_correct(text, names, &new, &corrections);
	if (source_changed(changes))
		report_warning(adaptation->report,
			       "/etc/default/grub changed and %s was not made again, as there is "
			       "no disk: run update-grub on the machine",
			       path);
	if (!corrections.count)
		return 0;
	why = summarise(&corrections);
	return changes_write(changes, adaptation->guest, step, path, text_string(&new), why, err);
}

int grub_config_plan(struct adaptation *adaptation, struct changes *changes, const char *step,
		     struct error *err)
{
	const struct grub_flavour *flavour = find_flavour(adaptation->guest);
	_cleanup_grub_names_ struct grub_names names = {0};
	_cleanup_strings_ struct strings problems = {0};
	_cleanup_text_ struct text text = {0};
	_cleanup_free_ char *why = NULL;
	int found;

	if (!flavour)
		return error_set(err, "the guest has neither /boot/grub nor /boot/grub2");
	found = changes_read(changes, adaptation->guest, flavour->config, &text, err);
	if (found < 0 || grub_names_make(adaptation->guest, changes, &names, err) < 0)
		return -1;
	if (!adaptation->guest->disk)
		return found ? plan_in_place(adaptation, changes, step, flavour->config,
					     text_string(&text), &names, err)
			     : 0;
	if (found)
		problems_of(text_string(&text), &names, &problems);
	else
		strings_add(&problems, "there is none");
	if (!problems.count && source_changed(changes))
		strings_add(&problems, "/etc/default/grub changes");
	if (!problems.count)
		return 0;
	why = summarise(&problems);
	changes_call(changes, step, flavour->config, why, regenerate);
	return 0;
}

static void verify_entry(struct report *report, const struct grub_entry *entry,
			 const struct grub_names *names)
{
	const struct grub_menu one = {.item = (struct grub_entry *)entry, .count = 1};
	_cleanup_free_ char *name = string_format("boot menu starts %s", entry->kernel);
	_cleanup_strings_ struct strings problems = {0};
	_cleanup_free_ char *what = NULL;

	grub_menu_problems(&one, names, &problems);
	what = summarise(&problems);
	report_check(report, problems.count == 0, name, problems.count ? what : NULL);
}

static void verify_searches(struct report *report, const struct grub_menu *menu,
			    const struct grub_names *names)
{
	const struct grub_menu only = {.searched = menu->searched};
	_cleanup_strings_ struct strings problems = {0};
	_cleanup_free_ char *what = NULL;

	grub_menu_problems(&only, names, &problems);
	what = summarise(&problems);
	report_check(report, problems.count == 0, "boot menu finds its file systems",
		     problems.count ? what : NULL);
}

/* The entries of one kernel (normal, recovery) are one check. */
static bool is_repeated(const struct grub_menu *menu, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(menu->item[i].kernel, menu->item[index].kernel) == 0)
			return true;
	return false;
}

static void verify_entries(struct report *report, const struct grub_menu *menu,
			   const struct grub_names *names)
{
	for (size_t i = 0; i < menu->count; i++) {
		_cleanup_strings_ struct strings problems = {0};
		const struct grub_menu one = {.item = &menu->item[i], .count = 1};

		if (!is_repeated(menu, i)) {
			verify_entry(report, &menu->item[i], names);
			continue;
		}
		grub_menu_problems(&one, names, &problems);
		if (problems.count)
			verify_entry(report, &menu->item[i], names);
	}
}

int grub_config_verify(struct adaptation *adaptation, struct error *err)
{
	const struct grub_flavour *flavour = find_flavour(adaptation->guest);
	const struct changes none = {0};
	_cleanup_grub_names_ struct grub_names names = {0};
	_cleanup_grub_menu_ struct grub_menu menu = {0};
	_cleanup_text_ struct text text = {0};

	if (!flavour)
		return error_set(err, "the guest has neither /boot/grub nor /boot/grub2");
	if (guest_read(adaptation->guest, flavour->config, &text, err) < 0 ||
	    grub_names_make(adaptation->guest, &none, &names, err) < 0)
		return -1;
	grub_menu_parse(text_string(&text), &menu);
	if (menu.count || !menu.has_boot_loader_entries)
		report_check(adaptation->report, menu.count != 0, "boot menu starts Linux",
			     menu.count ? NULL : flavour->config);
	else
		report_warning(adaptation->report,
			       "%s takes its kernels from /boot/loader/entries, which are not "
			       "checked",
			       flavour->config);
	verify_entries(adaptation->report, &menu, &names);
	verify_searches(adaptation->report, &menu, &names);
	return 0;
}
