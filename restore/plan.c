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
#include "restore/used_blocks.h"
#include "restore/write.h"

static int count_extents(struct source *source, struct plan *plan, struct error *err)
{
	uint64_t offset = 0;

	while (offset < source->size) {
		struct extent extent;

		if (source_extent(source, offset, source->size - offset, &extent, err) < 0)
			return -1;
		if (extent.kind == EXTENT_DATA)
			plan->data_bytes += extent.length;
		else if (extent.kind == EXTENT_ZERO)
			plan->zero_bytes += extent.length;
		else
			plan->unused_bytes += extent.length;
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

static int find_by_path(const char *path, const struct plan *plan, struct plan_target *target,
			struct error *err)
{
	if (access(path, F_OK) == 0 || has_prefix(path, "/dev/"))
		return disk_describe(path, &target->disk, err);
	/* "sda" and "smalest" are typing errors, not files that somebody wants. */
	if (!strpbrk(path, "/."))
		return error_set(err,
				 "'%s' is neither a rule nor a file that exists: a disk is "
				 "named as /dev/%s, a file that is to be made as ./%s",
				 path, path, path);
	describe_new_file(path, plan->image_size, &target->disk);
	target->creates_file = true;
	return 0;
}

static int find_elsewhere(const char *disk_or_rule, const struct disks *elsewhere,
			  struct plan_target *target, struct error *err)
{
	target->is_elsewhere = true;
	if (disk_is_rule(disk_or_rule))
		return disk_choose(elsewhere, disk_or_rule, &target->disk, err);
	for (size_t i = 0; i < elsewhere->count; i++) {
		if (!string_equal(elsewhere->item[i].path, disk_or_rule))
			continue;
		disk_copy(&elsewhere->item[i], &target->disk);
		return 0;
	}
	return error_set(err, "the machine that --hardware describes has no disk %s", disk_or_rule);
}

static int find_disk(const char *disk_or_rule, const struct disks *elsewhere,
		     const struct plan *plan, struct plan_target *target, struct error *err)
{
	struct disks disks = {0};
	int r;

	if (elsewhere && (disk_is_rule(disk_or_rule) || has_prefix(disk_or_rule, "/dev/")))
		return find_elsewhere(disk_or_rule, elsewhere, target, err);
	if (!disk_is_rule(disk_or_rule))
		return find_by_path(disk_or_rule, plan, target, err);
	if (disks_list(&disks, err) < 0)
		return -1;
	r = disk_choose(&disks, disk_or_rule, &target->disk, err);
	disks_release(&disks);
	return r;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat first, second;

	if (strcmp(a, b) == 0)
		return true;
	if (stat(a, &first) < 0 || stat(b, &second) < 0)
		return false;
	if (S_ISBLK(first.st_mode) && S_ISBLK(second.st_mode))
		return first.st_rdev == second.st_rdev;
	return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

static int find_disks(const struct strings *names, const struct disks *elsewhere, struct plan *plan,
		      struct error *err)
{
	if (names->count > WRITE_TARGETS)
		return error_set(err, "%zu disks are named: at most %d are written at once",
				 names->count, WRITE_TARGETS);
	plan->target = calloc(names->count + 1, sizeof(*plan->target));
	if (!plan->target)
		abort();
	for (size_t i = 0; i < names->count; i++) {
		struct plan_target *target = &plan->target[plan->target_count++];

		if (find_disk(names->item[i], elsewhere, plan, target, err) < 0)
			return -1;
		for (size_t k = 0; k < i; k++)
			if (is_same_file(plan->target[k].disk.path, target->disk.path))
				return error_set(err, "%s is named twice, as '%s' and as '%s'",
						 target->disk.path, names->item[k], names->item[i]);
	}
	return 0;
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
static int check_sizes(const struct source *source, const struct plan *plan, struct error *err)
{
	const struct layout bare = {.disk_size = source->size};

	for (size_t i = 0; i < plan->target_count; i++)
		if (layout_check(&bare, plan->target[i].disk.size, 0, err) < 0)
			return error_in(err, "restore %s to %s", source->name,
					plan->target[i].disk.path);
	return 0;
}

static int check_target(const struct source *source, const struct plan_target *target,
			struct error *err)
{
	const struct disk *disk = &target->disk;

	if (target->is_elsewhere)
		return 0;
	if (is_image_itself(source, disk))
		return error_set(err, "%s is the image itself: name the disk to write to",
				 disk->path);
	if (is_image_part_of(source, disk))
		return error_set(err,
				 "the image %s is a part of %s, which would be overwritten: copy "
				 "it elsewhere first",
				 source->name, disk->path);
	return target->creates_file ? 0 : target_check(disk, err);
}

/* For people; a table that nobody understands is as good as none. */
static void look_at_present(struct plan_target *target)
{
	if (target->is_elsewhere || target->creates_file)
		return;
	if (layout_read(target->disk.path, &target->present, NULL) < 0)
		layout_release(&target->present);
}

static int plan_target(struct source *source, const struct plan *plan, struct plan_target *target,
		       struct error *err)
{
	const struct disk *disk = &target->disk;
	/* A file has no sectors of its own: it takes any table. */
	uint32_t sector = disk->is_file ? 0 : disk->logical_sector;

	if (check_target(source, target, err) < 0)
		return -1;
	if (layout_check(&plan->layout, disk->size, sector, err) < 0)
		return error_in(err, "restore %s to %s", source->name, disk->path);
	look_at_present(target);
	return layout_plan_growth(&plan->layout, disk->size, &target->growth, err);
}

static int plan_image(struct source *source, enum plan_blocks blocks, struct plan *plan,
		      struct error *err)
{
	plan->image = source_describe(source);
	if (layout_read_source(source, &plan->layout, err) < 0)
		return -1;
	if (source->is_stream)
		return 0;
	if (blocks == PLAN_USED_BLOCKS && !source->used &&
	    used_blocks_find(source, &plan->layout, &source->used, err) < 0)
		return -1;
	if (source->used)
		plan->used_blocks = used_blocks_json(source->used);
	return count_extents(source, plan, err);
}

static void plan_warn(struct plan *plan)
{
	if (plan->is_stream)
		strings_add(&plan->warnings,
			    "the image is read as a stream: how large it is and what its "
			    "partitions hold shows only while it is written");
	else if (!plan->layout.table)
		strings_add(&plan->warnings,
			    "the image has no partition table: nothing in it is grown");
	for (size_t i = 0; i < plan->target_count; i++)
		if (plan->target[i].growth.why_not && plan->target[i].disk.size > plan->image_size)
			strings_addf(&plan->warnings, "the additional space of %s stays unused: %s",
				     plan->target[i].disk.path, plan->target[i].growth.why_not);
}

int plan_make(struct source *source, const struct strings *disks, const struct disks *elsewhere,
	      enum plan_blocks blocks, struct plan *out, struct error *err)
{
	_cleanup_plan_ struct plan plan = {0};

	plan.image_size = source->size;
	plan.is_stream = source->is_stream;
	if (source_is_being_written(source))
		return error_set(err,
				 "%s is in use by a running virtual machine: shut that down, or "
				 "make a copy of a snapshot first",
				 source->name);
	if (find_disks(disks, elsewhere, &plan, err) < 0 || check_sizes(source, &plan, err) < 0 ||
	    source_check(source, err) < 0 || plan_image(source, blocks, &plan, err) < 0)
		return -1;
	for (size_t i = 0; i < plan.target_count; i++)
		if (plan_target(source, &plan, &plan.target[i], err) < 0)
			return -1;
	plan_warn(&plan);
	*out = plan;
	plan = (struct plan){0};
	return 0;
}

int plan_complete(struct plan *plan, struct plan_target *target, struct error *err)
{
	_cleanup_layout_ struct layout found = {0};
	struct growth growth = {0};

	if (!plan->is_stream)
		return 0;
	if (layout_read(target->disk.path, &found, err) < 0)
		return -1;
	/* The table is the image's, and knows nothing of the disk's end. */
	found.disk_size = plan->image_size;
	if (layout_plan_growth(&found, target->disk.size, &growth, err) < 0)
		return -1;
	growth_release(&target->growth);
	target->growth = growth;
	layout_release(&plan->layout);
	plan->layout = found;
	found = (struct layout){0};
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

int plan_check_root(const struct plan *plan, struct error *err)
{
	_cleanup_text_ struct text found = {0};

	/* What cannot be seen yet shows when the disk was written. */
	if (plan->layout.is_partial)
		return 0;
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

int plan_check_firmware(const struct plan *plan, enum plan_firmware firmware, struct error *err)
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

static json_object *targets_json(const struct plan *plan)
{
	json_object *out = json_object_new_array();

	for (size_t i = 0; i < plan->target_count; i++) {
		const struct plan_target *target = &plan->target[i];
		json_object *entry = json_object_new_object();

		json_object_object_add(entry, "disk", disk_json(&target->disk));
		json_object_object_add(entry, "creates-file",
				       json_object_new_boolean(target->creates_file));
		json_object_object_add(entry, "present-layout",
				       target->present.disk_size ? layout_json(&target->present)
								 : NULL);
		json_object_object_add(entry, "growth", growth_json(&target->growth));
		json_object_array_add(out, entry);
	}
	return out;
}

static void add_bytes(json_object *out, const char *name, const struct plan *plan, uint64_t bytes)
{
	json_object_object_add(out, name, plan->is_stream ? NULL : json_object_new_uint64(bytes));
}

json_object *plan_json(const struct plan *plan)
{
	json_object *out = json_object_new_object();
	json_object *warnings = json_object_new_array();

	for (size_t i = 0; i < plan->warnings.count; i++)
		json_object_array_add(warnings, json_object_new_string(plan->warnings.item[i]));
	json_object_object_add(out, "image", json_object_get(plan->image));
	add_bytes(out, "data-bytes", plan, plan->data_bytes);
	add_bytes(out, "zero-bytes", plan, plan->zero_bytes);
	add_bytes(out, "unused-bytes", plan, plan->unused_bytes);
	json_object_object_add(out, "used-blocks", json_object_get(plan->used_blocks));
	json_object_object_add(out, "layout", layout_json(&plan->layout));
	json_object_object_add(out, "targets", targets_json(plan));
	json_object_object_add(out, "warnings", warnings);
	return out;
}

void plan_release(struct plan *plan)
{
	if (!plan)
		return;
	json_object_put(plan->image);
	json_object_put(plan->used_blocks);
	layout_release(&plan->layout);
	for (size_t i = 0; i < plan->target_count; i++) {
		disk_release(&plan->target[i].disk);
		layout_release(&plan->target[i].present);
		growth_release(&plan->target[i].growth);
	}
	free(plan->target);
	strings_release(&plan->warnings);
	*plan = (struct plan){0};
}
