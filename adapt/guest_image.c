// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/guest_image.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapt/guest_disk.h"
#include "adapt/guest_private.h"
#include "base/scope.h"
#include "restore/source_mount.h"
#include "restore/used_lvm.h"

enum { LOGICAL_LIMIT = 128 }; /* volumes; each may take a loop device */

struct guest_image {
	char *name;
	struct source_mount *mount;
};

/* A logical volume, as a file of the mount. */
struct logical {
	char *file, *group, *name;
};

struct logicals {
	struct logical *item;
	size_t count;
};

static void logicals_release(struct logicals *logicals)
{
	for (size_t i = 0; i < logicals->count; i++) {
		free(logicals->item[i].file);
		free(logicals->item[i].group);
		free(logicals->item[i].name);
	}
	free(logicals->item);
}

static void add_logical(struct logicals *logicals, struct logical logical)
{
	logicals->item = reallocarray(logicals->item, logicals->count + 1, sizeof(logical));
	if (!logicals->item)
		abort();
	logicals->item[logicals->count++] = logical;
}

/* Names of an image are no names of files: they are numbered. */
static int show_logical(struct guest_image *image, const struct used_lvm *lvm,
			const struct used_lvm_volume *volume, struct used_cache *cache,
			uint64_t start, struct logicals *logicals, struct error *err)
{
	_cleanup_(used_region_release) struct used_region region = {.cache = cache};
	struct logical logical;

	if (logicals->count == LOGICAL_LIMIT)
		return error_set(err, "it has more than %d volumes", LOGICAL_LIMIT);
	for (size_t i = 0; i < volume->segments; i++)
		if (!used_region_add(&region, start + volume->segment[i].offset,
				     volume->segment[i].length))
			return error_set(err, "the volume %s/%s ends behind the end of the disk",
					 lvm->group, volume->name);
	logical.file = string_format("volume-%zu", logicals->count);
	logical.group = string_copy(lvm->group);
	logical.name = string_copy(volume->name);
	source_mount_add(image->mount, logical.file, region.segment, region.segments);
	add_logical(logicals, logical);
	return 0;
}

/* The volumes of the group that the partition is all of. */
static int show_group(struct guest *guest, struct used_cache *cache,
		      const struct partition *partition, struct logicals *logicals,
		      struct error *err)
{
	_cleanup_(used_region_release) struct used_region region = {.cache = cache};
	_cleanup_used_lvm_ struct used_lvm lvm = {0};

	if (!used_region_add(&region, partition->start, partition->length))
		return error_set(err, "it ends behind the end of the disk");
	if (used_lvm_read(&region, &lvm, err) != USED_KNOWN)
		return -1;
	for (size_t i = 0; i < lvm.volumes; i++)
		if (show_logical(guest->image, &lvm, &lvm.volume[i], cache, partition->start,
				 logicals, err) < 0)
			return -1;
	strings_add_once(&guest->volume_groups, lvm.group);
	return 0;
}

/* What is not understood here may hold nothing that matters: it is said when no root is found. */
static void show_groups(struct guest *guest, struct source *source, struct logicals *logicals,
			struct error *damage)
{
	_cleanup_(used_cache_release) struct used_cache cache = {.source = source};

	for (size_t i = 0; i < guest->layout.count; i++) {
		const struct partition *partition = &guest->layout.partition[i];
		_cleanup_error_ struct error err = {0};

		if (!string_equal(partition->filesystem, "LVM2_member") ||
		    show_group(guest, &cache, partition, logicals, &err) == 0 || damage->text)
			continue;
		error_in(&err,
			 "partition %d belongs to LVM, and its volumes cannot be read without "
			 "restoring them",
			 partition->number);
		error_move(damage, &err);
	}
}

static int add_logicals(const struct guest *guest, const struct logicals *logicals,
			struct volumes *volumes, struct error *err)
{
	for (size_t i = 0; i < logicals->count; i++) {
		const struct logical *logical = &logicals->item[i];
		_cleanup_free_ char *path = source_mount_path(guest->image->mount, logical->file);
		struct volume *volume;

		if (volumes_add_file(path, GUEST_READ_WRITE, volumes, &volume, err) < 0)
			return error_in(err, "the volume %s/%s", logical->group, logical->name);
		volume->group = string_copy(logical->group);
		volume->name = string_copy(logical->name);
	}
	return 0;
}

