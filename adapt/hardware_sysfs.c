// SPDX-License-Identifier: GPL-3.0-or-later
/* Buses other than PCI, by the modalias that sysfs shows, and what the machine says of itself. */
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

/* "vendor_id	: GenuineIntel" of the first processor. */
static char *read_cpu_vendor(const char *root)
{
	_cleanup_free_ char *path = string_format("%s/proc/cpuinfo", root);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');

		if (has_prefix(line, "vendor_id") && colon)
			return printable_copy(string_trim(colon + 1));
	}
	return NULL;
}

/* The variable is four bytes of attributes and the value (UEFI 2.10, 3.3): 1 means enforced. */
static bool is_secure_boot_on(const char *root)
{
	_cleanup_free_ char *path = string_format(
		"%s/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
		root);
	_cleanup_text_ struct text value = {0};

	return file_read(path, 64, &value, NULL) == 0 && value.length >= 5 && value.data[4] == 1;
}

static char *read_dmi(const char *root, const char *name)
{
	_cleanup_free_ char *line = file_line("%s/sys/class/dmi/id/%s", root, name);

	return line && *line ? printable_copy(line) : NULL;
}

void hardware_read_firmware(const char *root, struct hardware *hardware)
{
	_cleanup_free_ char *efi = string_format("%s/sys/firmware/efi", root);

	hardware->is_uefi = access(efi, F_OK) == 0;
	hardware->has_secure_boot = hardware->is_uefi && is_secure_boot_on(root);
	hardware->dmi_vendor = read_dmi(root, "sys_vendor");
	hardware->dmi_product = read_dmi(root, "product_name");
	hardware->dmi_serial = read_dmi(root, "product_serial");
	hardware->dmi_board = read_dmi(root, "board_name");
	hardware->dmi_bios = read_dmi(root, "bios_version");
	hardware->cpu_vendor = read_cpu_vendor(root);
}
