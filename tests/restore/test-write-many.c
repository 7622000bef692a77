// SPDX-License-Identifier: GPL-3.0-or-later
/* write_image() with several disks, unused parts, streams, and disks that fail. */
#include "tests/test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/disk-file.h"
#include "tests/fake-source.h"
#include "tests/fake-stream.h"

enum { DISKS = 3 };

/* Disks and what became of them. */
struct set {
	struct disk_file disk[DISKS];
	struct target target[DISKS];
	struct write_outcome outcome[DISKS];
	struct write_stats stats;
	struct error error;
};

static void set_make(struct set *set, uint64_t size)
{
	*set = (struct set){0};
	for (size_t i = 0; i < DISKS; i++) {
		disk_make(&set->disk[i], size);
		open_target(&set->disk[i], &set->target[i]);
	}
}

static void set_remove(struct set *set)
{
	for (size_t i = 0; i < DISKS; i++) {
		write_outcome_release(&set->outcome[i]);
		target_close(&set->target[i]);
		disk_remove(&set->disk[i]);
	}
	error_release(&set->error);
}
#define _cleanup_set_ _cleanup_(set_remove)

static int set_write(struct set *set, struct source *source, const struct write_options *options)
{
	return write_image(source, set->target, DISKS, options, &set->stats, set->outcome,
			   &set->error);
}

/* Unused parts must be what they were. */
static void expect_content(const struct fake_source *fake, const struct disk_file *disk)
{
	_cleanup_free_ uint8_t *is = content_of(disk->path, fake->size);
	_cleanup_free_ uint8_t *should = malloc(fake->size);

	fake_source_fill(fake, should, fake->size, 0);
	for (size_t i = 0; i < fake->zero_count; i++)
		if (fake->zeroes[i].kind == EXTENT_UNUSED)
			memset(should + fake->zeroes[i].offset, JUNK, fake->zeroes[i].length);
	assert_true(memcmp(is, should, fake->size) == 0);
}

static void every_disk_gets_the_image_that_is_read_once(void **state)
{
	static const struct extent zeroes[] = {{4 * MIB, 4 * MIB, EXTENT_ZERO}};
	static const enum write_method methods[] = {WRITE_ALL, WRITE_DIFFERENCES};

	(void)state;
	for (size_t i = 0; i < array_length(methods); i++) {
		struct fake_source fake = {
			.size = 24 * MIB + 512, .zeroes = zeroes, .zero_count = 1};
		const struct write_options options = {.method = methods[i]};
		_cleanup_source_ struct source *source = NULL;
		_cleanup_set_ struct set set;

		set_make(&set, 25 * MIB);
		assert_int_equal(fake_source_open(&fake, &source), 0);
		assert_int_equal(set_write(&set, source, &options), 0);
		assert_int_equal(fake.bytes_read, 20 * MIB + 512);
		assert_int_equal(set.stats.size, fake.size);
		assert_int_equal(set.stats.data_bytes, 20 * MIB + 512);
		assert_int_equal(set.stats.zero_bytes, 4 * MIB);
		for (size_t j = 0; j < DISKS; j++) {
			assert_false(set.outcome[j].failed);
			assert_int_equal(set.outcome[j].data_bytes, 20 * MIB + 512);
			assert_int_equal(set.outcome[j].verified_bytes, 20 * MIB + 512);
			expect_content(&fake, &set.disk[j]);
		}
	}
}

static void forbid_writing(const struct disk_file *disk, struct target *target)
{
	close(target->fd);
	target->fd = open(disk->path, O_RDONLY | O_CLOEXEC);
	assert_true(target->fd >= 0);
}

static void one_disk_that_fails_is_left_behind(void **state)
{
	struct fake_source fake = {.size = 16 * MIB};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_set_ struct set set;
	_cleanup_free_ char *message = NULL;

	(void)state;
	set_make(&set, 16 * MIB);
	forbid_writing(&set.disk[1], &set.target[1]);
	message = string_format("write fake to %s: write ", set.disk[1].path);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(set_write(&set, source, NULL), -1);
	assert_true(has_prefix(error_text(&set.error), message));
	assert_non_null(strstr(error_text(&set.error), "Bad file descriptor"));
	assert_string_equal(error_text(&set.outcome[1].error), error_text(&set.error));
	assert_true(set.outcome[1].failed && set.outcome[1].left_something);
	for (size_t i = 0; i < DISKS; i += 2) {
		assert_false(set.outcome[i].failed);
		expect_content(&fake, &set.disk[i]);
	}
}

