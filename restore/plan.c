// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/scope.h"
#include "restore/target.h"

static int count_extents(struct source *source, struct plan *plan, struct error *err)
{
	uint64_t offset = 0;

	while (offset < source->size) {
		struct extent extent;

		if (source_extent(source, offset, source->size - offset, &extent, err) < 0)
			return -1;
		if (extent.kind == EXTENT_DATA)
			plan->data_bytes += extent.length;
		else
			plan->zero_bytes += extent.length;
		offset += extent.length;
	}
	return 0;
}

/* A regular file that is not there yet becomes a disk of the image's size. */
static void describe_new_file(const char *path, uint64_t size, struct disk *disk)
{
	*disk = (struct disk){
		.path = string_copy(path),
		.name = string_copy(path),
		.transport = string_copy("file"),
		.size = size,
		.logical_sector = 512,
		.physical_sector = 512,
		.is_file = true,
	};
}

static int find_disk(const char *disk_or_rule, struct plan *plan, struct error *err)
{
	struct disks disks = {0};
	int r;

	if (!disk_is_rule(disk_or_rule)) {
		if (access(disk_or_rule, F_OK) == 0 || has_prefix(disk_or_rule, "/dev/"))
			return disk_describe(disk_or_rule, &plan->disk, err);
		/* "sda" and "smalest" are typing errors, not files that somebody wants. */
		if (!strpbrk(disk_or_rule, "/."))
			return error_set(err,
					 "'%s' is neither a rule nor a file that exists: a disk is "
					 "named as /dev/%s, a file that is to be made as ./%s",
					 disk_or_rule, disk_or_rule, disk_or_rule);
		describe_new_file(disk_or_rule, plan->image_size, &plan->disk);
		plan->creates_file = true;
		return 0;
	}
	if (disks_list(&disks, err) < 0)
		return -1;
	r = disk_choose(&disks, disk_or_rule, &plan->disk, err);
	disks_release(&disks);
	return r;
}

static bool is_image_itself(const struct source *source, const struct disk *disk)
{
	struct stat image, target;

	if (!source->file || source->file->fd < 0 || fstat(source->file->fd, &image) < 0 ||
	    stat(disk->path, &target) < 0)
		return false;
	if (S_ISBLK(image.st_mode) && S_ISBLK(target.st_mode))
		return image.st_rdev == target.st_rdev;
	return image.st_dev == target.st_dev && image.st_ino == target.st_ino;
}

/* A partition lies in its disk's directory of sysfs. */
static bool is_image_part_of(const struct source *source, const struct disk *disk)
{
	_cleanup_free_ char *link = NULL, *place = NULL;
	struct stat image;

	if (!disk->sysfs || !source->file || source->file->fd < 0 ||
	    fstat(source->file->fd, &image) < 0 || !S_ISBLK(image.st_mode))
		return false;
	link = string_format("/sys/dev/block/%u:%u", major(image.st_rdev), minor(image.st_rdev));
	place = realpath(link, NULL);
	return place && has_prefix(place, disk->sysfs) && place[strlen(disk->sysfs)] == '/';
}

/* Before the image's tables are read: those of a hostile image can be as long as the disk that it
 * claims to be, and a real one that does not fit is refused at once. */
static int check_size(const struct source *source, const struct plan *plan, struct error *err)
{
	const struct layout bare = {.disk_size = source->size};

	if (layout_check(&bare, plan->disk.size, 0, err) < 0)
		return error_in(err, "restore %s to %s", source->name, plan->disk.path);
	return 0;
}

static int plan_disk(struct source *source, struct plan *plan, struct error *err)
{
	/* A file has no sectors of its own: it takes any table. */
	uint32_t sector = plan->disk.is_file ? 0 : plan->disk.logical_sector;

	if (is_image_itself(source, &plan->disk))
		return error_set(err,
				 "%s is the image itself: name the disk to "
				 "write to",
				 plan->disk.path);
	if (is_image_part_of(source, &plan->disk))
		return error_set(err,
				 "the image %s is a part of %s, which would be overwritten: copy "
				 "it elsewhere first",
				 source->name, plan->disk.path);
	if (!plan->creates_file && target_check(&plan->disk, err) < 0)
		return -1;
	if (layout_check(&plan->layout, plan->disk.size, sector, err) < 0)
		return error_in(err, "restore %s to %s", source->name, plan->disk.path);
	return layout_plan_growth(&plan->layout, plan->disk.size, &plan->growth, err);
}

int plan_make(struct source *source, const char *disk_or_rule, struct plan *out, struct error *err)
{
	_cleanup_plan_ struct plan plan = {0};

	plan.image_size = source->size;
	if (source_is_being_written(source))
		return error_set(err,
				 "%s is in use by a running virtual machine: shut that down, or "
				 "make a copy of a snapshot first",
				 source->name);
	if (find_disk(disk_or_rule, &plan, err) < 0 || check_size(source, &plan, err) < 0 ||
	    source_check(source, err) < 0)
		return -1;
	plan.image = source_describe(source);
	if (count_extents(source, &plan, err) < 0)
		return -1;
	if (layout_read_source(source, &plan.layout, err) < 0)
		return -1;
	if (plan_disk(source, &plan, err) < 0)
		return -1;
	if (!plan.layout.table)
		strings_add(&plan.warnings,
			    "the image has no partition table: nothing in it is grown");
	if (plan.growth.why_not && plan.disk.size > plan.image_size)
		strings_addf(&plan.warnings, "the disk's additional space stays unused: %s",
			     plan.growth.why_not);
	*out = plan;
	plan = (struct plan){0};
	return 0;
}

