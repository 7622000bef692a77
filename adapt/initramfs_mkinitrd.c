// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * mkinitrd of SUSE before it took dracut (SLES 11, openSUSE up to 13.1). It looks the root up on
 * the machine that runs it, so the root's device is named and the disk is there; the drivers are
 * INITRD_MODULES of /etc/sysconfig/kernel, then and at later updates.
 *
 * Red Hat's program of that name, and the wrapper of today's SUSE, are others: the one is refused,
 * the other comes with dracut, which is found first.
 */
#include <string.h>

#include "adapt/initramfs_settings.h"
#include "adapt/initramfs_tool.h"
#include "adapt/kernel_words.h"
#include "base/scope.h"

#define STEP "initramfs"
#define CONFIGURATION "/etc/sysconfig/kernel"

static const char *const copied[] = {
	CONFIGURATION,        "/etc/crypttab",         "/etc/modprobe.d/",
	"/etc/modprobe.conf", "/etc/udev/rules.d/",    "/etc/lvm/",
	"/etc/mdadm",         "/etc/sysconfig/initrd", NULL,
};

static char *refuses(const struct guest *guest)
{
	if (!guest_has(guest, "/lib/mkinitrd"))
		return string_copy("this mkinitrd is not SUSE's");
	if (!guest->disk)
		return string_copy("mkinitrd looks for the root on its disk, and a directory has "
				   "none");
	return NULL;
}

/* A module with a minus in front stays out. */
static int find_settings(const struct initramfs_work *work, const struct changes *changes,
			 struct strings *narrow, struct strings *exclude, struct error *err)
{
	static const char *const files[] = {CONFIGURATION, NULL};
	static const char *const names[] = {"INITRD_MODULES", NULL};
	_cleanup_settings_ struct settings settings = {0};

	(void)narrow;
	if (settings_read(work->adaptation->guest, changes, files, "", names, &settings, err) < 0)
		return -1;
	for (size_t i = 0; i < settings.count; i++) {
		for (size_t j = 0; j < settings.item[i].words.count; j++) {
			const char *word = settings.item[i].words.item[j];
			_cleanup_free_ char *text = setting_text(&settings.item[i], word);

			if (*word == '-' && find_module(work->required, word + 1))
				strings_addf(exclude, "%s leaves out a driver of this machine",
					     text);
		}
	}
	return 0;
}

/* The value with what it lacks, and without what it keeps out. */
static char *edit_modules(void *data, const char *name, const char *value)
{
	const struct initramfs_work *work = data;
	_cleanup_strings_ struct strings words = {0}, out = {0};

	(void)name;
	strings_split(&words, value, " \t");
	for (size_t i = 0; i < words.count; i++)
		if (*words.item[i] != '-' || !find_module(work->required, words.item[i] + 1))
			strings_add(&out, words.item[i]);
	for (size_t i = 0; i < work->listed->count; i++)
		if (!find_module(&out, work->listed->item[i]))
			strings_add(&out, work->listed->item[i]);
	return strings_join(&out, " ");
}

static int plan_settings(const struct initramfs_work *work, struct changes *changes,
			 const char *why, struct error *err)
{
	static const char *const names[] = {"INITRD_MODULES", NULL};
	const struct guest *guest = work->adaptation->guest;
	_cleanup_settings_ struct settings settings = {0};
	_cleanup_text_ struct text before = {0}, after = {0};
	_cleanup_free_ char *modules = strings_join(work->listed, " ");

	if (changes_read(changes, guest, CONFIGURATION, &before, err) < 0)
		return -1;
	settings_parse(CONFIGURATION, text_string(&before), names, &settings);
	shell_variable_edit(text_string(&before), names[0], edit_modules, (void *)work, &after);
	if (!settings.count)
		text_addf(&after, "%sINITRD_MODULES=\"%s\"\n",
			  after.length && after.data[after.length - 1] != '\n' ? "\n" : "",
			  modules);
	return changes_write(changes, guest, STEP, CONFIGURATION, text_string(&after), why, err);
}

static const char *root_device(const struct guest *guest)
{
	for (size_t i = 0; i < guest->mount_count; i++)
		if (strcmp(guest->mount[i].where, "/") == 0)
			return guest->mount[i].device;
	return NULL;
}

static void build(const struct guest *guest, const struct guest_kernel *kernel,
		  enum initramfs_modules modules, const char *built, struct strings *argv)
{
	const char *root = root_device(guest);

	(void)modules;
	/* /tmp is small in the sandbox; the boot loader has its own step. */
	strings_split(argv, "env TMPDIR=/var/tmp mkinitrd -B", " ");
	if (root) {
		strings_add(argv, "-d");
		strings_add(argv, root);
	}
	strings_add(argv, "-k");
	strings_add(argv, kernel->image);
	strings_add(argv, "-i");
	strings_add(argv, built);
}

const struct initramfs_ops initramfs_mkinitrd = {
	.tool = INITRAMFS_MKINITRD,
	.new_image = "/boot/initrd-",
	.suffix = "",
	.permission = GUEST_RUN_DISKS,
	.copied = copied,
	.refuses = refuses,
	.find_settings = find_settings,
	.plan_settings = plan_settings,
	.build = build,
};
