// SPDX-License-Identifier: GPL-3.0-or-later
/* guest_open_disk(): from a disk to a mounted tree, and back. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapt/guest_disk.h"
#include "adapt/guest_private.h"
#include "base/scope.h"

/* Where distributions that use btrfs keep their root; NULL is the default subvolume. */
static const char *const root_subvolumes[] = {NULL, "@", "root", "@rootfs"};

/* What is found where no Linux root is, in words that help. */
static const struct {
	const char *filesystem, *meaning;
} foreign[] = {
	{"crypto_LUKS", "is encrypted (LUKS): it cannot be read without its key"},
	{"BitLocker", "is encrypted (BitLocker): it cannot be read without its key"},
	{"linux_raid_member", "is a member of a software RAID (md), which v2p does not assemble"},
	{"isw_raid_member", "is a member of a firmware RAID (Intel), which v2p does not assemble"},
	{"ddf_raid_member", "is a member of a firmware RAID (DDF), which v2p does not assemble"},
	{"zfs_member", "belongs to a ZFS pool, which v2p does not read"},
	{"bcache", "is a bcache device, which v2p does not read"},
	{"ntfs", "looks like Windows: v2p adapts Linux only"},
	{"apfs", "looks like macOS: v2p adapts Linux only"},
};

struct root {
	const struct volume *volume;
	const char *subvolume;
};

int guest_isolate(struct error *err)
{
	if (geteuid() != 0)
		return error_set(err, "mounting needs root");
	if (unshare(CLONE_NEWNS) < 0)
		return error_sys(err, errno, "enter a mount namespace of its own");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_sys(err, errno, "make mounts private");
	return 0;
}

static int make_mount_point(struct guest *guest, struct error *err)
{
	char path[] = "/run/v2p-guest-XXXXXX";

	if (guest->root)
		return 0;
	if (!mkdtemp(path))
		return error_sys(err, errno, "make a mount point in /run");
	guest->root = string_copy(path);
	return 0;
}

