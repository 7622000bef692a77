// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "restore/verify.h"
#include "tests/disk-file.h"
#include "tests/fake-source.h"
#include "tests/fake-stream.h"

static const struct extent parts[] = {
	{2 * MIB, 5 * MIB, EXTENT_ZERO},
	{8 * MIB, 2 * MIB, EXTENT_UNUSED},
};

static void restore_to(struct fake_source *fake, struct disk_file *disk)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_source_ struct source *source = NULL;
	struct write_outcome outcome;

	disk_make(disk, 20 * MIB);
	open_target(disk, &target);
	assert_int_equal(fake_source_open(fake, &source), 0);
	assert_int_equal(write_one(source, &target, NULL, &outcome, NULL), 0);
}

static void damage(const struct disk_file *disk, uint64_t place, size_t length)
{
	_cleanup_close_ int fd = open(disk->path, O_WRONLY | O_CLOEXEC);
	_cleanup_free_ uint8_t *other = calloc(1, length);

	memset(other, 0xf0, length);
	assert_int_equal(write_exactly(fd, disk->path, other, length, place, NULL), 0);
}

static void verify(struct fake_source *fake, const char *path, struct verification *out)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	assert_int_equal(fake_source_open(fake, &source), 0);
	if (verify_image(source, path, NULL, out, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void a_restored_disk_is_equal_but_for_what_is_unused(void **state)
{
	struct fake_source fake = {.size = 16 * MIB + 777, .zeroes = parts, .zero_count = 2};
	_cleanup_disk_file_ struct disk_file disk;
	struct verification verification;

	(void)state;
	restore_to(&fake, &disk);
	verify(&fake, disk.path, &verification);
	assert_int_equal(verification.different_bytes, 0);
	assert_int_equal(verification.count, 0);
	assert_int_equal(verification.unused_bytes, 2 * MIB);
	assert_int_equal(verification.compared_bytes, 14 * MIB + 777);
}

static void differences_are_told_and_neighbours_are_one(void **state)
{
	struct fake_source fake = {.size = 16 * MIB + 777, .zeroes = parts, .zero_count = 2};
	_cleanup_disk_file_ struct disk_file disk;
	struct verification verification;

	(void)state;
	restore_to(&fake, &disk);
	damage(&disk, 3 * MIB - 5000, 10000);
	damage(&disk, 5 * MIB + 1, 1);
	damage(&disk, 9 * MIB, 4096);
	damage(&disk, 16 * MIB + 776, 100);
	verify(&fake, disk.path, &verification);
	assert_int_equal(verification.count, 3);
	assert_int_equal(verification.difference[0].offset, 3 * MIB - 8192);
	assert_int_equal(verification.difference[0].length, 16384);
	assert_int_equal(verification.difference[1].offset, 5 * MIB);
	assert_int_equal(verification.difference[1].length, 4096);
	assert_int_equal(verification.difference[2].offset, 16 * MIB);
	assert_int_equal(verification.difference[2].length, 777);
	assert_int_equal(verification.different_bytes, 16384 + 4096 + 777);
}

static void all_differences_are_counted_and_the_first_told(void **state)
{
	struct fake_source fake = {.size = 16 * MIB};
	_cleanup_disk_file_ struct disk_file disk;
	struct verification verification;

	(void)state;
	restore_to(&fake, &disk);
	for (uint64_t i = 0; i < 200; i++)
		damage(&disk, i * 65536 + 8192, 1);
	verify(&fake, disk.path, &verification);
	assert_int_equal(verification.different_bytes, 200 * 4096);
	assert_int_equal(verification.count, VERIFY_DIFFERENCES);
	for (uint64_t i = 0; i < VERIFY_DIFFERENCES; i++)
		assert_int_equal(verification.difference[i].offset, i * 65536 + 8192);
}

static void a_stream_is_compared_too(void **state)
{
	struct fake_stream stream = {
		.fake = {.size = 16 * MIB + 777, .zeroes = parts, .zero_count = 1},
		.claimed = 1,
		.piece = 70000};
	_cleanup_disk_file_ struct disk_file disk;
	_cleanup_source_ struct source *source = NULL;
	struct verification verification;

	(void)state;
	restore_to(&stream.fake, &disk);
	damage(&disk, 6 * MIB, 1);
	assert_int_equal(fake_stream_open(&stream, &source), 0);
	assert_int_equal(verify_image(source, disk.path, NULL, &verification, NULL), 0);
	assert_int_equal(verification.compared_bytes, 16 * MIB + 777);
	assert_int_equal(verification.different_bytes, 4096);
	assert_int_equal(verification.difference[0].offset, 6 * MIB);
	assert_int_equal(stream.asked, 1);
}

static void expect_error(struct fake_source *fake, const char *path,
			 const struct write_options *options, const char *message)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct verification verification;

	assert_int_equal(fake_source_open(fake, &source), 0);
	assert_int_equal(verify_image(source, path, options, &verification, &err), -1);
	assert_non_null(strstr(error_text(&err), message));
}

static void what_cannot_be_compared_is_an_error(void **state)
{
	struct fake_source fake = {.size = 8 * MIB},
			   broken = {.size = 8 * MIB, .error_at = 5 * MIB};
	const atomic_bool stop = true;
	const struct write_options options = {.stop = &stop};
	_cleanup_disk_file_ struct disk_file disk;

	(void)state;
	disk_make(&disk, 8 * MIB);
	expect_error(&fake, "/nonexistent", NULL,
		     "compare fake with /nonexistent: open /nonexistent: No such file");
	expect_error(&broken, disk.path, NULL, "fake read error at offset 5242880");
	expect_error(&fake, disk.path, &options, "it was stopped");
	assert_int_equal(truncate(disk.path, 8 * MIB - 1), 0);
	expect_error(&fake, disk.path, NULL,
		     "is smaller than the image: 8388607 bytes do not hold what is at offset "
		     "8388607 and behind it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restored_disk_is_equal_but_for_what_is_unused),
		cmocka_unit_test(differences_are_told_and_neighbours_are_one),
		cmocka_unit_test(all_differences_are_counted_and_the_first_told),
		cmocka_unit_test(a_stream_is_compared_too),
		cmocka_unit_test(what_cannot_be_compared_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
