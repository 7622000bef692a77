// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/tree.h"

#include <dirent.h>
#include <signal.h>

#include "adapt/guest.h"

struct fixture {
	struct guest guest;
	struct text out;
	struct error err;
};

static const char *const programs[] = {"/bin/sh",    "/bin/cat",  "/bin/ls",    "/bin/mount",
				       "/bin/mknod", "/bin/grep", "/bin/sleep", "/usr/bin/id"};

static int run_setup(void **state)
{
	static struct fixture fixture;
	static const char *const directories[] = {"/proc", "/sys", "/dev", "/run", "/tmp"};

	fixture = (struct fixture){0};
	*state = &fixture;
	if (geteuid() != 0)
		return 0;
	tree_setup(NULL);
	for (size_t i = 0; i < array_length(directories); i++)
		tree_directory(directories[i]);
	for (size_t i = 0; i < array_length(programs); i++)
		tree_copy_program(programs[i]);
	return guest_open_root(tree, &fixture.guest, NULL);
}

static int run_teardown(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		return 0;
	text_release(&f->out);
	error_release(&f->err);
	guest_release(&f->guest);
	return tree_teardown(NULL);
}

static int shell(struct fixture *f, const char *script, int timeout_ms)
{
	const char *argv[] = {"sh", "-c", script, NULL};

	if (geteuid() != 0)
		skip();
	text_truncate(&f->out, 0);
	return guest_run(&f->guest, GUEST_RUN_FILES, argv, NULL, timeout_ms ? timeout_ms : 60000,
			 &f->out, &f->err);
}

static void assert_says(struct fixture *f, const char *script, const char *output)
{
	if (shell(f, script, 0) < 0)
		fail_msg("%s: %s", script, error_text(&f->err));
	assert_string_equal(text_string(&f->out), output);
}

static void a_program_runs_in_the_guests_root(void **state)
{
	struct fixture *f = *state;

	assert_says(f, "cat /etc/fstab; echo $$", "UUID=1 / ext4 defaults 0 1\n2\n");
}

static void input_reaches_the_program(void **state)
{
	struct fixture *f = *state;
	const char *argv[] = {"cat", NULL};

	if (geteuid() != 0)
		skip();
	assert_int_equal(guest_run(&f->guest, GUEST_RUN_FILES, argv, "hello", 60000, &f->out, NULL),
			 0);
	assert_string_equal(text_string(&f->out), "hello");
}

static void a_failing_program_is_quoted(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(shell(f, "echo it is broken >&2; exit 3", 0), -1);
	assert_string_equal(error_text(&f->err),
			    "in the guest: sh -c echo it is broken >&2; exit 3 ended with "
			    "status 3: it is broken");
}

static void a_missing_program_is_named(void **state)
{
	struct fixture *f = *state;
	const char *argv[] = {"mkinitramfs", NULL};

	if (geteuid() != 0)
		skip();
	assert_int_equal(guest_run(&f->guest, GUEST_RUN_FILES, argv, NULL, 0, NULL, &f->err), -1);
	assert_string_equal(error_text(&f->err),
			    "in the guest: start mkinitramfs: No such file or directory");
}

static void only_harmless_devices_are_there(void **state)
{
	struct fixture *f = *state;

	assert_says(f, "ls /dev | while read a; do echo -n \"$a \"; done",
		    "fd full null random shm stderr stdin stdout tty urandom zero ");
	assert_says(f, "echo x > /dev/null && echo written", "written\n");
}

static void a_device_made_by_the_guest_cannot_be_opened(void **state)
{
	struct fixture *f = *state;

	assert_says(f,
		    "mknod /etc/n c 1 3 && ! cat /etc/n 2>/dev/null && "
		    "mknod /tmp/n c 1 3 && ! cat /tmp/n 2>/dev/null && "
		    "! mknod /dev/n c 1 3 2>/dev/null && echo kept out",
		    "kept out\n");
}

