// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dracut (Fedora, RHEL and their kin, SUSE, and Debian's package). It reads dracut.conf, then
 * dracut.conf.d/ of /usr/lib and /etc in the order of the names; all of it is bash, which is how
 * the drop-in takes out of other files' lists what must not be left out.
 *
 * An image that is not made for one host lacks what dracut would find out about the host: the words
 * for the command line that name the root's volumes, without which its rules leave LVM and RAID
 * alone, and crypttab. The drop-in names the words. crypttab comes from a dracut module of v2p's,
 * since only the entries on the way to the root belong there: the others would be asked for at
 * boot.
 */
#include <ctype.h>
#include <string.h>

#include "adapt/drivers_db.h"
#include "adapt/initramfs_settings.h"
#include "adapt/initramfs_tool.h"
#include "base/scope.h"

#define STEP "initramfs"
#define DROP_IN "/etc/dracut.conf.d/zz-v2p.conf"
#define CRYPTTAB "/var/lib/v2p/crypttab"
#define MODULE "/usr/lib/dracut/modules.d/96v2p/module-setup.sh"

static const char *const copied[] = {
	"/etc/dracut.conf",      "/etc/crypttab", "/etc/modprobe.d/", "/etc/udev/rules.d/",
	"/etc/systemd/network/", "/etc/lvm/",     "/etc/mdadm",       NULL,
};

static const char *const files[] = {"/etc/dracut.conf", "/usr/lib/dracut/dracut.conf.d/",
				    "/etc/dracut.conf.d/", NULL};

static const char module_setup[] =
	"#!/bin/bash\n"
	"# Written by v2p: the entries of crypttab that open what the root is on.\n"
	"check() { return 255; }\n"
	"depends() { echo crypt; }\n"
	"install() { inst_simple " CRYPTTAB " /etc/crypttab; }\n";

/* What the root needs of dracut's own modules; omit_dracutmodules must not have it. */
static void dracut_modules(const struct initramfs_needs *needs, struct strings *out)
{
	static const char *const always[] = {"base", "rootfs-block", "udev-rules", "kernel-modules",
					     "fs-lib"};

	for (size_t i = 0; i < array_length(always); i++)
		strings_add(out, always[i]);
	if (needs->has_lvm || needs->has_crypt)
		strings_add(out, "dm");
	if (needs->has_lvm)
		strings_add(out, "lvm");
	if (needs->has_crypt)
		strings_add(out, "crypt");
	if (needs->has_raid)
		strings_add(out, "mdraid");
}

/* A setting that tells which of a kind go in (exclusive lists), or which stay out. */
static const struct {
	const char *name;
	enum { OMITS_DRIVERS, OMITS_MODULES, ONLY_DRIVERS, ONLY_MODULES, IS_YES } kind;
	const char *follows;
} known_settings[] = {
	{"omit_drivers", OMITS_DRIVERS, "leaves out a driver of this machine"},
	{"omit_dracutmodules", OMITS_MODULES, "leaves out what the root needs"},
	{"drivers", ONLY_DRIVERS, "admits no other drivers"},
	{"dracutmodules", ONLY_MODULES, "admits no other modules of dracut"},
	{"no_kernel", IS_YES, "leaves out all drivers"},
	{"kernel_only", IS_YES, "leaves out all but drivers"},
	{"hostonly", IS_YES, "takes what the machine has that builds the image"},
};

/* A word of omit_drivers is a regular expression; a name, or one with ".*", is what people write.
 */
static bool leaves_out(const char *word, const struct strings *modules)
{
	size_t length = strcspn(word, ".*");

	if (!word[length])
		return find_module(modules, word) != NULL;
	for (size_t i = 0; length && i < modules->count; i++) {
		_cleanup_free_ char *begin = string_format("%.*s", (int)length, modules->item[i]);
		_cleanup_free_ char *stem = string_format("%.*s", (int)length, word);

		if (drivers_is_same_module(begin, stem))
			return true;
	}
	return false;
}

