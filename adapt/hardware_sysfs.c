// SPDX-License-Identifier: GPL-3.0-or-later
/* Buses other than PCI, by the modalias that sysfs shows. */
#include <string.h>
#include <unistd.h>

#include "adapt/hardware_parts.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"

enum { DEVICE_LIMIT = 65536 };

static char *usb_name(const char *path)
{
	/* An interface's directory lies in that of its device. */
	_cleanup_free_ char *vendor = file_line("%s/../manufacturer", path);
	_cleanup_free_ char *product = file_line("%s/../product", path);
	_cleanup_free_ char *name = NULL;

	if (!vendor && !product)
		return NULL;
	name = string_format("%s%s%s", vendor ? vendor : "", vendor && product ? " " : "",
			     product ? product : "");
	return printable_copy(name);
}

static void describe_usb(const char *path, struct device *device)
{
	unsigned int vendor = 0, product = 0;

	if (sscanf(device->modalias, "usb:v%4xp%4x", &vendor, &product) == 2) {
		device->vendor = (uint16_t)vendor;
		device->device = (uint16_t)product;
	}
	device->name = usb_name(path);
}

static void add_from_bus(const char *bus, const char *devices, const char *slot,
			 struct hardware *hardware)
{
	_cleanup_free_ char *link = string_format("%s/%s", devices, slot);
	/* Resolved, so that ".." is the parent device and not the bus. */
	_cleanup_free_ char *path = realpath(link, NULL);
	_cleanup_free_ char *modalias = path ? file_line("%s/modalias", path) : NULL;
	struct device *device;

	if (!modalias || !*modalias || hardware->device_count >= DEVICE_LIMIT)
		return;
	device = hardware_add_device(hardware);
	device->bus = string_copy(bus);
	device->slot = string_copy(slot);
	device->modalias = printable_copy(modalias);
	device->driver = sysfs_link(path, "driver");
	device->sysfs = string_copy(path);
	if (string_equal(bus, "usb"))
		describe_usb(path, device);
}

/*
 * libpci lists PCI; the aliases of a processor ask for no driver of a device; the nodes of ACPI
 * stand for devices that are listed on their own bus.
 */
static bool is_skipped(const char *bus)
{
	return strcmp(bus, "pci") == 0 || strcmp(bus, "cpu") == 0 || strcmp(bus, "acpi") == 0;
}

void hardware_scan_buses(const char *root, struct hardware *hardware)
{
	_cleanup_free_ char *bus_directory = string_format("%s/sys/bus", root);
	_cleanup_strings_ struct strings buses = {0};

	sysfs_list(bus_directory, &buses);
	for (size_t i = 0; i < buses.count; i++) {
		_cleanup_free_ char *devices =
			string_format("%s/%s/devices", bus_directory, buses.item[i]);
		_cleanup_strings_ struct strings slots = {0};

		if (is_skipped(buses.item[i]))
			continue;
		sysfs_list(devices, &slots);
		for (size_t j = 0; j < slots.count; j++)
			add_from_bus(buses.item[i], devices, slots.item[j], hardware);
	}
}
