// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/hardware.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "adapt/hardware_parts.h"
#include "base/scope.h"
#include "base/text.h"

/* Doubles at every power of two, so that a long list costs no square. */
static void *grow(void *list, size_t count, size_t size)
{
	void *grown = list;

	if ((count & (count - 1)) == 0)
		grown = realloc(list, (count ? 2 * count : 1) * size);
	if (!grown)
		abort();
	memset((char *)grown + count * size, 0, size);
	return grown;
}

struct device *hardware_add_device(struct hardware *hardware)
{
	hardware->device =
		grow(hardware->device, hardware->device_count, sizeof(*hardware->device));
	return &hardware->device[hardware->device_count++];
}

struct nic *hardware_add_nic(struct hardware *hardware)
{
	hardware->nic = grow(hardware->nic, hardware->nic_count, sizeof(*hardware->nic));
	return &hardware->nic[hardware->nic_count++];
}

struct display *hardware_add_display(struct hardware *hardware)
{
	hardware->display =
		grow(hardware->display, hardware->display_count, sizeof(*hardware->display));
	return &hardware->display[hardware->display_count++];
}

char **dmi_field(const struct hardware *hardware, const struct dmi_field *field)
{
	return (char **)((char *)hardware + field->offset);
}

char *printable_copy(const char *string)
{
	return string ? string_printable(string) : NULL;
}

void sysfs_list(const char *path, struct strings *names)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			strings_add(names, entry->d_name);
	strings_sort(names);
}

char *sysfs_link(const char *directory, const char *name)
{
	_cleanup_free_ char *path = string_format("%s/%s", directory, name);
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	const char *slash;

	if (length < 0)
		return NULL;
	target[length] = '\0';
	slash = strrchr(target, '/');
	return string_copy(slash ? slash + 1 : target);
}

static int scan(const char *root, struct hardware *hardware, struct error *err)
{
	if (hardware_scan_pci(root, hardware, err) < 0)
		return error_in(err, "list the PCI devices");
	hardware_scan_buses(root, hardware);
	hardware_scan_nics(root, hardware);
	hardware_scan_displays(root, hardware);
	hardware_read_firmware(root, hardware);
	if (!*root) {
		hardware->is_live = true;
		if (disks_list(&hardware->disks, err) < 0)
			return -1;
	}
	hardware_find_parents(hardware);
	return 0;
}

int hardware_detect_at(const char *root, struct hardware *out, struct error *err)
{
	_cleanup_hardware_ struct hardware hardware = {0};

	hardware.source = string_copy(*root ? root : "this machine");
	if (scan(root, &hardware, err) < 0)
		return error_in(err, "detect the hardware of %s", hardware.source);
	*out = hardware;
	hardware = (struct hardware){0};
	return 0;
}

int hardware_detect(struct hardware *out, struct error *err)
{
	return hardware_detect_at("", out, err);
}

static void device_release(struct device *device)
{
	free(device->bus);
	free(device->slot);
	free(device->modalias);
	free(device->driver);
	free(device->name);
	free(device->parent);
	free(device->sysfs);
}

static void nic_release(struct nic *nic)
{
	free(nic->name);
	free(nic->mac);
	free(nic->current_mac);
	free(nic->permanent_mac);
	free(nic->slot);
	free(nic->driver);
}

static void display_release(struct display *display)
{
	free(display->name);
	free(display->slot);
	free(display->monitor);
	free(display->mode);
}

void hardware_release(struct hardware *hardware)
{
	if (!hardware)
		return;
	for (size_t i = 0; i < hardware->device_count; i++)
		device_release(&hardware->device[i]);
	for (size_t i = 0; i < hardware->nic_count; i++)
		nic_release(&hardware->nic[i]);
	for (size_t i = 0; i < hardware->display_count; i++)
		display_release(&hardware->display[i]);
	for (size_t i = 0; i < DMI_FIELDS; i++)
		free(*dmi_field(hardware, &dmi_fields[i]));
	free(hardware->device);
	free(hardware->nic);
	free(hardware->display);
	disks_release(&hardware->disks);
	free(hardware->source);
	free(hardware->cpu_vendor);
	free(hardware->cpu_model);
	*hardware = (struct hardware){0};
}

#define DMI(key, file, member)                                                                     \
	{                                                                                          \
		key, file, offsetof(struct hardware, member)                                       \
	}
const struct dmi_field dmi_fields[DMI_FIELDS] = {
	DMI("vendor", "sys_vendor", dmi_vendor),
	DMI("product", "product_name", dmi_product),
	DMI("version", "product_version", dmi_version),
	DMI("family", "product_family", dmi_family),
	DMI("serial", "product_serial", dmi_serial),
	DMI("board", "board_name", dmi_board),
	DMI("board-vendor", "board_vendor", dmi_board_vendor),
	DMI("bios", "bios_version", dmi_bios),
	DMI("bios-date", "bios_date", dmi_bios_date),
};

const char *const secure_boot_names[SECURE_BOOT_STATES] = {
	[SECURE_BOOT_UNKNOWN] = "unknown",
	[SECURE_BOOT_OFF] = "off",
	[SECURE_BOOT_ON] = "on",
	[SECURE_BOOT_SETUP] = "setup",
};
