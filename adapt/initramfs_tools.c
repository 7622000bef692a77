// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * initramfs-tools (Debian, Ubuntu). mkinitramfs reads initramfs.conf, then conf.d/ in order, the
 * last one wins; drivers that are named in `modules` are in every image.
 */
#include <string.h>

#include "adapt/initramfs_settings.h"
#include "adapt/initramfs_tool.h"
#include "base/scope.h"

#define STEP "initramfs"
#define DIRECTORY "/etc/initramfs-tools/"
#define DROP_IN DIRECTORY "conf.d/zz-v2p"
#define MODULES DIRECTORY "modules"

static const char drop_in[] =
	"# Written by v2p when this system was moved to other hardware. MODULES=dep would look\n"
	"# for the drivers of the machine that builds the image. To undo: remove this file and\n"
	"# run update-initramfs -u -k all.\n"
	"MODULES=${V2P_MODULES:-most}\n";

static const char *const copied[] = {
	DIRECTORY,
	"/etc/crypttab",
	"/etc/systemd/network/",
	"/etc/udev/rules.d/",
	"/etc/modprobe.d/",
	"/etc/lvm/",
	"/etc/mdadm/",
	"/etc/cryptsetup-initramfs/",
	NULL,
};

static int find_settings(const struct initramfs_work *work, const struct changes *changes,
			 struct strings *narrow, struct strings *exclude, struct error *err)
{
	static const char *const files[] = {DIRECTORY "initramfs.conf", DIRECTORY "conf.d/", NULL};
	static const char *const names[] = {"MODULES", NULL};
	_cleanup_settings_ struct settings settings = {0};
	const struct setting *last;

	(void)exclude;
	if (settings_read(work->adaptation->guest, changes, files, "", names, &settings, err) < 0)
		return -1;
	last = settings.count ? &settings.item[settings.count - 1] : NULL;
	if (last && last->words.count && strcmp(last->words.item[0], "most") != 0) {
		_cleanup_free_ char *text = setting_text(last, last->words.item[0]);

		strings_addf(narrow, "%s names only what the machine has that builds the image",
			     text);
	}
	return 0;
}

static int plan_modules(const struct initramfs_work *work, struct changes *changes,
			struct error *err)
{
	const struct guest *guest = work->adaptation->guest;
	_cleanup_text_ struct text before = {0}, lines = {0};
	_cleanup_free_ char *after = NULL;

	if (!work->listed->count)
		return 0;
	if (changes_read(changes, guest, MODULES, &before, err) < 0)
		return -1;
	for (size_t i = 0; i < work->listed->count; i++)
		text_addf(&lines, "%s\n", work->listed->item[i]);
	after = settings_with_block(text_string(&before), "what drives the storage of this machine",
				    text_string(&lines));
	return changes_write(changes, guest, STEP, MODULES, after,
			     "the drivers of this machine's storage", err);
}

/* "NAME DEVICE [KEY [OPTIONS]]" with one option more. */
static void mark_entry(const char *line, struct text *out)
{
	_cleanup_strings_ struct strings fields = {0};
	size_t length = strlen(line);

	while (length && strchr(" \t\r", line[length - 1]))
		length--;
	strings_split(&fields, line, " \t\r");
	text_add_bytes(out, line, length);
	text_add(out, fields.count > 3   ? ",initramfs\n"
		      : fields.count > 2 ? " initramfs\n"
					 : " none initramfs\n");
}

/* Without the machine's devices in sight, the hook cannot find out what the root is on; an entry
 * that is marked is taken in any case (crypttab(5) of Debian). */
static int plan_crypttab(const struct initramfs_work *work, struct changes *changes,
			 struct error *err)
{
	const struct guest *guest = work->adaptation->guest;
	_cleanup_text_ struct text before = {0}, after = {0};

	if (!work->needs->crypt.count ||
	    changes_read(changes, guest, "/etc/crypttab", &before, NULL) <= 0)
		return 0;
	for (const char *line = text_string(&before); *line;) {
		size_t length = strcspn(line, "\n");
		_cleanup_free_ char *copy = string_format("%.*s", (int)length, line);
		_cleanup_free_ char *entry = initramfs_crypttab(work->needs, copy);

		if (*entry && !strstr(copy, "initramfs"))
			mark_entry(copy, &after);
		else
			text_add_bytes(&after, line, length + (line[length] == '\n'));
		line += length + (line[length] == '\n');
	}
	return changes_write(changes, guest, STEP, "/etc/crypttab", text_string(&after),
			     "the root is opened by the initramfs, wherever that is built", err);
}

static int plan_settings(const struct initramfs_work *work, struct changes *changes,
			 const char *why, struct error *err)
{
	if (changes_write(changes, work->adaptation->guest, STEP, DROP_IN, drop_in, why, err) < 0 ||
	    plan_modules(work, changes, err) < 0)
		return -1;
	return plan_crypttab(work, changes, err);
}

static void build(const struct guest *guest, const struct guest_kernel *kernel,
		  enum initramfs_modules modules, const char *built, struct strings *argv)
{
	(void)guest;
	strings_add(argv, "env");
	strings_addf(argv, "V2P_MODULES=%s", initramfs_modules_name(modules));
	strings_add(argv, "mkinitramfs");
	strings_add(argv, "-o");
	strings_add(argv, built);
	strings_add(argv, kernel->release);
}

const struct initramfs_ops initramfs_tools = {
	.tool = INITRAMFS_TOOLS,
	.new_image = "/boot/initrd.img-",
	.suffix = "",
	.permission = GUEST_RUN_FILES,
	.copied = copied,
	.find_settings = find_settings,
	.plan_settings = plan_settings,
	.can_list = true,
	.build = build,
};
