// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/target_holder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"

enum { PROC_LIMIT = 16 << 20 };

/* The disk itself and its partitions. */
struct devices {
	dev_t *number;
	char **name; /* sda, sda1, … */
	size_t count;
};

static void devices_add(struct devices *devices, dev_t number, const char *name)
{
	size_t count = devices->count + 1;

	devices->number = reallocarray(devices->number, count, sizeof(*devices->number));
	devices->name = reallocarray(devices->name, count, sizeof(*devices->name));
	if (!devices->number || !devices->name)
		abort();
	devices->number[devices->count] = number;
	devices->name[devices->count++] = string_copy(name);
}

static void devices_release(struct devices *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		free(devices->name[i]);
	free(devices->name);
	free(devices->number);
}

static bool parse_device_number(const char *string, dev_t *out)
{
	unsigned int high, low;

	if (!string || sscanf(string, "%u:%u", &high, &low) != 2)
		return false;
	*out = makedev(high, low);
	return true;
}

static void devices_find(const struct disk *disk, struct devices *out)
{
	_cleanup_closedir_ DIR *dir = opendir(disk->sysfs);
	struct dirent *entry;

	devices_add(out, disk->device, disk->name);
	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *is_partition =
			file_line("%s/%s/partition", disk->sysfs, entry->d_name);
		_cleanup_free_ char *line = file_line("%s/%s/dev", disk->sysfs, entry->d_name);
		dev_t number;

		if (is_partition && parse_device_number(line, &number))
			devices_add(out, number, entry->d_name);
	}
}

static const char *devices_name(const struct devices *devices, dev_t number)
{
	for (size_t i = 0; i < devices->count; i++)
		if (devices->number[i] == number)
			return devices->name[i];
	return NULL;
}

/* procfs writes space, tab, newline and backslash as \ooo. */
static char *unescape(const char *string)
{
	_cleanup_text_ struct text out = {0};

	while (*string) {
		unsigned int code;

		if (*string == '\\' && strlen(string) >= 4 &&
		    sscanf(string + 1, "%3o", &code) == 1) {
			text_add_bytes(&out, &(char){(char)code}, 1);
			string += 4;
		} else {
			text_add_bytes(&out, string++, 1);
		}
	}
	return string_copy(text_string(&out));
}

/* The number of the block device at path, or of none (0). */
static dev_t block_number(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISBLK(status.st_mode) ? status.st_rdev : 0;
}

/* A line of mountinfo (proc(5)): ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS [TAGS] - TYPE
 * SOURCE … */
static int check_mount(const struct devices *devices, const char *line, struct error *err)
{
	_cleanup_strings_ struct strings words = {0};
	_cleanup_free_ char *point = NULL, *source = NULL;
	const char *name = NULL;
	size_t dash = 6;
	dev_t number;

	strings_split(&words, line, " ");
	while (dash < words.count && !string_equal(words.item[dash], "-"))
		dash++;
	if (dash + 2 >= words.count)
		return 0;
	if (parse_device_number(words.item[2], &number))
		name = devices_name(devices, number);
	/* btrfs shows a number of its own: its source tells the device. */
	source = unescape(words.item[dash + 2]);
	if (!name && *source == '/' && (number = block_number(source)))
		name = devices_name(devices, number);
	if (!name)
		return 0;
	point = unescape(words.item[4]);
	if (string_equal(point, "/"))
		return error_set(err, "/dev/%s carries the running system (it is mounted at /)",
				 name);
	return error_set(err, "/dev/%s is mounted at %s: unmount it first (umount %s)", name, point,
			 point);
}

static int check_mounts(const struct devices *devices, struct error *err)
{
	_cleanup_text_ struct text table = {0};
	_cleanup_strings_ struct strings lines = {0};

	if (file_read("/proc/self/mountinfo", PROC_LIMIT, &table, err) < 0)
		return -1;
	strings_split(&lines, text_string(&table), "\n");
	for (size_t i = 0; i < lines.count; i++)
		if (check_mount(devices, lines.item[i], err) < 0)
			return -1;
	return 0;
}

