// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/source_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/source_overlay.h"
#include "tests/fake-source.h"
#include "tests/test.h"

#define MIB (1ULL << 20)

static int isolate(void **state)
{
	(void)state;
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return 0;
}

static void need_fuse(void)
{
	if (geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0)
		return;
	print_message("mounting needs root and /dev/fuse\n");
	skip();
}

static struct source_mount *start(struct source *source)
{
	struct source_mount *files = source_mount_new(source);
	_cleanup_error_ struct error err = {0};

	if (source_mount_start(files, &err) < 0)
		fail_msg("%s", error_text(&err));
	return files;
}

static void assert_content(const char *path, const struct fake_source *fake, uint64_t at,
			   size_t length, uint64_t offset)
{
	_cleanup_free_ uint8_t *have = malloc(length), *want = malloc(length);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && have && want);
	assert_int_equal(read_exactly(fd, path, have, length, at, NULL), 0);
	fake_source_fill(fake, want, length, offset);
	assert_memory_equal(have, want, length);
}

static void the_image_is_a_file(void **state)
{
	struct fake_source fake = {.size = 5 * MIB + 512};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_source_mount_ struct source_mount *files = NULL;
	_cleanup_free_ char *path = NULL;
	struct stat st;

	(void)state;
	need_fuse();
	assert_int_equal(fake_source_open(&fake, &source), 0);
	files = start(source);
	path = source_mount_path(files, SOURCE_MOUNT_DISK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 5 * MIB + 512);
	assert_content(path, &fake, 0, 5 * MIB + 512, 0);
	assert_content(path, &fake, 3 * MIB - 7, 100, 3 * MIB - 7);
	assert_int_equal(source_mount_check(files, NULL), 0);
}

static void stretches_are_files_of_their_own(void **state)
{
	static const struct used_segment segment[] = {{3 * MIB, MIB}, {MIB, 4096}, {0, 512}};
	struct fake_source fake = {.size = 5 * MIB};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_source_mount_ struct source_mount *files = NULL;
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *path = NULL;
	struct stat st;

	(void)state;
	need_fuse();
	assert_int_equal(fake_source_open(&fake, &source), 0);
	files = source_mount_new(source);
	source_mount_add(files, "part", segment, 3);
	if (source_mount_start(files, &err) < 0)
		fail_msg("%s", error_text(&err));
	path = source_mount_path(files, "part");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, MIB + 4096 + 512);
	assert_content(path, &fake, 0, MIB, 3 * MIB);
	assert_content(path, &fake, MIB, 4096, MIB);
	assert_content(path, &fake, MIB + 4096, 512, 0);
}