/*
 * A journal on another disk, and a file system of several disks: the kernel would open those of
 * this machine that answer to the name, and replay onto them. Offsets: Documentation of ext4
 * (s_feature_compat, s_journal_dev), fs/btrfs/accessors.h (num_devices).
 */
enum {
	EXT_SUPER = 1024,
	EXT_FEATURE_COMPAT = EXT_SUPER + 0x5c,
	EXT_HAS_JOURNAL = 0x4,
	EXT_JOURNAL_DEVICE = EXT_SUPER + 0xe4,
	BTRFS_DEVICES = 65536 + 0x88,
};

static bool has_other_disks(const struct volume *volume, int fd)
{
	uint32_t features = 0, journal = 0;
	uint64_t devices = 1;

	if (has_prefix(volume->filesystem, "ext"))
		return pread(fd, &features, sizeof(features), EXT_FEATURE_COMPAT) < 0 ||
		       pread(fd, &journal, sizeof(journal), EXT_JOURNAL_DEVICE) < 0 ||
		       (le32toh(features) & EXT_HAS_JOURNAL && journal != 0);
	if (strcmp(volume->filesystem, "btrfs") == 0)
		return pread(fd, &devices, sizeof(devices), BTRFS_DEVICES) < 0 ||
		       le64toh(devices) != 1;
	return false;
}

static int check_alone(const struct volumes *volumes, struct error *err)
{
	for (size_t i = 0; i < volumes->count; i++) {
		const struct volume *volume = &volumes->item[i];
		_cleanup_close_ int fd = -1;

		if (!volume->filesystem)
			continue;
		fd = open(volume->device, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && has_other_disks(volume, fd))
			return error_set(err,
					 "the %s at %s has a part or its journal on another disk, "
					 "which is not in the image: it cannot be read there",
					 volume->filesystem, volume->device);
	}
	return 0;
}

static int open_image(struct guest *guest, struct source *source, struct error *err)
{
	_cleanup_(logicals_release) struct logicals logicals = {0};
	_cleanup_volumes_ struct volumes volumes = {0};

	if (guest_isolate(err) < 0 || layout_read_source(source, &guest->layout, err) < 0)
		return -1;
	guest->image->mount = source_mount_new(source);
	show_groups(guest, source, &logicals, &volumes.damage);
	if (source_mount_start(guest->image->mount, err) < 0)
		return -1;
	guest->disk = source_mount_path(guest->image->mount, SOURCE_MOUNT_DISK);
	guest->root = string_copy(source_mount_room(guest->image->mount));
	/* Journals are replayed into memory. */
	if (volumes_add_partitions(guest, GUEST_READ_WRITE, &volumes, err) < 0 ||
	    add_logicals(guest, &logicals, &volumes, err) < 0 || check_alone(&volumes, err) < 0)
		return -1;
	return guest_open_volumes(guest, &volumes, GUEST_READ_ONLY, err);
}

static int detach(struct guest *guest, struct error *err)
{
	struct guest_image *image = guest->image;
	int r = guest_unmount(guest, err);

	if (image->mount && source_mount_check(image->mount, err) < 0)
		r = error_in(err, "not all of %s could be read", image->name);
	source_mount_close(image->mount);
	layout_release(&guest->layout);
	free(image->name);
	free(image);
	guest->image = NULL;
	return r;
}

int guest_explain(const struct guest *guest, struct error *err)
{
	if (guest->image && err && err->number == EIO)
		source_mount_check(guest->image->mount, err);
	return -1;
}

const char *guest_disk_name(const struct guest *guest)
{
	return guest->image ? guest->image->name : guest->disk;
}

static int refuse_stream(const struct source *source, struct error *err)
{
	return error_set(
		err,
		"%s can only be read from its beginning to its end (%s): the system inside "
		"it can be read when it is unpacked, or restored",
		source->name, source->ops->name);
}

int guest_open_image(struct source *source, struct guest *out, struct error *err)
{
	*out = (struct guest){.root_fd = -1};
	if (source->is_stream)
		return refuse_stream(source, err);
	out->detach = detach;
	out->image = calloc(1, sizeof(*out->image));
	if (!out->image)
		abort();
	out->image->name = string_copy(source->name);
	if (open_image(out, source, err) == 0)
		return 0;
	/* The image's own reason in place of what the kernel made of it. */
	if (out->image->mount)
		source_mount_check(out->image->mount, err);
	guest_release(out);
	return error_in(err, "open the system in %s", source->name);
}
