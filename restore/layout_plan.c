// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/layout.h"

#define MIB (1ULL << 20)
/* MBR counts sectors in 32 bits. */
#define MBR_SECTORS UINT32_MAX

enum { GPT_RESERVE = 1 << 20 }; /* bytes left behind the last partition for the backup GPT */

static uint64_t partition_end(const struct partition *partition)
{
	return partition->start + partition->length;
}

static int check_partition(const struct layout *image, const struct partition *partition,
			   struct error *err)
{
	if (partition->length == 0)
		return error_set(err, "the image's partition %d is empty", partition->number);
	if (partition->start > image->disk_size ||
	    partition->length > image->disk_size - partition->start)
		return error_set(err,
				 "the image's partition %d ends past the image's end at %llu: the "
				 "image was cut short",
				 partition->number, (unsigned long long)image->disk_size);
	return 0;
}

/* An extended partition holds its logical ones; everything else stands side by side. */
static bool may_overlap(const struct partition *a, const struct partition *b)
{
	return (a->is_extended && b->is_logical) || (b->is_extended && a->is_logical);
}

static int check_overlap(const struct partition *a, const struct partition *b, struct error *err)
{
	if (may_overlap(a, b) || a->start >= partition_end(b) || b->start >= partition_end(a))
		return 0;
	return error_set(err, "the image's partitions %d and %d overlap", a->number, b->number);
}

static int check_table(const struct layout *image, struct error *err)
{
	for (size_t i = 0; i < image->count; i++) {
		if (check_partition(image, &image->partition[i], err) < 0)
			return -1;
		for (size_t j = 0; j < i; j++)
			if (check_overlap(&image->partition[j], &image->partition[i], err) < 0)
				return -1;
	}
	return 0;
}

int layout_check(const struct layout *image, uint64_t disk_size, uint32_t logical_sector,
		 struct error *err)
{
	if (image->disk_size > disk_size) {
		_cleanup_free_ char *of_image = size_format(image->disk_size);
		_cleanup_free_ char *of_disk = size_format(disk_size);

		return error_set(err,
				 "the image is larger than the disk: %s (%llu bytes) do not fit on "
				 "%s (%llu bytes); choose a larger disk, or shrink the image first",
				 of_image, (unsigned long long)image->disk_size, of_disk,
				 (unsigned long long)disk_size);
	}
	if (image->table && logical_sector && image->sector_size != logical_sector)
		return error_set(
			err,
			"the image's partition table counts in sectors of %u bytes, the "
			"disk in sectors of %u: it would not be found there; choose a disk "
			"with sectors of %u bytes",
			image->sector_size, logical_sector, image->sector_size);
	return check_table(image, err);
}

static const struct partition *last_partition(const struct layout *image)
{
	const struct partition *last = NULL;

	for (size_t i = 0; i < image->count; i++) {
		const struct partition *partition = &image->partition[i];

		if (partition->is_extended)
			continue;
		if (!last || partition_end(partition) > partition_end(last))
			last = partition;
	}
	return last;
}

/* The extended partition, when it is the one that limits the last. */
static const struct partition *find_extended(const struct layout *image)
{
	for (size_t i = 0; i < image->count; i++)
		if (image->partition[i].is_extended)
			return &image->partition[i];
	return NULL;
}

/* Kinds that v2p grows (why NULL), and why it leaves others alone. */
static const struct {
	const char *filesystem, *why_not;
} kinds[] = {
	{"ext4", NULL},
	{"ext3", NULL},
	{"ext2", NULL},
	{"LVM2_member", NULL},
	{"swap", "is swap space, which needs no more room"},
	{"xfs", "holds xfs, which grows only while it is mounted (xfs_growfs)"},
	{"btrfs", "holds btrfs, which grows only while it is mounted"},
	{"crypto_LUKS", "is encrypted: what is inside cannot be grown from outside"},
	{"linux_raid_member", "is a RAID member, which does not grow on its own"},
	{"vfat", "holds FAT, which is not grown"},
	{"ntfs", "holds NTFS, which is not grown"},
};

