// SPDX-License-Identifier: GPL-3.0-or-later
/* What hangs on what: the parents of devices, and the way from a disk up to the processor. */
#include <dirent.h>
#include <string.h>

#include "adapt/hardware_parts.h"
#include "base/scope.h"

/* Devices in the order of one of their names, for binary search. */
struct order {
	const struct device **item;
	size_t count;
};

static void order_release(struct order *order)
{
	free(order->item);
}
#define _cleanup_order_ _cleanup_(order_release)

static int compare_sysfs(const void *a, const void *b)
{
	return strcmp((*(const struct device *const *)a)->sysfs,
		      (*(const struct device *const *)b)->sysfs);
}

/* One name may be that of devices on two buses: the first of the list is the one that is meant. */
static int compare_slots(const void *a, const void *b)
{
	const struct device *left = *(const struct device *const *)a;
	const struct device *right = *(const struct device *const *)b;
	int difference = strcmp(left->slot, right->slot);

	if (difference)
		return difference;
	return left < right ? -1 : left > right;
}

static struct order order_all(const struct hardware *hardware)
{
	struct order order = {calloc(hardware->device_count + 1, sizeof(*order.item)), 0};

	if (!order.item)
		abort();
	for (size_t i = 0; i < hardware->device_count; i++)
		order.item[order.count++] = &hardware->device[i];
	return order;
}

static struct order order_by_slot(const struct hardware *hardware)
{
	struct order order = order_all(hardware);

	qsort(order.item, order.count, sizeof(*order.item), compare_slots);
	return order;
}

static struct order order_by_sysfs(const struct hardware *hardware)
{
	struct order order = order_all(hardware);
	size_t kept = 0;

	for (size_t i = 0; i < order.count; i++)
		if (order.item[i]->sysfs)
			order.item[kept++] = order.item[i];
	order.count = kept;
	qsort(order.item, order.count, sizeof(*order.item), compare_sysfs);
	return order;
}

static const struct device *search_sysfs(const struct order *by_sysfs, char *path)
{
	const struct device *key = &(struct device){.sysfs = path};
	const struct device **found = bsearch(&key, by_sysfs->item, by_sysfs->count,
					      sizeof(*by_sysfs->item), compare_sysfs);

	return found ? *found : NULL;
}

/* The first of those in this slot, as hardware_device() finds it. */
static const struct device *search_slot(const struct order *by_slot, const char *slot)
{
	size_t first = 0, end = by_slot->count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (strcmp(by_slot->item[middle]->slot, slot) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	if (first == by_slot->count || strcmp(by_slot->item[first]->slot, slot) != 0)
		return NULL;
	return by_slot->item[first];
}

/* The device whose directory is the nearest above path, or path itself. */
static const struct device *nearest(const struct order *by_sysfs, const char *path)
{
	_cleanup_free_ char *copy = string_copy(path);
	const struct device *found = NULL;
	char *slash = copy + strlen(copy);

	for (; slash && !found; slash = strrchr(copy, '/')) {
		*slash = '\0';
		found = search_sysfs(by_sysfs, copy);
	}
	return found;
}

static const struct device *above(const struct order *by_sysfs, const struct device *device)
{
	_cleanup_free_ char *path = string_copy(device->sysfs);
	char *slash = strrchr(path, '/');

	if (!slash)
		return NULL;
	*slash = '\0';
	return nearest(by_sysfs, path);
}

/*
 * With native multipath a namespace that several controllers may share hangs below
 * /sys/devices/virtual/nvme-subsystem/nvme-subsysN; its controllers are symbolic links there.
 */
static void add_nvme_controllers(const char *sysfs, struct strings *paths)
{
	_cleanup_free_ char *subsystem = string_format("%s/..", sysfs);
	_cleanup_closedir_ DIR *dir = opendir(subsystem);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *link = string_format("%s/%s", subsystem, entry->d_name);
		_cleanup_free_ char *controller = NULL;

		if (entry->d_type == DT_LNK && has_prefix(entry->d_name, "nvme") &&
		    (controller = realpath(link, NULL)))
			strings_add(paths, controller);
	}
	strings_sort(paths);
}