static int in_child(int (*function)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(function());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int write_beyond_the_limit(void)
{
	const struct rlimit limit = {8 * MIB, 8 * MIB};
	struct fake_source fake = {.size = 16 * MIB};
	struct source *source = NULL;
	struct set set;
	int r = 0;

	signal(SIGXFSZ, SIG_IGN);
	set_make(&set, 16 * MIB);
	setrlimit(RLIMIT_FSIZE, &limit);
	if (fake_source_open(&fake, &source) < 0 || set_write(&set, source, NULL) == 0)
		r = 1;
	for (size_t i = 0; i < DISKS; i++)
		if (!set.outcome[i].failed ||
		    !strstr(error_text(&set.outcome[i].error), "File too large"))
			r = 2;
	source_close(source);
	set_remove(&set);
	return r;
}

static void a_limit_for_files_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(in_child(write_beyond_the_limit), 0);
}

static void a_disk_that_is_too_small_is_not_touched(void **state)
{
	struct fake_source fake = {.size = 8 * MIB};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_set_ struct set set;
	_cleanup_free_ uint8_t *is = NULL;

	(void)state;
	set_make(&set, 8 * MIB);
	set.target[0].disk.size = 7 * MIB;
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(set_write(&set, source, NULL), -1);
	assert_non_null(strstr(error_text(&set.error), "the image is larger than the disk: 8388608 "
						       "bytes do not fit on 7340032"));
	assert_true(set.outcome[0].failed && !set.outcome[0].began);
	is = content_of(set.disk[0].path, 8 * MIB);
	expect_all(is, 0, 8 * MIB, JUNK);
	expect_content(&fake, &set.disk[1]);
	expect_content(&fake, &set.disk[2]);
}

static void a_source_that_fails_fails_all(void **state)
{
	struct fake_source fake = {.size = 8 * MIB, .error_at = 5 * MIB};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_set_ struct set set;

	(void)state;
	set_make(&set, 8 * MIB);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(set_write(&set, source, NULL), -1);
	for (size_t i = 0; i < DISKS; i++) {
		assert_true(set.outcome[i].failed && !set.outcome[i].left_something);
		assert_non_null(strstr(error_text(&set.outcome[i].error),
				       "fake read error at offset 5242880"));
		assert_non_null(strstr(error_text(&set.outcome[i].error), set.disk[i].path));
		expect_no_table(set.disk[i].path);
	}
}

static void what_is_unused_is_neither_read_nor_written(void **state)
{
	static const struct extent list[] = {
		{2 * MIB, 5 * MIB, EXTENT_UNUSED},
		{8 * MIB + 65536, 131072, EXTENT_UNUSED},
		{9 * MIB, MIB, EXTENT_ZERO},
	};
	static const enum write_method methods[] = {WRITE_ALL, WRITE_DIFFERENCES};

	(void)state;
	for (size_t i = 0; i < array_length(methods); i++) {
		struct fake_source fake = {.size = 16 * MIB, .zeroes = list, .zero_count = 3};
		const struct write_options options = {.method = methods[i]};
		_cleanup_source_ struct source *source = NULL;
		_cleanup_set_ struct set set;

		set_make(&set, 16 * MIB);
		assert_int_equal(fake_source_open(&fake, &source), 0);
		assert_int_equal(set_write(&set, source, &options), 0);
		assert_int_equal(set.stats.unused_bytes, 5 * MIB + 131072);
		assert_int_equal(set.stats.zero_bytes, MIB);
		assert_int_equal(fake.bytes_read, 10 * MIB - 131072);
		expect_content(&fake, &set.disk[0]);
	}
}

static void zeroes_in_data_are_not_written(void **state)
{
	_cleanup_disk_file_ struct disk_file image;
	const struct source_options raw = {.format = "raw"};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_free_ uint8_t *zeroes = calloc(1, 4 * MIB);
	_cleanup_close_ int fd = -1;
	_cleanup_set_ struct set set;
	struct stat status;

	(void)state;
	disk_make(&image, 16 * MIB);
	fd = open(image.path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write_exactly(fd, "image", zeroes, 4 * MIB, 4 * MIB, NULL), 0);
	set_make(&set, 16 * MIB);
	assert_int_equal(source_open(image.path, &raw, &source, NULL), 0);
	assert_int_equal(set_write(&set, source, NULL), 0);
	assert_int_equal(set.outcome[0].zero_bytes, 4 * MIB);
	assert_int_equal(set.outcome[0].data_bytes, 12 * MIB);
	assert_int_equal(stat(set.disk[0].path, &status), 0);
	assert_true((uint64_t)status.st_blocks * 512 < 13 * MIB);
}

/* Stands before the library's: a device that knows no command for zeroes cannot be had here. */
static bool has_fallocate = true;

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	if (has_fallocate)
		return (int)syscall(SYS_fallocate, fd, mode, offset, length);
	errno = EOPNOTSUPP;
	return -1;
}