static char *why_not_kind(const struct layout *image, const struct partition *partition)
{
	const char *filesystem = partition->filesystem;

	if (!filesystem && image->is_partial)
		return string_format("what the last partition (%d) holds shows only when the "
				     "image has been read, which is a stream",
				     partition->number);
	if (!filesystem)
		return string_format("the last partition (%d) holds nothing that is known",
				     partition->number);
	for (size_t i = 0; i < array_length(kinds); i++) {
		if (!string_equal(kinds[i].filesystem, filesystem))
			continue;
		if (!kinds[i].why_not)
			return NULL;
		return string_format("the last partition (%d) %s", partition->number,
				     kinds[i].why_not);
	}
	return string_format("the last partition (%d) holds %s, which is not grown",
			     partition->number, filesystem);
}

/* The place where the last partition may end, a multiple of 1 MiB. */
static uint64_t usable_end(const struct layout *image, uint64_t disk_size, bool *is_limited)
{
	uint64_t end = disk_size, limit = MBR_SECTORS * (uint64_t)image->sector_size;

	*is_limited = false;
	if (string_equal(image->table, "gpt")) {
		end = disk_size > GPT_RESERVE ? disk_size - GPT_RESERVE : 0;
	} else if (end > limit) {
		end = limit;
		*is_limited = true;
	}
	return end / MIB * MIB;
}

static char *why_no_room(uint64_t disk_size, uint64_t image_size, bool is_limited)
{
	if (is_limited)
		return string_copy("an MBR partition table ends at 2 TiB: nothing behind that can "
				   "be used without a GPT");
	if (disk_size == image_size)
		return string_copy("the disk is exactly as large as the image");
	return string_copy("the disk is hardly larger than the image");
}

static void plan_last(const struct layout *image, const struct partition *last, uint64_t disk_size,
		      struct growth *out)
{
	const struct partition *extended = last->is_logical ? find_extended(image) : NULL;
	bool is_limited;
	uint64_t end = usable_end(image, disk_size, &is_limited);

	out->why_not = why_not_kind(image, last);
	if (out->why_not)
		return;
	if (disk_size == image->disk_size || end < partition_end(last) + MIB) {
		out->why_not = why_no_room(disk_size, image->disk_size, is_limited);
		return;
	}
	out->partition = last->number;
	out->container = extended ? extended->number : 0;
	out->partition_from = last->length;
	out->partition_to = end - last->start;
	out->filesystem = string_copy(last->filesystem);
	if (is_limited)
		out->why_not = string_copy("an MBR partition table ends at 2 TiB: the rest of the "
					   "disk stays unused");
}

int layout_plan_growth(const struct layout *image, uint64_t disk_size, struct growth *out,
		       struct error *err)
{
	const struct partition *last = last_partition(image), *extended = find_extended(image);

	*out = (struct growth){0};
	if (disk_size < image->disk_size)
		return error_set(err, "the disk is smaller than the image");
	if (!image->table) {
		out->why_not = string_copy("the image has no partition table");
		return 0;
	}
	if (!string_equal(image->table, "gpt") && !string_equal(image->table, "msdos")) {
		out->why_not = string_format("a %s partition table is not edited", image->table);
		return 0;
	}
	out->moves_backup_gpt = string_equal(image->table, "gpt") && disk_size > image->disk_size;
	if (!last)
		out->why_not = string_copy("the image has no partition that could grow");
	else if (extended && !last->is_logical && partition_end(extended) > partition_end(last))
		out->why_not = string_format("the last partition (%d) is an empty extended one",
					     extended->number);
	else
		plan_last(image, last, disk_size, out);
	return 0;
}

json_object *growth_json(const struct growth *growth)
{
	json_object *out = json_object_new_object();

	json_object_object_add(out, "moves-backup-gpt",
			       json_object_new_boolean(growth->moves_backup_gpt));
	if (growth->partition) {
		json_object_object_add(out, "partition", json_object_new_int(growth->partition));
		json_object_object_add(out, "from", json_object_new_uint64(growth->partition_from));
		json_object_object_add(out, "to", json_object_new_uint64(growth->partition_to));
	}
	if (growth->container)
		json_object_object_add(out, "container", json_object_new_int(growth->container));
	if (growth->filesystem)
		json_object_object_add(out, "filesystem",
				       json_object_new_string(growth->filesystem));
	if (growth->why_not)
		json_object_object_add(out, "why-not", json_object_new_string(growth->why_not));
	return out;
}

void growth_release(struct growth *growth)
{
	if (!growth)
		return;
	free(growth->filesystem);
	free(growth->why_not);
	*growth = (struct growth){0};
}
