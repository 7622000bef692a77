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

char *printable_copy(const char *string)
{
	char *copy = string ? string_copy(string) : NULL;

	for (char *c = copy; c && *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return copy;
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
	hardware_read_firmware(root, hardware);
	if (*root)
		return 0;
	hardware->is_live = true;
	return disks_list(&hardware->disks, err);
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

static void mark(struct hardware *hardware, const char *name)
{
	for (size_t i = 0; i < hardware->device_count; i++)
		if (string_equal(hardware->device[i].slot, name))
			hardware->device[i].for_root = true;
}

static void mark_path(struct hardware *hardware, const char *path)
{
	_cleanup_strings_ struct strings parts = {0};

	strings_split(&parts, path, "/");
	for (size_t i = 0; i < parts.count; i++)
		mark(hardware, parts.item[i]);
}

/*
 * With native multipath a namespace that several controllers may share hangs below
 * /sys/devices/virtual/nvme-subsystem/nvme-subsysN; its controllers are symbolic links there.
 */
static void mark_nvme_subsystem(struct hardware *hardware, const char *sysfs)
{
	_cleanup_free_ char *subsystem = string_format("%s/..", sysfs);
	_cleanup_closedir_ DIR *dir = opendir(subsystem);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *link = string_format("%s/%s", subsystem, entry->d_name);
		_cleanup_free_ char *controller = NULL;

		if (entry->d_type == DT_LNK && has_prefix(entry->d_name, "nvme") &&
		    (controller = realpath(link, NULL)))
			mark_path(hardware, controller);
	}
}

int hardware_follow_disk(struct hardware *hardware, const struct disk *disk, struct error *err)
{
	for (size_t i = 0; i < hardware->device_count; i++)
		hardware->device[i].for_root = false;
	if (disk->is_file)
		return 0;
	if (!hardware->is_live)
		return error_set(err,
				 "the way to %s is known on this machine only, and the hardware "
				 "was read from %s",
				 disk->path, hardware->source);
	if (!disk->sysfs)
		return error_set(err, "%s has no place in sysfs", disk->path);
	mark_path(hardware, disk->sysfs);
	if (strstr(disk->sysfs, "/virtual/nvme-subsystem/"))
		mark_nvme_subsystem(hardware, disk->sysfs);
	return 0;
}

static void device_release(struct device *device)
{
	free(device->bus);
	free(device->slot);
	free(device->modalias);
	free(device->driver);
	free(device->name);
}

static void nic_release(struct nic *nic)
{
	free(nic->name);
	free(nic->mac);
	free(nic->slot);
	free(nic->driver);
}

void hardware_release(struct hardware *hardware)
{
	if (!hardware)
		return;
	for (size_t i = 0; i < hardware->device_count; i++)
		device_release(&hardware->device[i]);
	for (size_t i = 0; i < hardware->nic_count; i++)
		nic_release(&hardware->nic[i]);
	free(hardware->device);
	free(hardware->nic);
	disks_release(&hardware->disks);
	free(hardware->source);
	free(hardware->dmi_vendor);
	free(hardware->dmi_product);
	free(hardware->dmi_serial);
	free(hardware->dmi_board);
	free(hardware->dmi_bios);
	free(hardware->cpu_vendor);
	*hardware = (struct hardware){0};
}
