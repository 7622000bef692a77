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

/* This machine. On -1 out holds nothing to release. */
int hardware_detect(struct hardware *out, struct error *err);
/*
 * As hardware_detect(), with the sys, proc and dev of another root directory ("" is this
 * machine's own): a copied or a made-up tree. Not live, and without disks, unless root is "".
 */
int hardware_detect_at(const char *root, struct hardware *out, struct error *err);
/*
 * What hardware_json() wrote, e.g. saved by `v2p detect --json`; never live. A version other than
 * HARDWARE_JSON_VERSION is refused; keys that this version does not know are ignored.
 */
int hardware_read_json(const char *path, struct hardware *out, struct error *err);
/*
 * `lspci -x[xxx]` text, through libpci's dump access method: devices only, with the modaliases that
 * the kernel would compose. A virtio function also gives the device on the virtio bus that its
 * driver would make of it.
 */
int hardware_read_pci_dump(const char *path, struct hardware *out, struct error *err);
/*
 * Marks the devices on the path from disk up to the root of the device tree, and forgets earlier
 * marks. Live hardware only. A disk that is a regular file hangs on nothing: no mark, no error.
 */
int hardware_follow_disk(struct hardware *hardware, const struct disk *disk, struct error *err);
/*
 * { "hardware-version": 1, "source", "firmware": { "mode": "uefi"|"bios", "secure-boot" },
 *   "cpu", "dmi": { "vendor", "product", "serial", "board", "bios" },
 *   "devices": [{ "bus", "slot", "modalias", "driver", "name", "class": "010601",
 *                 "vendor": "8086", "device", "subsystem-vendor", "subsystem-device",
 *                 "revision": "02", "for-root" }],
 *   "network": [{ "name", "mac", "slot", "driver", "link", "wireless" }],
 *   "disks": [as disk_json()] }
 * Numbers of the PCI and USB kind are hexadecimal strings, as lspci shows them; what is unknown is
 * left out. The caller owns it.
 */
json_object *hardware_json(const struct hardware *hardware);
void hardware_release(struct hardware *hardware);
#define _cleanup_hardware_ __attribute__((cleanup(hardware_release)))