static void what_is_written_is_read_again_and_never_reaches_the_image(void **state)
{
	static const struct used_segment segment[] = {{MIB, 8192}, {4096, 4096}};
	struct fake_source fake = {.size = 5 * MIB + 512};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_source_mount_ struct source_mount *files = NULL;
	_cleanup_free_ char *path = NULL, *part = NULL;
	_cleanup_close_ int fd = -1, part_fd = -1;
	_cleanup_error_ struct error err = {0};
	uint8_t image[16384], want[16384];

	(void)state;
	need_fuse();
	assert_int_equal(fake_source_open(&fake, &source), 0);
	files = source_mount_new(source);
	source_mount_add(files, "part", segment, 2);
	if (source_mount_start(files, &err) < 0)
		fail_msg("%s", error_text(&err));
	path = source_mount_path(files, SOURCE_MOUNT_DISK);
	part = source_mount_path(files, "part");
	part_fd = open(part, O_RDWR | O_CLOEXEC);
	assert_int_equal(write_exactly(part_fd, part, "over the seam", 13, 8185, NULL), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	fake_source_fill(&fake, want, sizeof(want), 0);
	memcpy(want + 4096, "e seam", 6);
	assert_int_equal(read_exactly(fd, path, image, sizeof(image), 0, NULL), 0);
	assert_memory_equal(image, want, sizeof(image));
	fake_source_fill(&fake, want, sizeof(want), MIB);
	memcpy(want + 8185, "over th", 7);
	assert_int_equal(read_exactly(fd, path, image, sizeof(image), MIB, NULL), 0);
	assert_memory_equal(image, want, sizeof(image));
	assert_int_equal(write_exactly(fd, path, "end", 3, 5 * MIB + 509, NULL), 0);
	assert_int_equal(pwrite(fd, "x", 1, 5 * MIB + 512), -1);
	fake_source_fill(&fake, want, 512, 5 * MIB);
	assert_int_equal(source_read(source, image, 512, 5 * MIB, NULL), 0);
	assert_memory_equal(image, want, 512);
}

static void more_than_is_kept_cannot_be_written(void **state)
{
	struct fake_source fake = {.size = 64 * MIB};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_source_mount_ struct source_mount *files = NULL;
	_cleanup_free_ uint8_t *data = calloc(1, MIB);
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	(void)state;
	need_fuse();
	assert_int_equal(fake_source_open(&fake, &source), 0);
	files = start(source);
	path = source_mount_path(files, SOURCE_MOUNT_DISK);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (uint64_t at = 0; at < SOURCE_OVERLAY_LIMIT; at += MIB)
		assert_int_equal(write_exactly(fd, path, data, MIB, at, NULL), 0);
	assert_int_equal(write_exactly(fd, path, data, MIB, 0, NULL), 0);
	assert_int_equal(pwrite(fd, data, 1, SOURCE_OVERLAY_LIMIT), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(source_mount_check(files, &err), -1);
	assert_non_null(strstr(error_text(&err), "the changes in their journals are more than the "
						 "48 MiB that v2p keeps: shut the virtual machine "
						 "down"));
}

static void a_read_that_fails_is_told_with_its_reason(void **state)
{
	struct fake_source fake = {.size = 8 * MIB, .error_at = 6 * MIB + 1};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_source_mount_ struct source_mount *files = NULL;
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	char byte;

	(void)state;
	need_fuse();
	assert_int_equal(fake_source_open(&fake, &source), 0);
	files = start(source);
	path = source_mount_path(files, SOURCE_MOUNT_DISK);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(source_mount_check(files, NULL), 0);
	assert_int_equal(pread(fd, &byte, 1, 6 * MIB + 1), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(source_mount_check(files, &err), -1);
	assert_non_null(strstr(error_text(&err), "fake read error at offset 6291457"));
}

static void a_file_that_is_still_open_keeps_nothing_waiting(void **state)
{
	struct fake_source fake = {.size = 64 * MIB};
	_cleanup_source_ struct source *source = NULL;
	struct source_mount *files;
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	char byte;

	(void)state;
	need_fuse();
	assert_int_equal(fake_source_open(&fake, &source), 0);
	files = start(source);
	path = source_mount_path(files, SOURCE_MOUNT_DISK);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	source_mount_close(files);
	assert_int_equal(pread(fd, &byte, 1, 32 * MIB), -1);
	assert_int_equal(access(path, F_OK), -1);
}

/* The directory that holds what source_mount made; heap. */
static char *directory_of(const struct source_mount *files)
{
	const char *room = source_mount_room(files);

	return string_format("%.*s", (int)(strrchr(room, '/') - room), room);
}

static void closing_leaves_nothing(void **state)
{
	struct fake_source fake = {.size = MIB};
	_cleanup_source_ struct source *source = NULL;
	struct source_mount *files;
	_cleanup_text_ struct text mounts = {0};
	_cleanup_free_ char *directory = NULL;

	(void)state;
	need_fuse();
	assert_int_equal(fake_source_open(&fake, &source), 0);
	files = start(source);
	directory = directory_of(files);
	assert_int_equal(access(source_mount_room(files), F_OK), 0);
	source_mount_close(files);
	assert_int_equal(access(directory, F_OK), -1);
	assert_int_equal(file_read("/proc/self/mountinfo", 1 << 20, &mounts, NULL), 0);
	assert_null(strstr(text_string(&mounts), directory));
	/* No child is left, either. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* A source whose reads behind the first MiB never end. */
static int read_for_ever(struct source *source, void *data, size_t length, uint64_t offset,
			 struct error *err)
{
	if (offset + length <= MIB)
		return fake_source_op_read(source, data, length, offset, err);
	for (;;)
		pause();
}

static char attach(const char *path)
{
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int file = open(path, O_RDONLY | O_CLOEXEC);
	struct loop_config config = {
		.fd = (uint32_t)file,
		.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
	};
	_cleanup_free_ char *device = NULL;
	_cleanup_close_ int fd = -1;
	char byte;

	device = string_format("/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
	fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd < 0 || file < 0 || ioctl(fd, LOOP_CONFIGURE, &config) < 0)
		return 'x';
	/* Waits where only the end of the mount, and no signal, reaches it. */
	return pread(fd, &byte, 1, 2 * MIB) == 1 ? 'y' : 'n';
}

/* Writes the directory and '\n' into fd before it begins to wait. */
_Noreturn static void wait_for_ever(int fd)
{
	struct fake_source fake = {.size = 4 * MIB};
	struct source *source;
	struct source_mount *files;
	_cleanup_free_ char *directory = NULL, *path = NULL;

	if (fake_source_open(&fake, &source) < 0)
		_exit(1);
	fake.ops.read = read_for_ever;
	files = source_mount_new(source);
	if (source_mount_start(files, NULL) < 0)
		_exit(1);
	directory = directory_of(files);
	path = source_mount_path(files, SOURCE_MOUNT_DISK);
	dprintf(fd, "%s\n", directory);
	attach(path);
	_exit(1);
}

static bool is_waiting(pid_t process)
{
	_cleanup_free_ char *stat = file_line("/proc/%d/stat", (int)process);
	const char *state = stat ? strrchr(stat, ')') : NULL;

	return state && strlen(state) > 2 && state[2] == 'D';
}

/* Without its keeper, the process would stay for ever; the test program's time limit ends it. */
static void a_process_that_is_killed_while_it_waits_for_itself_is_gone(void **state)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	char directory[64] = "";
	int pipes[2], status = 0;
	ssize_t length;
	pid_t child;

	(void)state;
	need_fuse();
	if (access("/dev/loop-control", R_OK | W_OK) < 0)
		skip();
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		wait_for_ever(pipes[1]);
	close(pipes[1]);
	length = read(pipes[0], directory, sizeof(directory) - 1);
	assert_true(length > 1);
	directory[length - 1] = '\0';
	while (!is_waiting(child))
		nanosleep(&moment, NULL);
	assert_int_equal(access(directory, F_OK), 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	while (access(directory, F_OK) == 0)
		nanosleep(&moment, NULL);
	close(pipes[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_image_is_a_file, isolate),
		cmocka_unit_test_setup(stretches_are_files_of_their_own, isolate),
		cmocka_unit_test_setup(what_is_written_is_read_again_and_never_reaches_the_image,
				       isolate),
		cmocka_unit_test_setup(more_than_is_kept_cannot_be_written, isolate),
		cmocka_unit_test_setup(a_read_that_fails_is_told_with_its_reason, isolate),
		cmocka_unit_test_setup(a_file_that_is_still_open_keeps_nothing_waiting, isolate),
		cmocka_unit_test_setup(closing_leaves_nothing, isolate),
		cmocka_unit_test_setup(a_process_that_is_killed_while_it_waits_for_itself_is_gone,
				       isolate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
