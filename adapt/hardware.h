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

enum {
	HARDWARE_JSON_VERSION = 2, /* is written; 1 is read as well */
	HARDWARE_DEPTH = 64,       /* devices above one another, at most */
};

struct device {
	char *bus;      /* pci, usb, virtio, scsi, nvme, mmc, sdio, platform, acpi, … */
	char *slot;     /* PCI: "0000:00:1f.2"; others: the sysfs name */
	char *modalias; /* as the kernel matches it: what libkmod is asked */
	char *driver;   /* bound now, or NULL */
	char *name;     /* for people: vendor and device, or NULL */
	char *parent;   /* slot of the next device above it, of any bus; NULL: none is known */
	char *sysfs;    /* its directory below /sys/devices; NULL unless it was seen there */
	uint32_t class; /* PCI: base, sub-class, programming interface: 0x010601; else 0 */
	uint16_t vendor, device, subsystem_vendor, subsystem_device; /* PCI, USB, SDIO; else 0 */
	uint8_t revision;
	bool for_root; /* stands between the chosen disk and the processor (hardware_follow_disk) */
};

struct nic {
	char *name;          /* as the rescue kernel calls it */
	char *mac;           /* lower case: permanent_mac where it is known, else current_mac */
	char *current_mac;   /* in use now; NULL when unknown */
	char *permanent_mac; /* that the card was made with; NULL when the driver does not tell */
	char *slot;          /* of the device it hangs on; NULL when unknown */
	char *driver;
	bool has_link;
	bool is_wireless;
};

/* A connector for a screen, as a kernel mode setting driver names it. */
struct display {
	char *name;    /* HDMI-A-1 */
	char *slot;    /* of the graphics device; NULL when unknown */
	char *monitor; /* what the screen calls itself (EDID): "DEL U2415"; or NULL */
	char *mode;    /* the first, which is the screen's own: 1920x1200; or NULL */
	bool is_connected;
};

enum secure_boot {
	SECURE_BOOT_UNKNOWN,
	SECURE_BOOT_OFF,
	SECURE_BOOT_ON,
	SECURE_BOOT_SETUP, /* off, and the firmware takes new keys from anybody */
};

struct hardware {
	char *source; /* "this machine", or the file it was read from */
	struct device *device;
	size_t device_count;
	struct nic *nic;
	size_t nic_count;
	struct display *display;
	size_t display_count;
	struct disks disks;
	bool is_uefi, has_secure_boot; /* has_secure_boot: it is SECURE_BOOT_ON */
	enum secure_boot secure_boot;
	unsigned int efi_bits;       /* 32 or 64: what the firmware starts; 0 unknown, or BIOS */
	uint64_t efi_variable_space; /* bytes free for variables; 0 unknown */
	bool is_live; /* this very machine: sysfs and firmware variables may be used */
	char *dmi_vendor, *dmi_product, *dmi_serial, *dmi_board, *dmi_bios; /* or NULL */
	char *dmi_version, *dmi_family, *dmi_board_vendor, *dmi_bios_date;  /* or NULL */
	char *cpu_vendor; /* GenuineIntel, AuthenticAMD … */
	char *cpu_model;  /* "Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz", or NULL */
};

/* This machine. On -1 out holds nothing to release. */
int hardware_detect(struct hardware *out, struct error *err);
/*
 * As hardware_detect(), with the sys, proc and dev of another root directory ("" is this
 * machine's own): a copied or a made-up tree. Not live, and without disks, unless root is "".
 */
int hardware_detect_at(const char *root, struct hardware *out, struct error *err);
/*
 * What hardware_json() wrote, e.g. saved by `v2p detect --json`; never live. A version above
 * HARDWARE_JSON_VERSION is refused; keys that this version does not know are ignored. Version 1
 * tells no parents.
 */
int hardware_read_json(const char *path, struct hardware *out, struct error *err);
/*
 * What lspci printed: `lspci -x[xxx]`, through libpci's dump access method, or `lspci -nn[kv]`,
 * which is what people paste. Devices only, with the modaliases that the kernel would compose, and
 * the bridges above them where the configuration space tells. A virtio function also gives the
 * device on the virtio bus that its driver would make of it.
 */
int hardware_read_pci_dump(const char *path, struct hardware *out, struct error *err);
/* The device in that slot, or NULL. Borrowed. */
const struct device *hardware_device(const struct hardware *hardware, const char *slot);
/*
 * The device above one of hardware's, or NULL at the end of what is known. A chain of parents ends:
 * what was read from a file was checked for circles, and sysfs is a tree.
 */
const struct device *hardware_parent(const struct hardware *hardware, const struct device *device);
/*
 * Marks the devices on the path from disk up to the root of the device tree, and forgets earlier
 * marks. On this machine disk->sysfs tells the way; for one of hardware->disks (or a copy) of a
 * saved machine it is disk->hangs_on. A disk that is a regular file hangs on nothing: no mark, no
 * error.
 */
int hardware_follow_disk(struct hardware *hardware, const struct disk *disk, struct error *err);
/* The format that v2p-hardware(5) documents. The caller owns it. */
json_object *hardware_json(const struct hardware *hardware);
void hardware_release(struct hardware *hardware);
#define _cleanup_hardware_ __attribute__((cleanup(hardware_release)))