static bool can_hold_root(const struct partition *partition)
{
	static const char *const kinds[] = {"ext2", "ext3", "ext4", "xfs", "btrfs", "LVM2_member"};

	for (size_t i = 0; partition->filesystem && i < array_length(kinds); i++)
		if (strcmp(partition->filesystem, kinds[i]) == 0)
			return true;
	return false;
}

static int check_root(const struct plan *plan, struct error *err)
{
	_cleanup_text_ struct text found = {0};

	for (size_t i = 0; i < plan->layout.count; i++) {
		const struct partition *p = &plan->layout.partition[i];

		if (can_hold_root(p))
			return 0;
		if (p->filesystem)
			text_addf(&found, "%s%s on partition %d", found.length ? ", " : "",
				  p->filesystem, p->number);
	}
	return error_set(err,
			 "the image holds no file system that v2p finds a Linux system in "
			 "(ext2/3/4, xfs, btrfs or LVM; found: %s): v2p adapts Linux only, and "
			 "encrypted or RAID roots are not supported yet; --no-adapt restores the "
			 "bytes as they are",
			 found.length ? text_string(&found) : "nothing that is known");
}

static int check_firmware(const struct plan *plan, enum plan_firmware firmware, struct error *err)
{
	bool has_esp = false, has_bios_boot = false;
	bool is_gpt = string_equal(plan->layout.table, "gpt");

	for (size_t i = 0; i < plan->layout.count; i++) {
		has_esp |= plan->layout.partition[i].is_esp;
		has_bios_boot |= plan->layout.partition[i].is_bios_boot;
	}
	if (firmware == PLAN_FIRMWARE_UEFI && !has_esp)
		return error_set(err, "the image was installed for BIOS (it has no EFI system "
				      "partition) and this machine was started by UEFI: switch its "
				      "firmware to legacy boot (CSM) and start the rescue medium "
				      "again, or restore the bytes as they are with --no-adapt");
	if (firmware == PLAN_FIRMWARE_BIOS && is_gpt && has_esp && !has_bios_boot)
		return error_set(err,
				 "the image was installed for UEFI (its table is GPT without a "
				 "BIOS boot partition) and this machine was started by BIOS: "
				 "switch its firmware to UEFI and start the rescue medium again, "
				 "or restore the bytes as they are with --no-adapt");
	return 0;
}

int plan_check_adaptable(const struct plan *plan, enum plan_firmware firmware, struct error *err)
{
	if (check_root(plan, err) < 0)
		return -1;
	return check_firmware(plan, firmware, err);
}

json_object *plan_json(const struct plan *plan)
{
	json_object *out = json_object_new_object();
	json_object *warnings = json_object_new_array();

	for (size_t i = 0; i < plan->warnings.count; i++)
		json_object_array_add(warnings, json_object_new_string(plan->warnings.item[i]));
	json_object_object_add(out, "image", json_object_get(plan->image));
	json_object_object_add(out, "data-bytes", json_object_new_int64((int64_t)plan->data_bytes));
	json_object_object_add(out, "zero-bytes", json_object_new_int64((int64_t)plan->zero_bytes));
	json_object_object_add(out, "layout", layout_json(&plan->layout));
	json_object_object_add(out, "disk", disk_json(&plan->disk));
	json_object_object_add(out, "creates-file", json_object_new_boolean(plan->creates_file));
	json_object_object_add(out, "growth", growth_json(&plan->growth));
	json_object_object_add(out, "warnings", warnings);
	return out;
}

void plan_render(const struct plan *plan, struct text *out)
{
	_cleanup_free_ char *image_size = size_format(plan->image_size);
	_cleanup_free_ char *data = size_format(plan->data_bytes);
	_cleanup_free_ char *zeroes = size_format(plan->zero_bytes);
	_cleanup_free_ char *disk_size = size_format(plan->disk.size);
	const struct growth *growth = &plan->growth;

	text_add(out, "Plan\n");
	text_addf(out, "  image   %s (%s, %s): %s of data, %s of zeroes\n",
		  json_object_get_string(json_object_object_get(plan->image, "path")),
		  json_object_get_string(json_object_object_get(plan->image, "format")), image_size,
		  data, zeroes);
	text_addf(out, "  disk    %s (%s%s%s%s%s): everything on it is overwritten\n",
		  plan->disk.path, disk_size, plan->disk.model ? ", " : "",
		  plan->disk.model ? plan->disk.model : "", plan->disk.serial ? ", serial " : "",
		  plan->disk.serial ? plan->disk.serial : "");
	if (growth->moves_backup_gpt)
		text_add(out, "  table   the backup GPT moves to the end of the disk\n");
	if (growth->partition) {
		_cleanup_free_ char *from = size_format(growth->partition_from);
		_cleanup_free_ char *to = size_format(growth->partition_to);

		text_addf(out, "  grow    partition %d from %s to %s%s%s\n", growth->partition,
			  from, to, growth->filesystem ? ", with its " : "",
			  growth->filesystem ? growth->filesystem : "");
	}
	for (size_t i = 0; i < plan->warnings.count; i++)
		text_addf(out, "  warning %s\n", plan->warnings.item[i]);
}

void plan_release(struct plan *plan)
{
	if (!plan)
		return;
	json_object_put(plan->image);
	layout_release(&plan->layout);
	disk_release(&plan->disk);
	growth_release(&plan->growth);
	strings_release(&plan->warnings);
	*plan = (struct plan){0};
}
