// SPDX-License-Identifier: GPL-3.0-or-later
/* The hardware as JSON, written; hardware_read.c reads it back. */
#include "adapt/hardware_parts.h"
#include "base/scope.h"
#include "base/text.h"

static void put_string(json_object *object, const char *key, const char *value)
{
	if (value)
		json_object_object_add(object, key, json_object_new_string(value));
}

static void put_bool(json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

static void put_number(json_object *object, const char *key, uint64_t value)
{
	if (value)
		json_object_object_add(object, key, json_object_new_uint64(value));
}

static void put_hex(json_object *object, const char *key, int digits, unsigned int value)
{
	_cleanup_free_ char *text = string_format("%0*x", digits, value);

	put_string(object, key, text);
}

static json_object *device_json(const struct device *device)
{
	json_object *object = json_object_new_object();

	put_string(object, "bus", device->bus);
	put_string(object, "slot", device->slot);
	put_string(object, "modalias", device->modalias);
	put_string(object, "driver", device->driver);
	put_string(object, "name", device->name);
	put_string(object, "parent", device->parent);
	if (device->vendor || device->device) {
		put_hex(object, "vendor", 4, device->vendor);
		put_hex(object, "device", 4, device->device);
	}
	if (string_equal(device->bus, "pci")) {
		put_hex(object, "class", 6, device->class);
		put_hex(object, "subsystem-vendor", 4, device->subsystem_vendor);
		put_hex(object, "subsystem-device", 4, device->subsystem_device);
		put_hex(object, "revision", 2, device->revision);
	}
	if (device->for_root)
		put_bool(object, "for-root", true);
	return object;
}

static json_object *nic_json(const struct nic *nic)
{
	json_object *object = json_object_new_object();

	put_string(object, "name", nic->name);
	put_string(object, "mac", nic->mac);
	put_string(object, "current-mac", nic->current_mac);
	put_string(object, "permanent-mac", nic->permanent_mac);
	put_string(object, "slot", nic->slot);
	put_string(object, "driver", nic->driver);
	put_bool(object, "link", nic->has_link);
	put_bool(object, "wireless", nic->is_wireless);
	return object;
}

static json_object *display_json(const struct display *display)
{
	json_object *object = json_object_new_object();

	put_string(object, "name", display->name);
	put_string(object, "slot", display->slot);
	put_string(object, "monitor", display->monitor);
	put_string(object, "mode", display->mode);
	put_bool(object, "connected", display->is_connected);
	return object;
}

static json_object *firmware_json(const struct hardware *hardware)
{
	json_object *object = json_object_new_object();

	put_string(object, "mode", hardware->is_uefi ? "uefi" : "bios");
	put_bool(object, "secure-boot", hardware->has_secure_boot);
	put_string(object, "secure-boot-state", secure_boot_names[hardware->secure_boot]);
	put_number(object, "bits", hardware->efi_bits);
	put_number(object, "variable-space", hardware->efi_variable_space);
	return object;
}

static json_object *dmi_json(const struct hardware *hardware)
{
	json_object *object = json_object_new_object();

	for (size_t i = 0; i < DMI_FIELDS; i++)
		put_string(object, dmi_fields[i].key, *dmi_field(hardware, &dmi_fields[i]));
	return object;
}

json_object *hardware_json(const struct hardware *hardware)
{
	json_object *object = json_object_new_object();
	json_object *devices = json_object_new_array();
	json_object *nics = json_object_new_array();
	json_object *displays = json_object_new_array();
	json_object *disks = json_object_new_array();

	for (size_t i = 0; i < hardware->device_count; i++)
		json_object_array_add(devices, device_json(&hardware->device[i]));
	for (size_t i = 0; i < hardware->nic_count; i++)
		json_object_array_add(nics, nic_json(&hardware->nic[i]));
	for (size_t i = 0; i < hardware->display_count; i++)
		json_object_array_add(displays, display_json(&hardware->display[i]));
	for (size_t i = 0; i < hardware->disks.count; i++)
		json_object_array_add(disks, disk_json(&hardware->disks.item[i]));
	json_object_object_add(object, "hardware-version",
			       json_object_new_int(HARDWARE_JSON_VERSION));
	put_string(object, "source", hardware->source);
	json_object_object_add(object, "firmware", firmware_json(hardware));
	put_string(object, "cpu", hardware->cpu_vendor);
	put_string(object, "cpu-model", hardware->cpu_model);
	json_object_object_add(object, "dmi", dmi_json(hardware));
	json_object_object_add(object, "devices", devices);
	json_object_object_add(object, "network", nics);
	json_object_object_add(object, "displays", displays);
	json_object_object_add(object, "disks", disks);
	return object;
}
