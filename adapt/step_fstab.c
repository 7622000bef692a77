// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Step fstab: names of block devices that hang on the VM's hardware become UUIDs, in fstab,
 * crypttab, the initramfs's RESUME and the kernel parameters that grub-mkconfig and kernel-install
 * read.
 *
 * An entry whose device is not on the restored disk (a second disk of the VM, a CD) must not stop
 * the boot: it gets `nofail` and a device timeout of 10 s instead of 90. Those without which no
 * system starts (/, /usr, /boot) get a warning and stay as they are, for a person to see. Folders
 * that the hypervisor shared (9p, virtiofs, vboxsf …) get `noauto`: with `nofail` alone their
 * mount units would still fail.
 */
#include <stdlib.h>
#include <string.h>

#include "adapt/fstab_private.h"
#include "base/scope.h"

static const char step_name[] = "fstab";
static const char fstab_path[] = "/etc/fstab";
static const char fstab_consequence[] =
	"file systems that it names by the VM's device names are not mounted, and the boot may "
	"stop there";
static const char device_timeout[] = "x-systemd.device-timeout";

static bool is_essential(const char *where)
{
	static const char *const places[] = {"/", "/usr", "/boot", "/boot/efi", "/efi"};

	for (size_t i = 0; i < array_length(places); i++) {
		if (strcmp(places[i], where) == 0)
			return true;
	}
	return false;
}

static bool is_share_of_hypervisor(const char *type)
{
	static const char *const types[] = {"9p",     "virtiofs",         "vboxsf",
					    "vmhgfs", "fuse.vmhgfs-fuse", "prl_fs"};

	for (size_t i = 0; i < array_length(types); i++) {
		if (strcmp(types[i], type) == 0)
			return true;
	}
	return false;
}

/* Behind the options that are there; the lens wants them together. */
static void add_option(struct augeas_text *tree, const char *entry, const char *option,
		       const char *value)
{
	if (augeas_text_has(tree, "%s/opt[. = '%s']", entry, option))
		return;
	if (augeas_text_has(tree, "%s/opt", entry))
		augeas_text_insert(tree, "opt", "%s/opt[last()]", entry);
	else
		augeas_text_insert(tree, "opt", "%s/vfstype[last()]", entry);
	augeas_text_set(tree, option, "%s/opt[last()]", entry);
	if (value)
		augeas_text_set(tree, value, "%s/opt[last()]/value", entry);
}

static void tolerate_absence(struct fstab_work *work, struct augeas_text *tree, const char *entry,
			     const char *spec, const char *where)
{
	if (augeas_text_has(tree, "%s/opt[. = 'noauto']", entry))
		return;
	if (is_essential(where)) {
		report_warning(work->adaptation->report,
			       "%s: %s for %s is not on the restored disk; the entry is left as it "
			       "is, and the boot may stop there",
			       fstab_path, spec, where);
		return;
	}
	if (augeas_text_has(tree, "%s/opt[. = 'nofail']", entry) &&
	    augeas_text_has(tree, "%s/opt[. = '%s']", entry, device_timeout))
		return;
	report_warning(work->adaptation->report,
		       "%s: %s for %s is not on the restored disk; the boot goes on without it",
		       fstab_path, spec, where);
	add_option(tree, entry, "nofail", NULL);
	add_option(tree, entry, device_timeout, "10s");
}

static void plan_entry(struct fstab_work *work, struct augeas_text *tree, const char *entry)
{
	_cleanup_free_ char *stable = NULL;
	const char *spec = augeas_text_get(tree, "%s/spec", entry);
	const char *where = augeas_text_get(tree, "%s/file", entry);
	const char *type = augeas_text_get(tree, "%s/vfstype[1]", entry);

	if (!spec || !where || !type)
		return;
	if (is_share_of_hypervisor(type)) {
		add_option(tree, entry, "noauto", NULL);
		return;
	}
	switch (device_names_resolve(&work->names, spec, type, &stable, NULL)) {
	case DEVICE_KNOWN:
		augeas_text_set(tree, stable, "%s/spec", entry);
		break;
	case DEVICE_ABSENT:
		tolerate_absence(work, tree, entry, spec, where);
		break;
	case DEVICE_LASTS:
		if (device_names_is_gone(&work->names, spec))
			tolerate_absence(work, tree, entry, spec, where);
		break;
	case DEVICE_NO_DISK:
		report_warning(work->adaptation->report,
			       "%s: %s for %s is left as it is: without the disk its UUID is not "
			       "known; the boot may stop there",
			       fstab_path, spec, where);
		break;
	}
}

