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

enum verdict { VERDICT_MODULE, VERDICT_BUILTIN, VERDICT_MISSING };

struct driver_match {
	const struct device *device; /* borrowed from hardware */
	struct strings modules; /* expected to bind first, first; empty when builtin or missing */
	enum verdict verdict;
};

struct driver_matches {
	struct driver_match *item;
	size_t count;
};

/* Every device that needs a driver, matched against one kernel of the guest. */
int drivers_match(const struct drivers_db *db, const struct hardware *hardware,
		  const struct guest *guest, const char *release, struct driver_matches *out,
		  struct error *err);
void driver_matches_release(struct driver_matches *matches);
json_object *driver_matches_json(const struct driver_matches *matches);

/*
 * The modules that the initramfs of this kernel must hold so that the root file system on the
 * target's storage is reached: drivers of storage controllers (and, where known, of the bridges
 * above them), disk drivers (sd_mod, nvme …), in-kernel ones left out, dependencies and hard and
 * soft pre-dependencies included in `required`; `listed` are those that have to be named to the
 * initramfs tool. missing: devices on the way to the disk that this kernel cannot drive.
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