static bool has_effect(size_t kind, const char *word, const struct initramfs_work *work)
{
	_cleanup_strings_ struct strings modules = {0};

	switch (kind) {
	case OMITS_DRIVERS:
		return leaves_out(word, work->required);
	case OMITS_MODULES:
		dracut_modules(work->needs, &modules);
		return strings_has(&modules, word);
	case IS_YES:
		return strcmp(word, "yes") == 0;
	default:
		return true;
	}
}

static void judge_setting(const struct setting *setting, size_t row,
			  const struct initramfs_work *work, struct strings *narrow,
			  struct strings *exclude)
{
	bool is_host = strcmp(setting->name, "hostonly") == 0;

	for (size_t i = 0; i < setting->words.count; i++) {
		_cleanup_free_ char *text = setting_text(setting, setting->words.item[i]);

		if (!has_effect(known_settings[row].kind, setting->words.item[i], work))
			continue;
		strings_addf(is_host ? narrow : exclude, "%s %s", text,
			     known_settings[row].follows);
		if (known_settings[row].kind == ONLY_DRIVERS ||
		    known_settings[row].kind == ONLY_MODULES)
			return;
	}
}

static int find_settings(const struct initramfs_work *work, const struct changes *changes,
			 struct strings *narrow, struct strings *exclude, struct error *err)
{
	for (size_t row = 0; row < array_length(known_settings); row++) {
		const char *names[] = {known_settings[row].name, NULL};
		_cleanup_settings_ struct settings settings = {0};

		if (settings_read(work->adaptation->guest, changes, files, ".conf", names,
				  &settings, err) < 0)
			return -1;
		/* Lists add up; of a yes or no the last one counts. */
		for (size_t i = 0; i < settings.count; i++)
			if (known_settings[row].kind != IS_YES || i + 1 == settings.count)
				judge_setting(&settings.item[i], row, work, narrow, exclude);
	}
	return 0;
}

/* Takes the words out of a list that are names, or match one, of those that are kept. */
static void add_filter(struct text *out, const char *variable, const char *keep)
{
	text_addf(out,
		  "v2p_left=\n"
		  "for v2p_word in $%s; do\n"
		  "	for v2p_kept in %s; do\n"
		  "		[[ ${v2p_kept//-/_} =~ ^${v2p_word//-/_}$ ]] && continue 2\n"
		  "	done\n"
		  "	v2p_left+=\" $v2p_word \"\n"
		  "done\n"
		  "%s=$v2p_left\n",
		  variable, keep, variable);
}

static void add_words(struct text *out, const struct initramfs_needs *needs)
{
	_cleanup_strings_ struct strings words = {0};
	_cleanup_free_ char *line = NULL;
	bool has_lvm = false, has_raid = false;

	for (size_t i = 0; i < needs->words.count; i++) {
		strings_add(&words, needs->words.item[i]);
		has_lvm = has_lvm || has_prefix(needs->words.item[i], "rd.lvm.");
		has_raid = has_raid || has_prefix(needs->words.item[i], "rd.md.");
	}
	/* Which ones is not known: all that are there. */
	if ((needs->has_lvm && !has_lvm) || (needs->has_raid && !has_raid))
		strings_add(&words, "rd.auto=1");
	line = strings_join(&words, " ");
	if (words.count)
		text_addf(out, "kernel_cmdline+=\" %s \"\n", line);
}

