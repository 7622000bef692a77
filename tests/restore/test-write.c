// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/report.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/layout.h"
#include "restore/write.h"
#include "tests/disk-file.h"
#include "tests/fake-source.h"

/* Writes the fake image on a disk of junk and compares every byte of the disk. */
static void expect_exact_copy(struct fake_source *fake, uint64_t disk_size)
{
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ uint8_t *is = NULL, *should = malloc(fake->size);
	uint64_t tail = disk_size > MIB ? (disk_size - MIB) / 4096 * 4096 : 0;
	struct write_outcome outcome;

	disk_make(&disk, disk_size);
	open_target(&disk, &target);
	assert_int_equal(fake_source_open(fake, &source), 0);
	if (write_one(source, &target, NULL, &outcome, &err) < 0)
		fail_msg("size %llu: %s", (unsigned long long)fake->size, error_text(&err));
	is = content_of(disk.path, disk_size);
	fake_source_fill(fake, should, fake->size, 0);
	assert_true(memcmp(is, should, fake->size) == 0);
	if (tail < fake->size)
		tail = fake->size;
	if (fake->size > MIB)
		expect_all(is, fake->size, tail, JUNK);
	expect_all(is, tail, disk_size, 0);
	assert_true(outcome.began);
	assert_int_equal(outcome.data_bytes + outcome.zero_bytes, fake->size);
}

static void a_written_disk_equals_the_image(void **state)
{
	static const uint64_t sizes[] = {1,
					 511,
					 512,
					 4096,
					 4097,
					 MIB - 1,
					 MIB,
					 MIB + 1,
					 MIB + 4096,
					 2 * MIB - 512,
					 2 * MIB,
					 2 * MIB + 512,
					 3 * MIB + 4096 + 777};

	(void)state;
	for (size_t i = 0; i < array_length(sizes); i++) {
		struct fake_source fake = {.size = sizes[i]};

		expect_exact_copy(&fake, sizes[i]);
		expect_exact_copy(&fake, sizes[i] + 2 * MIB + 100);
	}
}

static void extents_of_zeroes_replace_what_was_there(void **state)
{
	static const struct extent zeroes[] = {
		{0, 100, EXTENT_ZERO},
		{MIB - 5000, 20000, EXTENT_ZERO},
		{2 * MIB + 1, 4094, EXTENT_ZERO},
		{3 * MIB, 8 * MIB, EXTENT_ZERO},
		{12 * MIB - 4096, 8192 + 512, EXTENT_ZERO},
		{13 * MIB, 1, EXTENT_ZERO},
		{15 * MIB, MIB + 300, EXTENT_ZERO},
	};
	struct fake_source fake = {.size = 16 * MIB + 300, .zeroes = zeroes, .zero_count = 7};

	(void)state;
	expect_exact_copy(&fake, 20 * MIB);
	fake.extent_limit = 10000;
	expect_exact_copy(&fake, 16 * MIB + 300);
}

static void a_file_stays_as_sparse_as_the_image(void **state)
{
	static const struct extent zeroes[] = {{2 * MIB, 60 * MIB, EXTENT_ZERO}};
	struct fake_source fake = {.size = 64 * MIB, .zeroes = zeroes, .zero_count = 1};
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	struct write_outcome outcome;
	struct stat status;

	(void)state;
	disk_make(&disk, 64 * MIB);
	open_target(&disk, &target);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(write_one(source, &target, NULL, &outcome, NULL), 0);
	assert_int_equal(outcome.zero_bytes, 60 * MIB);
	assert_int_equal(stat(disk.path, &status), 0);
	assert_true((uint64_t)status.st_blocks * 512 < 8 * MIB);
}

/* Runs a write that must fail and leave no table; out receives the message. */
static void expect_failure(struct fake_source *fake, const struct write_options *options,
			   struct error *err)
{
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	struct write_outcome outcome;

	disk_make(&disk, 16 * MIB);
	open_target(&disk, &target);
	assert_int_equal(fake_source_open(fake, &source), 0);
	assert_int_equal(write_one(source, &target, options, &outcome, err), -1);
	assert_true(outcome.began && !outcome.left_something);
	assert_non_null(strstr(error_text(err), "write fake to /var/tmp/v2p-write-"));
	expect_no_table(disk.path);
}

static void a_source_that_fails_leaves_no_table(void **state)
{
	static const uint64_t places[] = {1,           MIB - 1,         MIB,
					  7 * MIB + 5, 15 * MIB + 4095, 16 * MIB - 1};

	(void)state;
	for (size_t i = 0; i < array_length(places); i++) {
		struct fake_source fake = {.size = 16 * MIB, .error_at = places[i]};
		_cleanup_free_ char *message = string_format("fake read error at offset %llu",
							     (unsigned long long)places[i]);
		_cleanup_error_ struct error err = {0};

		expect_failure(&fake, NULL, &err);
		assert_non_null(strstr(error_text(&err), message));
	}
}

