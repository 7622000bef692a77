// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/initramfs_proof.h"

#include <fnmatch.h>
#include <string.h>

#include "adapt/device_names.h"
#include "adapt/drivers_db.h"
#include "adapt/firmware_files.h"
#include "adapt/initramfs_settings.h"
#include "adapt/module_info.h"
#include "base/scope.h"

enum { FIRMWARE_LIMIT = 512 }; /* files that one image is searched for */

int initramfs_open(const struct guest *guest, const char *path, struct initramfs_content *out,
		   struct error *err)
{
	_cleanup_close_ int fd = guest_open_file(guest, path, 0, err);

	*out = (struct initramfs_content){0};
	return fd < 0 ? -1 : initramfs_read(fd, path, out, err);
}

static bool has_match(const struct strings *names, const char *pattern)
{
	for (size_t i = 0; i < names->count; i++)
		if (fnmatch(pattern, names->item[i], 0) == 0)
			return true;
	return false;
}

/* Below any directory of firmware, with or without a suffix of compression. */
static bool is_firmware(const char *name, const char *file)
{
	const char *directory = strstr(name, "lib/firmware/");
	const char *at = directory ? strstr(directory, file) : NULL;
	char end = at ? at[strlen(file)] : 'x';

	return at && at[-1] == '/' && (end == '\0' || end == '.');
}

static void lacks_firmware(const struct initramfs_content *content, const struct strings *firmware,
			   struct strings *missing)
{
	for (size_t i = 0; i < firmware->count; i++) {
		bool has = false;

		for (size_t j = 0; !has && j < content->names.count; j++)
			has = is_firmware(content->names.item[j], firmware->item[i]);
		if (!has)
			strings_addf(missing, "firmware %s", firmware->item[i]);
	}
}

/* Programs, and where the tools put them; systemd brings its own for encryption. */
static const struct {
	size_t needed; /* offset of a bool in struct initramfs_needs */
	const char *name, *pattern, *other;
} programs[] = {
	{offsetof(struct initramfs_needs, has_lvm), "lvm", "*bin/lvm", "*bin/lvm.static"},
	{offsetof(struct initramfs_needs, has_crypt), "cryptsetup", "*bin/cryptsetup",
	 "*/systemd-cryptsetup"},
	{offsetof(struct initramfs_needs, has_raid), "mdadm", "*bin/mdadm", "*bin/mdassemble"},
};

static void lacks_programs(const struct initramfs_content *content,
			   const struct initramfs_needs *needs, struct strings *missing)
{
	for (size_t i = 0; i < array_length(programs); i++) {
		bool is_needed = *(const bool *)((const char *)needs + programs[i].needed);

		if (is_needed && !has_match(&content->names, programs[i].pattern) &&
		    !has_match(&content->names, programs[i].other))
			strings_add(missing, programs[i].name);
	}
}

static bool has_setting(const struct initramfs_content *content, const char *pattern,
			const char *word)
{
	for (size_t i = 0; i < content->settings.count; i++)
		if (fnmatch(pattern, content->settings.item[i], 0) == 0 &&
		    strstr(content->texts.item[i], word))
			return true;
	return false;
}

/* Each volume in a crypttab of the image. Arch's hook "encrypt" is told by the command line. */
static void lacks_crypttab(const struct initramfs_content *content,
			   const struct initramfs_needs *needs, struct strings *missing)
{
	if (strings_has(&content->names, "hooks/encrypt") ||
	    has_setting(content, "etc/cmdline*", "rd.luks."))
		return;
	for (size_t i = 0; i < needs->crypt.count; i++)
		if (!has_setting(content, "*crypttab", needs->crypt.item[i]))
			strings_addf(missing, "%s in its crypttab", needs->crypt.item[i]);
}

static void add_base_name(struct strings *out, const char *file)
{
	const char *slash = strrchr(file, '/');

	strings_add(out, slash ? slash + 1 : file);
}

void initramfs_lacks(const struct initramfs_content *content,
		     const struct initramfs_requirements *required, struct strings *missing)
{
	_cleanup_strings_ struct strings modules = {0};

	initramfs_missing(&content->names, required->release, required->modules, &modules);
	for (size_t i = 0; i < modules.count; i++)
		add_base_name(missing, modules.item[i]);
	lacks_firmware(content, required->firmware, missing);
	lacks_programs(content, required->needs, missing);
	lacks_crypttab(content, required->needs, missing);
}

