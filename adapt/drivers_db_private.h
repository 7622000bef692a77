// SPDX-License-Identifier: GPL-3.0-or-later
/* drivers_db_private: the tables in memory, for the files adapt/drivers_db*.c. */
#pragma once

#include "adapt/drivers_db.h"
#include "adapt/drivers_table.h"

enum drivers_table {
	CLASSES,
	CONTROLLER_MODES,
	DEVICE_SINCE,
	DISK_MODULES,
	FIRMWARE_OPTIONAL,
	FIRMWARE_PACKAGES,
	GUEST_TOOLS,
	KERNEL_FLAVOURS,
	PREFERENCES,
	PRELOAD_MODULES,
	QUIRKS,
	RENAMED_MODULES,
	VIRTUAL_MODULES,
	XORG_DRIVERS,
	TABLES
};

struct preference {
	const char *module, *when;
	int rank;
};

/* One array element for each row of the table of that name, in the same order. */
struct drivers_db {
	struct table table[TABLES]; /* owns the strings that the arrays below borrow */
	struct device_class *device_class;
	struct controller_mode *controller_mode;
	struct device_since *device_since;
	struct disk_module *disk_module;
	struct guest_tool *guest_tool;
	struct kernel_flavour *kernel_flavour;
	struct preference *preference;
	struct quirk *quirk;
};

extern const struct table_format drivers_formats[TABLES];

/* The index of word in a list that ends with NULL; the list's length when it is not there. */
size_t drivers_word_index(const char *word, const char *const *words);
extern const char *const drivers_needs[];
extern const char *const drivers_quirk_kinds[];
