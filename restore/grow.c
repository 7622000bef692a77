// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/grow.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/disk.h"
#include "restore/grow_tool.h"

enum {
	TOOL_TIMEOUT_MS = 4 * 3600 * 1000, /* a full check of tens of terabytes */
	E2FSCK_REPAIRED = 3, /* bits of its status: 1 repaired, 2 repaired and wants a reboot */
};

int grow_run(const char *const *argv, struct process_result *result, struct error *err)
{
	/* lvm complains of descriptors that it was not told about. */
	static const char *const environment[] = {"LVM_SUPPRESS_FD_WARNINGS=1", NULL};
	const struct process process = {
		.argv = argv, .environment = environment, .timeout_ms = TOOL_TIMEOUT_MS};

	return process_run(&process, result, err);
}

static void grow_report(const char *const *argv, const char *why, struct report *report)
{
	_cleanup_text_ struct text command = {0};

	for (size_t i = 0; argv[i]; i++)
		text_addf(&command, "%s%s", i ? " " : "", argv[i]);
	report_change(report, "grow", text_string(&command), why, NULL);
}

/* Runs argv, wants status 0, and reports it as a change with its reason. */
static int grow_change(const char *const *argv, const char *why, struct report *report,
		       struct error *err)
{
	_cleanup_process_result_ struct process_result result = {0};

	if (grow_run(argv, &result, err) < 0)
		return -1;
	if (result.status != 0)
		return process_complain(argv, &result, err);
	grow_report(argv, why, report);
	return 0;
}

/* resize2fs wants a checked file system. */
static int check_ext(const char *device, struct report *report, struct error *err)
{
	const char *const argv[] = {"e2fsck", "-f", "-p", device, NULL};
	_cleanup_process_result_ struct process_result result = {0};

	if (grow_run(argv, &result, err) < 0)
		return -1;
	if (result.status & ~E2FSCK_REPAIRED)
		return process_complain(argv, &result, err);
	if (result.status & E2FSCK_REPAIRED)
		report_fact_string(
			report, "filesystem-repaired",
			string_trim(result.output.data ? result.output.data : (char[]){""}));
	return 0;
}

int grow_ext(const char *device, struct report *report, struct error *err)
{
	const char *const argv[] = {"resize2fs", device, NULL};

	if (check_ext(device, report, err) < 0)
		return error_in(err, "check the file system before it grows");
	return grow_change(argv, "the file system uses the new space", report, err);
}

/*
 * resize2fs understands "file?offset=N", but then cuts the file off where the file system ends:
 * the rest of the disk would be gone.
 */
static int attach_loop(const char *path, const struct partition *partition, char **out,
		       struct error *err)
{
	_cleanup_free_ char *offset = string_format("%llu", (unsigned long long)partition->start);
	_cleanup_free_ char *length = string_format("%llu", (unsigned long long)partition->length);
	const char *const argv[] = {"losetup",     "--find", "--show", "--offset", offset,
				    "--sizelimit", length,   path,     NULL};
	_cleanup_text_ struct text output = {0};

	if (process_check(argv, &output, err) < 0)
		return -1;
	*out = string_copy(string_trim(output.data ? output.data : (char[]){""}));
	return 0;
}

static int grow_in_file(const char *path, const struct partition *partition, struct report *report,
			struct error *err)
{
	_cleanup_free_ char *device = NULL;
	int r;

	if (geteuid() != 0) {
		report_warning(report,
			       "the file system in partition %d of %s did not grow: only root can "
			       "attach a loop device",
			       partition->number, path);
		return 0;
	}
	if (attach_loop(path, partition, &device, err) < 0)
		return -1;
	r = grow_ext(device, report, err);
	if (process_check((const char *const[]){"losetup", "--detach", device, NULL}, NULL, NULL) <
	    0)
		report_warning(report, "%s stays attached to %s: losetup --detach %s", path, device,
			       device);
	return r;
}

static int grow_on_device(const char *disk, int number, struct report *report, struct error *err)
{
	_cleanup_free_ char *device = disk_partition_path(disk, number);

	return grow_ext(device, report, err);
}

/* Disks without partition scanning (loop, device-mapper) have no devices for their partitions. */
static bool has_device(const char *disk, int number)
{
	_cleanup_free_ char *device = disk_partition_path(disk, number);

	return access(device, F_OK) == 0;
}

static int grow_known(const char *path, const struct growth *growth, struct report *report,
		      struct error *err)
{
	_cleanup_layout_ struct layout layout = {0};
	bool is_lvm = string_equal(growth->filesystem, "LVM2_member");
	const struct partition *partition;
	struct stat status;

	if (stat(path, &status) < 0)
		return error_sys(err, errno, "look at %s", path);
	if (layout_read(path, &layout, err) < 0)
		return -1;
	partition = layout_find(&layout, growth->partition);
	if (!partition)
		return error_set(err, "%s has no partition %d", path, growth->partition);
	if (S_ISBLK(status.st_mode) && is_lvm)
		return grow_lvm(path, &layout, partition->number, report, err);
	if (S_ISBLK(status.st_mode) && has_device(path, partition->number))
		return grow_on_device(path, partition->number, report, err);
	if (!is_lvm)
		return grow_in_file(path, partition, report, err);
	report_warning(
		report,
		"the LVM physical volume in partition %d did not grow: %s is a regular file; "
		"run pvresize and lvextend on the machine",
		partition->number, path);
	return 0;
}

int grow_filesystem(const char *path, const struct growth *growth, struct report *report,
		    struct error *err)
{
	if (!growth->partition || !growth->filesystem)
		return 0;
	if (grow_known(path, growth, report, err) < 0)
		return error_in(err, "grow what is in partition %d of %s", growth->partition, path);
	return 0;
}
