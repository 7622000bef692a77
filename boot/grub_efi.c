// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * GRUB on UEFI: programs on the EFI system partition, and an entry for them in the firmware's boot
 * menu.
 *
 * The programs came with the image and are right as they are; above all grub-install is not run
 * where a shim is, since what it makes is not signed. What the image cannot bring is the firmware's
 * entry, which is part of the machine and not of the disk. It is made, and so is the removable path
 * \EFI\BOOT\BOOTX64.EFI, which starts the disk when the firmware has lost its entries.
 */
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/scope.h"
#include "boot/efi_entry.h"
#include "boot/esp.h"
#include "boot/grub_config.h"
#include "boot/loader.h"

static const char step[] = "grub-efi";

static int grub_efi_detect(struct adaptation *adaptation, struct error *err)
{
	_cleanup_esp_ struct esp esp = {0};
	int found = esp_find(adaptation->guest, &esp, err);

	if (found <= 0)
		return found;
	return esp.loader || esp_has_grub_package(adaptation->guest);
}

/* As detect, where finding none is not possible any more. */
static int need_esp(const struct adaptation *adaptation, struct esp *esp, struct error *err)
{
	int found = esp_find(adaptation->guest, esp, err);

	if (found < 0)
		return -1;
	return found ? 0 : error_set(err, "the EFI system partition is not mounted");
}

/* The guest has GRUB's package but nothing on its EFI system partition. The firmware's entry is
 * ours to make. */
static int plan_install(struct adaptation *adaptation, const struct esp *esp,
			struct changes *changes, struct error *err)
{
	_cleanup_free_ char *target = string_format("--target=%s", esp->target);
	_cleanup_free_ char *directory = string_format("--efi-directory=%s", esp->where);
	const char *const argv[] = {"grub-install", target, directory, "--no-nvram", NULL};
	struct change *change;

	if (!guest_has_program(adaptation->guest, argv[0]))
		return error_set(err,
				 "%s holds no boot loader, and the guest has no grub-install "
				 "to put one there",
				 esp->where);
	change = changes_run(changes, step, esp->where,
			     "the EFI system partition holds no boot loader", argv);
	change->permission = GUEST_RUN_DISKS;
	return 0;
}

static int copy_removable(struct adaptation *adaptation, const struct change *change,
			  struct error *err)
{
	_cleanup_esp_ struct esp esp = {0};

	(void)change;
	if (need_esp(adaptation, &esp, err) < 0)
		return -1;
	if (!esp.loader)
		return error_set(err, "%s holds no boot loader", esp.where);
	return esp_copy_removable(adaptation->guest, &esp, err);
}

static int plan_removable(struct adaptation *adaptation, const struct esp *esp,
			  struct changes *changes, struct error *err)
{
	_cleanup_strings_ struct strings missing = {0};
	_cleanup_free_ char *names = NULL, *what = NULL, *why = NULL;

	if (esp->loader && esp_missing_removable(adaptation->guest, esp, &missing, err) < 0)
		return -1;
	if (esp->loader && !missing.count)
		return 0;
	names = strings_join(&missing, ", ");
	what = string_format("%s/EFI/BOOT", esp->where);
	why = string_format("the disk is to start without a firmware entry too%s%s",
			    missing.count ? ": " : "", names ? names : "");
	changes_call(changes, step, what, why, copy_removable);
	return 0;
}

/* The small grub.cfg beside a signed GRUB leads it to /boot by the file system's UUID. */
static int plan_search(struct adaptation *adaptation, const struct esp *esp,
		       struct changes *changes, struct error *err)
{
	_cleanup_free_ char *path = NULL, *wrong = NULL;
	_cleanup_text_ struct text text = {0}, new = {0};
	const char *right = esp_boot_uuid(adaptation->guest);
	const char *at;

	if (!esp->vendor || !right)
		return 0;
	path = string_format("%s/EFI/%s/grub.cfg", esp->where, esp->vendor);
	if (changes_read(changes, adaptation->guest, path, &text, err) < 0)
		return -1;
	wrong = esp_unknown_search(adaptation->guest, text_string(&text));
	if (!wrong)
		return 0;
	at = strstr(text_string(&text), wrong);
	if (!at) /* quotes in the middle of it */
		return error_set(err, "%s in the guest cannot be corrected", path);
	text_add_bytes(&new, text.data, (size_t)(at - text.data));
	text_addf(&new, "%s%s", right, at + strlen(wrong));
	return changes_write(changes, adaptation->guest, step, path, text_string(&new),
			     "it looks for a file system that is not on this disk", err);
}

