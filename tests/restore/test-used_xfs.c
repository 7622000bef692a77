// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/restore/used-image.h"

static void make_xfs(uint64_t size, const char *options)
{
	_cleanup_free_ char *line = string_format("mkfs.xfs -q %s image", options);

	make_image(size);
	run("mkfs.xfs", line);
}

static void check_xfs(const char *options, int files)
{
	uint64_t unused;

	need_mount("xfs");
	make_xfs(310 * MIB, options);
	mount_file("image", "xfs", "rw");
	fill_and_delete(files);
	unmount();
	unused = restore();
	if (unused < 120 * MIB)
		fail_msg("mkfs.xfs %s: %llu bytes unused", options, (unsigned long long)unused);
	run("xfs_repair", "xfs_repair -n -f disk");
	compare_files("xfs");
}

static void xfs_is_restored_without_what_it_does_not_use(void **state)
{
	(void)state;
	check_xfs("", 60);
}

/* Kernels need not know version 4 any more. */
static void xfs_of_version_4_is_understood(void **state)
{
	(void)state;
	run("mkfs.xfs", "head -c 9000000 /dev/urandom >file && "
			"printf '/\\n0 0\\nd--755 0 0\\nfile ---644 0 0 file\\n$\\n' >proto");
	make_xfs(310 * MIB, "-m crc=0 -p proto");
	assert_true(restore() > 120 * MIB);
	run("xfs_repair", "xfs_repair -n -f disk");
}

static void xfs_with_small_blocks_and_a_deep_tree_is_understood(void **state)
{
	(void)state;
	/* 1 KiB of many tiny files, every second deleted: thousands of free stretches. */
	need_mount("xfs");
	make_xfs(310 * MIB, "-b size=1024 -d agcount=2");
	mount_file("image", "xfs", "rw");
	run("split", "head -c 20000000 /dev/urandom | (cd mount && split -a 4 -b 1024) && sync && "
		     "rm mount/*[acegikmoqsuwy] && sync");
	unmount();
	assert_true(restore() > 120 * MIB);
	run("xfs_repair", "xfs_repair -n -f disk");
	compare_files("xfs");
}

static void xfs_with_log_stripes_is_understood(void **state)
{
	(void)state;
	check_xfs("-l su=256k", 20);
}

static void a_fresh_xfs_is_understood(void **state)
{
	(void)state;
	make_xfs(310 * MIB, "");
	assert_true(restore() > 120 * MIB);
	run("xfs_repair", "xfs_repair -n -f disk");
}

static void xfs_whose_log_went_around_is_understood(void **state)
{
	(void)state;
	need_mount("xfs");
	make_xfs(310 * MIB, "--unsupported -l size=10m");
	mount_file("image", "xfs", "rw");
	run("seq", "for round in 1 2 3 4 5 6; do for i in $(seq 3000); do : >mount/$i; done; sync; "
		   "rm mount/*; sync; done; echo x >mount/kept");
	unmount();
	assert_true(restore() > 120 * MIB);
	run("xfs_repair", "xfs_repair -n -f disk");
	compare_files("xfs");
}

static void a_mounted_xfs_is_copied_whole(void **state)
{
	(void)state;
	need_mount("xfs");
	make_xfs(310 * MIB, "");
	mount_file("image", "xfs", "rw");
	run("sync", "echo x >mount/file && sync && cp --sparse=always image copy");
	unmount();
	run("mv", "mv copy image");
	assert_declined("its log was not replayed: it was not unmounted cleanly");
}

static void xfs_with_an_external_log_is_copied_whole(void **state)
{
	(void)state;
	run("truncate", "truncate -s 64M log");
	make_xfs(310 * MIB, "-l logdev=log,size=64m");
	assert_declined("its log is on another device");
}

static void xfs_that_was_cut_off_is_copied_whole(void **state)
{
	(void)state;
	make_xfs(310 * MIB, "");
	run("truncate", "truncate -s 309M image");
	assert_declined("it is larger than its partition");
}

static void a_damaged_tree_is_not_believed(void **state)
{
	(void)state;
	/* The root of the first group's tree is block 1 behind the four header sectors. */
	make_xfs(310 * MIB, "");
	run("xfs_db", "b=$(xfs_db -r -c 'agf 0' -c 'p bnoroot' image | cut -d' ' -f3); "
		      "printf x | dd of=image bs=1 seek=$((b * 4096 + 60)) conv=notrunc "
		      "status=none");
	{
		_cleanup_source_ struct source *source = open_image();
		uint64_t length = source->size;

		assert_true(used_blocks_is_used(source->used, 0, &length));
		assert_int_equal(length, source->size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(xfs_is_restored_without_what_it_does_not_use),
		test(xfs_of_version_4_is_understood),
		test(xfs_with_small_blocks_and_a_deep_tree_is_understood),
		test(xfs_with_log_stripes_is_understood),
		test(a_fresh_xfs_is_understood),
		test(xfs_whose_log_went_around_is_understood),
		test(a_mounted_xfs_is_copied_whole),
		test(xfs_with_an_external_log_is_copied_whole),
		test(xfs_that_was_cut_off_is_copied_whole),
		test(a_damaged_tree_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