static char *drop_in(const struct initramfs_work *work)
{
	const struct initramfs_needs *needs = work->needs;
	_cleanup_strings_ struct strings modules = {0};
	_cleanup_free_ char *listed = strings_join(work->listed, " ");
	_cleanup_free_ char *required = strings_join(work->required, " ");
	_cleanup_free_ char *kept = NULL;
	struct text out = {0};

	dracut_modules(needs, &modules);
	kept = strings_join(&modules, " ");
	text_add(&out, "# Written by v2p when this system was moved to other hardware: images that "
		       "do not\n# depend on the machine that builds them. To undo: remove this "
		       "file and run\n# dracut --force --regenerate-all.\n"
		       "hostonly=\"no\"\n"
		       "no_kernel=\"no\"\n"
		       "kernel_only=\"no\"\n"
		       "drivers=\"\"\n"
		       "dracutmodules=\"\"\n");
	text_addf(&out, "add_drivers+=\" %s \"\n", listed);
	text_add(&out, "if [[ $V2P_MODULES == list ]]; then\n"
		       "	drivers=$add_drivers\n"
		       "fi\n"
		       "# gzip -9, which dracut would take, needs seven times as long for one "
		       "percent.\n"
		       "if [[ $V2P_MODULES && ! $compress ]] && ! command -v pigz > /dev/null; "
		       "then\n"
		       "	compress=\"gzip -n -6\"\n"
		       "fi\n");
	add_filter(&out, "omit_drivers", required);
	add_filter(&out, "omit_dracutmodules", kept);
	if (needs->has_lvm)
		text_add(&out, "lvmconf=\"yes\"\n");
	if (needs->has_raid)
		text_add(&out, "mdadmconf=\"yes\"\n");
	if (needs->crypt.count)
		text_add(&out, "add_dracutmodules+=\" v2p \"\n");
	/* The keyboard on which the passphrase is typed. */
	if (needs->has_crypt)
		text_add(&out, "install_optional_items+=\" /etc/vconsole.conf \"\n");
	add_words(&out, needs);
	return text_take(&out);
}

static int plan_crypttab(const struct initramfs_work *work, struct changes *changes,
			 struct error *err)
{
	const struct guest *guest = work->adaptation->guest;
	static const char why[] = "the entries of crypttab that open the root";
	_cleanup_text_ struct text content = {0};
	_cleanup_free_ char *entries = NULL;

	if (!work->needs->crypt.count)
		return 0;
	if (changes_read(changes, guest, "/etc/crypttab", &content, err) < 0)
		return -1;
	entries = initramfs_crypttab(work->needs, text_string(&content));
	if (changes_write(changes, guest, STEP, CRYPTTAB, entries, why, err) < 0)
		return -1;
	return changes_write(changes, guest, STEP, MODULE, module_setup, why, err);
}

static int plan_settings(const struct initramfs_work *work, struct changes *changes,
			 const char *why, struct error *err)
{
	_cleanup_free_ char *content = drop_in(work);

	if (changes_write(changes, work->adaptation->guest, STEP, DROP_IN, content, why, err) < 0)
		return -1;
	return plan_crypttab(work, changes, err);
}

static void build(const struct guest *guest, const struct guest_kernel *kernel,
		  enum initramfs_modules modules, const char *built, struct strings *argv)
{
	(void)guest;
	strings_add(argv, "env");
	strings_addf(argv, "V2P_MODULES=%s", initramfs_modules_name(modules));
	/* /tmp is small in the sandbox, whatever the guest's own settings say of it. */
	strings_split(argv, "dracut --quiet --force --no-hostonly --tmpdir /var/tmp", " ");
	strings_add(argv, built);
	strings_add(argv, kernel->release);
}

static char *refuses(const struct guest *guest)
{
	static const char *const names[] = {"uefi", NULL};
	const struct changes none = {0};
	_cleanup_settings_ struct settings settings = {0};
	_cleanup_free_ char *text = NULL;

	if (settings_read(guest, &none, files, ".conf", names, &settings, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < settings.count; i++) {
		if (!strings_has(&settings.item[i].words, "yes"))
			continue;
		text = setting_text(&settings.item[i], "yes");
		return string_format("%s: unified kernel images are not supported yet", text);
	}
	return NULL;
}

const struct initramfs_ops initramfs_dracut = {
	.tool = INITRAMFS_DRACUT,
	.new_image = "/boot/initramfs-",
	.suffix = ".img",
	.permission = GUEST_RUN_FILES,
	.copied = copied,
	.refuses = refuses,
	.find_settings = find_settings,
	.plan_settings = plan_settings,
	.can_list = true,
	.build = build,
};