static void a_source_that_ends_early_leaves_no_table(void **state)
{
	struct fake_source fake = {.size = 16 * MIB, .ends_at = 9 * MIB};
	_cleanup_error_ struct error err = {0};

	(void)state;
	expect_failure(&fake, NULL, &err);
	assert_non_null(strstr(error_text(&err), "image is truncated: the file ends at 9437184"));
}

static void a_disk_that_refuses_to_be_cleared_is_told(void **state)
{
	struct fake_source fake = {.size = 8 * MIB};
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, 8 * MIB);
	open_target(&disk, &target);
	close(target.fd);
	close(target.plain_fd);
	target.fd = open(disk.path, O_RDONLY | O_CLOEXEC);
	target.plain_fd = open(disk.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(write_one(source, &target, NULL, &outcome, &err), -1);
	assert_true(outcome.began && outcome.left_something);
	assert_non_null(strstr(error_text(&err), "Bad file descriptor"));
}

static void an_image_that_does_not_fit_touches_nothing(void **state)
{
	struct fake_source fake = {.size = 2 * MIB};
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ uint8_t *is = NULL;
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, MIB);
	open_target(&disk, &target);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(write_one(source, &target, NULL, &outcome, &err), -1);
	assert_false(outcome.began);
	assert_non_null(strstr(error_text(&err), "the image is larger than the disk: 2097152 "
						 "bytes do not fit on 1048576"));
	is = content_of(disk.path, MIB);
	expect_all(is, 0, MIB, JUNK);
}

/* A source that takes its time, and can be told to die at a read. */
struct slow_source {
	struct fake_source fake;
	useconds_t pause;
	uint64_t dies_at_read; /* counted from 1; 0: never */
};

static int slow_read(struct source *source, void *data, size_t length, uint64_t offset,
		     struct error *err)
{
	struct slow_source *slow = (struct slow_source *)(uintptr_t)source->ops;

	usleep(slow->pause);
	if (slow->dies_at_read && atomic_load(&slow->fake.reads) + 1 >= slow->dies_at_read)
		_exit(9);
	return fake_source_op_read(source, data, length, offset, err);
}

static void slow_open(struct slow_source *slow, struct source **out)
{
	assert_int_equal(fake_source_open(&slow->fake, out), 0);
	slow->fake.ops.read = slow_read;
}

struct stopper {
	atomic_bool stop;
	double stopped; /* when */
	enum write_phase phase;
	uint64_t last;
};

static void stop_after_a_while(void *context, const struct write_progress *progress)
{
	struct stopper *stopper = context;

	assert_true(progress->phase != stopper->phase || progress->done >= stopper->last);
	assert_true(progress->done <= progress->total);
	stopper->phase = progress->phase;
	stopper->last = progress->done;
	if (progress->seconds > 0.3 && !atomic_exchange(&stopper->stop, true))
		stopper->stopped = clock_seconds();
}

static void a_stop_is_obeyed_within_a_second_and_leaves_no_table(void **state)
{
	struct slow_source slow = {.fake = {.size = 16 * MIB}, .pause = 400000};
	struct stopper stopper = {.last = 0};
	const struct write_options options = {
		.progress = stop_after_a_while, .context = &stopper, .stop = &stopper.stop};
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, 16 * MIB);
	open_target(&disk, &target);
	slow_open(&slow, &source);
	assert_int_equal(write_one(source, &target, &options, &outcome, &err), -1);
	assert_true(clock_seconds() - stopper.stopped < 1.0);
	assert_non_null(strstr(error_text(&err), "it was stopped"));
	expect_no_table(disk.path);
}

static void progress_reaches_the_total(void **state)
{
	static const struct extent zeroes[] = {{4 * MIB, 4 * MIB, EXTENT_ZERO}};
	struct slow_source slow = {.fake = {.size = 16 * MIB, .zeroes = zeroes, .zero_count = 1},
				   .pause = 10000};
	struct stopper stopper = {.stop = true};
	const struct write_options options = {.progress = stop_after_a_while, .context = &stopper};
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, 16 * MIB);
	open_target(&disk, &target);
	slow_open(&slow, &source);
	assert_int_equal(write_one(source, &target, &options, &outcome, NULL), 0);
	assert_int_equal(stopper.last, 16 * MIB);
	assert_int_equal(outcome.zero_bytes, 4 * MIB);
	assert_int_equal(outcome.data_bytes, 12 * MIB);
}

