// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/target.h"

#define MIB (1ULL << 20)

/* A regular file, and a loop device over it where a test asks for one (root only, else skipped). */
struct fixture {
	char path[64];
	char *device;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	_cleanup_close_ int fd = -1;

	strcpy(fixture->path, "/var/tmp/v2p-target-XXXXXX");
	fd = mkstemp(fixture->path);
	*state = fixture;
	return fd < 0 || ftruncate(fd, 16 * MIB) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->device)
		process_check((const char *const[]){"losetup", "--detach", fixture->device, NULL},
			      NULL, NULL);
	unlink(fixture->path);
	free(fixture->device);
	free(fixture);
	return 0;
}

static void attach(struct fixture *fixture)
{
	const char *const argv[] = {"losetup", "--find", "--show", fixture->path, NULL};
	_cleanup_text_ struct text out = {0};
	_cleanup_error_ struct error err = {0};

	if (geteuid() != 0 || process_check(argv, &out, &err) < 0) {
		print_message("needs a loop device: %s\n", err.text ? err.text : "not root");
		skip();
	}
	fixture->device = string_copy(string_trim(out.data));
}

static void run(const char *const *argv)
{
	_cleanup_error_ struct error err = {0};

	if (process_check(argv, NULL, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void expect_refusal(const char *path, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void expect_refusal(const char *path, const char *format, ...)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_text_ struct text message = {0};
	va_list args;

	va_start(args, format);
	text_vaddf(&message, format, args);
	va_end(args);
	assert_int_equal(target_open(path, 0, &target, &err), -1);
	assert_string_equal(error_text(&err), text_string(&message));
}

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static void a_regular_file_is_opened_with_its_size(void **state)
{
	const struct fixture *fixture = *state;
	_cleanup_target_ struct target target = {0};
	_cleanup_error_ struct error err = {0};

	assert_int_equal(target_open(fixture->path, 99 * MIB, &target, &err), 0);
	assert_int_equal(target.disk.size, 16 * MIB);
	assert_true(target.disk.is_file);
	assert_int_equal(target_flush(&target, NULL), 0);
	assert_int_equal(target_reread(&target, NULL), 0);
}

static void a_missing_file_is_created_when_a_size_is_given(void **state)
{
	const struct fixture *fixture = *state;
	_cleanup_free_ char *path = string_format("%s-new", fixture->path);
	_cleanup_target_ struct target target = {0};

	expect_refusal(path, "%s does not exist", path);
	assert_int_equal(target_open(path, 5 * MIB, &target, NULL), 0);
	unlink(path);
	assert_int_equal(target.disk.size, 5 * MIB);
}

static void a_missing_disk_is_never_created(void **state)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(target_open("/dev/v2p-no-such-disk", MIB, &target, &err), -1);
	assert_string_equal(error_text(&err), "/dev/v2p-no-such-disk does not exist");
	assert_int_equal(access("/dev/v2p-no-such-disk", F_OK), -1);
}

static void what_is_no_disk_is_refused(void **state)
{
	(void)state;
	expect_refusal("/dev/null", "/dev/null is neither a disk nor a regular file");
	expect_refusal("/tmp", "/tmp is neither a disk nor a regular file");
}

static void a_file_that_is_open_elsewhere_is_refused(void **state)
{
	const struct fixture *fixture = *state;
	_cleanup_target_ struct target first = {0};

	assert_int_equal(target_open(fixture->path, 0, &first, NULL), 0);
	expect_refusal(fixture->path, "%s is locked: another program writes to it", fixture->path);
}

static void a_read_only_disk_is_refused(void **state)
{
	const struct disk disk = {.path = (char[]){"/dev/sdx"}, .size = MIB, .read_only = true};
	const struct disk empty = {.path = (char[]){"/dev/sdx"}};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(target_check(&disk, &err), -1);
	assert_string_equal(error_text(&err), "/dev/sdx is read-only");
	assert_int_equal(target_check(&empty, &err), -1);
	assert_string_equal(error_text(&err), "/dev/sdx has no medium");
}

static void a_file_behind_a_loop_device_is_refused(void **state)
{
	struct fixture *fixture = *state;

	attach(fixture);
	expect_refusal(fixture->path, "%s is attached to %s: losetup -d %s", fixture->path,
		       fixture->device, fixture->device);
}

static void an_idle_device_is_opened(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_target_ struct target target = {0};
	_cleanup_error_ struct error err = {0};

	attach(fixture);
	if (target_open(fixture->device, 0, &target, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(target.disk.size, 16 * MIB);
	assert_false(target.disk.is_file);
	assert_int_equal(target_flush(&target, NULL), 0);
}

static void a_mounted_disk_is_refused(void **state)
{
	struct fixture *fixture = *state;
	char point[] = "/var/tmp/v2p mount XXXXXX";

	attach(fixture);
	run((const char *const[]){"mke2fs", "-q", "-t", "ext4", fixture->device, NULL});
	assert_non_null(mkdtemp(point));
	if (mount(fixture->device, point, "ext4", 0, NULL) < 0) {
		rmdir(point);
		skip();
	}
	expect_refusal(fixture->device, "%s is mounted at %s: unmount it first (umount %s)",
		       fixture->device, point, point);
	umount(point);
	rmdir(point);
}

static void a_disk_that_is_swap_is_refused(void **state)
{
	struct fixture *fixture = *state;

	attach(fixture);
	run((const char *const[]){"mkswap", fixture->device, NULL});
	if (swapon(fixture->device, 0) < 0)
		skip();
	expect_refusal(fixture->device, "%s is in use as swap: swapoff %s", fixture->device,
		       fixture->device);
	swapoff(fixture->device);
}

static void a_disk_that_the_kernel_keeps_for_somebody_is_refused(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_close_ int holder = -1;

	attach(fixture);
	holder = open(fixture->device, O_RDWR | O_EXCL | O_CLOEXEC);
	assert_true(holder >= 0);
	expect_refusal(fixture->device,
		       "%s is in use: the kernel keeps it for somebody (a mount in another name "
		       "space, RAID, LVM, multipath); see lsblk %s",
		       fixture->device, fixture->device);
}

/* The disk that / is on, if it is a plain one. */
static void the_running_system_is_refused(void **state)
{
	struct stat status;
	_cleanup_free_ char *path = NULL, *real = NULL, *partition = NULL;
	_cleanup_error_ struct error err = {0};
	_cleanup_disk_ struct disk disk = {0};
	_cleanup_text_ struct text device = {0};

	(void)state;
	assert_int_equal(stat("/", &status), 0);
	path = string_format("/sys/dev/block/%u:%u", (unsigned int)(status.st_dev >> 8 & 0xfff),
			     (unsigned int)(status.st_dev & 0xff));
	real = realpath(path, NULL);
	if (!real)
		skip();
	partition = file_line("%s/partition", real);
	if (partition)
		*strrchr(real, '/') = '\0';
	text_addf(&device, "/dev/%s", base_name(real));
	if (disk_describe(text_string(&device), &disk, &err) < 0)
		skip();
	assert_int_equal(target_check(&disk, &err), -1);
	assert_non_null(strstr(error_text(&err), "carries the running system"));
}

static void a_target_that_was_never_opened_can_be_closed(void **state)
{
	struct target zeroed = {0};

	(void)state;
	target_close(NULL);
	target_close(&zeroed);
	assert_true(fcntl(0, F_GETFD) >= 0);
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_file(a_regular_file_is_opened_with_its_size),
		with_file(a_missing_file_is_created_when_a_size_is_given),
		cmocka_unit_test(a_missing_disk_is_never_created),
		cmocka_unit_test(what_is_no_disk_is_refused),
		with_file(a_file_that_is_open_elsewhere_is_refused),
		cmocka_unit_test(a_read_only_disk_is_refused),
		with_file(a_file_behind_a_loop_device_is_refused),
		with_file(an_idle_device_is_opened),
		with_file(a_mounted_disk_is_refused),
		with_file(a_disk_that_is_swap_is_refused),
		with_file(a_disk_that_the_kernel_keeps_for_somebody_is_refused),
		cmocka_unit_test(the_running_system_is_refused),
		cmocka_unit_test(a_target_that_was_never_opened_can_be_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
