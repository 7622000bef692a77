// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * hardware: what this machine is made of. PCI through libpci, everything else through sysfs
 * modaliases, disks through restore/disk.h. Also read back from `v2p detect --json` (a saved
 * machine that is not this one) and from `lspci -x` text.
 *
 * A value: made once, read by every step.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/disk.h"

enum { HARDWARE_JSON_VERSION = 1 };

struct device {
	char *bus;      /* pci, usb, virtio, scsi, nvme, mmc, platform, acpi, … */
	char *slot;     /* PCI: "0000:00:1f.2"; others: the sysfs name */
	char *modalias; /* as the kernel matches it: what libkmod is asked */
	char *driver;   /* bound now, or NULL */
	char *name;     /* for people: vendor and device, or NULL */
	uint32_t class; /* PCI: base, sub-class, programming interface: 0x010601; else 0 */
	uint16_t vendor, device, subsystem_vendor, subsystem_device; /* PCI, USB; else 0 */
	uint8_t revision;
	bool for_root; /* stands between the chosen disk and the processor (hardware_follow_disk) */
};

struct nic {
	char *name; /* as the rescue kernel calls it */
	char *mac;  /* lower case; the permanent one where known */
	char *slot; /* of the device it hangs on; NULL when unknown */
	char *driver;
	bool has_link;
	bool is_wireless;
};

struct hardware {
	char *source; /* "this machine", or the file it was read from */
	struct device *device;
	size_t device_count;
	struct nic *nic;
	size_t nic_count;
	struct disks disks;
	bool is_uefi, has_secure_boot;
	bool is_live; /* this very machine: sysfs and firmware variables may be used */
	char *dmi_vendor, *dmi_product, *dmi_serial, *dmi_board, *dmi_bios; /* or NULL */
	char *cpu_vendor; /* GenuineIntel, AuthenticAMD … */
};

/* This machine. */
int hardware_detect(struct hardware *out, struct error *err);
/* The JSON of `v2p detect --json`. */
int hardware_read_json(const char *path, struct hardware *out, struct error *err);
/* `lspci -x[xx]` text, through libpci's dump access method. Devices only. */
int hardware_read_pci_dump(const char *path, struct hardware *out, struct error *err);
/* Marks the devices on the path from disk up to the root of the device tree (live hardware only).
 */
int hardware_follow_disk(struct hardware *hardware, const struct disk *disk, struct error *err);
json_object *hardware_json(const struct hardware *hardware);
void hardware_release(struct hardware *hardware);
#define _cleanup_hardware_ __attribute__((cleanup(hardware_release)))
