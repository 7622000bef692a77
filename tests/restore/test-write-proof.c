// SPDX-License-Identifier: GPL-3.0-or-later
/* What write_image() proves by reading back, and how it writes differences. */
#include "tests/test.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/text.h"
#include "tests/disk-file.h"
#include "tests/fake-source.h"
#include "tests/fake-stream.h"

/* Changes a disk behind the engine's back when reading back begins. */
struct liar {
	const struct disk_file *disk;
	uint64_t place;
	int times;
};

static void damage(const struct disk_file *disk, uint64_t place)
{
	_cleanup_close_ int fd = open(disk->path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(write_exactly(fd, disk->path, "damaged", 7, place, NULL), 0);
}

static void lie(void *context, const struct write_progress *progress)
{
	struct liar *liar = context;

	if (progress->phase == WRITE_READING_BACK && liar->times-- > 0)
		damage(liar->disk, liar->place);
}

static void expect_content(const struct fake_source *fake, const struct disk_file *disk)
{
	_cleanup_free_ uint8_t *is = content_of(disk->path, fake->size);
	_cleanup_free_ uint8_t *should = malloc(fake->size);

	fake_source_fill(fake, should, fake->size, 0);
	assert_true(memcmp(is, should, fake->size) == 0);
}

static void what_was_damaged_is_written_again(void **state)
{
	static const enum queue_kind kinds[] = {QUEUE_BEST, QUEUE_THREADS};

	(void)state;
	for (size_t i = 0; i < array_length(kinds); i++) {
		struct fake_source fake = {.size = 16 * MIB};
		_cleanup_disk_file_ struct disk_file disk;
		_cleanup_target_ struct target target = {0};
		_cleanup_source_ struct source *source = NULL;
		struct liar liar = {&disk, 9 * MIB + 12345, 1};
		const struct write_options options = {
			.progress = lie, .context = &liar, .io = kinds[i]};
		struct write_outcome outcome;

		disk_make(&disk, 16 * MIB);
		open_target(&disk, &target);
		assert_int_equal(fake_source_open(&fake, &source), 0);
		assert_int_equal(write_one(source, &target, &options, &outcome, NULL), 0);
		assert_int_equal(outcome.rewritten_bytes, MIB);
		assert_int_equal(outcome.verified_bytes, 16 * MIB);
		expect_content(&fake, &disk);
	}
}

static void without_proof_nothing_is_read_back(void **state)
{
	struct fake_source fake = {.size = 8 * MIB};
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	const struct write_options options = {.proof = WRITE_TRUST_DISK};
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, 8 * MIB);
	open_target(&disk, &target);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(write_one(source, &target, &options, &outcome, NULL), 0);
	assert_int_equal(outcome.verified_bytes, 0);
	expect_content(&fake, &disk);
}

/* Whatever is written to it lands at the end of the file, and not where it should. */
static void make_forgetful(const struct disk_file *disk, struct target *target)
{
	close(target->fd);
	target->fd = open(disk->path, O_RDWR | O_APPEND | O_CLOEXEC);
	assert_true(target->fd >= 0);
	target->direct = false;
}

static void a_disk_that_keeps_nothing_fails(void **state)
{
	struct fake_source fake = {.size = 16 * MIB};
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, 16 * MIB);
	open_target(&disk, &target);
	make_forgetful(&disk, &target);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(write_one(source, &target, NULL, &outcome, &err), -1);
	assert_non_null(
		strstr(error_text(&err), ": read back 1048576 bytes in the MiB at offset "));
	assert_non_null(strstr(error_text(&err), ": the disk does not hold what was written to it, "
						 "twice: it or its cable, controller or memory is "
						 "defective"));
	assert_true(outcome.began && !outcome.left_something);
	expect_no_table(disk.path);
}

static void a_disk_that_does_not_keep_the_ends_fails(void **state)
{
	struct fake_source fake = {.size = 2 * MIB};
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, 2 * MIB);
	open_target(&disk, &target);
	make_forgetful(&disk, &target);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(write_one(source, &target, NULL, &outcome, &err), -1);
	assert_non_null(strstr(error_text(&err), ": read back 1048576 bytes at offset 0: the disk "
						 "does not hold what was written to it, twice"));
	expect_no_table(disk.path);
}

static void a_stream_cannot_be_written_again(void **state)
{
	struct fake_stream stream = {.fake = {.size = 16 * MIB}};
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct liar liar = {&disk, 3 * MIB, 1};
	const struct write_options options = {.progress = lie, .context = &liar};
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, 16 * MIB);
	open_target(&disk, &target);
	assert_int_equal(fake_stream_open(&stream, &source), 0);
	assert_int_equal(write_one(source, &target, &options, &outcome, &err), -1);
	assert_non_null(strstr(error_text(&err),
			       "read back 1048576 bytes in the MiB at offset 3145728: the disk "
			       "does not hold what was written to it, and a stream cannot be read "
			       "again"));
	expect_no_table(disk.path);
}

/* A source that says something else when it is read a second time. */
static int fickle_read(struct source *source, void *data, size_t length, uint64_t offset,
		       struct error *err)
{
	if (fake_source_op_read(source, data, length, offset, err) < 0)
		return -1;
	((uint8_t *)data)[0] ^= (uint8_t)atomic_load(&fake_source_of(source)->reads);
	return 0;
}