/* RESUME=… of initramfs-tools, resume=… on a command line of dracut's; heap or NULL. */
static char *resume_device(const char *file, const char *text)
{
	static const char *const names[] = {"RESUME", NULL};
	_cleanup_settings_ struct settings settings = {0};
	_cleanup_strings_ struct strings words = {0};

	settings_parse(file, text, names, &settings);
	for (size_t i = settings.count; i-- > 0;)
		if (settings.item[i].words.count)
			return string_copy(settings.item[i].words.item[0]);
	strings_split(&words, text, " \t\r\n\"'");
	for (size_t i = words.count; i-- > 0;)
		if (has_prefix(words.item[i], "resume="))
			return string_copy(words.item[i] + strlen("resume="));
	return NULL;
}

static bool is_gone(const struct guest *guest, const char *device)
{
	_cleanup_device_names_ struct device_names names = {.guest = guest};
	_cleanup_free_ char *stable = NULL;

	/* What hangs on hardware the step fstab has replaced, if it is here. */
	return device_names_is_gone(&names, device) ||
	       device_names_resolve(&names, device, "swap", &stable, NULL) == DEVICE_ABSENT;
}

char *initramfs_gone_resume(const struct guest *guest, const struct initramfs_content *content)
{
	_cleanup_free_ char *device = NULL;

	/* The last one counts: conf.d comes after initramfs.conf. */
	for (size_t i = 0; i < content->settings.count; i++) {
		const char *file = content->settings.item[i];
		char *found = has_suffix(file, "crypttab")
				      ? NULL
				      : resume_device(file, content->texts.item[i]);

		if (!found)
			continue;
		free(device);
		device = found;
	}
	if (!device || !guest->layout.count || !is_gone(guest, device))
		return NULL;
	return steal(&device);
}

static const struct {
	const char *vendor;   /* as the processor says it */
	const char *file;     /* in the uncompressed archive in front: x86/microcode.rst */
	const char *firmware; /* where packages put what it is made of, below /lib/firmware/ */
	const char *separate; /* an image of its own that the boot loader loads (Arch) */
} microcodes[] = {
	{"GenuineIntel", "kernel/x86/microcode/GenuineIntel.bin", "intel-ucode",
	 "/boot/intel-ucode.img"},
	{"AuthenticAMD", "kernel/x86/microcode/AuthenticAMD.bin", "amd-ucode",
	 "/boot/amd-ucode.img"},
};

static char *microcode_note(const struct drivers_db *db, const struct guest *guest,
			    const char *vendor, const char *firmware)
{
	_cleanup_free_ char *directory = string_format("/lib/firmware/%s", firmware);
	_cleanup_free_ char *file = string_format("%s/any", firmware);
	const char *package = drivers_db_firmware_package(db, guest, file);

	if (guest_has(guest, directory))
		return string_format("the guest has microcode for this processor (%s), but its "
				     "initramfs does not load it; it runs with the firmware's",
				     vendor);
	return string_format("none for this processor (%s) in the guest; it runs with the "
			     "firmware's%s%s%s",
			     vendor, package ? "; the package " : "", package ? package : "",
			     package ? " brings newer" : "");
}

char *initramfs_microcode_note(const struct drivers_db *db, const struct guest *guest,
			       const struct initramfs_content *content, const char *cpu_vendor)
{
	for (size_t i = 0; i < array_length(microcodes); i++)
		if (string_equal(cpu_vendor, microcodes[i].vendor) &&
		    !strings_has(&content->names, microcodes[i].file) &&
		    !guest_has(guest, microcodes[i].separate))
			return microcode_note(db, guest, cpu_vendor, microcodes[i].firmware);
	return NULL;
}

static void add_firmware(const struct guest *guest, const char *release,
			 const struct module_info *info, struct strings *out)
{
	for (size_t i = 0; i < info->firmware.count && out->count < FIRMWARE_LIMIT; i++) {
		const char *name = info->firmware.item[i];

		if (!strpbrk(name, "*?") && firmware_exists(guest, release, name))
			strings_add_once(out, name);
	}
}

void initramfs_firmware(const struct guest *guest, const char *release,
			const struct strings *modules, struct strings *out)
{
	_cleanup_strings_ struct strings names = {0};
	_cleanup_module_infos_ struct module_infos infos = {0};

	for (size_t i = 0; i < modules->count; i++) {
		_cleanup_free_ char *name = module_of_file(modules->item[i]);

		strings_add(&names, name);
	}
	if (module_info_ask(guest, release, &names, &infos, NULL) < 0)
		return;
	for (size_t i = 0; i < infos.count; i++)
		add_firmware(guest, release, &infos.item[i], out);
}