static int plan_fstab(struct fstab_work *work, struct augeas_text *tree, struct error *err)
{
	_cleanup_strings_ struct strings entries = {0}, shared = {0};

	augeas_text_match(tree, &entries, "*[spec]");
	for (size_t i = 0; i < entries.count; i++)
		plan_entry(work, tree, entries.item[i]);
	device_names_shared_uuids(work->adaptation->guest, &shared);
	for (size_t i = 0; i < shared.count; i++)
		report_warning(work->adaptation->report,
			       "two partitions have the UUID %s; which of them is mounted by it is "
			       "chance",
			       shared.item[i]);
	return config_save(work->adaptation, work->changes, step_name, fstab_path, tree,
			   "device names of the VM do not exist here; UUIDs do", fstab_consequence,
			   err);
}

static void learn_from_fstab(struct fstab_work *work, const struct augeas_text *fstab)
{
	_cleanup_strings_ struct strings entries = {0};

	device_names_learn(&work->names, augeas_text_get(fstab, "*[file = '/'][1]/spec"));
	augeas_text_match(fstab, &entries, "*[spec]");
	for (size_t i = 0; i < entries.count; i++)
		device_names_learn_other(&work->names,
					 augeas_text_get(fstab, "%s/spec", entries.item[i]));
}

/* After a first run only the originals still say what the VM called its disk. */
static void learn_from_originals(struct fstab_work *work)
{
	_cleanup_augeas_text_ struct augeas_text tree = {0};
	_cleanup_text_ struct text content = {0};

	if (changes_read(work->changes, work->adaptation->guest, "/var/lib/v2p/original/etc/fstab",
			 &content, NULL) > 0 &&
	    !augeas_text_parse(&tree, "Fstab.lns", &content, NULL))
		learn_from_fstab(work, &tree);
	fstab_learn_from_command_line(work, "/var/lib/v2p/original");
}

static int plan_boot_files(struct fstab_work *work, struct error *err)
{
	if (fstab_plan_crypttab(work, err) || fstab_plan_resume(work, err))
		return -1;
	return fstab_plan_command_line(work, err);
}

static int fstab_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	struct fstab_work work = {.adaptation = adaptation,
				  .changes = changes,
				  .names = {.guest = adaptation->guest}};
	_cleanup_augeas_text_ struct augeas_text fstab = {0};
	int has_fstab = config_parse(adaptation, changes, fstab_path, "Fstab.lns",
				     fstab_consequence, &fstab);
	int r;

	if (has_fstab)
		learn_from_fstab(&work, &fstab);
	fstab_learn_from_command_line(&work, "");
	if (!work.names.disk)
		learn_from_originals(&work);
	r = has_fstab ? plan_fstab(&work, &fstab, err) : 0;
	if (!r)
		r = plan_boot_files(&work, err);
	device_names_release(&work.names);
	return r;
}

/* Appends the entries that this disk cannot satisfy and that the boot waits for. */
static void list_unsatisfied(const struct guest *guest, const struct augeas_text *tree,
			     struct strings *missing)
{
	struct device_names names = {.guest = guest};
	_cleanup_strings_ struct strings entries = {0};

	augeas_text_match(tree, &entries, "*[spec][not(opt = 'nofail')][not(opt = 'noauto')]");
	for (size_t i = 0; i < entries.count; i++) {
		_cleanup_free_ char *stable = NULL;
		const char *spec = augeas_text_get(tree, "%s/spec", entries.item[i]);
		const char *where = augeas_text_get(tree, "%s/file", entries.item[i]);

		if (spec &&
		    (device_names_is_gone(&names, spec) ||
		     device_names_resolve(&names, spec, NULL, &stable, NULL) != DEVICE_LASTS))
			strings_addf(missing, "%s for %s", spec, where ? where : "?");
	}
}

/* Resolves fstab as it is now against the disk as it is now. */
static int fstab_verify(struct adaptation *adaptation, struct error *err)
{
	static const char check[] = "every device that /etc/fstab waits for is on the disk";
	const struct changes none = {0};
	_cleanup_augeas_text_ struct augeas_text tree = {0};
	_cleanup_text_ struct text content = {0};
	_cleanup_strings_ struct strings missing = {0};
	_cleanup_error_ struct error reason = {0};
	_cleanup_free_ char *list = NULL;
	struct stat st;
	int found;

	(void)err;
	if (guest_stat(adaptation->guest, fstab_path, 0, &st))
		return 0;
	found = changes_read(&none, adaptation->guest, fstab_path, &content, &reason);
	if (found == 0)
		error_set(&reason, "it leads nowhere in the guest");
	if (found <= 0 || augeas_text_parse(&tree, "Fstab.lns", &content, &reason)) {
		report_check(adaptation->report, false, check, error_text(&reason));
		return 0;
	}
	if (!adaptation->guest->layout.count)
		return 0;
	list_unsatisfied(adaptation->guest, &tree, &missing);
	list = strings_join(&missing, ", ");
	report_check(adaptation->report, missing.count == 0, check, missing.count ? list : NULL);
	return 0;
}

const struct step_ops step_fstab = {
	.name = step_name,
	.plan = fstab_plan,
	.verify = fstab_verify,
};
