// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <parted/parted.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/layout.h"

enum {
	BOOT_CODE = 446, /* boot code, disk signature, reserved: all before the MBR's entries */
	EDIT_SECONDS = 120,
	STALE_END = 1 << 20, /* bytes of the new space's end that are zeroed */
	MESSAGE_LIMIT = 64 << 10,
};

struct edit {
	const char *path;
	const struct layout *before;
	const struct growth *growth;
};

/* libparted's handler has no context pointer. Set in the child process alone. */
static struct error *exception_error;

/*
 * Never asks. FIX is offered for a backup GPT that is not at the end of the disk, which is what
 * is to be mended. A warning is ignored, a damaged copy of the GPT is replaced from the good one
 * (OK); everything else ends the edit with libparted's own words. What came out is compared
 * afterwards in any case.
 */
static PedExceptionOption answer(PedException *exception)
{
	static const PedExceptionOption answers[] = {PED_EXCEPTION_FIX, PED_EXCEPTION_IGNORE,
						     PED_EXCEPTION_OK};

	error_set(exception_error, "libparted: %s", exception->message);
	for (size_t i = 0; i < array_length(answers); i++) {
		if (answers[i] == PED_EXCEPTION_IGNORE && exception->type > PED_EXCEPTION_WARNING)
			continue;
		if (exception->options & answers[i])
			return answers[i];
	}
	return exception->options & PED_EXCEPTION_CANCEL ? PED_EXCEPTION_CANCEL
							 : PED_EXCEPTION_UNHANDLED;
}

static void device_releasep(PedDevice **device)
{
	if (*device)
		ped_device_destroy(*device);
}
static void disk_releasep(PedDisk **disk)
{
	if (*disk)
		ped_disk_destroy(*disk);
}
static void constraint_releasep(PedConstraint **constraint)
{
	if (*constraint)
		ped_constraint_destroy(*constraint);
}

/* libparted's message is in err already, when it had one. */
static int parted_failed(struct error *err, const char *what)
{
	if (!err->text)
		error_set(err, "libparted gave up");
	return error_in(err, "%s", what);
}

/* A file's sectors are 512 bytes to libparted, whatever its table counts in. */
static void set_sector_size(PedDevice *device, const struct layout *layout)
{
	if (device->type != PED_DEVICE_FILE)
		return;
	device->sector_size = device->phys_sector_size = layout->sector_size;
	device->length = (PedSector)(layout->disk_size / layout->sector_size);
}

/* Moves the end of a partition; its start stays. */
static int set_length(PedDisk *disk, int number, PedSector end, struct error *err)
{
	PedPartition *partition = ped_disk_get_partition(disk, number);
	_cleanup_(constraint_releasep) PedConstraint *exact = NULL;
	PedGeometry geometry;

	if (!partition)
		return error_set(err, "partition %d is not there", number);
	if (!ped_geometry_init(&geometry, disk->dev, partition->geom.start,
			       end - partition->geom.start))
		return parted_failed(err, "describe the new partition");
	exact = ped_constraint_exact(&geometry);
	if (!exact ||
	    !ped_disk_set_partition_geom(disk, partition, exact, geometry.start, geometry.end))
		return parted_failed(err, "set the new end of the partition");
	return 0;
}

static int set_lengths(PedDisk *disk, const struct edit *edit, struct error *err)
{
	const struct growth *growth = edit->growth;
	const struct partition *last = layout_find(edit->before, growth->partition);
	PedSector end;

	if (!growth->partition)
		return 0;
	end = (PedSector)((last->start + growth->partition_to) / edit->before->sector_size);
	if (growth->container && set_length(disk, growth->container, end, err) < 0)
		return -1;
	return set_length(disk, growth->partition, end, err);
}

static int edit_table(const struct edit *edit, struct error *err)
{
	_cleanup_(device_releasep) PedDevice *device = NULL;
	_cleanup_(disk_releasep) PedDisk *disk = NULL;

	exception_error = err;
	ped_exception_set_handler(answer);
	device = ped_device_get(edit->path);
	if (!device)
		return parted_failed(err, "open the disk");
	set_sector_size(device, edit->before);
	disk = ped_disk_new(device);
	if (!disk)
		return parted_failed(err, "read the table");
	if (set_lengths(disk, edit, err) < 0)
		return -1;
	/* Not ped_disk_commit(): the kernel is told by target_reread(). */
	if (!ped_disk_commit_to_dev(disk))
		return parted_failed(err, "write the table");
	return 0;
}

static void __attribute__((noreturn)) child_main(const struct edit *edit, int fd)
{
	struct error err = {0};
	int status = 0;

	/* libparted prints its last words when it aborts; they belong into the message. */
	dup2(fd, STDERR_FILENO);
	alarm(EDIT_SECONDS);
	if (edit_table(edit, &err) < 0) {
		status = 1;
		dprintf(fd, "%s", error_text(&err));
	}
	_exit(status);
}

