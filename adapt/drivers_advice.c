// SPDX-License-Identifier: GPL-3.0-or-later
/* What a guest or a machine needs beyond a module: packages, quirks, settings of the firmware. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/drivers_db_private.h"
#include "base/scope.h"
#include "base/text.h"

static bool part_fits(const char *part, const char *version)
{
	bool is_below = has_prefix(part, "<");
	int order = strverscmp(version, part + strspn(part, "<>="));

	return is_below ? order < 0 : order >= 0;
}

bool drivers_db_version_fits(const char *condition, const char *version)
{
	_cleanup_strings_ struct strings parts = {0};

	if (strcmp(condition, "*") == 0)
		return true;
	strings_split(&parts, condition, ",");
	for (size_t i = 0; i < parts.count; i++) {
		if (!version || !*version) {
			if (has_prefix(parts.item[i], "<"))
				return false;
			continue;
		}
		if (!part_fits(parts.item[i], version))
			return false;
	}
	return true;
}

/* The guest's own name first, then those of its relatives. */
static void list_families(const struct guest *guest, struct strings *families)
{
	if (guest->os_id && *guest->os_id)
		strings_add(families, guest->os_id);
	if (guest->os_id_like)
		strings_split(families, guest->os_id_like, " ");
}

/* "iwlwifi-7260-17.ucode" of "/lib/firmware/iwlwifi-7260-17.ucode.xz"; heap. */
static char *plain_firmware_name(const char *file)
{
	static const char *const suffixes[] = {".xz", ".zst"};
	const char *const folder = "/lib/firmware/";
	const char *below = strstr(file, folder);
	char *name = string_copy(below ? below + strlen(folder) : file);

	for (size_t i = 0; i < array_length(suffixes); i++)
		if (has_suffix(name, suffixes[i]))
			name[strlen(name) - strlen(suffixes[i])] = '\0';
	return name;
}

/* "rhel,centos,rocky": the systems that share names and version numbers. */
static bool is_family(const char *list, const char *family)
{
	_cleanup_strings_ struct strings names = {0};

	strings_split(&names, list, ",");
	return strings_has(&names, family);
}

/*
 * The version of a guest that a row does not name counts otherwise than that of its relatives: the
 * guest is taken for as new as any.
 */
static const char *family_package(const struct drivers_db *db, const struct guest *guest,
				  const char *family, const char *file, bool *has_rows)
{
	const struct table *table = &db->table[FIRMWARE_PACKAGES];

	for (size_t i = 0; i < table->count; i++) {
		char *const *column = table->row[i].column.item;
		bool is_own = guest->os_id && is_family(column[0], guest->os_id);
		const char *version = is_own ? guest->os_version : NULL;

		if (!is_family(column[0], family))
			continue;
		*has_rows = true;
		if (drivers_db_version_fits(column[1], version) && fnmatch(column[2], file, 0) == 0)
			return column[3];
	}
	return NULL;
}

const char *drivers_db_firmware_package(const struct drivers_db *db, const struct guest *guest,
					const char *file)
{
	_cleanup_strings_ struct strings families = {0};
	_cleanup_free_ char *name = plain_firmware_name(file);
	bool has_rows = false;

	list_families(guest, &families);
	for (size_t i = 0; i < families.count && !has_rows; i++) {
		const char *package = family_package(db, guest, families.item[i], name, &has_rows);

		if (package)
			return package;
	}
	return NULL;
}

bool drivers_db_is_firmware_optional(const struct drivers_db *db, const char *module,
				     const struct device *device)
{
	const struct table *table = &db->table[FIRMWARE_OPTIONAL];

	for (size_t i = 0; i < table->count; i++) {
		char *const *column = table->row[i].column.item;

		if (drivers_is_same_module(column[0], module) &&
		    fnmatch(column[1], device->modalias, 0) == 0)
			return true;
	}
	return false;
}

static bool has_full_kernel(const struct guest *guest, const char *release, const char *unless)
{
	_cleanup_free_ char *path = string_format("/lib/modules/%s/%s", release, unless);

	return *unless && guest_has(guest, path);
}

static bool is_of_family(const struct guest *guest, const char *list)
{
	_cleanup_strings_ struct strings families = {0};

	list_families(guest, &families);
	for (size_t i = 0; i < families.count; i++)
		if (is_family(list, families.item[i]))
			return true;
	return false;
}

