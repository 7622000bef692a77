// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/restore/used-image.h"

static void make_btrfs(const char *options)
{
	_cleanup_free_ char *line = string_format("mkfs.btrfs -q %s image", options);

	make_image(300 * MIB);
	run("mkfs.btrfs", line);
}

static void check_btrfs(const char *options, int files, uint64_t least_unused)
{
	uint64_t unused;

	need_mount("btrfs");
	make_btrfs(options);
	mount_file("image", "btrfs", "rw");
	fill_and_delete(files);
	unmount();
	unused = restore();
	if (unused < least_unused)
		fail_msg("mkfs.btrfs %s: %llu bytes unused", options, (unsigned long long)unused);
	run("btrfs", "btrfs check --check-data-csum disk");
	run("mv", "mv disk kept && mkdir keep && mv image keep/");
	/* One at a time: both have the same UUID. */
	sum_files("keep/image", "btrfs", "before");
	sum_files("kept", "btrfs", "after");
	run("cmp", "cmp before after && test -s before");
}

static void btrfs_is_restored_without_what_it_does_not_use(void **state)
{
	(void)state;
	check_btrfs("-d single -m dup", 60, 150 * MIB);
}

static void btrfs_with_single_metadata_is_understood(void **state)
{
	(void)state;
	check_btrfs("-d single -m single", 60, 150 * MIB);
}

static void btrfs_with_mixed_chunks_is_understood(void **state)
{
	(void)state;
	check_btrfs("--mixed", 60, 150 * MIB);
}

static void btrfs_with_dup_data_and_small_nodes_is_understood(void **state)
{
	(void)state;
	check_btrfs("-d dup -m dup -n 4096 -R ^free-space-tree", 40, 100 * MIB);
}

static void btrfs_with_a_deep_tree_is_understood(void **state)
{
	(void)state;
	need_mount("btrfs");
	make_btrfs("-n 4096");
	mount_file("image", "btrfs", "rw,max_inline=0");
	run("split", "head -c 40000000 /dev/urandom | (cd mount && split -a 4 -b 4096) && sync && "
		     "rm mount/*[acegikmoqsuwy] && sync");
	unmount();
	assert_true(restore() > 100 * MIB);
	run("btrfs", "btrfs check --check-data-csum disk");
}

static void a_fresh_btrfs_is_understood(void **state)
{
	(void)state;
	make_btrfs("");
	assert_true(restore() > 290 * MIB);
	run("btrfs", "btrfs check --check-data-csum disk");
}

static void btrfs_whose_log_was_not_replayed_is_copied_whole(void **state)
{
	(void)state;
	need_mount("btrfs");
	make_btrfs("");
	mount_file("image", "btrfs", "rw");
	run("sync", "echo x >mount/file && sync && echo y >>mount/file && sync mount/file && "
		    "cp --sparse=always image copy");
	unmount();
	run("mv", "mv copy image");
	assert_declined("its log was not replayed: it was not unmounted cleanly");
}

static void btrfs_on_two_devices_is_copied_whole(void **state)
{
	(void)state;
	run("truncate", "truncate -s 300M second");
	make_btrfs("-d raid1 -m raid1 second");
	assert_declined("it has more than one device");
}

static void btrfs_with_other_checksums_is_copied_whole(void **state)
{
	(void)state;
	make_btrfs("--csum xxhash");
	assert_declined("it has checksums of a kind that is not known");
}

static void a_superblock_with_a_wrong_checksum_is_not_believed(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	uint64_t length;

	(void)state;
	make_btrfs("");
	run("dd", "printf x | dd of=image bs=1 seek=69000 conv=notrunc status=none");
	source = open_image();
	length = source->size;
	/* libblkid does not believe it either: nothing is known about the content. */
	assert_true(used_blocks_is_used(source->used, 0, &length));
	assert_int_equal(length, source->size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(btrfs_is_restored_without_what_it_does_not_use),
		test(btrfs_with_single_metadata_is_understood),
		test(btrfs_with_mixed_chunks_is_understood),
		test(btrfs_with_dup_data_and_small_nodes_is_understood),
		test(btrfs_with_a_deep_tree_is_understood),
		test(a_fresh_btrfs_is_understood),
		test(btrfs_whose_log_was_not_replayed_is_copied_whole),
		test(btrfs_on_two_devices_is_copied_whole),
		test(btrfs_with_other_checksums_is_copied_whole),
		test(a_superblock_with_a_wrong_checksum_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
