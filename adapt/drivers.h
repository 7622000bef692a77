// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * drivers: which module of which kernel of the guest drives which device. drivers-db × hardware ×
 * the guest's own module index, through libkmod.
 */
#pragma once

#include <json-c/json.h>

#include "adapt/guest.h"
#include "adapt/hardware.h"
#include "base/error.h"
#include "base/text.h"

/* The tables of drivers-db/: see its README for the row formats. */
struct drivers_db;

/*
 * From a directory; NULL: $V2P_DRIVERS_DB, else ../share/v2p/drivers-db beside the program, else
 * the one it was configured for. The user's own rows in /etc/v2p/drivers-db.d (or the directory in
 * $V2P_DRIVERS_DB_LOCAL; empty: none) come first. Errors name file and line.
 */
int drivers_db_load(const char *from, struct drivers_db **out, struct error *err);
void drivers_db_free(struct drivers_db *db);

/* "storage", "network", "display", "bridge", … of a device, "other" when no row matches. */
const char *drivers_db_role(const struct drivers_db *db, const struct device *device);
/* Modules that only drive hypervisors' devices (virtio_blk, vmw_pvscsi, hv_netvsc …). */
bool drivers_db_is_virtual_module(const struct drivers_db *db, const char *module);
/* Is this X driver one of a virtual screen (qxl, vmware, …)? */
bool drivers_db_is_virtual_xorg_driver(const struct drivers_db *db, const char *driver);
/* Packages and services of hypervisors' guest tools: [i] of count; see adapt/tools.c. */
struct guest_tool {
	const char *package;    /* qemu-guest-agent */
	const char *hypervisor; /* for the message */
	const char *unit;       /* systemd unit to disable, or "" */
};
const struct guest_tool *drivers_db_guest_tools(const struct drivers_db *db, size_t *count);

enum verdict {
	VERDICT_MODULE,
	VERDICT_BUILTIN,
	VERDICT_MISSING,
	VERDICT_BLACKLISTED,
	VERDICT_FIRMWARE_MISSING,
	VERDICT_NO_DRIVER_NEEDED,
};
/* "module", "builtin", "missing", "blacklisted", "firmware-missing", "no-driver-needed". */
const char *verdict_name(enum verdict verdict);

/* What the guest's own settings do to a module: see adapt/blacklist.h. */
enum blacklisting {
	BLACKLIST_NONE,
	BLACKLIST_AUTOMATIC, /* not loaded for a device, but when it is named */
	BLACKLIST_ALWAYS,    /* never loaded */
};

struct driver_match {
	const struct device *device; /* borrowed from hardware */
	/* Every module, also a built-in one, whose alias matches, the one that is expected to bind
	 * first; empty when there is none. */
	struct strings modules;
	struct strings needs; /* what is loaded before the first, soft dependencies included */
	enum verdict verdict;
	bool is_boot_critical; /* stands between the root file system and the processor */
	bool is_required;      /* a machine without a driver for it lacks something */
	enum blacklisting blacklisting;
	char *blacklisted_by;    /* "/etc/modprobe.d/x.conf line 3", "… on the kernel command line
				    in /boot/grub/grub.cfg", or NULL */
	struct strings firmware; /* VERDICT_FIRMWARE_MISSING: the files, as the driver names them */
	char *firmware_package;  /* of the guest's distribution that has one of them, or NULL */
	bool is_unsigned;        /* the first module has no signature */
	char *signer;            /* who signed a module that is not the distribution's, or NULL */
};

/* A module that the root needs and that no device asks for: its file system, LVM, disk driver. */
struct root_module {
	char *name;
	char *why;       /* "file system ext4 of /", "disks of ata" */
	bool is_of_disk; /* drives what hangs on a controller, not what lies on the disk */
	enum verdict verdict;
	enum blacklisting blacklisting;
	char *blacklisted_by; /* or NULL */
};

struct driver_matches {
	struct driver_match *item;
	size_t count;
	struct root_module *root;
	size_t root_count;
	/* The disk, and with it the way to the root, is not known: every storage controller is
	 * taken for boot-critical. */
	bool is_way_assumed;
};

/*
 * Every device matched against one kernel of the guest. A device without a driver in this kernel is
 * VERDICT_MISSING, but VERDICT_NO_DRIVER_NEEDED where nothing is lost by that (host bridges,
 * memory controllers, nodes that the firmware lists).
 *
 * VERDICT_FIRMWARE_MISSING: the first module, or one that it needs, names firmware files, and the
 * guest has none of them, in no directory and compression that the kernel looks for. A driver names
 * the files of all devices that it knows, and a device needs few of them, so one that exists is
 * taken for the right one.
 */
int drivers_match(const struct drivers_db *db, const struct hardware *hardware,
		  const struct guest *guest, const char *release, struct driver_matches *out,
		  struct error *err);
void driver_matches_release(struct driver_matches *matches);
#define _cleanup_driver_matches_ __attribute__((cleanup(driver_matches_release)))
/*
 * [{ "slot", "class": "0106", "id": "8086:2922", "modules": ["ahci"], "verdict": "module",
 *    "boot_critical": true, "required", "bus", "name", "modalias", "needs": [module…],
 *    "firmware": [file…], "firmware_package", "blacklisted_by" }]; class and id are null where the
 * bus knows none, the last three are there when they say something. The caller owns it.
 */
json_object *driver_matches_json(const struct driver_matches *matches);
/* [{ "module", "why", "verdict", "blacklisted_by" }]; the caller owns it. */
json_object *driver_matches_root_json(const struct driver_matches *matches);

/*
 * The modules that the initramfs of this kernel must hold so that the root file system on the
 * target's storage is reached: drivers of storage controllers and of the bridges above them (VMD),
 * what has to be loaded before those, disk drivers (sd_mod, nvme …), file system, LVM, RAID and
 * encryption; in-kernel ones left out, dependencies and hard and soft pre-dependencies included in
 * `required`; `listed` are those that have to be named to the initramfs tool. missing: what this
 * kernel cannot drive on the way to the root.
 */
struct driver_set {
	struct strings listed; /* module names as modprobe takes them */
	struct strings
		required; /* file names below /lib/modules/RELEASE/ (kernel/drivers/ata/ahci.ko) */
	struct strings missing; /* sentences for the report */
};

int drivers_for_boot(const struct drivers_db *db, const struct hardware *hardware,
		     const struct guest *guest, const char *release,
		     const struct strings *extra_modules /* ext4, dm-mod …: wanted if they exist */,
		     struct driver_set *out, struct error *err);
void driver_set_release(struct driver_set *set);
