// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * esp: the EFI system partition as the guest has it mounted: which vendor's boot loader is there,
 * and the copy of it on the removable path.
 *
 * Paths are absolute in the guest unless they have backslashes; those are the firmware's.
 */
#pragma once

#include <stdbool.h>

#include "adapt/guest.h"
#include "base/error.h"
#include "base/text.h"

struct esp {
	const char *where;                 /* "/boot/efi"; borrowed */
	const char *suffix, *target;       /* "x64", "x86_64-efi": the guest's architecture */
	const struct partition *partition; /* borrowed from the guest's layout; NULL: not on it */
	char *vendor;                      /* directory below EFI: "debian"; NULL: none */
	char *loader; /* what the firmware starts: "/boot/efi/EFI/debian/shimx64.efi", or NULL */
	char *file;   /* the same as "\EFI\debian\shimx64.efi" */
	bool has_shim;
};

/* 1 found, 0 the guest has none mounted; an error when the disk has one that is not mounted. */
int esp_find(const struct guest *guest, struct esp *out, struct error *err);
void esp_release(struct esp *esp);
#define _cleanup_esp_ __attribute__((cleanup(esp_release)))

/* Is GRUB for UEFI installed as a package, whatever the ESP holds? */
bool esp_has_grub_package(const struct guest *guest);
/* UUID of the file system that holds /boot, or NULL when it is not known. Borrowed. */
const char *esp_boot_uuid(const struct guest *guest);
/* The UUID that grub.cfg text searches for and the disk does not have; heap, or NULL. */
char *esp_unknown_search(const struct guest *guest, const char *text);

/*
 * The names in EFI/BOOT that are missing for the disk to start from there: shim as BOOTX64.EFI with
 * GRUB and MokManager beside it, or GRUB alone where there is no shim. Nothing when another program
 * than this shim is there already. Never fbx64.efi: beside it shim makes new firmware entries from
 * BOOTX64.CSV and restarts instead of starting GRUB.
 */
int esp_missing_removable(const struct guest *guest, const struct esp *esp, struct strings *names,
			  struct error *err);
int esp_copy_removable(struct guest *guest, const struct esp *esp, struct error *err);