const struct kernel_flavour *drivers_db_flavour(const struct drivers_db *db,
						const struct guest *guest, const char *release)
{
	for (size_t i = 0; i < db->table[KERNEL_FLAVOURS].count; i++) {
		const struct kernel_flavour *row = &db->kernel_flavour[i];

		if (fnmatch(row->pattern, release, 0) == 0 && is_of_family(guest, row->family))
			return has_full_kernel(guest, release, row->unless) ? NULL : row;
	}
	return NULL;
}

const struct device_since *drivers_db_since(const struct drivers_db *db,
					    const struct device *device)
{
	for (size_t i = 0; i < db->table[DEVICE_SINCE].count; i++)
		if (fnmatch(db->device_since[i].match, device->modalias, 0) == 0)
			return &db->device_since[i];
	return NULL;
}

const struct controller_mode *drivers_db_controller_mode(const struct drivers_db *db,
							 const struct device *device)
{
	for (size_t i = 0; i < db->table[CONTROLLER_MODES].count; i++)
		if (fnmatch(db->controller_mode[i].match, device->modalias, 0) == 0)
			return &db->controller_mode[i];
	return NULL;
}

static bool id_fits(const char *wanted, uint16_t id)
{
	return strcmp(wanted, "*") == 0 || strtoul(wanted, NULL, 16) == id;
}

static bool is_device(const struct strings *match, const struct device *device)
{
	if (!string_equal(device->bus, match->item[0]) ||
	    !id_fits(match->item[1], device->vendor) || !id_fits(match->item[2], device->device))
		return false;
	return match->count == 3 || (id_fits(match->item[3], device->subsystem_vendor) &&
				     id_fits(match->item[4], device->subsystem_device));
}

static bool is_device_here(const char *match, const struct hardware *hardware)
{
	_cleanup_strings_ struct strings parts = {0};

	strings_split(&parts, match, ":");
	for (size_t i = 0; i < hardware->device_count; i++)
		if (is_device(&parts, &hardware->device[i]))
			return true;
	return false;
}

/* The field of DMI that match names at its start ("vendor=…"), and where its value begins. */
static const char *dmi_field(const struct hardware *hardware, const char **match)
{
	const struct {
		const char *key, *value;
	} fields[] = {
		{"vendor=", hardware->dmi_vendor},   {"product=", hardware->dmi_product},
		{"version=", hardware->dmi_version}, {"board-vendor=", hardware->dmi_board_vendor},
		{"board=", hardware->dmi_board},     {"bios=", hardware->dmi_bios},
	};

	for (size_t i = 0; i < array_length(fields); i++) {
		if (has_prefix(*match, fields[i].key)) {
			*match += strlen(fields[i].key);
			return fields[i].value ? fields[i].value : "";
		}
	}
	return NULL;
}

/* Where the next "key=" begins behind a comma, or the end: vendors have commas in their names. */
static const char *dmi_value_end(const char *value)
{
	static const char *const keys[] = {
		",vendor=", ",product=", ",version=", ",board-vendor=", ",board=", ",bios="};
	const char *end = value + strlen(value);

	for (size_t i = 0; i < array_length(keys); i++) {
		const char *next = strstr(value, keys[i]);

		if (next && next < end)
			end = next;
	}
	return end;
}

static bool is_machine(const char *match, const struct hardware *hardware)
{
	while (*match) {
		const char *field = dmi_field(hardware, &match);
		const char *end = dmi_value_end(match);
		_cleanup_free_ char *pattern = string_format("%.*s", (int)(end - match), match);

		if (!field || fnmatch(pattern, field, 0) != 0)
			return false;
		match = end + (*end == ',');
	}
	return true;
}

static bool quirk_fits(const struct quirk *quirk, const struct hardware *hardware)
{
	if (has_prefix(quirk->match, "dmi:"))
		return is_machine(quirk->match + strlen("dmi:"), hardware);
	return is_device_here(quirk->match, hardware);
}

size_t drivers_db_quirks(const struct drivers_db *db, const struct hardware *hardware,
			 const struct quirk ***out)
{
	size_t count = 0;

	*out = calloc(db->table[QUIRKS].count + 1, sizeof(**out));
	if (!*out)
		abort();
	for (size_t i = 0; i < db->table[QUIRKS].count; i++)
		if (quirk_fits(&db->quirk[i], hardware))
			(*out)[count++] = &db->quirk[i];
	return count;
}