static void an_image_that_changes_is_found_out(void **state)
{
	struct fake_source fake = {.size = 4 * MIB};
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct liar liar = {&disk, MIB + 8, 1};
	const struct write_options options = {.progress = lie, .context = &liar};
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, 4 * MIB);
	open_target(&disk, &target);
	assert_int_equal(fake_source_open(&fake, &source), 0);
	fake.ops.read = fickle_read;
	assert_int_equal(write_one(source, &target, &options, &outcome, &err), -1);
	assert_non_null(strstr(error_text(&err), "or the image changed meanwhile"));
	expect_no_table(disk.path);
}

static void write_differences(struct fake_source *fake, const struct disk_file *disk,
			      struct write_outcome *outcome)
{
	const struct write_options options = {.method = WRITE_DIFFERENCES};
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	open_target(disk, &target);
	assert_int_equal(fake_source_open(fake, &source), 0);
	if (write_one(source, &target, &options, outcome, &err) < 0)
		fail_msg("%s", error_text(&err));
	expect_content(fake, disk);
}

static void only_what_differs_is_written(void **state)
{
	static const struct extent zeroes[] = {{8 * MIB, 4 * MIB, EXTENT_ZERO}};
	struct fake_source fake = {.size = 16 * MIB, .zeroes = zeroes, .zero_count = 1};
	_cleanup_disk_file_ struct disk_file disk;
	struct write_outcome outcome;

	(void)state;
	disk_make(&disk, 17 * MIB);
	write_differences(&fake, &disk, &outcome);
	assert_int_equal(outcome.data_bytes, 12 * MIB);
	assert_int_equal(outcome.zero_bytes, 4 * MIB);
	assert_int_equal(outcome.same_bytes, 0);
	/* The ends are written always: 1 MiB and the last whole MiB. */
	write_differences(&fake, &disk, &outcome);
	assert_int_equal(outcome.data_bytes, 2 * MIB);
	assert_int_equal(outcome.zero_bytes, 0);
	assert_int_equal(outcome.same_bytes, 14 * MIB);
	assert_int_equal(outcome.verified_bytes, 2 * MIB);
	damage(&disk, 5 * MIB + 70000);
	damage(&disk, 9 * MIB);
	write_differences(&fake, &disk, &outcome);
	assert_int_equal(outcome.data_bytes, 2 * MIB + 65536);
	/* The window that is no hole any more is made one as a whole: cheaper than reading it. */
	assert_int_equal(outcome.zero_bytes, MIB);
	assert_int_equal(outcome.verified_bytes, 2 * MIB + 65536);
}

static void differences_of_a_stream_are_written(void **state)
{
	struct fake_stream stream = {.fake = {.size = 9 * MIB + 5}, .claimed = 1};
	const struct write_options options = {.method = WRITE_DIFFERENCES};
	_cleanup_disk_file_ struct disk_file disk;

	(void)state;
	disk_make(&disk, 16 * MIB);
	for (int i = 0; i < 2; i++) {
		_cleanup_target_ struct target target = {0};
		_cleanup_source_ struct source *source = NULL;
		struct write_outcome outcome;

		open_target(&disk, &target);
		assert_int_equal(fake_stream_open(&stream, &source), 0);
		assert_int_equal(write_one(source, &target, &options, &outcome, NULL), 0);
		assert_int_equal(outcome.same_bytes, i * 7 * MIB);
		expect_content(&stream.fake, &disk);
	}
}

static int slow_read(struct source *source, void *data, size_t length, uint64_t offset,
		     struct error *err)
{
	usleep(3000);
	return fake_source_op_read(source, data, length, offset, err);
}

/* Restores until it is killed, or has ended before. */
static void killed_restore(const struct disk_file *disk, struct fake_source *fake, useconds_t after)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct source *source = NULL;
		struct target target;
		struct write_stats stats;
		struct write_outcome outcome;

		if (target_open(disk->path, 0, &target, NULL) < 0 ||
		    fake_source_open(fake, &source) < 0)
			_exit(1);
		fake->ops.read = slow_read;
		_exit(write_image(source, &target, 1, NULL, &stats, &outcome, NULL) < 0);
	}
	usleep(after);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

/* Nothing happened yet, or there is no table, or all is there. */
static void expect_whole_or_no_table(const struct fake_source *fake, const struct disk_file *disk)
{
	_cleanup_free_ uint8_t *data = content_of(disk->path, disk->size);

	if (data[0] == JUNK)
		expect_all(data, 0, disk->size, JUNK);
	else if (data[0] == 0)
		expect_all(data, 0, 4096, 0);
	else
		expect_content(fake, disk);
}

static void killed_at_any_moment_it_can_be_completed(void **state)
{
	static const struct extent zeroes[] = {{6 * MIB, 3 * MIB + 4096, EXTENT_ZERO}};

	(void)state;
	srand(20);
	for (int i = 0; i < 20; i++) {
		struct fake_source fake = {.size = 24 * MIB, .zeroes = zeroes, .zero_count = 1};
		_cleanup_disk_file_ struct disk_file disk;
		struct write_outcome outcome;

		disk_make(&disk, 25 * MIB);
		killed_restore(&disk, &fake, (useconds_t)(rand() % 80000));
		expect_whole_or_no_table(&fake, &disk);
		write_differences(&fake, &disk, &outcome);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_damaged_is_written_again),
		cmocka_unit_test(without_proof_nothing_is_read_back),
		cmocka_unit_test(a_disk_that_keeps_nothing_fails),
		cmocka_unit_test(a_disk_that_does_not_keep_the_ends_fails),
		cmocka_unit_test(a_stream_cannot_be_written_again),
		cmocka_unit_test(an_image_that_changes_is_found_out),
		cmocka_unit_test(only_what_differs_is_written),
		cmocka_unit_test(differences_of_a_stream_are_written),
		cmocka_unit_test(killed_at_any_moment_it_can_be_completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
