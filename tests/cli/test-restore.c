// SPDX-License-Identifier: GPL-3.0-or-later
/* What restore and verify do with several disks, with what a disk holds already, with checksums and
 * with standard input. */
#include "tests/cli/program.h"

static void several_disks_get_the_image_at_once(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	make_disk("one.disk", 64);
	make_disk("two.disk", 64);
	unlink("three.disk");
	v2p(&result, "restore", "--no-adapt", "--no-used-blocks", "--yes", "a.raw", "one.disk",
	    "two.disk", "three.disk");
	expect(&result, 0, "two.disk\nWriting ");
	shell("cmp a.raw one.disk; cmp a.raw two.disk; cmp a.raw three.disk");
}

static void a_disk_that_is_named_twice_is_refused(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	make_disk("one.disk", 64);
	shell("ln -sf one.disk same.disk");
	v2p(&result, "restore", "--no-adapt", "--yes", "a.raw", "one.disk", "same.disk");
	expect(&result, 1, "is named twice, as 'one.disk' and as 'same.disk'");
	expect_untouched("one.disk");
}

static void more_than_eight_disks_are_refused(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	v2p(&result, "restore", "--no-adapt", "--yes", "a.raw", "./1", "./2", "./3", "./4", "./5",
	    "./6", "./7", "./8", "./9");
	expect(&result, 1, "9 disks are named: at most 8 are written at once");
	assert_int_equal(access("1", F_OK), -1);
}

static void a_full_disk_does_not_stop_the_others(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	if (geteuid() != 0 || system("mkdir -p small && mount -t tmpfs -o size=8M none small") != 0)
		skip();
	make_image("a.raw", "mke2fs -q -t ext4");
	shell("head -c 32M /dev/urandom | dd of=a.raw bs=1M seek=8 conv=notrunc status=none; "
	      "truncate -s 64M small/full.disk");
	make_disk("good.disk", 64);
	v2p(&result, "restore", "--no-adapt", "--no-used-blocks", "--yes", "--json", "a.raw",
	    "small/full.disk", "good.disk");
	shell("if head -c 1M small/full.disk | tr -d '\\0' | grep -q .; then exit 1; fi; "
	      "umount small; cmp a.raw good.disk");
	expect(&result, 3, "small/full.disk: ");
	expect(&result, 3, "No space left on device");
	expect(&result, 3, "the same command with --resume goes on from there");
	assert_non_null(strstr(text_string(&result.output), "good.disk\""));
}

static void resume_writes_only_what_differs(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	shell("head -c 32M /dev/urandom | dd of=a.raw bs=1M seek=8 conv=notrunc status=none; "
	      "cp a.raw disk; dd if=/dev/zero of=disk bs=64K seek=200 count=2 conv=notrunc "
	      "status=none");
	v2p(&result, "restore", "--no-adapt", "--no-used-blocks", "--yes", "--resume", "--json",
	    "a.raw", "disk");
	expect(&result, 0, "");
	shell("cmp a.raw disk");
	/* Both ends, which are cleared first, and the two pieces that differ. */
	assert_int_equal(file_replace("report", text_string(&result.output), result.output.length,
				      0600, NULL),
			 0);
	shell("n=$(sed -n 's/.*\"written-bytes\": \\([0-9]*\\).*/\\1/p' report); "
	      "test $n -ge 131072; test $n -le 3145728");
}

static void verify_says_where_a_disk_differs(void **state)
{
	_cleanup_process_result_ struct process_result same = {0}, differs = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	shell("cp a.raw disk");
	v2p(&same, "verify", "--no-used-blocks", "a.raw", "disk");
	expect(&same, 0, "");
	shell("printf v2p | dd of=disk bs=1 seek=30000000 conv=notrunc status=none");
	v2p(&differs, "verify", "--no-used-blocks", "a.raw", "disk");
	expect(&differs, 1, "disk differs from a.raw in 4 KiB: ");
	assert_non_null(strstr(text_string(&differs.output),
			       "differs     4 KiB at offset 29999104 (partition 1)"));
}

static void a_wrong_checksum_is_refused_before_writing(void **state)
{
	_cleanup_process_result_ struct process_result wrong = {0}, right = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	make_disk("disk", 64);
	shell("sha256sum a.raw > SHA256SUMS; sed 's/^......../01234567/' SHA256SUMS > WRONG");
	v2p(&wrong, "restore", "--no-adapt", "--yes", "--checksum", "WRONG", "a.raw", "disk");
	expect(&wrong, 1, "01234567");
	expect_untouched("disk");
	v2p(&right, "restore", "--no-adapt", "--yes", "--checksum", "SHA256SUMS", "a.raw", "disk");
	expect(&right, 0, "");
}

static void a_compressed_image_comes_by_standard_input(void **state)
{
	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	unlink("new.disk");
	make_disk("disk", 64);
	shell("gzip -c a.raw | " V2P_PROGRAM " restore --no-adapt --yes --progress none - disk; "
	      "cmp a.raw disk");
}

static void a_stream_is_grown_to_the_end_of_the_disk(void **state)
{
	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	make_disk("big.disk", 100);
	shell("gzip -c a.raw | " V2P_PROGRAM
	      " restore --no-adapt --yes --progress none - big.disk; "
	      "test $(sfdisk -l -o Sectors -q big.disk | tail -n 1) -ge 202000; "
	      "dd if=big.disk of=p bs=1M skip=1 status=none; e2fsck -fn p; "
	      "test $(dumpe2fs -h p 2>/dev/null | sed -n 's/^Block count: *//p') -ge 100000");
}

static void a_stream_with_a_wrong_checksum_leaves_no_table(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	shell("gzip -kf a.raw");
	make_disk("disk", 64);
	v2p(&result, "restore", "--no-adapt", "--yes", "--checksum",
	    "sha256:0123456789012345678901234567890123456789012345678901234567890123", "a.raw.gz",
	    "disk");
	expect(&result, 3, "the disk was left without a partition table");
	shell("if head -c 1M disk | tr -d '\\0' | grep -q .; then exit 1; fi");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_disks_get_the_image_at_once),
		cmocka_unit_test(a_disk_that_is_named_twice_is_refused),
		cmocka_unit_test(more_than_eight_disks_are_refused),
		cmocka_unit_test(a_full_disk_does_not_stop_the_others),
		cmocka_unit_test(resume_writes_only_what_differs),
		cmocka_unit_test(verify_says_where_a_disk_differs),
		cmocka_unit_test(a_wrong_checksum_is_refused_before_writing),
		cmocka_unit_test(a_compressed_image_comes_by_standard_input),
		cmocka_unit_test(a_stream_is_grown_to_the_end_of_the_disk),
		cmocka_unit_test(a_stream_with_a_wrong_checksum_leaves_no_table),
	};

	return cmocka_run_group_tests(tests, enter_directory, remove_directory);
}