/* PARTUUIDs of all disks; 0 when one of them cannot be read, so that the list is not complete. */
static int all_partitions(const struct adaptation *adaptation, struct strings *out)
{
	const struct disks *disks = &adaptation->hardware->disks;
	const struct layout *own = &adaptation->guest->layout;

	for (size_t i = 0; i < own->count; i++)
		if (own->partition[i].partuuid)
			strings_add_once(out, own->partition[i].partuuid);
	for (size_t i = 0; i < disks->count; i++) {
		_cleanup_layout_ struct layout layout = {0};

		if (string_equal(disks->item[i].path, adaptation->guest->disk))
			continue;
		if (layout_read(disks->item[i].path, &layout, NULL) < 0)
			return 0;
		for (size_t j = 0; j < layout.count; j++)
			if (layout.partition[j].partuuid)
				strings_add_once(out, layout.partition[j].partuuid);
	}
	return 1;
}

/* Reads the firmware's menu and finds what it lacks. */
static int make_entry_plan(const struct adaptation *adaptation, const struct esp *esp,
			   struct efi_entries *entries, struct efi_entry_plan *plan,
			   struct error *err)
{
	_cleanup_strings_ struct strings partitions = {0};
	struct efi_wanted wanted = {
		.label = esp->vendor,
		.file = esp->file,
		.layout = &adaptation->guest->layout,
		.esp = esp->partition,
	};

	if (!esp->partition || !esp->file)
		return error_set(err, "%s is not on a partition of %s", esp->where,
				 adaptation->guest->disk);
	if (all_partitions(adaptation, &partitions))
		wanted.partitions = &partitions;
	if (efi_entries_read(&efi_store_firmware, entries, err) < 0)
		return -1;
	return efi_entry_plan_make(entries, &wanted, plan, err);
}

/* Not the end of the restore: the removable path is there for this. verify says it again. */
static void warn_entry(struct report *report, struct error *err)
{
	report_warning(
		report,
		"no entry in the firmware's boot menu: %s; the disk still starts by "
		"\\EFI\\BOOT where the firmware tries it, or choose it in the firmware's menu",
		error_text(err));
	error_release(err);
}

static int write_entry(struct adaptation *adaptation, const struct change *change,
		       struct error *err)
{
	_cleanup_esp_ struct esp esp = {0};
	_cleanup_efi_entries_ struct efi_entries entries = {0};
	_cleanup_efi_entry_plan_ struct efi_entry_plan plan = {0};
	_cleanup_error_ struct error reason = {0};

	(void)change;
	if (need_esp(adaptation, &esp, err) < 0)
		return -1;
	if (make_entry_plan(adaptation, &esp, &entries, &plan, &reason) < 0 ||
	    efi_entry_plan_apply(&efi_store_firmware, &plan, &reason) < 0)
		warn_entry(adaptation->report, &reason);
	return 0;
}

/* A disk in a regular file, of which this machine knows nothing, is started by another one. What an
 * image's system lies in while it is only read is a file as well, and stands for the disk. */
