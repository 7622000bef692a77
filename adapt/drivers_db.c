// SPDX-License-Identifier: GPL-3.0-or-later
/* What a device is for, and the modules that may drive it. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/drivers_db_private.h"
#include "base/text.h"

/* Does the class of a PCI device begin with these digits? */
static bool class_begins_with(uint32_t class, const char *digits)
{
	char text[16];

	snprintf(text, sizeof(text), "%06x", class);
	return has_prefix(text, digits);
}

static const struct device_class *pci_class(const struct drivers_db *db,
					    const struct device *device)
{
	const struct device_class *best = NULL;

	for (size_t i = 0; i < db->table[CLASSES].count; i++) {
		const struct device_class *row = &db->device_class[i];

		if (strcmp(row->bus, "pci") == 0 && class_begins_with(device->class, row->match) &&
		    (!best || strlen(row->match) > strlen(best->match)))
			best = row;
	}
	return best;
}

static const struct device_class *bus_class(const struct drivers_db *db,
					    const struct device *device)
{
	for (size_t i = 0; i < db->table[CLASSES].count; i++) {
		const struct device_class *row = &db->device_class[i];

		if (strcmp(row->bus, device->bus) == 0 &&
		    fnmatch(row->match, device->modalias, 0) == 0)
			return row;
	}
	return NULL;
}

const struct device_class *drivers_db_class(const struct drivers_db *db,
					    const struct device *device)
{
	static const struct device_class unknown = {"", "", "other", NEED_OPTIONAL, "", ""};
	const struct device_class *row =
		strcmp(device->bus, "pci") == 0 ? pci_class(db, device) : bus_class(db, device);

	return row ? row : &unknown;
}

const char *drivers_db_role(const struct drivers_db *db, const struct device *device)
{
	return drivers_db_class(db, device)->role;
}

static bool holds(const char *when, const struct device *device)
{
	if (strcmp(when, "*") == 0)
		return true;
	if (strcmp(device->bus, "pci") != 0)
		return false;
	if (has_prefix(when, "rev<"))
		return device->revision < strtoul(when + strlen("rev<"), NULL, 16);
	return device->revision >= strtoul(when + strlen("rev>="), NULL, 16);
}

bool drivers_db_needs_no_driver(const struct drivers_db *db, const struct device *device)
{
	return drivers_db_class(db, device)->need == NEED_NONE;
}

int drivers_db_rank(const struct drivers_db *db, const char *module, const struct device *device)
{
	for (size_t i = 0; i < db->table[PREFERENCES].count; i++) {
		const struct preference *row = &db->preference[i];

		if (strcmp(row->module, module) == 0 && holds(row->when, device))
			return row->rank;
	}
	return RANK_DEFAULT;
}

const struct disk_module *drivers_db_disk_modules(const struct drivers_db *db, size_t *count)
{
	*count = db->table[DISK_MODULES].count;
	return db->disk_module;
}

bool drivers_is_same_module(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
			return false;
	return *a == *b;
}

bool drivers_db_is_virtual_module(const struct drivers_db *db, const char *module)
{
	const struct table *table = &db->table[VIRTUAL_MODULES];

	for (size_t i = 0; i < table->count; i++)
		if (drivers_is_same_module(table->row[i].column.item[0], module))
			return true;
	return false;
}

bool drivers_db_is_virtual_xorg_driver(const struct drivers_db *db, const char *driver)
{
	const struct table *table = &db->table[XORG_DRIVERS];

	for (size_t i = 0; i < table->count; i++)
		if (strcasecmp(table->row[i].column.item[0], driver) == 0)
			return true;
	return false;
}

const struct guest_tool *drivers_db_guest_tools(const struct drivers_db *db, size_t *count)
{
	*count = db->table[GUEST_TOOLS].count;
	return db->guest_tool;
}

/* Adds column `give` of the rows whose column `key` names module. */
static void add_matching(const struct table *table, size_t key, size_t give, const char *module,
			 struct strings *out)
{
	for (size_t i = 0; i < table->count; i++) {
		char *const *column = table->row[i].column.item;

		if (drivers_is_same_module(column[key], module))
			strings_add_once(out, column[give]);
	}
}

void drivers_db_preloads(const struct drivers_db *db, const char *module, struct strings *out)
{
	const struct table *table = &db->table[PRELOAD_MODULES];
	_cleanup_strings_ struct strings found = {0};

	add_matching(table, 0, 1, module, &found);
	for (size_t i = 0; i < found.count; i++)
		add_matching(table, 0, 1, found.item[i], &found);
	for (size_t i = 0; i < found.count; i++)
		if (!drivers_is_same_module(found.item[i], module))
			strings_add_once(out, found.item[i]);
}

void drivers_db_aliases_of(const struct drivers_db *db, const char *module, struct strings *out)
{
	const struct table *table = &db->table[RENAMED_MODULES];

	add_matching(table, 0, 1, module, out);
	add_matching(table, 1, 0, module, out);
}
