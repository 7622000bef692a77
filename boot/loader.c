// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/loader.h"

#include "base/scope.h"
#include "boot/grub_config.h"

static const struct loader_ops *const loaders[] = {&loader_grub_bios, &loader_grub_efi};

static const char *firmware_name(enum firmware firmware)
{
	return firmware == FIRMWARE_UEFI ? "UEFI" : "BIOS";
}

static enum firmware target_firmware(const struct adaptation *adaptation)
{
	return adaptation->hardware->is_uefi ? FIRMWARE_UEFI : FIRMWARE_BIOS;
}

/* What a user can do about a guest that was installed for the other firmware. */
static const char *advice(enum firmware wanted)
{
	if (wanted == FIRMWARE_UEFI)
		return "set the machine's firmware to legacy BIOS (CSM) and start the rescue "
		       "medium that way, or install grub-efi and an EFI system partition in the "
		       "image";
	return "start the rescue medium by UEFI if the machine can do that, or install grub-pc in "
	       "the image";
}

static int complain(const struct guest *guest, const struct loader_ops *other, enum firmware wanted,
		    struct error *err)
{
	_cleanup_free_ char *unmounted = strings_join(&guest->unmounted, "; ");

	if (!other)
		return error_set(err,
				 "the guest has no boot loader that v2p knows: neither GRUB for "
				 "BIOS (/usr/lib/grub/i386-pc) nor GRUB for UEFI (on an EFI system "
				 "partition)%s%s",
				 *unmounted ? "; what was not looked into: " : "", unmounted);
	return error_set(
		err, "the image was installed for %s (%s), and this machine starts by %s: %s",
		firmware_name(other->firmware), other->name, firmware_name(wanted), advice(wanted));
}

static int choose(struct adaptation *adaptation, const struct loader_ops **out, struct error *err)
{
	const enum firmware wanted = target_firmware(adaptation);
	const struct loader_ops *other = NULL;

	for (size_t i = 0; i < array_length(loaders); i++) {
		_cleanup_error_ struct error reason = {0};
		int found = loaders[i]->detect(adaptation, &reason);

		if (loaders[i]->firmware != wanted) {
			/* Its troubles do not matter unless it is the only one. */
			other = found > 0 ? loaders[i] : other;
			continue;
		}
		if (found < 0) {
			error_move(err, &reason);
			return error_in(err, "boot loader %s", loaders[i]->name);
		}
		if (found) {
			*out = loaders[i];
			return 0;
		}
	}
	return complain(adaptation->guest, other, wanted, err);
}

static int plan_tree(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	report_fact_string(adaptation->report, "boot-loader",
			   "configuration only: there is no disk");
	if (!grub_directory(adaptation->guest))
		return 0;
	return grub_config_plan(adaptation, changes, "grub", err);
}

int loader_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	const struct loader_ops *loader = NULL;

	if (!adaptation->guest->disk)
		return plan_tree(adaptation, changes, err);
	if (choose(adaptation, &loader, err) < 0)
		return -1;
	report_fact_string(adaptation->report, "boot-loader", loader->name);
	if (loader->plan(adaptation, changes, err) < 0)
		return error_in(err, "boot loader %s", loader->name);
	return 0;
}

int loader_verify(struct adaptation *adaptation, struct error *err)
{
	const struct loader_ops *loader = NULL;

	if (!adaptation->guest->disk)
		return grub_directory(adaptation->guest) ? grub_config_verify(adaptation, err) : 0;
	if (choose(adaptation, &loader, err) < 0)
		return -1;
	if (loader->verify(adaptation, err) < 0)
		return error_in(err, "boot loader %s", loader->name);
	return 0;
}
