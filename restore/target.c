// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/process.h"
#include "base/report.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/layout.h"
#include "restore/target_holder.h"

enum {
	FILE_ALIGNMENT = 4096, /* enough for O_DIRECT on every file system of today */
	REREAD_SECONDS = 10,   /* how long somebody may keep the disk busy */
	/* For what a program that was killed has under way in the kernel: it keeps the disk until
	 * that has ended, and must, or it would be written over what follows. */
	RELEASE_SECONDS = 3,
	NODES_SECONDS = 20, /* until every partition has its node */
	POLL_MS = 100,
};

static void pause_ms(long milliseconds)
{
	const struct timespec time = {.tv_sec = milliseconds / 1000,
				      .tv_nsec = milliseconds % 1000 * 1000000};

	nanosleep(&time, NULL);
}

int target_check(const struct disk *disk, struct error *err)
{
	if (disk->read_only)
		return error_set(err, "%s is read-only", disk->path);
	if (!disk->is_file && disk->size == 0)
		return error_set(err, "%s has no medium", disk->path);
	return target_find_holder(disk, err);
}

/* A typing error in a disk's name must not fill the memory file system at /dev. */
static int create_file(const char *path, uint64_t size, struct error *err)
{
	_cleanup_close_ int fd = -1;

	if (size == 0 || has_prefix(path, "/dev/"))
		return error_set(err, "%s does not exist", path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return error_sys(err, errno, "create %s", path);
	if (ftruncate(fd, (off_t)size) < 0) {
		error_sys(err, errno, "make %s %llu bytes long", path, (unsigned long long)size);
		unlink(path);
		return -1;
	}
	return 0;
}

static int open_failed(const struct disk *disk, int number, struct error *err)
{
	if (number == EBUSY)
		return error_set(err,
				 "%s is in use: the kernel keeps it for somebody (a mount in "
				 "another name space, RAID, LVM, multipath); see lsblk %s",
				 disk->path, disk->path);
	return error_sys(err, number, "open %s for writing", disk->path);
}

static int open_patiently(const char *path, int flags)
{
	double end = clock_seconds() + RELEASE_SECONDS;
	int fd;

	while ((fd = open(path, flags)) < 0 && errno == EBUSY && clock_seconds() < end)
		pause_ms(POLL_MS);
	return fd;
}

/* O_DIRECT keeps half a disk of dirty pages out of a small machine's memory; where the file system
 * has none, the page cache must do. */
static int open_both(struct target *target, struct error *err)
{
	const struct disk *disk = &target->disk;
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (disk->is_file ? 0 : O_EXCL);

	target->fd = open_patiently(disk->path, flags | O_DIRECT);
	target->direct = target->fd >= 0;
	if (target->fd < 0 && errno == EINVAL)
		target->fd = open(disk->path, flags);
	if (target->fd < 0)
		return open_failed(disk, errno, err);
	target->plain_fd = open(disk->path, flags & ~O_EXCL);
	if (target->plain_fd < 0)
		return open_failed(disk, errno, err);
	target->alignment = disk->is_file ? FILE_ALIGNMENT : disk->logical_sector;
	return 0;
}

/* The name may have changed its meaning between the checks and the opening. */
static int check_identity(const struct target *target, struct error *err)
{
	int fds[] = {target->fd, target->plain_fd};

	for (size_t i = 0; i < array_length(fds); i++) {
		struct stat status;

		if (fstat(fds[i], &status) < 0)
			return error_sys(err, errno, "look at %s", target->disk.path);
		if (target->disk.is_file ? !S_ISREG(status.st_mode)
					 : status.st_rdev != target->disk.device)
			return error_set(err, "%s became another disk while it was opened",
					 target->disk.path);
	}
	return 0;
}

static int lock_file(const struct target *target, struct error *err)
{
	double end = clock_seconds() + RELEASE_SECONDS;

	while (flock(target->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return error_sys(err, errno, "lock %s", target->disk.path);
		if (clock_seconds() > end)
			return error_set(err, "%s is locked: another program writes to it",
					 target->disk.path);
		pause_ms(POLL_MS);
	}
	return 0;
}

static int open_checked(const char *path, struct target *out, struct error *err)
{
	if (disk_describe(path, &out->disk, err) < 0 || target_check(&out->disk, err) < 0)
		return -1;
	if (open_both(out, err) < 0 || check_identity(out, err) < 0)
		return -1;
	/* Not on devices: udev waits for that lock before it looks at the partitions. O_EXCL
	 * keeps others away there. */
	return out->disk.is_file ? lock_file(out, err) : 0;
}

int target_open(const char *path, uint64_t create_size, struct target *out, struct error *err)
{
	_cleanup_target_ struct target target = {.fd = -1, .plain_fd = -1};
	struct stat status;

	*out = (struct target){.fd = -1, .plain_fd = -1};
	if (stat(path, &status) < 0 && errno == ENOENT && create_file(path, create_size, err) < 0)
		return -1;
	if (open_checked(path, &target, err) < 0)
		return -1;
	*out = target;
	target = (struct target){.fd = -1, .plain_fd = -1};
	return 0;
}

int target_flush(struct target *target, struct error *err)
{
	/* Both descriptors are the same file: one call covers what either wrote. */
	if (fsync(target->fd) < 0)
		return error_sys(err, errno, "flush %s", target->disk.path);
	return 0;
}

/* 1: the device has no partition scanning (loop, device-mapper). udev and others open the disk for
 * moments: busy is asked again. */
static int ask_reread(struct target *target, struct error *err)
{
	double end = clock_seconds() + REREAD_SECONDS;
	int number;

	while (ioctl(target->fd, BLKRRPART) < 0) {
		number = errno;
		if (number == EINVAL)
			return 1;
		if (number != EBUSY || clock_seconds() > end)
			return error_sys(err, number,
					 "make the kernel read the partition table of %s",
					 target->disk.path);
		pause_ms(POLL_MS);
	}
	return 0;
}

static int wait_for_node(const char *path, double end, struct error *err)
{
	struct stat status;

	while (stat(path, &status) < 0 || !S_ISBLK(status.st_mode)) {
		if (clock_seconds() > end)
			return error_set(err, "%s did not appear within %d s", path, NODES_SECONDS);
		pause_ms(POLL_MS);
	}
	return 0;
}

/* A rescue system without udev has its nodes from devtmpfs: nothing to wait for then. */
static void udev_settle(void)
{
	static const char *const argv[] = {"udevadm", "settle", "--timeout=20", NULL};
	_cleanup_process_result_ struct process_result result = {0};

	if (access("/run/udev/control", F_OK) == 0)
		process_run(&(struct process){.argv = argv, .timeout_ms = 30000}, &result, NULL);
}

int target_reread(struct target *target, struct error *err)
{
	_cleanup_layout_ struct layout layout = {0};
	double end;
	int r;

	if (target->disk.is_file)
		return 0;
	r = ask_reread(target, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (layout_read(target->disk.path, &layout, err) < 0)
		return -1;
	end = clock_seconds() + NODES_SECONDS;
	for (size_t i = 0; i < layout.count; i++) {
		_cleanup_free_ char *path = NULL;

		if (layout.partition[i].number == 0)
			continue;
		path = disk_partition_path(target->disk.path, layout.partition[i].number);
		if (wait_for_node(path, end, err) < 0)
			return -1;
	}
	udev_settle();
	return 0;
}

/* A zeroed target has no path: its descriptors 0 are somebody else's. */
void target_close(struct target *target)
{
	if (!target || !target->disk.path)
		return;
	scope_close(&target->fd);
	scope_close(&target->plain_fd);
	disk_release(&target->disk);
	*target = (struct target){.fd = -1, .plain_fd = -1};
}