/* Where a disk hangs: its own directory, or those of its controllers. */
static void disk_paths(const char *sysfs, struct strings *paths)
{
	if (strstr(sysfs, "/virtual/nvme-subsystem/"))
		add_nvme_controllers(sysfs, paths);
	else
		strings_add(paths, sysfs);
}

static void find_carrier(const struct order *by_sysfs, struct disk *disk)
{
	_cleanup_strings_ struct strings paths = {0};
	const struct device *carrier = NULL;

	if (!disk->sysfs)
		return;
	disk_paths(disk->sysfs, &paths);
	for (size_t i = 0; i < paths.count && !carrier; i++)
		carrier = nearest(by_sysfs, paths.item[i]);
	if (carrier && !disk->hangs_on)
		disk->hangs_on = string_copy(carrier->slot);
}

static bool chain_ends(const struct order *by_slot, const struct device *device)
{
	for (size_t depth = 0; depth < HARDWARE_DEPTH; depth++) {
		if (!device || !device->parent)
			return true;
		device = search_slot(by_slot, device->parent);
	}
	return false;
}

/* Devices of two buses with one name could lead in a circle: such a chain is cut. */
static void cut_circles(struct hardware *hardware)
{
	_cleanup_order_ struct order by_slot = order_by_slot(hardware);

	for (size_t i = 0; i < hardware->device_count; i++)
		if (!chain_ends(&by_slot, &hardware->device[i]))
			free(steal(&hardware->device[i].parent));
}

void hardware_find_parents(struct hardware *hardware)
{
	_cleanup_order_ struct order by_sysfs = order_by_sysfs(hardware);

	for (size_t i = 0; i < hardware->device_count; i++) {
		struct device *device = &hardware->device[i];
		const struct device *parent = device->sysfs ? above(&by_sysfs, device) : NULL;

		if (parent && !device->parent)
			device->parent = string_copy(parent->slot);
	}
	for (size_t i = 0; i < hardware->disks.count; i++)
		find_carrier(&by_sysfs, &hardware->disks.item[i]);
	cut_circles(hardware);
}

int hardware_check_parents(const struct hardware *hardware, struct error *err)
{
	_cleanup_order_ struct order by_slot = order_by_slot(hardware);

	for (size_t i = 0; i < hardware->device_count; i++)
		if (!chain_ends(&by_slot, &hardware->device[i]))
			return error_set(err,
					 "devices[%zu]: the devices above %s form a circle, or "
					 "more than %d levels",
					 i, hardware->device[i].slot, HARDWARE_DEPTH);
	return 0;
}

const struct device *hardware_device(const struct hardware *hardware, const char *slot)
{
	for (size_t i = 0; slot && i < hardware->device_count; i++)
		if (strcmp(hardware->device[i].slot, slot) == 0)
			return &hardware->device[i];
	return NULL;
}

const struct device *hardware_parent(const struct hardware *hardware, const struct device *device)
{
	return hardware_device(hardware, device->parent);
}

static void mark_chain(struct hardware *hardware, const struct device *device)
{
	for (size_t depth = 0; device && depth < HARDWARE_DEPTH; depth++) {
		hardware->device[device - hardware->device].for_root = true;
		device = hardware_parent(hardware, device);
	}
}

static void mark_live(struct hardware *hardware, const struct disk *disk)
{
	_cleanup_order_ struct order by_sysfs = order_by_sysfs(hardware);
	_cleanup_strings_ struct strings paths = {0};

	disk_paths(disk->sysfs, &paths);
	for (size_t i = 0; i < paths.count; i++)
		mark_chain(hardware, nearest(&by_sysfs, paths.item[i]));
}

int hardware_follow_disk(struct hardware *hardware, const struct disk *disk, struct error *err)
{
	for (size_t i = 0; i < hardware->device_count; i++)
		hardware->device[i].for_root = false;
	if (disk->is_file)
		return 0;
	if (hardware->is_live && !disk->sysfs)
		return error_set(err, "%s has no place in sysfs", disk->path);
	if (hardware->is_live) {
		mark_live(hardware, disk);
		return 0;
	}
	if (!disk->hangs_on)
		return error_set(err,
				 "the way to %s is known on its own machine only, and the hardware "
				 "was read from %s",
				 disk->path, hardware->source);
	mark_chain(hardware, hardware_device(hardware, disk->hangs_on));
	return 0;
}
