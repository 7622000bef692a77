// SPDX-License-Identifier: GPL-3.0-or-later
/* Buses other than PCI, by the modalias that sysfs shows. */
#include <string.h>
#include <unistd.h>

#include "adapt/hardware_parts.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"

enum { DEVICE_LIMIT = 65536 };

static void set_ids(struct device *device, int found, unsigned int vendor, unsigned int model)
{
	if (found != 2)
		return;
	device->vendor = (uint16_t)vendor;
	device->device = (uint16_t)model;
}

static void read_usb_ids(struct device *device)
{
	unsigned int vendor = 0, model = 0;
	int found = sscanf(device->modalias, "usb:v%4xp%4x", &vendor, &model);

	set_ids(device, found, vendor, model);
}

static void read_sdio_ids(struct device *device)
{
	unsigned int vendor = 0, model = 0;
	int found = sscanf(device->modalias, "sdio:c%*2xv%4xd%4x", &vendor, &model);

	set_ids(device, found, vendor, model);
}

/*
 * Where a bus shows what a device calls itself, below its directory, and how the modalias is read.
 * An interface of USB lies in the directory of its device.
 */
static const struct bus {
	const char *bus, *vendor, *model; /* files, or NULL */
	void (*read_ids)(struct device *device);
} buses[] = {
	{"usb", "../manufacturer", "../product", read_usb_ids},
	{"sdio", "info1", "info2", read_sdio_ids},
	{"scsi", "vendor", "model", NULL},
	{"mmc", "type", "name", NULL},
	{"nvme", NULL, "model", NULL},
	{"i2c", NULL, "name", NULL},
	{"acpi", NULL, "description", NULL},
};

static char *read_name(const char *path, const struct bus *bus)
{
	_cleanup_free_ char *vendor = bus->vendor ? file_line("%s/%s", path, bus->vendor) : NULL;
	_cleanup_free_ char *model = bus->model ? file_line("%s/%s", path, bus->model) : NULL;
	_cleanup_free_ char *name = NULL;

	if (!vendor && !model)
		return NULL;
	name = string_format("%s%s%s", vendor ? vendor : "", vendor && model ? " " : "",
			     model ? model : "");
	return printable_copy(name);
}

static void describe(struct device *device)
{
	for (size_t i = 0; i < array_length(buses); i++) {
		if (strcmp(buses[i].bus, device->bus) != 0)
			continue;
		device->name = read_name(device->sysfs, &buses[i]);
		if (buses[i].read_ids)
			buses[i].read_ids(device);
	}
}

/* Takes path. */
static void add(const char *bus, const char *slot, const char *modalias, char *path,
		struct hardware *hardware)
{
	struct device *device = hardware_add_device(hardware);

	device->bus = string_copy(bus);
	device->slot = printable_copy(slot);
	device->modalias = printable_copy(modalias);
	device->driver = sysfs_link(path, "driver");
	device->sysfs = path;
	describe(device);
}

/* The nodes of ACPI that stand for devices of another bus are listed there, if it has an alias. */
static bool is_listed_elsewhere(const char *bus, const char *path)
{
	_cleanup_free_ char *alias = string_format("%s/physical_node/modalias", path);

	return strcmp(bus, "acpi") == 0 && access(alias, F_OK) == 0;
}

static void add_from_bus(const char *bus, const char *devices, const char *slot,
			 struct hardware *hardware)
{
	_cleanup_free_ char *link = string_format("%s/%s", devices, slot);
	/* Resolved, so that ".." is the parent device and not the bus. */
	_cleanup_free_ char *path = realpath(link, NULL);
	_cleanup_free_ char *modalias = path ? file_line("%s/modalias", path) : NULL;

	if (!modalias || !*modalias || hardware->device_count >= DEVICE_LIMIT ||
	    is_listed_elsewhere(bus, path))
		return;
	add(bus, slot, modalias, steal(&path), hardware);
}

/*
 * Controllers of NVMe are a class without aliases: the module is the one that the kernel and
 * nvme-cli load for a transport, by its name.
 */
static void add_nvme(const char *class, const char *slot, struct hardware *hardware)
{
	_cleanup_free_ char *link = string_format("%s/%s", class, slot);
	_cleanup_free_ char *path = realpath(link, NULL);
	_cleanup_free_ char *transport = path ? file_line("%s/transport", path) : NULL;
	_cleanup_free_ char *module = NULL;

	if (!transport || hardware->device_count >= DEVICE_LIMIT)
		return;
	if (strcmp(transport, "pcie") == 0)
		module = string_copy("nvme");
	else
		module = string_format("nvme-%s", transport);
	add("nvme", slot, module, steal(&path), hardware);
}

static void scan_nvme(const char *root, struct hardware *hardware)
{
	_cleanup_free_ char *class = string_format("%s/sys/class/nvme", root);
	_cleanup_strings_ struct strings slots = {0};

	sysfs_list(class, &slots);
	for (size_t i = 0; i < slots.count; i++)
		add_nvme(class, slots.item[i], hardware);
}

/* libpci lists PCI; the aliases of a processor ask for no driver of a device. */
static bool is_skipped(const char *bus)
{
	return strcmp(bus, "pci") == 0 || strcmp(bus, "cpu") == 0;
}

void hardware_scan_buses(const char *root, struct hardware *hardware)
{
	_cleanup_free_ char *bus_directory = string_format("%s/sys/bus", root);
	_cleanup_strings_ struct strings names = {0};

	sysfs_list(bus_directory, &names);
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_free_ char *devices =
			string_format("%s/%s/devices", bus_directory, names.item[i]);
		_cleanup_strings_ struct strings slots = {0};

		if (is_skipped(names.item[i]))
			continue;
		sysfs_list(devices, &slots);
		for (size_t j = 0; j < slots.count; j++)
			add_from_bus(names.item[i], devices, slots.item[j], hardware);
	}
	scan_nvme(root, hardware);
}
