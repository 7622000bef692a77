// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "adapt/drivers.h"
#include "base/json.h"
#include "base/scope.h"

static void put(json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_string_or_null(value));
}

static void put_known(json_object *object, const char *key, const char *value)
{
	if (value)
		put(object, key, value);
}

static void put_list(json_object *object, const char *key, const struct strings *list)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->count; i++)
		json_object_array_add(array, json_object_new_string(list->item[i]));
	json_object_object_add(object, key, array);
}

/* "0106" and "8086:2922", as lspci -n shows them. */
static void put_numbers(json_object *object, const struct device *device)
{
	_cleanup_free_ char *id = NULL, *class = NULL;

	if (strcmp(device->bus, "pci") == 0)
		class = string_format("%04x", device->class >> 8 & 0xffff);
	if (device->vendor || device->device)
		id = string_format("%04x:%04x", device->vendor, device->device);
	put(object, "class", class);
	put(object, "id", id);
}

static json_object *match_json(const struct driver_match *match)
{
	json_object *object = json_object_new_object();

	put(object, "slot", match->device->slot);
	put_numbers(object, match->device);
	put_list(object, "modules", &match->modules);
	put(object, "verdict", verdict_name(match->verdict));
	json_object_object_add(object, "boot_critical",
			       json_object_new_boolean(match->is_boot_critical));
	json_object_object_add(object, "required", json_object_new_boolean(match->is_required));
	put(object, "bus", match->device->bus);
	put(object, "name", match->device->name);
	put(object, "modalias", match->device->modalias);
	put_list(object, "needs", &match->needs);
	if (match->firmware.count)
		put_list(object, "firmware", &match->firmware);
	put_known(object, "firmware_package", match->firmware_package);
	put_known(object, "blacklisted_by", match->blacklisted_by);
	return object;
}

json_object *driver_matches_json(const struct driver_matches *matches)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < matches->count; i++)
		json_object_array_add(array, match_json(&matches->item[i]));
	return array;
}

json_object *driver_matches_root_json(const struct driver_matches *matches)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < matches->root_count; i++) {
		const struct root_module *module = &matches->root[i];
		json_object *object = json_object_new_object();

		put(object, "module", module->name);
		put(object, "why", module->why);
		put(object, "verdict", verdict_name(module->verdict));
		put_known(object, "blacklisted_by", module->blacklisted_by);
		json_object_array_add(array, object);
	}
	return array;
}
