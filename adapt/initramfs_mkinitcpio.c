// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * mkinitcpio (Arch and its kin). Its configuration is bash: mkinitcpio.conf, then (since version
 * 38) mkinitcpio.conf.d/ in order, but not where a preset names the configuration file itself,
 * which the presets of older versions do. So the same lines, which may be read twice, go to the end
 * of each configuration file and into a drop-in.
 */
#include <string.h>

#include "adapt/initramfs_settings.h"
#include "adapt/initramfs_tool.h"
#include "base/scope.h"

#define STEP "initramfs"
#define CONFIGURATION "/etc/mkinitcpio.conf"
#define DROP_IN_DIRECTORY "/etc/mkinitcpio.conf.d"
#define DROP_IN DROP_IN_DIRECTORY "/zz-v2p.conf"
#define PRESETS "/etc/mkinitcpio.d/"

static const char *const copied[] = {
	CONFIGURATION, "/etc/crypttab", "/etc/modprobe.d/",   "/etc/udev/rules.d/",
	"/etc/lvm/",   "/etc/mdadm",    "/etc/vconsole.conf", NULL,
};

/* Variables of presets that name another configuration file, or a unified kernel image. */
static const char *const preset_configurations[] = {"ALL_config", "default_config",
						    "fallback_config", NULL};
static const char *const preset_unified[] = {"default_uki", "default_efi_image", NULL};
static const char *const preset_files[] = {PRESETS, NULL};

static int read_presets(const struct guest *guest, const struct changes *changes,
			const char *const *names, struct settings *out, struct error *err)
{
	return settings_read(guest, changes, preset_files, ".preset", names, out, err);
}

static int list_configurations(const struct guest *guest, const struct changes *changes,
			       struct strings *out, struct error *err)
{
	_cleanup_settings_ struct settings settings = {0};

	strings_add(out, CONFIGURATION);
	if (read_presets(guest, changes, preset_configurations, &settings, err) < 0)
		return -1;
	for (size_t i = 0; i < settings.count; i++)
		if (settings.item[i].words.count == 1 && *settings.item[i].words.item[0] == '/' &&
		    guest_has(guest, settings.item[i].words.item[0]))
			strings_add_once(out, settings.item[i].words.item[0]);
	return 0;
}

static int find_settings(const struct initramfs_work *work, const struct changes *changes,
			 struct strings *narrow, struct strings *exclude, struct error *err)
{
	static const char *const files[] = {CONFIGURATION, DROP_IN_DIRECTORY "/", NULL};
	static const char *const names[] = {"HOOKS", NULL};
	_cleanup_settings_ struct settings settings = {0};

	(void)exclude;
	if (settings_read(work->adaptation->guest, changes, files, ".conf", names, &settings, err) <
	    0)
		return -1;
	for (size_t i = 0; i < settings.count; i++)
		if (strings_has(&settings.item[i].words, "autodetect"))
			strings_addf(narrow,
				     "the hook autodetect in %s takes what the machine has that "
				     "builds the image",
				     settings.item[i].file);
	return 0;
}

/* A module that a kernel does not have is no error when its name ends in "?". */
static char *lines(const struct initramfs_work *work)
{
	struct text out = {0};

	text_add(&out, "v2p_hooks=()\n"
		       "for v2p_hook in ${HOOKS[@]}; do\n"
		       "	[[ $v2p_hook == autodetect ]] || v2p_hooks+=(\"$v2p_hook\")\n"
		       "done\n"
		       "HOOKS=(\"${v2p_hooks[@]}\")\n"
		       "MODULES=(${MODULES[@]}");
	for (size_t i = 0; i < work->listed->count; i++)
		text_addf(&out, " '%s?'", work->listed->item[i]);
	text_add(&out, ")\n");
	return text_take(&out);
}

static int plan_configuration(const struct initramfs_work *work, struct changes *changes,
			      const char *path, const char *added, const char *why,
			      struct error *err)
{
	const struct guest *guest = work->adaptation->guest;
	_cleanup_text_ struct text before = {0};
	_cleanup_free_ char *after = NULL;

	if (changes_read(changes, guest, path, &before, err) < 0)
		return -1;
	after = settings_with_block(text_string(&before),
				    "the drivers of this machine's storage, whichever machine "
				    "builds the image",
				    added);
	return changes_write(changes, guest, STEP, path, after, why, err);
}

static int plan_settings(const struct initramfs_work *work, struct changes *changes,
			 const char *why, struct error *err)
{
	const struct guest *guest = work->adaptation->guest;
	_cleanup_strings_ struct strings files = {0};
	_cleanup_free_ char *added = lines(work);

	if (list_configurations(guest, changes, &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.count; i++)
		if (plan_configuration(work, changes, files.item[i], added, why, err) < 0)
			return -1;
	if (!guest_has(guest, DROP_IN_DIRECTORY))
		return 0;
	return plan_configuration(work, changes, DROP_IN, added, why, err);
}

/* The preset of a kernel is named after its package, as the image is: initramfs-linux.img. */
static bool is_preset_of(const char *file, const struct guest_kernel *kernel)
{
	const char *name = strrchr(file, '/') + 1;
	_cleanup_free_ char *image = string_format("/boot/initramfs-%.*s.img",
						   (int)(strlen(name) - strlen(".preset")), name);

	return string_equal(kernel->initramfs, image);
}

/* The configuration file that the kernel's preset names, or NULL: the usual ones. */
static char *own_configuration(const struct guest *guest, const struct guest_kernel *kernel)
{
	const struct changes none = {0};
	_cleanup_settings_ struct settings settings = {0};
	char *found = NULL;

	if (read_presets(guest, &none, preset_configurations, &settings, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < settings.count; i++) {
		const struct setting *setting = &settings.item[i];

		if (setting->words.count != 1 || !is_preset_of(setting->file, kernel) ||
		    has_prefix(setting->name, "fallback"))
			continue;
		free(found);
		found = string_copy(setting->words.item[0]);
	}
	return found;
}

static void build(const struct guest *guest, const struct guest_kernel *kernel,
		  enum initramfs_modules modules, const char *built, struct strings *argv)
{
	_cleanup_free_ char *configuration = own_configuration(guest, kernel);

	(void)modules;
	/* /tmp is small in the sandbox. */
	strings_split(argv, "env TMPDIR=/var/tmp mkinitcpio --nocolor -S autodetect", " ");
	if (configuration) {
		strings_add(argv, "-c");
		strings_add(argv, configuration);
	}
	strings_add(argv, "-k");
	strings_add(argv, kernel->release);
	strings_add(argv, "-g");
	strings_add(argv, built);
}

static char *refuses(const struct guest *guest)
{
	const struct changes none = {0};
	_cleanup_settings_ struct settings settings = {0};

	if (read_presets(guest, &none, preset_unified, &settings, NULL) < 0 || !settings.count)
		return NULL;
	return string_format("%s in %s: unified kernel images are not supported yet",
			     settings.item[0].name, settings.item[0].file);
}

const struct initramfs_ops initramfs_mkinitcpio = {
	.tool = INITRAMFS_MKINITCPIO,
	.new_image = "/boot/initramfs-",
	.suffix = ".img",
	.permission = GUEST_RUN_FILES,
	.copied = copied,
	.refuses = refuses,
	.find_settings = find_settings,
	.plan_settings = plan_settings,
	.fails_lightly = true,
	.build = build,
};