static void the_machine_cannot_be_reached_through_proc_and_sys(void **state)
{
	struct fixture *f = *state;

	assert_says(f,
		    "for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern "
		    "/sys/power/state; do (echo h > $f) 2>/dev/null && echo $f; done; "
		    "ls /sys/firmware; ls /proc/1/fd; ls /proc/1/root 2>/dev/null; "
		    "ls -l /proc/1/exe 2>/dev/null | grep -- '->'; echo end",
		    "end\n");
}

static void the_machines_swap_devices_are_not_seen(void **state)
{
	struct fixture *f = *state;

	assert_says(f, "[ -r /proc/swaps ] && cat /proc/swaps && echo end", "end\n");
}

static void capabilities_are_few_and_none_can_be_gained(void **state)
{
	struct fixture *f = *state;

	/* CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID MKNOD SETFCAP */
	assert_says(f, "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status",
		    "CapEff:\t00000000880000fb\nCapBnd:\t00000000880000fb\nNoNewPrivs:\t1\n");
	assert_says(f, "mount -t tmpfs none /tmp 2>/dev/null || echo refused", "refused\n");
}

static void there_is_no_network_but_a_loopback_that_is_down(void **state)
{
	struct fixture *f = *state;

	assert_says(f, "ls /sys/class/net", "lo\n");
}

static void nothing_that_v2p_has_open_reaches_the_program(void **state)
{
	struct fixture *f = *state;
	/* As a library would: without O_CLOEXEC. */
	_cleanup_close_ int fd = fcntl(STDIN_FILENO, F_DUPFD, 50);
	_cleanup_free_ char *script =
		string_format("[ -e /proc/$$/fd/0 ] && [ ! -e /proc/$$/fd/%d ] && echo closed", fd);

	assert_true(fd >= 0);
	assert_says(f, script, "closed\n");
}

static void memory_that_ends_is_the_programs_loss(void **state)
{
	struct fixture *f = *state;

	assert_says(f, "cat /proc/self/oom_score_adj", "1000\n");
	assert_says(f, "grep -c -E '^v2p /(run|tmp|dev/shm) .*size=' /proc/self/mounts", "3\n");
}

static void links_in_place_of_mount_points_stay_inside(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *run = tree_path("/run");

	if (geteuid() != 0)
		skip();
	assert_int_equal(rmdir(run), 0);
	tree_link("../../../../../../../../../etc", "/run");
	assert_says(f, "ls /etc", "");
	assert_tree_file("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n");
}

static void a_tree_without_mount_points_will_do(void **state)
{
	struct fixture *f = *state;
	static const char *const directories[] = {"/proc", "/sys", "/dev", "/run", "/tmp"};

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < array_length(directories); i++) {
		_cleanup_free_ char *path = tree_path(directories[i]);

		assert_int_equal(rmdir(path), 0);
	}
	assert_says(f, "echo here", "here\n");
}

static size_t processes_saying(const char *word)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	const struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(dir))) {
		_cleanup_free_ char *line = file_line("/proc/%s/cmdline", entry->d_name);
		_cleanup_free_ char *path = string_format("/proc/%s/cmdline", entry->d_name);
		_cleanup_text_ struct text words = {0};

		if (!line || file_read(path, 1 << 20, &words, NULL) < 0)
			continue;
		for (size_t i = 0; i < words.length; i++)
			if (!words.data[i])
				words.data[i] = ' ';
		count += strstr(text_string(&words), word) != NULL;
	}
	return count;
}

static void daemons_end_with_the_program(void **state)
{
	struct fixture *f = *state;

	assert_says(f, "sleep 98765 >/dev/null 2>&1 & echo started", "started\n");
	assert_int_equal(processes_saying("sleep 98765"), 0);
}

static void a_program_that_hangs_is_killed_with_all_it_started(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(shell(f, "sleep 87654 & sleep 87654", 300), -1);
	assert_string_equal(error_text(&f->err),
			    "in the guest: sh did not end within 0 s and was killed");
	for (int i = 0; i < 100 && processes_saying("sleep 87654"); i++)
		usleep(20000);
	assert_int_equal(processes_saying("sleep 87654"), 0);
}