static bool is_in_file(const struct adaptation *adaptation)
{
	const struct guest *guest = adaptation->guest;
	const struct disks *disks = &adaptation->hardware->disks;
	struct stat st;

	if (guest->image || !guest->disk || stat(guest->disk, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	for (size_t i = 0; i < disks->count; i++)
		if (strcmp(disks->item[i].path, guest->disk) == 0)
			return false;
	return true;
}

/* Why the firmware's variables are none of this disk's business; NULL: they are. */
static const char *no_variables(const struct adaptation *adaptation)
{
	if (!adaptation->hardware->is_live || !adaptation->hardware->is_uefi)
		return "none is made: the hardware is not this machine's";
	return is_in_file(adaptation)
		       ? "none is made: the disk is a file, which this machine does not start from"
		       : NULL;
}

static char *describe_plan(const struct efi_entry_plan *plan)
{
	struct text out = {0};

	text_add(&out, plan->option.length ? "the firmware has no entry for this disk"
					   : "the firmware starts something else first");
	if (!plan->option.length && !plan->reorders)
		text_truncate(&out, 0);
	if (plan->remove_count)
		text_addf(&out, "%s%zu of its entries lead%s to a partition that is gone",
			  out.length ? "; " : "", plan->remove_count,
			  plan->remove_count == 1 ? "s" : "");
	return text_take(&out);
}

static int plan_entry(struct adaptation *adaptation, const struct esp *esp, struct changes *changes,
		      struct error *err)
{
	_cleanup_efi_entries_ struct efi_entries entries = {0};
	_cleanup_efi_entry_plan_ struct efi_entry_plan plan = {0};
	_cleanup_error_ struct error reason = {0};
	_cleanup_free_ char *what = NULL, *why = NULL;

	(void)err;
	if (no_variables(adaptation)) {
		report_fact_string(adaptation->report, "firmware-entry", no_variables(adaptation));
		return 0;
	}
	if (!esp->loader) {
		changes_call(changes, step, "firmware entry",
			     "the firmware has no entry for this disk", write_entry);
		return 0;
	}
	if (make_entry_plan(adaptation, esp, &entries, &plan, &reason) < 0) {
		warn_entry(adaptation->report, &reason);
		return 0;
	}
	report_fact(adaptation->report, "firmware-entries-before", efi_entries_json(&entries));
	if (efi_entry_plan_is_empty(&plan))
		return 0;
	what = string_format("firmware entry Boot%04X %s", plan.number, esp->vendor);
	why = describe_plan(&plan);
	changes_call(changes, step, what, why, write_entry);
	return 0;
}

static int grub_efi_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	_cleanup_esp_ struct esp esp = {0};

	if (need_esp(adaptation, &esp, err) < 0)
		return -1;
	if (!esp.loader && plan_install(adaptation, &esp, changes, err) < 0)
		return -1;
	if (plan_search(adaptation, &esp, changes, err) < 0 ||
	    grub_config_plan(adaptation, changes, step, err) < 0 ||
	    plan_removable(adaptation, &esp, changes, err) < 0)
		return -1;
	return plan_entry(adaptation, &esp, changes, err);
}

static void verify_entry(struct adaptation *adaptation, const struct esp *esp)
{
	_cleanup_efi_entries_ struct efi_entries entries = {0};
	_cleanup_efi_entry_plan_ struct efi_entry_plan plan = {0};
	_cleanup_error_ struct error reason = {0};
	_cleanup_free_ char *name = NULL;
	bool ok;

	if (no_variables(adaptation))
		return;
	if (make_entry_plan(adaptation, esp, &entries, &plan, &reason) < 0) {
		report_check(adaptation->report, false, "the firmware has an entry for this disk",
			     error_text(&reason));
		return;
	}
	ok = efi_entry_plan_is_empty(&plan);
	name = string_format("firmware entry Boot%04X %s %s is first", plan.number, esp->vendor,
			     esp->file);
	report_check(adaptation->report, ok, name,
		     ok ? NULL : "the firmware did not keep what was written");
}

/* Another program in that place belongs to somebody: it is neither replaced nor vouched for. */
static int verify_removable(struct adaptation *adaptation, const struct esp *esp, struct error *err)
{
	_cleanup_strings_ struct strings missing = {0};
	_cleanup_free_ char *names = NULL, *path = NULL;
	_cleanup_text_ struct text there = {0}, ours = {0};

	if (esp_missing_removable(adaptation->guest, esp, &missing, err) < 0)
		return -1;
	names = strings_join(&missing, ", ");
	path = string_format("%s/EFI/BOOT/BOOTX64.EFI", esp->where);
	if (guest_read(adaptation->guest, path, &there, err) < 0 ||
	    guest_read(adaptation->guest, esp->loader, &ours, err) < 0)
		return -1;
	if (missing.count == 0 &&
	    (there.length != ours.length ||
	     memcmp(text_string(&there), text_string(&ours), ours.length) != 0)) {
		report_warning(adaptation->report,
			       "%s is another program than %s and was left alone: should the "
			       "firmware lose its entry, the disk starts that one",
			       path, esp->loader);
		return 0;
	}
	report_check(adaptation->report, missing.count == 0,
		     "\\EFI\\BOOT starts the disk without a firmware entry",
		     missing.count ? names : NULL);
	return 0;
}

static int verify_files(struct adaptation *adaptation, const struct esp *esp, struct error *err)
{
	_cleanup_free_ char *path = NULL, *unknown = NULL;
	_cleanup_text_ struct text text = {0};

	if (verify_removable(adaptation, esp, err) < 0)
		return -1;
	path = string_format("%s/EFI/%s/grub.cfg", esp->where, esp->vendor);
	if (guest_read(adaptation->guest, path, &text, err) < 0)
		return -1;
	unknown = esp_unknown_search(adaptation->guest, text_string(&text));
	if (text.length)
		report_check(adaptation->report, !unknown, "GRUB on the ESP finds /boot", unknown);
	if (adaptation->hardware->has_secure_boot)
		report_check(adaptation->report, esp->has_shim,
			     "the boot loader passes Secure Boot",
			     esp->has_shim ? NULL
					   : "there is no shim in the image: switch Secure Boot "
					     "off, or install shim-signed in the image");
	return 0;
}

static int grub_efi_verify(struct adaptation *adaptation, struct error *err)
{
	_cleanup_esp_ struct esp esp = {0};

	if (need_esp(adaptation, &esp, err) < 0)
		return -1;
	report_check(adaptation->report, esp.loader != NULL,
		     "the EFI system partition holds a boot loader", esp.loader);
	if (!esp.loader)
		return 0;
	if (verify_files(adaptation, &esp, err) < 0)
		return -1;
	verify_entry(adaptation, &esp);
	return grub_config_verify(adaptation, err);
}

const struct loader_ops loader_grub_efi = {
	.name = step,
	.firmware = FIRMWARE_UEFI,
	.detect = grub_efi_detect,
	.plan = grub_efi_plan,
	.verify = grub_efi_verify,
};