static int wait_for_child(pid_t pid, int fd, struct error *err)
{
	_cleanup_text_ struct text message = {0};
	int status = 0;

	file_read_fd(fd, "pipe", MESSAGE_LIMIT, &message, NULL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_sys(err, errno, "wait for libparted");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return error_set(err, "libparted died of signal %d (%s): %s", WTERMSIG(status),
				 strsignal(WTERMSIG(status)), text_string(&message));
	return error_set(err, "%s", text_string(&message));
}

/* libparted asserts what a hostile table can break, and its handler is global: both stay in a
 * process of their own. */
static int edit_apart(const struct edit *edit, struct error *err)
{
	_cleanup_close_ int reader = -1;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_sys(err, errno, "make a pipe");
	reader = fds[0];
	pid = fork();
	if (pid == 0)
		child_main(edit, fds[1]);
	close(fds[1]);
	if (pid < 0)
		return error_sys(err, errno, "start a process");
	return wait_for_child(pid, reader, err);
}

/* libparted puts a boot program of its own where it finds none, and makes up a signature where that
 * is 0: what the image brought is put back. */
static int keep_boot_code(const char *path, const uint8_t *before, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t now[BOOT_CODE];

	if (fd < 0)
		return error_sys(err, errno, "open %s", path);
	if (read_exactly(fd, path, now, sizeof(now), 0, err) < 0)
		return -1;
	if (memcmp(now, before, sizeof(now)) != 0 &&
	    write_exactly(fd, path, before, sizeof(now), 0, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return error_sys(err, errno, "flush %s", path);
	return 0;
}

static int read_boot_code(const char *path, uint8_t *out, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, errno, "open %s", path);
	return read_exactly(fd, path, out, BOOT_CODE, 0, err);
}

static uint64_t expected_length(const struct partition *before, const struct layout *layout,
				const struct growth *growth)
{
	const struct partition *last;

	if (growth->partition && before->number == growth->partition)
		return growth->partition_to;
	if (!growth->container || before->number != growth->container)
		return before->length;
	last = layout_find(layout, growth->partition);
	return last->start + growth->partition_to - before->start;
}

static bool is_same_identity(const struct partition *a, const struct partition *b)
{
	return a->start == b->start && string_equal(a->type, b->type) &&
	       string_equal(a->name, b->name) && string_equal(a->partuuid, b->partuuid) &&
	       a->bootable == b->bootable;
}

static int compare(const struct layout *before, const struct layout *after,
		   const struct growth *growth, struct error *err)
{
	if (before->count != after->count || !string_equal(before->table, after->table) ||
	    !string_equal(before->disk_id, after->disk_id))
		return error_set(err, "the table changed its identity");
	for (size_t i = 0; i < before->count; i++) {
		const struct partition *old = &before->partition[i];
		const struct partition *new = layout_find(after, old->number);
		uint64_t length = expected_length(old, before, growth);

		if (!new || !is_same_identity(old, new))
			return error_set(err, "partition %d changed more than its length",
					 old->number);
		if (new->length != length)
			return error_set(err, "partition %d has %llu bytes instead of %llu",
					 old->number, (unsigned long long)new->length,
					 (unsigned long long)length);
	}
	return 0;
}

/* The plan was made from the image; the disk must still hold just that. */
static int check_plan(const struct layout *layout, const struct growth *growth, struct error *err)
{
	const struct partition *last;

	if (layout_check(layout, layout->disk_size, 0, err) < 0)
		return -1;
	if (!growth->partition)
		return 0;
	last = layout_find(layout, growth->partition);
	if (!last || last->length != growth->partition_from ||
	    (growth->container && !layout_find(layout, growth->container)))
		return error_set(err, "partition %d is not as the plan found it",
				 growth->partition);
	return 0;
}

/*
 * RAID members and others are known by their end (md(4): metadata 0.90 and 1.0). What the disk's
 * former user left where the partition ends now would make it one of them. Only space that the
 * partition did not have is touched.
 */
static int clear_new_end(const char *path, const struct layout *layout, const struct growth *growth,
			 struct error *err)
{
	const struct partition *last = layout_find(layout, growth->partition);
	_cleanup_free_ uint8_t *zeroes = calloc(1, STALE_END);
	_cleanup_close_ int fd = -1;
	uint64_t length;

	if (!last || !zeroes)
		return zeroes ? 0 : error_sys(err, ENOMEM, "allocate a buffer");
	length = last->length - growth->partition_from;
	if (length > STALE_END)
		length = STALE_END;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, errno, "open %s", path);
	if (write_exactly(fd, path, zeroes, (size_t)length, last->start + last->length - length,
			  err) < 0)
		return -1;
	return fsync(fd) < 0 ? error_sys(err, errno, "flush %s", path) : 0;
}

static int grow_checked(const char *path, const struct growth *growth, struct error *err)
{
	_cleanup_layout_ struct layout before = {0}, after = {0};
	const struct edit edit = {.path = path, .before = &before, .growth = growth};
	uint8_t boot_code[BOOT_CODE];

	if (layout_read(path, &before, err) < 0 || check_plan(&before, growth, err) < 0)
		return -1;
	if (read_boot_code(path, boot_code, err) < 0 || edit_apart(&edit, err) < 0)
		return -1;
	if (keep_boot_code(path, boot_code, err) < 0 || layout_read(path, &after, err) < 0)
		return -1;
	if (compare(&before, &after, growth, err) < 0)
		return -1;
	return growth->partition ? clear_new_end(path, &after, growth, err) : 0;
}

int layout_grow(const char *path, const struct growth *growth, struct error *err)
{
	if (!growth->partition && !growth->moves_backup_gpt)
		return 0;
	if (grow_checked(path, growth, err) < 0)
		return error_in(err, "grow the partition table of %s", path);
	return 0;
}