static void no_mount_is_left_behind(void **state)
{
	struct fixture *f = *state;
	_cleanup_text_ struct text mounts = {0};

	assert_says(f, "echo x", "x\n");
	assert_int_equal(file_read("/proc/self/mountinfo", 1 << 20, &mounts, NULL), 0);
	assert_null(strstr(text_string(&mounts), tree));
}

/* CAP_SYS_ADMIN comes with volume groups only, and then without what it would open. */
static void with_volumes_the_program_still_cannot_mount(void **state)
{
	struct fixture *f = *state;
	const char *argv[] = {"sh", "-c",
			      "grep CapEff /proc/self/status; "
			      "mount -t devtmpfs none /tmp 2>/dev/null || echo no mount; "
			      "mount -o remount,rw /dev 2>/dev/null || echo no remount; "
			      "mknod /tmp/n b 8 0 2>/dev/null || echo no node",
			      NULL};

	if (geteuid() != 0)
		skip();
	f->guest.disk = string_copy("/dev/full");
	assert_int_equal(guest_run(&f->guest, GUEST_RUN_DISKS, argv, NULL, 0, &f->out, &f->err), 0);
	assert_string_equal(text_string(&f->out),
			    "CapEff:\t00000000880000fb\nno mount\nno remount\n");
	text_truncate(&f->out, 0);
	strings_add(&f->guest.volume_groups, "v2p-test-none");
	assert_int_equal(guest_run(&f->guest, GUEST_RUN_DISKS, argv, NULL, 0, &f->out, &f->err), 0);
	strings_release(&f->guest.volume_groups);
	assert_string_equal(text_string(&f->out),
			    "CapEff:\t00000000802000fb\nno mount\nno remount\n"
			    "no node\n");
}

static void without_a_disk_there_is_none_to_work_on(void **state)
{
	struct fixture *f = *state;
	const char *argv[] = {"true", NULL};

	if (geteuid() != 0)
		skip();
	assert_int_equal(guest_run(&f->guest, GUEST_RUN_DISKS, argv, NULL, 0, NULL, &f->err), -1);
	assert_non_null(strstr(error_text(&f->err), "is a directory, there is no disk"));
}

static void who_is_not_root_is_told(void **state)
{
	struct fixture *f = *state;
	const char *argv[] = {"true", NULL};

	if (geteuid() == 0)
		skip();
	assert_int_equal(guest_run(&f->guest, GUEST_RUN_FILES, argv, NULL, 0, NULL, &f->err), -1);
	assert_string_equal(error_text(&f->err),
			    "run true in the guest: only root can enter the guest");
}

#define sandbox_test(name) cmocka_unit_test_setup_teardown(name, run_setup, run_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		sandbox_test(a_program_runs_in_the_guests_root),
		sandbox_test(input_reaches_the_program),
		sandbox_test(a_failing_program_is_quoted),
		sandbox_test(a_missing_program_is_named),
		sandbox_test(only_harmless_devices_are_there),
		sandbox_test(a_device_made_by_the_guest_cannot_be_opened),
		sandbox_test(the_machine_cannot_be_reached_through_proc_and_sys),
		sandbox_test(the_machines_swap_devices_are_not_seen),
		sandbox_test(capabilities_are_few_and_none_can_be_gained),
		sandbox_test(there_is_no_network_but_a_loopback_that_is_down),
		sandbox_test(nothing_that_v2p_has_open_reaches_the_program),
		sandbox_test(memory_that_ends_is_the_programs_loss),
		sandbox_test(links_in_place_of_mount_points_stay_inside),
		sandbox_test(a_tree_without_mount_points_will_do),
		sandbox_test(daemons_end_with_the_program),
		sandbox_test(a_program_that_hangs_is_killed_with_all_it_started),
		sandbox_test(no_mount_is_left_behind),
		sandbox_test(with_volumes_the_program_still_cannot_mount),
		sandbox_test(without_a_disk_there_is_none_to_work_on),
		sandbox_test(who_is_not_root_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
