// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/restore/used-image.h"

static void make_fat(uint64_t size, const char *options)
{
	_cleanup_free_ char *line = string_format("mkfs.fat %s image", options);

	make_image(size);
	run("mkfs.fat", line);
	run("mcopy", "mkdir tree && for i in $(seq 40); do head -c $((i * 3781)) /dev/urandom "
		     ">tree/$i; done && mcopy -i image -s tree ::tree && "
		     "for i in $(seq 2 2 40); do mdel -i image ::tree/$i; done");
}

static void check_fat(uint64_t size, const char *options, uint64_t least_unused)
{
	uint64_t unused;

	make_fat(size, options);
	unused = restore();
	if (unused < least_unused)
		fail_msg("mkfs.fat %s: %llu bytes unused", options, (unsigned long long)unused);
	run("fsck.fat", "fsck.fat -n disk");
	run("mcopy",
	    "mkdir before after && mcopy -i image -s ::tree before && "
	    "mcopy -i disk -s ::tree after && diff -r before after && test -s after/tree/39");
}

static void fat12_is_understood(void **state)
{
	(void)state;
	check_fat(4 * MIB, "-F 12", MIB);
}

static void fat16_is_understood(void **state)
{
	(void)state;
	check_fat(64 * MIB, "-F 16", 60 * MIB);
}

static void fat32_is_understood(void **state)
{
	(void)state;
	check_fat(200 * MIB, "-F 32 -s 4", 190 * MIB);
}

static void fat32_with_small_clusters_is_understood(void **state)
{
	(void)state;
	check_fat(100 * MIB, "-F 32 -s 1", 95 * MIB);
}

static void fat_that_linux_had_open_is_copied_whole(void **state)
{
	(void)state;
	make_fat(64 * MIB, "-F 32");
	run("printf", "printf '\\1' | dd of=image bs=1 seek=65 conv=notrunc status=none");
	assert_declined("it was not unmounted cleanly");
}

/* The bit that DOS and Windows keep in the table. */
static void fat_that_windows_had_open_is_copied_whole(void **state)
{
	(void)state;
	make_fat(64 * MIB, "-F 16 -R 4 -s 4");
	run("printf", "printf '\\377\\177' | dd of=image bs=1 seek=2050 conv=notrunc status=none");
	assert_declined("it was not unmounted cleanly");
}

static void fat_with_one_active_table_is_copied_whole(void **state)
{
	(void)state;
	make_fat(64 * MIB, "-F 32");
	run("printf", "printf '\\200' | dd of=image bs=1 seek=40 conv=notrunc status=none");
	assert_declined("it keeps only one of its tables");
}

static void fat_that_was_cut_off_is_copied_whole(void **state)
{
	(void)state;
	make_fat(64 * MIB, "-F 32");
	run("truncate", "truncate -s 63M image");
	assert_declined("it is larger than its partition");
}

static void fat_whose_table_is_too_short_is_copied_whole(void **state)
{
	(void)state;
	make_fat(64 * MIB, "-F 32");
	run("printf", "printf '\\2\\0' | dd of=image bs=1 seek=36 conv=notrunc status=none");
	assert_declined("its table is too short for its size");
}

static void swap_is_not_copied_but_for_its_header(void **state)
{
	uint64_t unused;

	(void)state;
	make_image(64 * MIB);
	run("mkswap", "mkswap -q image");
	unused = restore();
	assert_int_equal(unused, 64 * MIB - 64 * KIB);
	run("cmp", "cmp -n 65536 image disk");
}

static void a_suspended_system_is_copied(void **state)
{
	(void)state;
	make_image(64 * MIB);
	run("mkswap", "mkswap -q image && printf S1SUSPEND | dd of=image bs=1 seek=4086 "
		      "conv=notrunc status=none");
	assert_declined("its kind is not understood");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(fat12_is_understood),
		test(fat16_is_understood),
		test(fat32_is_understood),
		test(fat32_with_small_clusters_is_understood),
		test(fat_that_linux_had_open_is_copied_whole),
		test(fat_that_windows_had_open_is_copied_whole),
		test(fat_with_one_active_table_is_copied_whole),
		test(fat_that_was_cut_off_is_copied_whole),
		test(fat_whose_table_is_too_short_is_copied_whole),
		test(swap_is_not_copied_but_for_its_header),
		test(a_suspended_system_is_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