/* The child's whole life; returns its reads when it ended well. */
static int write_in_child(const struct disk_file *disk, uint64_t dies_at_read)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct slow_source slow = {.fake = {.size = disk->size},
					   .dies_at_read = dies_at_read};
		struct target target;
		struct source *source = NULL;
		struct write_outcome outcome;

		slow_open(&slow, &source);
		if (target_open(disk->path, 0, &target, NULL) < 0)
			_exit(1);
		_exit(write_one(source, &target, NULL, &outcome, NULL) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void death_at_any_read_leaves_no_table(void **state)
{
	uint64_t read = 1;
	int status;

	(void)state;
	do {
		_cleanup_disk_file_ struct disk_file disk;

		disk_make(&disk, 8 * MIB);
		status = write_in_child(&disk, read++);
		assert_true(status == 9 || status == 0);
		if (status == 9)
			expect_no_table(disk.path);
	} while (status == 9);
	/* The six MiB between the ends, and the ends. */
	assert_int_equal(read, 10);
}

static void a_real_table_arrives_only_at_the_end(void **state)
{
	const struct source_options raw = {.format = "raw"};
	static const char script[] = "label: gpt\nstart=2048, size=8192, type=linux\n";
	_cleanup_disk_file_ struct disk_file image, disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_process_result_ struct process_result result = {0};
	_cleanup_layout_ struct layout layout = {0};
	struct write_outcome outcome;

	(void)state;
	disk_make(&image, 8 * MIB);
	disk_make(&disk, 8 * MIB);
	if (process_run(&(struct process){.argv = (const char *const[]){"sfdisk", "--quiet",
									image.path, NULL},
					  .input = script},
			&result, NULL) < 0)
		skip();
	assert_int_equal(result.status, 0);
	open_target(&disk, &target);
	assert_int_equal(source_open(image.path, &raw, &source, NULL), 0);
	assert_int_equal(write_one(source, &target, NULL, &outcome, NULL), 0);
	assert_int_equal(layout_read(disk.path, &layout, NULL), 0);
	assert_string_equal(layout.table, "gpt");
	assert_int_equal(layout.count, 1);
}

/* In a mount namespace of its own, so that nothing stays behind. */
static int fill_small_disk(char *message, size_t size)
{
	struct fake_source fake = {.size = 16 * MIB};
	struct target target;
	struct source *source = NULL;
	struct write_outcome outcome;
	struct error err = {0};

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, "size=6m") < 0)
		return 77;
	if (target_open("/mnt/disk", 16 * MIB, &target, &err) < 0 ||
	    fake_source_open(&fake, &source) < 0 ||
	    write_one(source, &target, NULL, &outcome, &err) == 0)
		return 1;
	snprintf(message, size, "%s", error_text(&err));
	expect_no_table("/mnt/disk");
	return 0;
}

static void a_full_file_system_is_an_error_and_leaves_no_table(void **state)
{
	char message[512] = "";
	int fds[2], status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		status = fill_small_disk(message, sizeof(message));
		_exit(write(fds[1], message, sizeof(message)) < 0 ? 1 : status);
	}
	assert_true(read(fds[0], message, sizeof(message)) > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fds[0]);
	close(fds[1]);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
	assert_non_null(strstr(message, "to /mnt/disk at offset "));
	assert_non_null(strstr(message, "No space left on device"));
}

static void a_block_device_is_written_like_a_file(void **state)
{
	static const struct extent zeroes[] = {{MIB, 5 * MIB + 512, EXTENT_ZERO}};
	struct fake_source fake = {.size = 12 * MIB + 512, .zeroes = zeroes, .zero_count = 1};
	_cleanup_disk_file_ struct disk_file disk;
	struct disk_file link;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_text_ struct text device = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ uint8_t *is = NULL, *should = malloc(fake.size);
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, 16 * MIB);
	if (geteuid() != 0 ||
	    process_check((const char *const[]){"losetup", "--find", "--show", disk.path, NULL},
			  &device, NULL) < 0)
		skip();
	string_trim(device.data);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	snprintf(link.path, sizeof(link.path), "%s", device.data);
	open_target(&link, &target);
	if (write_one(source, &target, NULL, &outcome, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(target_reread(&target, NULL), 0);
	target_close(&target);
	process_check((const char *const[]){"losetup", "--detach", device.data, NULL}, NULL, NULL);
	is = content_of(disk.path, disk.size);
	fake_source_fill(&fake, should, fake.size, 0);
	assert_true(memcmp(is, should, fake.size) == 0);
	expect_all(is, fake.size, 15 * MIB, JUNK);
	expect_all(is, 15 * MIB, 16 * MIB, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_written_disk_equals_the_image),
		cmocka_unit_test(extents_of_zeroes_replace_what_was_there),
		cmocka_unit_test(a_file_stays_as_sparse_as_the_image),
		cmocka_unit_test(a_source_that_fails_leaves_no_table),
		cmocka_unit_test(a_source_that_ends_early_leaves_no_table),
		cmocka_unit_test(a_disk_that_refuses_to_be_cleared_is_told),
		cmocka_unit_test(an_image_that_does_not_fit_touches_nothing),
		cmocka_unit_test(a_stop_is_obeyed_within_a_second_and_leaves_no_table),
		cmocka_unit_test(progress_reaches_the_total),
		cmocka_unit_test(death_at_any_read_leaves_no_table),
		cmocka_unit_test(a_real_table_arrives_only_at_the_end),
		cmocka_unit_test(a_full_file_system_is_an_error_and_leaves_no_table),
		cmocka_unit_test(a_block_device_is_written_like_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
