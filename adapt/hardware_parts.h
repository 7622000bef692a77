// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * hardware_parts: what the files of hardware share, and nobody else includes.
 *
 * `root` is "" for this machine or a directory without a slash at its end; every path of sysfs and
 * procfs is read below it.
 */
#pragma once

#include "adapt/hardware.h"
#include "base/text.h"

/* A zeroed entry at the end of the list, borrowed until the next one is added. */
struct device *hardware_add_device(struct hardware *hardware);
struct nic *hardware_add_nic(struct hardware *hardware);
struct display *hardware_add_display(struct hardware *hardware);
/* A copy in which every byte that is not printable ASCII is '?': what a device says of itself is
 * shown on terminals and written to JSON. NULL gives NULL. */
char *printable_copy(const char *string);

enum { DMI_FIELDS = 9, SECURE_BOOT_STATES = SECURE_BOOT_SETUP + 1 };

/* What the machine says of itself: names in JSON and in /sys/class/dmi/id, and the member. */
struct dmi_field {
	const char *key, *file;
	size_t offset;
};
extern const struct dmi_field dmi_fields[DMI_FIELDS];
char **dmi_field(const struct hardware *hardware, const struct dmi_field *field);
extern const char *const secure_boot_names[SECURE_BOOT_STATES];

/* Names in a directory, sorted; none when it cannot be read. */
void sysfs_list(const char *path, struct strings *names);
/* The last component of where the symbolic link directory/name points; NULL when there is none. */
char *sysfs_link(const char *directory, const char *name);

/* hardware_pci.c: adds the PCI devices. No PCI bus at all is not an error. */
int hardware_scan_pci(const char *root, struct hardware *hardware, struct error *err);
/* As the kernel's pci_uevent() composes it; heap, the caller frees. */
char *pci_modalias(const struct device *device);
/* hardware_sysfs.c: adds the devices of all other buses that have a modalias. */
void hardware_scan_buses(const char *root, struct hardware *hardware);
/* hardware_firmware.c: firmware, DMI and processor. What is absent is left out. */
void hardware_read_firmware(const char *root, struct hardware *hardware);
/* hardware_nic.c */
void hardware_scan_nics(const char *root, struct hardware *hardware);
/* hardware_display.c */
void hardware_scan_displays(const char *root, struct hardware *hardware);

/* hardware_chain.c: the parents of what was seen in sysfs, and what each disk hangs on. */
void hardware_find_parents(struct hardware *hardware);
/* Refuses parents that are above one another in a circle, or in more than HARDWARE_DEPTH levels. */
int hardware_check_parents(const struct hardware *hardware, struct error *err);
