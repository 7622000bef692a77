// SPDX-License-Identifier: GPL-3.0-or-later
/* Device names that are read before the root file system is: crypttab, resume, kernel parameters.
 */
#include <stdlib.h>
#include <string.h>

#include "adapt/fstab_private.h"
#include "adapt/kernel_words.h"
#include "base/scope.h"

static const char step_name[] = "fstab";
static const char crypttab_consequence[] =
	"encrypted volumes that it names by the VM's device names are not opened";

static void crypttab_entry(struct fstab_work *work, struct augeas_text *tree, const char *entry)
{
	_cleanup_free_ char *stable = NULL;
	const char *device = augeas_text_get(tree, "%s/device", entry);
	const char *target = augeas_text_get(tree, "%s/target", entry);
	enum device_fate fate;

	if (!device)
		return;
	fate = device_names_resolve(&work->names, device, NULL, &stable, NULL);
	if (fate == DEVICE_KNOWN && has_prefix(stable, "PARTUUID=")) {
		/* Plain dm-crypt has no UUID, and the lens takes no PARTUUID= but any path. */
		char *link = string_format("/dev/disk/by-partuuid/%s", stable + 9);

		free(stable);
		stable = link;
	}
	if (fate == DEVICE_KNOWN)
		augeas_text_set(tree, stable, "%s/device", entry);
	else if (fate != DEVICE_LASTS)
		report_warning(work->adaptation->report,
			       "/etc/crypttab: %s is on %s, which is %s; it is not opened and "
			       "what waits for it may wait",
			       target ? target : "a volume", device,
			       fate == DEVICE_NO_DISK ? "not known without the disk"
						      : "not on the restored disk");
}

int fstab_plan_crypttab(struct fstab_work *work, struct error *err)
{
	_cleanup_augeas_text_ struct augeas_text tree = {0};
	_cleanup_strings_ struct strings entries = {0};

	if (!config_parse(work->adaptation, work->changes, "/etc/crypttab", "Crypttab.lns",
			  crypttab_consequence, &tree))
		return 0;
	augeas_text_match(&tree, &entries, "*[device]");
	for (size_t i = 0; i < entries.count; i++)
		crypttab_entry(work, &tree, entries.item[i]);
	return config_save(work->adaptation, work->changes, step_name, "/etc/crypttab", &tree,
			   "device names of the VM do not exist here; UUIDs do",
			   crypttab_consequence, err);
}

/* The lasting name of a swap device to resume from, "" when it is certainly gone, NULL: as it is.
 */
static char *resume_device(struct fstab_work *work, const char *name)
{
	char *stable = NULL;

	switch (device_names_resolve(&work->names, name, "swap", &stable, NULL)) {
	case DEVICE_KNOWN:
		return stable;
	case DEVICE_ABSENT:
		return string_copy("");
	case DEVICE_LASTS:
		return device_names_is_gone(&work->names, name) ? string_copy("") : NULL;
	case DEVICE_NO_DISK:
		break;
	}
	return NULL;
}

static char *edit_resume(void *data, const char *key, const char *value)
{
	char *device = resume_device(data, value);

	(void)key;
	if (!device || *device)
		return device;
	free(device);
	/* "none" is what initramfs-tools takes for no; empty means "guess". */
	return string_copy("none");
}

static int plan_resume_file(struct fstab_work *work, const char *path, struct error *err)
{
	_cleanup_text_ struct text before = {0}, after = {0};

	if (!config_read(work->adaptation, work->changes, path,
			 "an initramfs may wait 30 s for the VM's swap device", &before))
		return 0;
	if (!shell_variable_edit(text_string(&before), "RESUME", edit_resume, work, &after))
		return 0;
	return changes_write(work->changes, work->adaptation->guest, step_name, path,
			     text_string(&after),
			     "the initramfs would wait 30 s for the VM's swap device", err);
}

int fstab_plan_resume(struct fstab_work *work, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	strings_add(&files, "/etc/initramfs-tools/initramfs.conf");
	if (guest_glob(work->adaptation->guest, "/etc/initramfs-tools/conf.d", "*", &files, err))
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		if (plan_resume_file(work, files.item[i], err))
			return -1;
	}
	return 0;
}

static char *edit_word(void *data, const char *key, const char *value)
{
	struct fstab_work *work = data;
	char *stable = NULL;

	if (strcmp(key, "resume") == 0)
		return resume_device(work, value);
	/* A root that is not found stays: a wrong one is a boot that stops, and so is none. */
	if (device_names_resolve(&work->names, value, NULL, &stable, NULL) == DEVICE_ABSENT)
		report_warning(work->adaptation->report,
			       "the kernel command line says root=%s, which is not on the restored "
			       "disk; the system may not find its root file system",
			       value);
	return stable;
}

/* GRUB_DISABLE_LINUX_UUID=true has grub-mkconfig write root=/dev/sda2. */
static char *edit_disable_uuid(void *data, const char *name, const char *value)
{
	(void)data, (void)name;
	return strcmp(value, "true") == 0 ? string_copy("false") : NULL;
}

static int plan_words_file(struct fstab_work *work, const char *path, struct error *err)
{
	_cleanup_text_ struct text before = {0}, words = {0}, after = {0};
	int edits;

	if (!config_read(work->adaptation, work->changes, path,
			 "its kernel parameters may name the VM's devices", &before))
		return 0;
	edits = kernel_words_edit(text_string(&before), edit_word, work, &words);
	edits += shell_variable_edit(text_string(&words), "GRUB_DISABLE_LINUX_UUID",
				     edit_disable_uuid, work, &after);
	if (!edits)
		return 0;
	return changes_write(work->changes, work->adaptation->guest, step_name, path,
			     text_string(&after),
			     "kernel parameters must name devices by UUID: the VM's names do not "
			     "exist here",
			     err);
}

static int list_words_files(const struct adaptation *adaptation, const char *below,
			    struct strings *files, struct error *err)
{
	_cleanup_free_ char *directory = string_format("%s/etc/default/grub.d", below);

	strings_addf(files, "%s/etc/default/grub", below);
	strings_addf(files, "%s/etc/kernel/cmdline", below);
	return guest_glob(adaptation->guest, directory, "*.cfg", files, err);
}

int fstab_plan_command_line(struct fstab_work *work, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	if (list_words_files(work->adaptation, "", &files, err))
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		if (plan_words_file(work, files.item[i], err))
			return -1;
	}
	return 0;
}

static char *learn_root(void *data, const char *key, const char *value)
{
	struct fstab_work *work = data;

	if (strcmp(key, "root") == 0)
		device_names_learn(&work->names, value);
	return NULL;
}

void fstab_learn_from_command_line(struct fstab_work *work, const char *below)
{
	_cleanup_strings_ struct strings files = {0};

	if (list_words_files(work->adaptation, below, &files, NULL))
		return;
	for (size_t i = 0; i < files.count; i++) {
		_cleanup_text_ struct text content = {0}, ignored = {0};

		if (changes_read(work->changes, work->adaptation->guest, files.item[i], &content,
				 NULL) > 0)
			kernel_words_edit(text_string(&content), learn_root, work, &ignored);
	}
}
