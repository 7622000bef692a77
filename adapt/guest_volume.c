// SPDX-License-Identifier: GPL-3.0-or-later
/* Partitions as devices, and file systems as mounts. */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/loop.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "adapt/guest_disk.h"
#include "adapt/guest_private.h"
#include "base/file.h"
#include "base/scope.h"

enum { LOOP_TRIES = 32 }; /* another program may take the loop device that was free */

/* What v2p mounts. An unlisted file system of an image is not tried: its driver would be loaded. */
static const struct {
	const char *name;
	const char *options; /* always */
	const char *look;    /* so that nothing is written, not even a journal replayed */
	bool can_be_root;
} filesystems[] = {
	{"ext2", "", "", true},
	{"ext3", "", "noload", true},
	{"ext4", "", "noload", true},
	/* nouuid: the disk that an image was made of may be in the machine too. */
	{"xfs", "nouuid", "norecovery", true},
	{"btrfs", "", "rescue=nologreplay", true},
	{"vfat", "umask=0077", "", false},
};

struct volume *volumes_add(struct volumes *volumes)
{
	volumes->item = reallocarray(volumes->item, volumes->count + 1, sizeof(*volumes->item));
	if (!volumes->item)
		abort();
	volumes->item[volumes->count] = (struct volume){.loop_fd = -1};
	return &volumes->item[volumes->count++];
}

void volumes_release(struct volumes *volumes)
{
	for (size_t i = 0; i < volumes->count; i++) {
		struct volume *volume = &volumes->item[i];

		free(volume->device);
		free(volume->filesystem);
		free(volume->uuid);
		free(volume->label);
		free(volume->partuuid);
		free(volume->partlabel);
		free(volume->group);
		free(volume->name);
		if (volume->loop_fd >= 0)
			close(volume->loop_fd);
	}
	free(volumes->item);
	error_release(&volumes->damage);
	*volumes = (struct volumes){0};
}

static int configure_loop(const struct loop_config *config, char **device, struct error *err)
{
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		return error_sys(err, errno, "open /dev/loop-control");
	for (int i = 0; i < LOOP_TRIES; i++) {
		_cleanup_free_ char *path = NULL;
		_cleanup_close_ int fd = -1;
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		if (number < 0)
			return error_sys(err, errno, "find a free loop device");
		path = string_format("/dev/loop%d", number);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return error_sys(err, errno, "open %s", path);
		if (ioctl(fd, LOOP_CONFIGURE, config) == 0) {
			*device = steal(&path);
			return steal_fd(&fd);
		}
		if (errno != EBUSY)
			return error_sys(err, errno, "set up %s", path);
	}
	return error_set(err, "find a free loop device: others were faster %d times", LOOP_TRIES);
}

