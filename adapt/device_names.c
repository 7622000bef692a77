// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/device_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/scope.h"

enum name_kind { KIND_LASTS, KIND_KERNEL, KIND_LINK };

/* Between a disk's name and its partition's number stands `separator`, where the name ends in a
 * digit. */
static const struct {
	const char *prefix, *separator;
} kernel_names[] = {
	{"/dev/sd", ""},    {"/dev/vd", ""},      {"/dev/xvd", ""},     {"/dev/hd", ""},
	{"/dev/nvme", "p"}, {"/dev/mmcblk", "p"}, {"/dev/cciss/", "p"}, {"/dev/pmem", "p"},
};

/* What the first disk of a VM is called. */
static const char *const first_disks[] = {"/dev/vda",        "/dev/sda",     "/dev/xvda",
					  "/dev/hda",        "/dev/nvme0n1", "/dev/mmcblk0",
					  "/dev/cciss/c0d0", "/dev/pmem0"};

/* by-id names of what is made of several disks: they last. */
static const char *const lasting_links[] = {"/dev/disk/by-id/dm-", "/dev/disk/by-id/md-",
					    "/dev/disk/by-id/lvm-"};

/* Splits a trailing number and the separator in front of it off; 0: there is none. */
static int split_number(const char *name, const char *separator, size_t *disk_length)
{
	size_t end = strlen(name), start = end, width = strlen(separator);
	long number;

	while (start > 0 && isdigit((unsigned char)name[start - 1]))
		start--;
	*disk_length = end;
	if (start == end || start < width || strncmp(name + start - width, separator, width) != 0)
		return 0;
	/* The 0 of nvme0: what stands before "p1" must be a digit. */
	if (width == 1 && (start < 2 || !isdigit((unsigned char)name[start - 2])))
		return 0;
	number = strtol(name + start, NULL, 10);
	if (number < 1 || number > 1024)
		return 0;
	*disk_length = start - width;
	return (int)number;
}

static enum name_kind classify(const char *name, int *number, char **disk)
{
	size_t length;

	for (size_t i = 0; i < array_length(lasting_links); i++) {
		if (has_prefix(name, lasting_links[i]))
			return KIND_LASTS;
	}
	if (has_prefix(name, "/dev/disk/by-path/") || has_prefix(name, "/dev/disk/by-id/")) {
		*number = split_number(name, "-part", &length);
		*disk = string_format("%.*s", (int)length, name);
		return KIND_LINK;
	}
	for (size_t i = 0; i < array_length(kernel_names); i++) {
		if (!has_prefix(name, kernel_names[i].prefix))
			continue;
		*number = split_number(name, kernel_names[i].separator, &length);
		*disk = string_format("%.*s", (int)length, name);
		return KIND_KERNEL;
	}
	if (has_prefix(name, "/dev/sr") || has_prefix(name, "/dev/fd") ||
	    string_equal(name, "/dev/cdrom")) {
		*number = 0;
		*disk = string_copy(name);
		return KIND_KERNEL;
	}
	return KIND_LASTS;
}

void device_names_learn(struct device_names *names, const char *root)
{
	_cleanup_free_ char *disk = NULL;
	int number;

	if (root && !names->disk && classify(root, &number, &disk) != KIND_LASTS)
		names->disk = steal(&disk);
}

void device_names_learn_other(struct device_names *names, const char *name)
{
	_cleanup_free_ char *disk = NULL;
	int number;
	enum name_kind kind = classify(name, &number, &disk);

	if (kind == KIND_LINK)
		strings_add_once(&names->links, disk);
	if (kind == KIND_LASTS)
		strings_add_once(&names->tags, name);
}

void device_names_release(struct device_names *names)
{
	free(names->disk);
	names->disk = NULL;
	strings_release(&names->links);
	strings_release(&names->tags);
}

static bool is_restored_disk(const struct device_names *names, const char *disk,
			     enum name_kind kind)
{
	bool is_link = names->disk && has_prefix(names->disk, "/dev/disk/");

	if (names->disk && is_link == (kind == KIND_LINK))
		return strcmp(names->disk, disk) == 0;
	if (kind == KIND_LINK)
		return names->links.count <= 1;
	for (size_t i = 0; i < array_length(first_disks); i++) {
		if (strcmp(first_disks[i], disk) == 0)
			return true;
	}
	return false;
}

static bool is_one_of(const char *string, const char *const *list)
{
	for (; *list; list++) {
		if (strcmp(*list, string) == 0)
			return true;
	}
	return false;
}

/* Can a partition that libblkid calls `found` be mounted as fstab's `wanted`? */
static bool type_fits(const char *wanted, const char *found)
{
	static const char *const ext[] = {"ext2", "ext3", "ext4", NULL};
	static const char *const fat[] = {"vfat", "msdos", "fat", NULL};
	static const char *const ntfs[] = {"ntfs", "ntfs3", "ntfs-3g", "fuseblk", NULL};
	static const char *const swap[] = {"swap", "swsuspend", NULL};
	static const char *const *const families[] = {ext, fat, ntfs, swap};

	if (!wanted || !found || strcmp(wanted, "auto") == 0 || strcmp(wanted, found) == 0)
		return true;
	for (size_t i = 0; i < array_length(families); i++) {
		if (is_one_of(wanted, families[i]) && is_one_of(found, families[i]))
			return true;
	}
	return false;
}

