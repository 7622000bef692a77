// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/restore/used-image.h"

/* mke2fs with these options, filled from a directory without being root, half deleted. */
static void make_ext(uint64_t size, const char *options)
{
	_cleanup_free_ char *line = string_format(
		"mkdir tree && for i in $(seq 60); do head -c $((i * 37813 %% 300000 + 10)) "
		"/dev/urandom >tree/$i; done; mke2fs -q -F -d tree %s image && "
		"for i in $(seq 2 2 60); do echo rm $i; done | debugfs -w -f - image",
		options);

	make_image(size);
	run("mke2fs", line);
}

static void check_ext(uint64_t size, const char *options, uint64_t least_unused)
{
	uint64_t unused;

	make_ext(size, options);
	unused = restore();
	if (unused < least_unused)
		fail_msg("mke2fs %s: %llu bytes unused", options, (unsigned long long)unused);
	run("e2fsck", "e2fsck -fn disk");
	run("debugfs", "mkdir before after; debugfs -R 'rdump / before' image; "
		       "debugfs -R 'rdump / after' disk; diff -r before after && "
		       "test -s after/1 && test -s after/59");
}

static void ext4_is_restored_without_what_it_does_not_use(void **state)
{
	(void)state;
	check_ext(300 * MIB, "-t ext4", 260 * MIB);
}

static void ext4_without_64bit_is_understood(void **state)
{
	(void)state;
	check_ext(200 * MIB, "-t ext4 -g 8192 -O ^64bit,^metadata_csum,uninit_bg", 170 * MIB);
}

static void ext4_with_meta_bg_is_understood(void **state)
{
	(void)state;
	check_ext(200 * MIB, "-t ext4 -g 1024 -O meta_bg,^resize_inode", 170 * MIB);
}

static void ext4_with_bigalloc_is_understood(void **state)
{
	(void)state;
	check_ext(300 * MIB, "-t ext4 -O bigalloc -C 65536", 250 * MIB);
}

static void ext4_with_small_blocks_is_understood(void **state)
{
	(void)state;
	check_ext(150 * MIB, "-t ext4 -b 1024", 120 * MIB);
}

static void ext4_with_sparse_super2_is_understood(void **state)
{
	(void)state;
	check_ext(200 * MIB, "-t ext4 -g 8192 -O sparse_super2", 170 * MIB);
}

static void ext4_with_large_flex_groups_is_understood(void **state)
{
	(void)state;
	check_ext(200 * MIB, "-t ext4 -b 1024 -G 64 -N 200000", 120 * MIB);
}

static void ext4_without_flex_groups_is_understood(void **state)
{
	(void)state;
	check_ext(200 * MIB, "-t ext4 -g 8192 -O ^flex_bg", 160 * MIB);
}

static void ext3_is_understood(void **state)
{
	(void)state;
	check_ext(150 * MIB, "-t ext3 -g 8192", 120 * MIB);
}

static void ext2_is_understood(void **state)
{
	(void)state;
	check_ext(150 * MIB, "-t ext2 -b 1024 -O ^sparse_super,^resize_inode", 120 * MIB);
}

static void a_mounted_ext4_is_copied_whole(void **state)
{
	(void)state;
	need_mount("ext4");
	make_image(64 * MIB);
	run("mke2fs", "mke2fs -q -F -t ext4 image");
	mount_file("image", "ext4", "rw");
	run("sync", "echo x >mount/file && sync && cp --sparse=always image copy");
	unmount();
	run("mv", "mv copy image");
	assert_declined("its journal was not replayed: it was not unmounted cleanly");
}

static void a_mounted_ext2_is_copied_whole(void **state)
{
	(void)state;
	need_mount("ext2");
	make_image(64 * MIB);
	run("mke2fs", "mke2fs -q -F -t ext2 image");
	mount_file("image", "ext2", "rw");
	run("sync", "echo x >mount/file && sync && cp --sparse=always image copy");
	unmount();
	run("mv", "mv copy image");
	assert_declined("it was not unmounted cleanly");
}

static void an_ext4_with_errors_is_copied_whole(void **state)
{
	(void)state;
	make_image(64 * MIB);
	run("mke2fs", "mke2fs -q -F -t ext4 image && debugfs -w -R 'ssv state 3' image");
	assert_declined("it is marked as damaged: run e2fsck in the virtual machine");
}

static void a_group_with_a_damaged_bitmap_is_in_use(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	uint64_t length = MIB;

	(void)state;
	make_ext(512 * MIB, "-t ext4 -O ^flex_bg");
	/* The bitmap of group 2 begins where dumpe2fs says. */
	run("dumpe2fs",
	    "at=$(dumpe2fs image 2>/dev/null | sed -n 's/.*Block bitmap at \\([0-9]*\\).*/\\1/p' | "
	    "sed -n 3p) && printf x | dd of=image bs=1 seek=$((at * 4096 + 3000)) conv=notrunc "
	    "status=none && debugfs -w -R 'set_bg 2 flags 0' image && "
	    "debugfs -w -R 'set_bg 2 checksum calc' image");
	source = open_image();
	assert_true(used_blocks_is_used(source->used, 300 * MIB, &length));
	length = MIB;
	assert_false(used_blocks_is_used(source->used, 200 * MIB, &length));
}

static void an_ext4_that_is_larger_than_its_partition_is_copied_whole(void **state)
{
	(void)state;
	make_image(64 * MIB);
	run("mke2fs", "mke2fs -q -F -t ext4 image && truncate -s 63M image");
	assert_declined("it is larger than its partition");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(ext4_is_restored_without_what_it_does_not_use),
		test(ext4_without_64bit_is_understood),
		test(ext4_with_meta_bg_is_understood),
		test(ext4_with_bigalloc_is_understood),
		test(ext4_with_small_blocks_is_understood),
		test(ext4_with_sparse_super2_is_understood),
		test(ext4_with_large_flex_groups_is_understood),
		test(ext4_without_flex_groups_is_understood),
		test(ext3_is_understood),
		test(ext2_is_understood),
		test(a_mounted_ext4_is_copied_whole),
		test(a_mounted_ext2_is_copied_whole),
		test(an_ext4_with_errors_is_copied_whole),
		test(a_group_with_a_damaged_bitmap_is_in_use),
		test(an_ext4_that_is_larger_than_its_partition_is_copied_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
