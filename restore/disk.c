// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/disk.h"

#include <ctype.h>
#include <errno.h>
#include <libudev.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/text.h"

enum {
	FILE_LOGICAL_SECTOR = 512,
	FILE_PHYSICAL_SECTOR = 4096,
	VPD_LIMIT = 4096, /* a SCSI vital product data page is at most this long in practice */
};

static void udev_releasep(struct udev **udev)
{
	udev_unref(*udev);
}
static void udev_device_releasep(struct udev_device **device)
{
	udev_device_unref(*device);
}
static void udev_enumerate_releasep(struct udev_enumerate **list)
{
	udev_enumerate_unref(*list);
}
#define _cleanup_udev_ _cleanup_(udev_releasep)
#define _cleanup_udev_device_ _cleanup_(udev_device_releasep)
#define _cleanup_udev_enumerate_ _cleanup_(udev_enumerate_releasep)

/* What a disk says of itself is printed: nothing but printable ASCII, NULL when nothing is left. */
static char *printable(const char *string)
{
	_cleanup_free_ char *copy = NULL;
	char *trimmed;

	if (!string)
		return NULL;
	copy = string_copy(string);
	for (char *c = copy; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = isspace((unsigned char)*c) ? ' ' : '?';
	trimmed = string_trim(copy);
	return *trimmed ? string_copy(trimmed) : NULL;
}

/* udev's *_ENC values hold \xHH where a character is not plain. */
static char *decode(const char *string)
{
	_cleanup_text_ struct text out = {0};

	if (!string)
		return NULL;
	while (*string) {
		unsigned int code;

		if (string[0] == '\\' && string[1] == 'x' &&
		    sscanf(string + 2, "%2x", &code) == 1 && string[2] && string[3]) {
			text_add_bytes(&out, &(char){(char)code}, 1);
			string += 4;
		} else {
			text_add_bytes(&out, string++, 1);
		}
	}
	return printable(text_string(&out));
}

static char *property(struct udev_device *device, const char *const *names)
{
	for (; *names; names++) {
		char *value = printable(udev_device_get_property_value(device, *names));

		if (value)
			return value;
	}
	return NULL;
}

static char *attribute(const char *sysfs, const char *const *names)
{
	for (; *names; names++) {
		_cleanup_free_ char *line = file_line("%s/%s", sysfs, *names);
		char *value = printable(line);

		if (value)
			return value;
	}
	return NULL;
}

static uint64_t attribute_number(const char *sysfs, const char *name)
{
	_cleanup_free_ char *line = file_line("%s/%s", sysfs, name);

	return line ? strtoull(line, NULL, 10) : 0;
}

static char *find_model(struct udev_device *device, const char *sysfs)
{
	char *model = decode(udev_device_get_property_value(device, "ID_MODEL_ENC"));

	if (!model)
		model = property(device, (const char *const[]){"ID_MODEL", NULL});
	if (!model)
		model = attribute(sysfs,
				  (const char *const[]){"device/model", "device/name", NULL});
	return model;
}

/* The unit serial number page (SPC-5, 7.7.18): four bytes of header, then the text. */
static char *vpd_serial(const char *sysfs)
{
	_cleanup_free_ char *path = string_format("%s/device/vpd_pg80", sysfs);
	_cleanup_text_ struct text page = {0};
	_cleanup_free_ char *serial = NULL;
	size_t length;

	if (file_read(path, VPD_LIMIT, &page, NULL) < 0 || page.length < 4)
		return NULL;
	length = (size_t)((uint8_t)page.data[2] << 8 | (uint8_t)page.data[3]);
	if (length > page.length - 4)
		length = page.length - 4;
	serial = strndup(page.data + 4, length);
	return printable(serial);
}

/* What is printed on the disk comes before what the bus derives from it, as in lsblk. */
static char *find_serial(struct udev_device *device, const char *sysfs)
{
	char *serial =
		property(device, (const char *const[]){"ID_SCSI_SERIAL", "ID_SERIAL_SHORT", NULL});

	if (!serial)
		serial = attribute(sysfs, (const char *const[]){"serial", "device/serial", NULL});
	if (!serial)
		serial = vpd_serial(sysfs);
	return serial;
}

static char *find_wwn(struct udev_device *device, const char *sysfs)
{
	char *wwn =
		property(device, (const char *const[]){"ID_WWN_WITH_EXTENSION", "ID_WWN", NULL});
	char *hexadecimal;

	if (!wwn)
		wwn = attribute(sysfs, (const char *const[]){"wwid", "device/wwid", NULL});
	if (!wwn)
		return NULL;
	if (has_prefix(wwn, "naa.")) {
		hexadecimal = string_format("0x%s", wwn + strlen("naa."));
		free(wwn);
		return hexadecimal;
	}
	/* A vendor string is no world wide name. */
	if (has_prefix(wwn, "t10.")) {
		free(wwn);
		return NULL;
	}
	return wwn;
}

static char *find_transport(struct udev_device *device, const char *sysfs, const char *name)
{
	static const struct {
		const char *name_prefix, *bus, *in_path, *transport;
	} rows[] = {
		{"nvme", NULL, NULL, "nvme"},      {"mmcblk", NULL, NULL, "mmc"},
		{"vd", NULL, NULL, "virtio"},      {"xvd", NULL, NULL, "xen"},
		{"loop", NULL, NULL, "loop"},      {"nbd", NULL, NULL, "nbd"},
		{"dm-", NULL, NULL, "dm"},         {"md", NULL, NULL, "md"},
		{NULL, "usb", NULL, "usb"},        {NULL, NULL, "/usb", "usb"},
		{NULL, NULL, "/virtio", "virtio"}, {NULL, "ata", NULL, "sata"},
		{NULL, NULL, "/ata", "sata"},      {"sd", NULL, NULL, "scsi"},
	};
	const char *bus = udev_device_get_property_value(device, "ID_BUS");

	for (size_t i = 0; i < array_length(rows); i++) {
		if (rows[i].name_prefix && !has_prefix(name, rows[i].name_prefix))
			continue;
		if (rows[i].bus && !string_equal(bus, rows[i].bus))
			continue;
		if (rows[i].in_path && !strstr(sysfs, rows[i].in_path))
			continue;
		return string_copy(rows[i].transport);
	}
	return printable(bus);
}

/* Lower is better: names that follow the disk wherever it is plugged in. */
static int by_id_rank(const char *link)
{
	static const char *const order[] = {"wwn-", "nvme-", "ata-", "scsi-", ""};
	const char *name = link + strlen("/dev/disk/by-id/");
	int rank = 0;

	while (!has_prefix(name, order[rank]))
		rank++;
	return rank;
}

static char *find_by_id(struct udev_device *device)
{
	struct udev_list_entry *entry;
	const char *best = NULL;

	udev_list_entry_foreach (entry, udev_device_get_devlinks_list_entry(device)) {
		const char *link = udev_list_entry_get_name(entry);
		int difference;

		if (!has_prefix(link, "/dev/disk/by-id/"))
			continue;
		difference = best ? by_id_rank(link) - by_id_rank(best) : -1;
		if (difference < 0 || (difference == 0 && strcmp(link, best) < 0))
			best = link;
	}
	return best ? string_copy(best) : NULL;
}

/* udev makes several for one port, the older ones with more of the address than the port has. */
static char *find_by_path(struct udev_device *device)
{
	struct udev_list_entry *entry;
	const char *best = NULL;

	udev_list_entry_foreach (entry, udev_device_get_devlinks_list_entry(device)) {
		const char *link = udev_list_entry_get_name(entry);
		int difference;

		if (!has_prefix(link, "/dev/disk/by-path/"))
			continue;
		difference = best ? (int)strlen(link) - (int)strlen(best) : -1;
		if (difference < 0 || (difference == 0 && strcmp(link, best) < 0))
			best = link;
	}
	return best ? string_copy(best) : NULL;
}

static int describe_device(struct udev_device *device, struct disk *out, struct error *err)
{
	const char *sysfs = udev_device_get_syspath(device);
	const char *node = udev_device_get_devnode(device);
	const char *name = udev_device_get_sysname(device);

	if (!node)
		return error_set(err, "%s has no device node", name);
	*out = (struct disk){
		.path = string_copy(node),
		.name = string_copy(name),
		.model = find_model(device, sysfs),
		.serial = find_serial(device, sysfs),
		.wwn = find_wwn(device, sysfs),
		.transport = find_transport(device, sysfs, name),
		.by_id = find_by_id(device),
		.by_path = find_by_path(device),
		.sysfs = string_copy(sysfs),
		.device = udev_device_get_devnum(device),
		.size = attribute_number(sysfs, "size") * 512,
		.logical_sector = (uint32_t)attribute_number(sysfs, "queue/logical_block_size"),
		.physical_sector = (uint32_t)attribute_number(sysfs, "queue/physical_block_size"),
		.rotational = attribute_number(sysfs, "queue/rotational") != 0,
		.removable = attribute_number(sysfs, "removable") != 0,
		.read_only = attribute_number(sysfs, "ro") != 0,
	};
	if (!out->logical_sector)
		out->logical_sector = 512;
	if (!out->physical_sector)
		out->physical_sector = out->logical_sector;
	return 0;
}

static int describe_block(const char *path, dev_t number, struct disk *out, struct error *err)
{
	_cleanup_udev_ struct udev *udev = udev_new();
	_cleanup_udev_device_ struct udev_device *device =
		udev ? udev_device_new_from_devnum(udev, 'b', number) : NULL;
	struct udev_device *parent;

	if (!device)
		return error_set(err, "%s: the kernel knows no block device %u:%u", path,
				 major(number), minor(number));
	if (string_equal(udev_device_get_devtype(device), "partition")) {
		parent = udev_device_get_parent(device);
		return error_set(err, "%s is a partition: name the whole disk%s%s", path,
				 parent ? ", " : "", parent ? udev_device_get_devnode(parent) : "");
	}
	return describe_device(device, out, err);
}

static int describe_file(const char *path, const struct stat *status, struct disk *out,
			 struct error *err)
{
	_cleanup_free_ char *real = realpath(path, NULL);

	if (!real)
		return error_sys(err, errno, "resolve %s", path);
	*out = (struct disk){
		.path = string_copy(real),
		.name = string_copy(path),
		.transport = string_copy("file"),
		.size = (uint64_t)status->st_size,
		.logical_sector = FILE_LOGICAL_SECTOR,
		.physical_sector = FILE_PHYSICAL_SECTOR,
		.read_only = access(path, W_OK) < 0,
		.is_file = true,
	};
	return 0;
}

int disk_describe(const char *path, struct disk *out, struct error *err)
{
	struct stat status;

	*out = (struct disk){0};
	if (stat(path, &status) < 0)
		return error_sys(err, errno, "disk %s", path);
	if (S_ISBLK(status.st_mode))
		return describe_block(path, status.st_rdev, out, err);
	if (S_ISREG(status.st_mode))
		return describe_file(path, &status, out, err);
	return error_set(err, "%s is neither a disk nor a regular file", path);
}

/* Block devices that are made of other things, or of nothing. */
static bool is_candidate(struct udev_device *device, const struct disk *disk)
{
	static const char *const others[] = {"ram", "zram", "dm-", "md", "sr", "fd", "mtdblock"};

	if (!string_equal(udev_device_get_devtype(device), "disk") || disk->size == 0)
		return false;
	for (size_t i = 0; i < array_length(others); i++)
		if (has_prefix(disk->name, others[i]))
			return false;
	/* The boot areas of an eMMC are disks of their own: they hold firmware. */
	if (has_prefix(disk->name, "mmcblk") && strstr(disk->name, "boot"))
		return false;
	return !string_equal(udev_device_get_property_value(device, "ID_TYPE"), "cd");
}

static int compare_disks(const void *a, const void *b)
{
	return strverscmp(((const struct disk *)a)->name, ((const struct disk *)b)->name);
}

static void disks_add(struct disks *disks, struct disk *disk)
{
	disks->item = reallocarray(disks->item, disks->count + 1, sizeof(*disks->item));
	if (!disks->item)
		abort();
	disks->item[disks->count++] = *disk;
	*disk = (struct disk){0};
}

int disks_list(struct disks *out, struct error *err)
{
	_cleanup_udev_ struct udev *udev = udev_new();
	_cleanup_udev_enumerate_ struct udev_enumerate *list =
		udev ? udev_enumerate_new(udev) : NULL;
	struct udev_list_entry *entry;

	*out = (struct disks){0};
	if (!list || udev_enumerate_add_match_subsystem(list, "block") < 0 ||
	    udev_enumerate_scan_devices(list) < 0)
		return error_set(err, "list the block devices of this machine: libudev gave up");
	udev_list_entry_foreach (entry, udev_enumerate_get_list_entry(list)) {
		_cleanup_udev_device_ struct udev_device *device =
			udev_device_new_from_syspath(udev, udev_list_entry_get_name(entry));
		_cleanup_disk_ struct disk disk = {0};

		/* A disk that is pulled out in between is no disk. */
		if (device && describe_device(device, &disk, NULL) == 0 &&
		    is_candidate(device, &disk))
			disks_add(out, &disk);
	}
	if (out->count)
		qsort(out->item, out->count, sizeof(*out->item), compare_disks);
	return 0;
}

char *disk_label(const struct disk *disk)
{
	_cleanup_free_ char *size = size_format(disk->size);

	return string_format("%s (%s%s%s%s%s)", disk->path, size, disk->model ? ", " : "",
			     disk->model ? disk->model : "", disk->serial ? ", serial " : "",
			     disk->serial ? disk->serial : "");
}

char *disk_partition_path(const char *path, int number)
{
	size_t length = strlen(path);
	bool ends_in_digit = length && isdigit((unsigned char)path[length - 1]);

	return string_format("%s%s%d", path, ends_in_digit ? "p" : "", number);
}

json_object *disk_json(const struct disk *disk)
{
	json_object *out = json_object_new_object();

	json_object_object_add(out, "path", json_string_or_null(disk->path));
	json_object_object_add(out, "name", json_string_or_null(disk->name));
	json_object_object_add(out, "model", json_string_or_null(disk->model));
	json_object_object_add(out, "serial", json_string_or_null(disk->serial));
	json_object_object_add(out, "wwn", json_string_or_null(disk->wwn));
	json_object_object_add(out, "transport", json_string_or_null(disk->transport));
	json_object_object_add(out, "by-id", json_string_or_null(disk->by_id));
	json_object_object_add(out, "by-path", json_string_or_null(disk->by_path));
	json_object_object_add(out, "hangs-on", json_string_or_null(disk->hangs_on));
	json_object_object_add(out, "sysfs", json_string_or_null(disk->sysfs));
	json_object_object_add(out, "size", json_object_new_uint64(disk->size));
	json_object_object_add(out, "logical-sector", json_object_new_int64(disk->logical_sector));
	json_object_object_add(out, "physical-sector",
			       json_object_new_int64(disk->physical_sector));
	json_object_object_add(out, "rotational", json_object_new_boolean(disk->rotational));
	json_object_object_add(out, "removable", json_object_new_boolean(disk->removable));
	json_object_object_add(out, "read-only", json_object_new_boolean(disk->read_only));
	return out;
}

static char *copy_or_null(const char *string)
{
	return string ? string_copy(string) : NULL;
}

/* udev may know one of two only at the later moment. */
static bool contradicts(const char *a, const char *b)
{
	return a && b && strcmp(a, b) != 0;
}

bool disk_is_same(const struct disk *a, const struct disk *b)
{
	return a->is_file == b->is_file && a->device == b->device && a->size == b->size &&
	       string_equal(a->sysfs, b->sysfs) && !contradicts(a->serial, b->serial) &&
	       !contradicts(a->wwn, b->wwn);
}

void disk_copy(const struct disk *disk, struct disk *out)
{
	*out = *disk;
	out->path = copy_or_null(disk->path);
	out->name = copy_or_null(disk->name);
	out->model = copy_or_null(disk->model);
	out->serial = copy_or_null(disk->serial);
	out->wwn = copy_or_null(disk->wwn);
	out->transport = copy_or_null(disk->transport);
	out->by_id = copy_or_null(disk->by_id);
	out->by_path = copy_or_null(disk->by_path);
	out->hangs_on = copy_or_null(disk->hangs_on);
	out->sysfs = copy_or_null(disk->sysfs);
}

void disk_release(struct disk *disk)
{
	if (!disk)
		return;
	free(disk->path);
	free(disk->name);
	free(disk->model);
	free(disk->serial);
	free(disk->wwn);
	free(disk->transport);
	free(disk->by_id);
	free(disk->by_path);
	free(disk->hangs_on);
	free(disk->sysfs);
	*disk = (struct disk){0};
}

void disks_release(struct disks *disks)
{
	if (!disks)
		return;
	for (size_t i = 0; i < disks->count; i++)
		disk_release(&disks->item[i]);
	free(disks->item);
	*disks = (struct disks){0};
}