static void a_disk_without_a_command_for_zeroes_gets_them_written(void **state)
{
	static const struct extent list[] = {
		{2 * MIB, 40 * MIB, EXTENT_ZERO},
		{43 * MIB + 65536, 65536, EXTENT_ZERO},
	};
	struct fake_source fake = {.size = 48 * MIB, .zeroes = list, .zero_count = 2};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_set_ struct set set;

	(void)state;
	set_make(&set, 48 * MIB);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	has_fallocate = false;
	assert_int_equal(set_write(&set, source, NULL), 0);
	has_fallocate = true;
	assert_int_equal(set.outcome[1].zero_bytes, 40 * MIB + 65536);
	/* What was written as data is read back as data. */
	assert_int_equal(set.outcome[1].verified_bytes, 48 * MIB);
	for (size_t i = 0; i < DISKS; i++)
		expect_content(&fake, &set.disk[i]);
}

static void a_stream_is_written_like_an_image(void **state)
{
	static const struct extent zeroes[] = {{2 * MIB + 5, 40 * MIB, EXTENT_ZERO}};
	static const uint64_t sizes[] = {1,       512,         MIB,          MIB + 1,
					 2 * MIB, 3 * MIB - 7, 43 * MIB + 9, 46 * MIB};

	(void)state;
	for (size_t i = 0; i < array_length(sizes); i++) {
		struct fake_stream stream = {
			.fake = {.size = sizes[i], .zeroes = zeroes, .zero_count = 1},
			.claimed = 1,
			.piece = 100000};
		_cleanup_source_ struct source *source = NULL;
		_cleanup_set_ struct set set;

		set_make(&set, 46 * MIB);
		assert_int_equal(fake_stream_open(&stream, &source), 0);
		if (set_write(&set, source, NULL) < 0)
			fail_msg("%s", error_text(&set.error));
		assert_int_equal(stream.asked, 1);
		assert_int_equal(set.stats.size, sizes[i]);
		for (size_t j = 0; j < DISKS; j++)
			expect_content(&stream.fake, &set.disk[j]);
	}
}

static void a_stream_that_does_not_fit_fails_that_disk(void **state)
{
	struct fake_stream stream = {.fake = {.size = 9 * MIB}, .claimed = MIB};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_set_ struct set set;

	(void)state;
	set_make(&set, 16 * MIB);
	set.target[0].disk.size = 4 * MIB;
	set.target[1].disk.size = 9 * MIB - 512;
	assert_int_equal(fake_stream_open(&stream, &source), 0);
	assert_int_equal(set_write(&set, source, NULL), -1);
	assert_non_null(strstr(error_text(&set.outcome[0].error),
			       "the image is larger than the disk: 4194304 bytes do not hold what "
			       "is at offset "));
	assert_non_null(strstr(error_text(&set.outcome[1].error),
			       "the image is larger than the disk: 9437184 bytes do not fit on "
			       "9436672"));
	expect_no_table(set.disk[0].path);
	expect_no_table(set.disk[1].path);
	assert_false(set.outcome[2].failed);
	expect_content(&stream.fake, &set.disk[2]);
}

static void an_image_that_turns_out_wrong_leaves_no_table(void **state)
{
	struct fake_stream stream = {.fake = {.size = 9 * MIB}, .finish = "wrong checksum"};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_set_ struct set set;

	(void)state;
	set_make(&set, 16 * MIB);
	assert_int_equal(fake_stream_open(&stream, &source), 0);
	assert_int_equal(set_write(&set, source, NULL), -1);
	assert_non_null(strstr(error_text(&set.error), "check image fake: wrong checksum"));
	for (size_t i = 0; i < DISKS; i++)
		expect_no_table(set.disk[i].path);
}

/* Stops in a phase. */
struct stopper {
	enum write_phase phase;
	atomic_bool stop;
};

static void stop_in_phase(void *context, const struct write_progress *progress)
{
	struct stopper *stopper = context;

	if (progress->phase == stopper->phase)
		atomic_store(&stopper->stop, true);
}

static int slow_read(struct source *source, void *data, size_t length, uint64_t offset,
		     struct error *err)
{
	usleep(100000);
	return fake_source_op_read(source, data, length, offset, err);
}

static void a_stop_in_each_phase_leaves_no_table(void **state)
{
	static const enum write_phase phases[] = {WRITE_COPYING, WRITE_READING_BACK};

	(void)state;
	for (size_t i = 0; i < array_length(phases); i++) {
		struct fake_source fake = {.size = 12 * MIB};
		struct stopper stopper = {.phase = phases[i]};
		const struct write_options options = {
			.progress = stop_in_phase, .context = &stopper, .stop = &stopper.stop};
		_cleanup_source_ struct source *source = NULL;
		_cleanup_set_ struct set set;

		set_make(&set, 12 * MIB);
		assert_int_equal(fake_source_open(&fake, &source), 0);
		fake.ops.read = slow_read;
		assert_int_equal(set_write(&set, source, &options), -1);
		for (size_t j = 0; j < DISKS; j++) {
			assert_non_null(
				strstr(error_text(&set.outcome[j].error), "it was stopped"));
			expect_no_table(set.disk[j].path);
		}
	}
}