/* Calls a swap area by its path; absent /proc/swaps means a kernel without swap. */
static int check_swaps(const struct disk *disk, const struct devices *devices, struct error *err)
{
	_cleanup_text_ struct text table = {0};
	_cleanup_strings_ struct strings lines = {0};

	if (file_read("/proc/swaps", PROC_LIMIT, &table, NULL) < 0)
		return 0;
	strings_split(&lines, text_string(&table), "\n");
	for (size_t i = 1; i < lines.count; i++) {
		_cleanup_strings_ struct strings words = {0};
		_cleanup_free_ char *path = NULL;
		dev_t number;

		strings_split(&words, lines.item[i], " \t");
		if (words.count == 0)
			continue;
		path = unescape(words.item[0]);
		number = block_number(path);
		if ((number && devices_name(devices, number)) || string_equal(path, disk->path))
			return error_set(err, "%s is in use as swap: swapoff %s", path, path);
	}
	return 0;
}

/* "vg--a-root" is volume root of group "vg-a": a hyphen that belongs to a name is doubled. */
static char *volume_group(const char *dm_name)
{
	_cleanup_text_ struct text out = {0};

	for (const char *c = dm_name; *c; c++) {
		if (c[0] == '-' && c[1] != '-')
			break;
		if (c[0] == '-')
			c++;
		text_add_bytes(&out, c, 1);
	}
	return string_copy(text_string(&out));
}

static int error_dm(const char *name, const char *holder, struct error *err)
{
	_cleanup_free_ char *uuid = file_line("/sys/class/block/%s/dm/uuid", holder);
	_cleanup_free_ char *dm_name = file_line("/sys/class/block/%s/dm/name", holder);
	const char *mapped = dm_name ? dm_name : holder;
	_cleanup_free_ char *group = volume_group(mapped);

	if (uuid && has_prefix(uuid, "LVM-"))
		return error_set(
			err, "/dev/%s is used by LVM volume group %s (/dev/%s): vgchange -an %s",
			name, group, holder, group);
	if (uuid && has_prefix(uuid, "CRYPT-"))
		return error_set(err,
				 "/dev/%s is used by the encrypted volume %s (/dev/%s): "
				 "cryptsetup close %s",
				 name, mapped, holder, mapped);
	if (uuid && has_prefix(uuid, "mpath-"))
		return error_set(err,
				 "/dev/%s is a path of the multipath disk /dev/mapper/%s: name "
				 "that one, or multipath -f %s",
				 name, mapped, mapped);
	return error_set(err,
			 "/dev/%s is used by device-mapper volume %s (/dev/%s): dmsetup remove %s",
			 name, mapped, holder, mapped);
}

static int error_holder(const char *name, const char *holder, struct error *err)
{
	if (has_prefix(holder, "dm-"))
		return error_dm(name, holder, err);
	if (has_prefix(holder, "md"))
		return error_set(err,
				 "/dev/%s is part of the RAID array /dev/%s: mdadm --stop /dev/%s",
				 name, holder, holder);
	return error_set(err, "/dev/%s is used by /dev/%s: stop that first", name, holder);
}

static int check_holders(const struct devices *devices, struct error *err)
{
	for (size_t i = 0; i < devices->count; i++) {
		_cleanup_free_ char *path =
			string_format("/sys/class/block/%s/holders", devices->name[i]);
		_cleanup_closedir_ DIR *dir = opendir(path);
		struct dirent *entry;

		while (dir && (entry = readdir(dir)))
			if (entry->d_name[0] != '.')
				return error_holder(devices->name[i], entry->d_name, err);
	}
	return 0;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat of_a, of_b;

	return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

/* Whoever uses the loop device would see the file change under it; even an idle one caches. */
static int check_loops(const char *path, struct error *err)
{
	_cleanup_closedir_ DIR *dir = opendir("/sys/block");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *backing = NULL;

		if (!has_prefix(entry->d_name, "loop"))
			continue;
		backing = file_line("/sys/block/%s/loop/backing_file", entry->d_name);
		if (backing && is_same_file(backing, path))
			return error_set(err, "%s is attached to /dev/%s: losetup -d /dev/%s", path,
					 entry->d_name, entry->d_name);
	}
	return 0;
}

int target_find_holder(const struct disk *disk, struct error *err)
{
	_cleanup_(devices_release) struct devices devices = {0};

	if (disk->is_file) {
		if (check_swaps(disk, &devices, err) < 0)
			return -1;
		return check_loops(disk->path, err);
	}
	devices_find(disk, &devices);
	if (check_mounts(&devices, err) < 0 || check_swaps(disk, &devices, err) < 0)
		return -1;
	return check_holders(&devices, err);
}