/* UUIDs come from a disk that is not trusted and end in files that shells read. */
static bool is_plain_id(const char *id)
{
	return id && *id && id[strspn(id, "0123456789abcdefABCDEF-")] == '\0';
}

static bool is_uuid_shared(const struct layout *layout, const char *uuid)
{
	size_t owners = 0;

	for (size_t i = 0; i < layout->count; i++)
		owners += layout->partition[i].uuid && strcmp(layout->partition[i].uuid, uuid) == 0;
	return owners > 1;
}

static char *stable_name(const struct layout *layout, const struct partition *partition)
{
	if (is_plain_id(partition->uuid) && !is_uuid_shared(layout, partition->uuid))
		return string_format("UUID=%s", partition->uuid);
	if (is_plain_id(partition->partuuid))
		return string_format("PARTUUID=%s", partition->partuuid);
	return NULL;
}

enum device_fate device_names_resolve(const struct device_names *names, const char *name,
				      const char *type, char **stable,
				      const struct partition **partition)
{
	const struct layout *layout = &names->guest->layout;
	_cleanup_free_ char *disk = NULL;
	int number = 0;
	enum name_kind kind = classify(name, &number, &disk);

	if (kind == KIND_LASTS)
		return DEVICE_LASTS;
	if (!layout->count)
		return DEVICE_NO_DISK;
	if (!is_restored_disk(names, disk, kind))
		return DEVICE_ABSENT;
	for (size_t i = 0; i < layout->count; i++) {
		const struct partition *candidate = &layout->partition[i];

		if (candidate->number != number || !type_fits(type, candidate->filesystem))
			continue;
		*stable = stable_name(layout, candidate);
		if (kind == KIND_LINK && *stable && strings_has(&names->tags, *stable)) {
			free(steal(stable));
			return DEVICE_ABSENT;
		}
		if (partition)
			*partition = candidate;
		return *stable ? DEVICE_KNOWN : DEVICE_ABSENT;
	}
	return DEVICE_ABSENT;
}

/* May there be file systems on this disk that the partition table does not show? */
static bool has_volumes(const struct guest *guest)
{
	static const char *const containers[] = {"LVM2_member",       "crypto_LUKS", "zfs_member",
						 "linux_raid_member", "bcache",      NULL};

	for (size_t i = 0; i < guest->layout.count; i++) {
		const char *type = guest->layout.partition[i].filesystem;

		if (type && is_one_of(type, containers))
			return true;
	}
	return guest->volume_groups.count > 0;
}

static const struct {
	const char *tag, *link;
	size_t offset; /* of the value in struct partition */
} tags[] = {
	{"UUID=", "/dev/disk/by-uuid/", offsetof(struct partition, uuid)},
	{"PARTUUID=", "/dev/disk/by-partuuid/", offsetof(struct partition, partuuid)},
	{"LABEL=", "/dev/disk/by-label/", offsetof(struct partition, label)},
	{"PARTLABEL=", "/dev/disk/by-partlabel/", offsetof(struct partition, name)},
};

static bool layout_has(const struct layout *layout, size_t offset, const char *value)
{
	for (size_t i = 0; i < layout->count; i++) {
		const char *field = *(char *const *)((const char *)&layout->partition[i] + offset);

		if (field && strcasecmp(field, value) == 0)
			return true;
	}
	return false;
}

static bool is_mounted(const struct guest *guest, const char *uuid)
{
	for (size_t i = 0; i < guest->mount_count; i++) {
		if (guest->mount[i].uuid && strcasecmp(guest->mount[i].uuid, uuid) == 0)
			return true;
	}
	return false;
}

bool device_names_is_gone(const struct device_names *names, const char *name)
{
	const struct guest *guest = names->guest;

	if (!guest->layout.count || has_volumes(guest))
		return false;
	for (size_t i = 0; i < array_length(tags); i++) {
		const char *prefix = has_prefix(name, tags[i].tag) ? tags[i].tag : tags[i].link;
		_cleanup_free_ char *value = NULL;

		if (!has_prefix(name, prefix))
			continue;
		value = string_copy(name + strlen(prefix));
		/* Quoted (LABEL="a b") and escaped (a\x20b, a\040b) values are not compared. */
		if (strpbrk(value, "\"'\\"))
			return false;
		return !layout_has(&guest->layout, tags[i].offset, value) &&
		       !is_mounted(guest, value);
	}
	return false;
}

void device_names_shared_uuids(const struct guest *guest, struct strings *uuids)
{
	for (size_t i = 0; i < guest->layout.count; i++) {
		const struct partition *partition = &guest->layout.partition[i];

		if (partition->uuid && is_uuid_shared(&guest->layout, partition->uuid))
			strings_add_once(uuids, partition->uuid);
	}
}