/* A loop device on a disk file; its path, or NULL. */
static char *loop_make(const struct disk_file *disk, const char *sector_size)
{
	struct text device = {0};

	if (geteuid() != 0 ||
	    process_check((const char *const[]){"losetup", "--sector-size", sector_size, "--find",
						"--show", disk->path, NULL},
			  &device, NULL) < 0) {
		text_release(&device);
		return NULL;
	}
	string_trim(device.data);
	return text_take(&device);
}

static void loop_remove(char **device)
{
	if (*device)
		process_check((const char *const[]){"losetup", "--detach", *device, NULL}, NULL,
			      NULL);
	free(*device);
}

static void sectors_of_4096_bytes_are_filled_with_zeroes(void **state)
{
	struct fake_source fake = {.size = 5 * MIB + 512};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_(loop_remove) char *device = NULL;
	_cleanup_target_ struct target target = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ uint8_t *is = NULL;
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, 8 * MIB);
	device = loop_make(&disk, "4096");
	if (!device)
		skip();
	assert_int_equal(target_open(device, 0, &target, &err), 0);
	assert_int_equal(target.alignment, 4096);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	if (write_one(source, &target, NULL, &outcome, &err) < 0)
		fail_msg("%s", error_text(&err));
	is = content_of(device, disk.size);
	for (uint64_t i = 0; i < fake.size; i++)
		assert_int_equal(is[i], fake_source_byte(i));
	expect_all(is, fake.size, 5 * MIB + 4096, 0);
	expect_all(is, 5 * MIB + 4096, 7 * MIB, JUNK);
}

static void replace_disk(struct set *set, size_t number, const char *path)
{
	target_close(&set->target[number]);
	disk_remove(&set->disk[number]);
	snprintf(set->disk[number].path, sizeof(set->disk[number].path), "%s", path);
	if (target_open(path, 16 * MIB, &set->target[number], NULL) < 0)
		_exit(3);
}

/* A file and a loop device in a file system that is full soon, beside a disk that works; in a
 * mount namespace of its own, so that nothing stays behind. */
static int write_to_full_disks(void)
{
	struct fake_source fake = {.size = 16 * MIB};
	struct disk_file backing = {.path = "/mnt/backing", .size = 16 * MIB};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_(loop_remove) char *device = NULL;
	_cleanup_set_ struct set set;
	_cleanup_close_ int fd = -1;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, "size=12m") < 0)
		return 77;
	fd = open(backing.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 16 * MIB) < 0)
		return 1;
	device = loop_make(&backing, "512");
	if (!device)
		return 77;
	set_make(&set, 16 * MIB);
	replace_disk(&set, 0, device);
	replace_disk(&set, 2, "/mnt/file");
	if (fake_source_open(&fake, &source) < 0 || set_write(&set, source, NULL) == 0)
		return 2;
	if (set.outcome[1].failed || !set.outcome[0].failed || !set.outcome[2].failed)
		return 3;
	expect_content(&fake, &set.disk[1]);
	expect_no_table(set.disk[0].path);
	expect_no_table(set.disk[2].path);
	if (!strstr(error_text(&set.outcome[2].error), "No space left on device"))
		return 4;
	return strstr(error_text(&set.outcome[0].error), " to /dev/loop") ? 0 : 5;
}

static void disks_that_fail_in_the_middle_are_left_behind(void **state)
{
	int r;

	(void)state;
	if (geteuid() != 0)
		skip();
	r = in_child(write_to_full_disks);
	if (r == 77)
		skip();
	assert_int_equal(r, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_disk_gets_the_image_that_is_read_once),
		cmocka_unit_test(one_disk_that_fails_is_left_behind),
		cmocka_unit_test(a_limit_for_files_is_an_error),
		cmocka_unit_test(a_disk_that_is_too_small_is_not_touched),
		cmocka_unit_test(a_source_that_fails_fails_all),
		cmocka_unit_test(what_is_unused_is_neither_read_nor_written),
		cmocka_unit_test(zeroes_in_data_are_not_written),
		cmocka_unit_test(a_disk_without_a_command_for_zeroes_gets_them_written),
		cmocka_unit_test(a_stream_is_written_like_an_image),
		cmocka_unit_test(a_stream_that_does_not_fit_fails_that_disk),
		cmocka_unit_test(an_image_that_turns_out_wrong_leaves_no_table),
		cmocka_unit_test(a_stop_in_each_phase_leaves_no_table),
		cmocka_unit_test(sectors_of_4096_bytes_are_filled_with_zeroes),
		cmocka_unit_test(disks_that_fail_in_the_middle_are_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
