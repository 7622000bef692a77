// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * drivers_db: the rows of drivers-db/, as the parts of the program ask for them; its README says
 * what the columns mean. All strings and rows are borrowed from the tables.
 */
#pragma once

#include "adapt/drivers.h"

/* The kernel takes - and _ in a module name for the same. */
bool drivers_is_same_module(const char *a, const char *b);

enum need { NEED_NONE, NEED_OPTIONAL, NEED_REQUIRED };

struct device_class {
	const char *bus, *match, *role;
	enum need need;
	const char *transport; /* "" for none, as usual */
	const char *usual;
};

struct disk_module {
	const char *transport, *module;
	enum need need;
};

enum { RANK_DEFAULT = 50, RANK_FALLBACK = 90 };

/* The row of a device; one that no row matches is "other" and optional. Never NULL. */
const struct device_class *drivers_db_class(const struct drivers_db *db,
					    const struct device *device);
/* Is it of a class that works without a driver (host bridges, memory controllers …)? */
bool drivers_db_needs_no_driver(const struct drivers_db *db, const struct device *device);
/* Of a module that matches device: lower binds first. */
int drivers_db_rank(const struct drivers_db *db, const char *module, const struct device *device);
/* All rows; those of one transport are to be picked. */
const struct disk_module *drivers_db_disk_modules(const struct drivers_db *db, size_t *count);

/*
 * Adds the modules that have to be loaded before or with module at boot though no dependency says
 * so (pinctrl_*, phy_*, USB hosts for a keyboard …), and those that these need. Whether they exist
 * in a kernel is for the caller to see. Modules are named with either - or _.
 */
void drivers_db_preloads(const struct drivers_db *db, const char *module, struct strings *out);
/* Adds the other names under which older or newer kernels have module: mpt2sas for mpt3sas. */
void drivers_db_aliases_of(const struct drivers_db *db, const char *module, struct strings *out);

/*
 * The package that brings a firmware file ("iwlwifi-7260-17.ucode", as modules name it, relative to
 * /lib/firmware, with or without .xz or .zst) to this guest; NULL when no row knows. Rows are those
 * of the first of guest's os_id and the words of its os_id_like that has any.
 */
const char *drivers_db_firmware_package(const struct drivers_db *db, const struct guest *guest,
					const char *file);

/* Does the device work without the firmware files that module names (most of a class do, or it
 * holds a version of its own)? */
bool drivers_db_is_firmware_optional(const struct drivers_db *db, const char *module,
				     const struct device *device);

struct kernel_flavour {
	const char *family;  /* "debian": as os_id and os_id_like name it */
	const char *pattern; /* fnmatch(3) on the release */
	const char *unless;  /* below /lib/modules/RELEASE: what only the full kernel has; or "" */
	const char *package; /* that brings the drivers */
	const char *reason;  /* a sentence without a full stop */
};

/* A kernel built or packaged for virtual machines; NULL: an ordinary one. */
const struct kernel_flavour *drivers_db_flavour(const struct drivers_db *db,
						const struct guest *guest, const char *release);

struct device_since {
	const char *match;   /* fnmatch(3) on the modalias */
	const char *version; /* of the first mainline kernel that drives it */
	const char *module;
};

/* NULL: not known. Says nothing about what a distribution has added to an older kernel. */
const struct device_since *drivers_db_since(const struct drivers_db *db,
					    const struct device *device);

struct controller_mode {
	const char *match;  /* fnmatch(3) on the modalias */
	const char *mode;   /* "vmd", "rst", "raid" */
	const char *module; /* that drives it in this mode */
	const char *advice; /* a sentence without a full stop */
};

/* A controller that hides disks, or may; NULL: an ordinary one. */
const struct controller_mode *drivers_db_controller_mode(const struct drivers_db *db,
							 const struct device *device);

enum quirk_kind { QUIRK_ARGUMENT, QUIRK_OPTION, QUIRK_BLACKLIST };

struct quirk {
	const char *match;   /* pci:VVVV:DDDD[:SVVV:SDDD], usb:VVVV:PPPP, dmi:vendor=GLOB,… */
	const char *kernels; /* see drivers_db_version_fits() */
	enum quirk_kind kind;
	const char *value;  /* a kernel argument; "MODULE option=value …"; a module */
	const char *reason; /* a sentence without a full stop */
};

/* Gives the rows that fit this machine, whatever the kernel; the caller frees the array only. */
size_t drivers_db_quirks(const struct drivers_db *db, const struct hardware *hardware,
			 const struct quirk ***out);

/*
 * Does version satisfy "*", "<5.11", ">=12" or several such with commas between? Compared as
 * strverscmp(3) does; an unknown version ("" or NULL: a rolling distribution) is newer than all.
 */
bool drivers_db_version_fits(const char *condition, const char *version);