/* A loop device over a part of the file, which goes away with its last user. length 0: all. */
static int attach_loop(const char *path, uint64_t start, uint64_t length, enum guest_mode mode,
		       struct volume *volume, struct error *err)
{
	_cleanup_close_ int file =
		open(path, (mode == GUEST_READ_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	struct loop_config config = {.fd = (uint32_t)file};

	if (file < 0)
		return error_sys(err, errno, "open %s", path);
	config.info.lo_offset = start;
	config.info.lo_sizelimit = length;
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	if (mode == GUEST_READ_ONLY)
		config.info.lo_flags |= LO_FLAGS_READ_ONLY;
	volume->loop_fd = configure_loop(&config, &volume->device, err);
	return volume->loop_fd < 0 ? -1 : 0;
}

int volumes_add_file(const char *path, enum guest_mode mode, struct volumes *volumes,
		     struct volume **out, struct error *err)
{
	struct volume *volume = volumes_add(volumes);

	*out = volume;
	volume->device = string_copy(path);
	volume_probe(volume);
	if (!filesystem_is_supported(volume->filesystem))
		return 0;
	free(volume->device);
	volume->device = NULL;
	return attach_loop(path, 0, 0, mode, volume, err);
}

static char *copy_or_null(const char *string)
{
	return string ? string_copy(string) : NULL;
}

static bool is_block_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

/*
 * A kernel that still has the table from before the restore would have another part of the disk
 * mounted under this name, and written to. Its idea of the length may be older (growing goes on
 * with a warning): file systems know their own, and refuse a device that is shorter.
 */
static int check_start(const char *path, const struct partition *partition, struct error *err)
{
	_cleanup_free_ char *start = NULL;
	struct stat st;

	if (stat(path, &st) < 0)
		return error_sys(err, errno, "look at %s", path);
	start = file_line("/sys/dev/block/%u:%u/start", major(st.st_rdev), minor(st.st_rdev));
	/* In units of 512 bytes, whatever the disk's sectors are. */
	if (!start || strtoull(start, NULL, 10) * 512 == partition->start)
		return 0;
	return error_set(err,
			 "the kernel takes %s for another part of the disk than its partition "
			 "table says: restart the machine, then run v2p adapt on the disk",
			 path);
}

static int add_partition(const struct guest *guest, const struct partition *partition,
			 enum guest_mode mode, struct volumes *volumes, struct error *err)
{
	struct volume *volume = volumes_add(volumes);

	volume->partition = partition->number;
	volume->filesystem = copy_or_null(partition->filesystem);
	volume->uuid = copy_or_null(partition->uuid);
	volume->label = copy_or_null(partition->label);
	volume->partuuid = copy_or_null(partition->partuuid);
	volume->partlabel = copy_or_null(partition->name);
	volume->device = guest_partition_path(guest->disk, partition->number);
	if (is_block_device(volume->device))
		return partition->number ? check_start(volume->device, partition, err) : 0;
	if (!filesystem_is_supported(volume->filesystem))
		return 0;
	free(volume->device);
	volume->device = NULL;
	return attach_loop(guest->disk, partition->start, partition->length, mode, volume, err);
}

char *volume_describe(const struct volume *volume)
{
	if (volume->group)
		return string_format("the volume %s/%s", volume->group, volume->name);
	if (volume->partition &&
	    (!volume->device || !is_block_device(volume->device) || volume->loop_fd >= 0))
		return string_format("partition %d", volume->partition);
	if (volume->device && volume->loop_fd < 0)
		return string_copy(volume->device);
	return string_copy("the whole disk");
}

int volumes_add_partitions(const struct guest *guest, enum guest_mode mode, struct volumes *volumes,
			   struct error *err)
{
	for (size_t i = 0; i < guest->layout.count; i++) {
		const struct partition *partition = &guest->layout.partition[i];

		if (!partition->is_extended &&
		    add_partition(guest, partition, mode, volumes, err) < 0)
			return error_in(err, "partition %d of %s", partition->number,
					guest_disk_name(guest));
	}
	return 0;
}

bool filesystem_is_supported(const char *filesystem)
{
	for (size_t i = 0; i < array_length(filesystems); i++)
		if (string_equal(filesystems[i].name, filesystem))
			return true;
	return false;
}

bool filesystem_can_be_root(const char *filesystem)
{
	for (size_t i = 0; i < array_length(filesystems); i++)
		if (string_equal(filesystems[i].name, filesystem))
			return filesystems[i].can_be_root;
	return false;
}

static void add_option(struct text *options, const char *option)
{
	if (*option)
		text_addf(options, "%s%s", options->length ? "," : "", option);
}

static int complain_mount(const struct volume *volume, int number, struct error *err)
{
	_cleanup_free_ char *name = volume_describe(volume);

	if (number == ENODEV)
		return error_set(err, "mount %s: the kernel that runs here has no %s", name,
				 volume->filesystem);
	if (number == EEXIST)
		return error_set(err,
				 "mount %s (%s): a file system of the same UUID is in use on this "
				 "machine",
				 name, volume->filesystem);
	return error_sys(err, number, "mount %s (%s)", name, volume->filesystem);
}

/*
 * The kernel remembers where it has seen which btrfs, mounted or not, and refuses one of the same
 * UUID that is older: an image, beside the disk that it was restored to before.
 */
static int forget_btrfs(void)
{
	_cleanup_close_ int control = open("/dev/btrfs-control", O_RDWR | O_CLOEXEC);
	struct btrfs_ioctl_vol_args all = {0};

	return control < 0 ? -1 : ioctl(control, BTRFS_IOC_FORGET_DEV, &all);
}

static int mount_device(const struct volume *volume, const char *where, unsigned long flags,
			const char *options)
{
	int r = mount(volume->device, where, volume->filesystem, flags, options);

	if (r == 0 || errno != EEXIST || !string_equal(volume->filesystem, "btrfs"))
		return r;
	if (forget_btrfs() < 0) {
		errno = EEXIST;
		return -1;
	}
	return mount(volume->device, where, volume->filesystem, flags, options);
}

int volume_mount(const struct volume *volume, const char *where, enum mount_mode mode,
		 const char *subvolume, struct error *err)
{
	unsigned long flags = MS_NODEV | MS_NOSUID | (mode == MOUNT_READ_WRITE ? 0 : MS_RDONLY);
	_cleanup_text_ struct text options = {0};

	for (size_t i = 0; i < array_length(filesystems); i++) {
		if (!string_equal(filesystems[i].name, volume->filesystem))
			continue;
		add_option(&options, filesystems[i].options);
		if (mode == MOUNT_LOOK)
			add_option(&options, filesystems[i].look);
	}
	if (subvolume)
		text_addf(&options, "%ssubvol=%s", options.length ? "," : "", subvolume);
	if (mount_device(volume, where, flags, text_string(&options)) < 0)
		return complain_mount(volume, errno, err);
	return 0;
}