static bool holds_linux(const char *path)
{
	struct guest look = {.root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	bool is_linux = look.root_fd >= 0 && guest_is_linux(&look);

	if (look.root_fd >= 0)
		close(look.root_fd);
	return is_linux;
}

/*
 * A dirty journal hides what was written last, on XFS whole directories. It is replayed where v2p
 * may write anyway, and in an image, whose files only seem to change (restore/source_overlay.h).
 */
static enum mount_mode look_mode(const struct guest *guest, enum guest_mode mode)
{
	return mode == GUEST_READ_WRITE || guest->image ? MOUNT_READ_ONLY : MOUNT_LOOK;
}

enum mount_mode guest_mount_mode(const struct guest *guest, enum guest_mode mode)
{
	return mode == GUEST_READ_WRITE ? MOUNT_READ_WRITE : look_mode(guest, mode);
}

static bool looks_like_root(const struct guest *guest, const struct volume *volume,
			    const char *subvolume, enum guest_mode mode, struct error *why_not)
{
	bool is_linux;

	if (volume_mount(volume, guest->root, look_mode(guest, mode), subvolume, why_not) < 0)
		return false;
	is_linux = holds_linux(guest->root);
	umount2(guest->root, MNT_DETACH);
	return is_linux;
}

/* why_not: set when the volume cannot be mounted at all; that a btrfs lacks a subvolume is usual.
 */
static bool find_subvolume(const struct guest *guest, const struct volume *volume,
			   enum guest_mode mode, const char **subvolume, struct error *why_not)
{
	size_t count =
		string_equal(volume->filesystem, "btrfs") ? array_length(root_subvolumes) : 1;

	for (size_t i = 0; i < count; i++) {
		*subvolume = root_subvolumes[i];
		if (looks_like_root(guest, volume, *subvolume, mode, i == 0 ? why_not : NULL))
			return true;
	}
	return false;
}

/* What the volume is that is no root, as a sentence; NULL when nothing is known. */
static char *foreign_meaning(const struct volume *volume)
{
	_cleanup_free_ char *name = volume_describe(volume);

	for (size_t i = 0; i < array_length(foreign) && volume->filesystem; i++)
		if (strcasecmp(foreign[i].filesystem, volume->filesystem) == 0)
			return string_format("%s %s", name, foreign[i].meaning);
	return NULL;
}

static int complain_none(const struct guest *guest, const struct volumes *volumes,
			 struct error *err)
{
	_cleanup_strings_ struct strings found = {0};
	_cleanup_free_ char *list = NULL, *meaning = NULL;

	if (volumes->damage.text)
		meaning = string_copy(volumes->damage.text);
	for (size_t i = 0; i < volumes->count; i++) {
		const struct volume *volume = &volumes->item[i];
		_cleanup_free_ char *name = volume_describe(volume);

		strings_addf(&found, "%s %s", name,
			     volume->filesystem ? volume->filesystem : "unknown");
		if (!meaning)
			meaning = foreign_meaning(volume);
	}
	list = strings_join(&found, ", ");
	return error_set(err, "no Linux system found on %s (%s)%s%s", guest_disk_name(guest),
			 found.count ? list : "there is no partition", meaning ? ": " : "",
			 meaning ? meaning : "");
}

/* Exactly one root, or an error that lists what is there. */
static int find_root(const struct guest *guest, struct volumes *volumes, enum guest_mode mode,
		     struct root *root, struct error *err)
{
	_cleanup_strings_ struct strings found = {0};
	_cleanup_free_ char *list = NULL;

	for (size_t i = 0; i < volumes->count; i++) {
		const struct volume *volume = &volumes->item[i];
		_cleanup_error_ struct error damage = {0};
		const char *subvolume;

		if (!filesystem_can_be_root(volume->filesystem))
			continue;
		if (find_subvolume(guest, volume, mode, &subvolume, &damage)) {
			_cleanup_free_ char *name = volume_describe(volume);

			strings_add(&found, name);
			*root = (struct root){volume, subvolume};
		} else if (damage.text && !volumes->damage.text) {
			error_move(&volumes->damage, &damage);
		}
	}
	if (found.count == 1)
		return 0;
	if (found.count == 0)
		return complain_none(guest, volumes, err);
	list = strings_join(&found, " and ");
	return error_set(err, "%s holds more than one Linux system: %s", guest_disk_name(guest),
			 list);
}

static int mount_root(struct guest *guest, const struct root *root, enum guest_mode mode,
		      struct error *err)
{
	if (volume_mount(root->volume, guest->root, guest_mount_mode(guest, mode), root->subvolume,
			 err) < 0)
		return error_in(err, "mount the guest's root");
	guest_add_mount(guest, root->volume, "/");
	guest->root_fd = open(guest->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (guest->root_fd < 0)
		return error_sys(err, errno, "open %s", guest->root);
	return 0;
}

static int sync_mounts(const struct guest *guest, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < guest->mount_count; i++) {
		_cleanup_close_ int fd =
			guest_resolve(guest, guest->mount[i].where, O_RDONLY | O_DIRECTORY);

		if (fd < 0 || syncfs(fd) < 0)
			r = error_sys(err, errno, "sync %s", guest->mount[i].device);
	}
	return r;
}

/* Everything is synced before, so that a lazy unmount has nothing left that could fail unseen. */
int guest_unmount(struct guest *guest, struct error *err)
{
	int r = 0;

	if (guest->root_fd >= 0) {
		r = sync_mounts(guest, err);
		close(guest->root_fd);
		guest->root_fd = -1;
	}
	if (guest->mount_count && umount2(guest->root, MNT_DETACH) < 0)
		r = error_sys(err, errno, "unmount %s", guest->root);
	if (guest->root)
		rmdir(guest->root);
	return r;
}

static int detach(struct guest *guest, struct error *err)
{
	int r = guest_unmount(guest, err);

	if (volumes_deactivate(guest, r ? NULL : err) < 0)
		r = -1;
	layout_release(&guest->layout);
	return r;
}

int guest_open_volumes(struct guest *guest, struct volumes *volumes, enum guest_mode mode,
		       struct error *err)
{
	struct root root = {0};

	if (make_mount_point(guest, err) < 0 || find_root(guest, volumes, mode, &root, err) < 0 ||
	    mount_root(guest, &root, mode, err) < 0 ||
	    guest_mount_fstab(guest, volumes, mode, err) < 0)
		return -1;
	return guest_inspect(guest, err);
}

static int open_disk(struct guest *guest, enum guest_mode mode, struct error *err)
{
	_cleanup_volumes_ struct volumes volumes = {0};

	if (guest_isolate(err) < 0 || layout_read(guest->disk, &guest->layout, err) < 0 ||
	    volumes_add_partitions(guest, mode, &volumes, err) < 0 ||
	    volumes_add_logical(guest, mode, &volumes, err) < 0)
		return -1;
	return guest_open_volumes(guest, &volumes, mode, err);
}

/* The kernel's name of a block device: partitions are called after that, and not after a link that
 * leads there (/dev/disk/by-id/…). Others as they are. */
static char *kernel_path(const char *disk)
{
	_cleanup_free_ char *real = realpath(disk, NULL);
	struct stat st;

	return real && stat(real, &st) == 0 && S_ISBLK(st.st_mode) ? steal(&real)
								   : string_copy(disk);
}

int guest_open_disk(const char *disk, enum guest_mode mode, struct guest *out, struct error *err)
{
	*out = (struct guest){.root_fd = -1, .disk = kernel_path(disk), .detach = detach};
	if (open_disk(out, mode, err) < 0) {
		guest_release(out);
		return error_in(err, "open the system on %s", disk);
	}
	return 0;
}
