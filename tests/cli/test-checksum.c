// SPDX-License-Identifier: GPL-3.0-or-later
/* v2p checksum: the block map that it prints, and what restore and bmaptool make of it. */
#include "tests/cli/program.h"

/* 64 MiB with data that is nowhere else, as raw and qcow2, and the map of it. */
static void make_map(void)
{
	make_image("a.raw", "mke2fs -q -t ext4");
	shell("head -c 20M /dev/urandom | dd of=a.raw bs=1M seek=8 conv=notrunc status=none; "
	      "qemu-img convert -f raw -O qcow2 -c a.raw a.qcow2; " V2P_PROGRAM
	      " checksum --no-used-blocks --progress none a.qcow2 > a.bmap");
}

static void streams_have_maps_too(void **state)
{
	(void)state;
	if (!has_program("qemu-img"))
		skip();
	make_map();
	shell("gzip -kf a.raw; " V2P_PROGRAM " checksum --progress none - < a.raw.gz > gz.bmap; "
	      "test $(grep -c '<Range chksum=\"[0-9a-f]\\{64\\}\"> [0-9]*-[0-9]* </Range>' "
	      "gz.bmap) "
	      "-ge 20; truncate -s 64M disk; " V2P_PROGRAM
	      " restore --no-adapt --yes --progress none --resume --checksum gz.bmap a.qcow2 disk");
}

static void bmaptool_copies_by_the_map(void **state)
{
	(void)state;
	if (!has_program("bmaptool") || !has_program("qemu-img"))
		skip();
	make_map();
	shell("rm -f copy; bmaptool -q copy --bmap a.bmap a.raw copy; cmp a.raw copy");
}

static void an_image_is_proven_by_its_own_map(void **state)
{
	_cleanup_process_result_ struct process_result result = {0}, stream = {0};

	(void)state;
	if (!has_program("qemu-img"))
		skip();
	make_map();
	make_disk("disk", 64);
	v2p(&result, "restore", "--no-adapt", "--yes", "--checksum", "a.bmap", "a.qcow2", "disk");
	expect(&result, 0, "");
	shell("gzip -kf a.raw");
	v2p(&stream, "restore", "--no-adapt", "--yes", "--checksum", "a.bmap", "a.raw.gz", "disk");
	expect(&stream, 0, "");
}

static void resume_by_the_map_mends_what_differs(void **state)
{
	_cleanup_process_result_ struct process_result first = {0}, second = {0};

	(void)state;
	if (!has_program("qemu-img"))
		skip();
	make_map();
	make_disk("disk", 64);
	v2p(&first, "restore", "--no-adapt", "--no-used-blocks", "--yes", "a.qcow2", "disk");
	expect(&first, 0, "");
	shell("dd if=/dev/zero of=disk bs=64K seek=200 count=2 conv=notrunc status=none");
	v2p(&second, "restore", "--no-adapt", "--no-used-blocks", "--yes", "--json", "--resume",
	    "--checksum", "a.bmap", "a.qcow2", "disk");
	expect(&second, 0, "");
	shell("cmp a.raw disk");
	assert_int_equal(file_replace("report", text_string(&second.output), second.output.length,
				      0600, NULL),
			 0);
	shell("n=$(sed -n 's/.*\"written-bytes\": \\([0-9]*\\).*/\\1/p' report); "
	      "test $n -ge 131072; test $n -le 3145728");
}

/* A file system without the file that the map was made with: what the map has is restored. */
static void resume_by_the_map_brings_back_what_seems_unused(void **state)
{
	(void)state;
	if (!has_program("qemu-img"))
		skip();
	make_map();
	make_disk("disk", 64);
	shell(V2P_PROGRAM " restore --no-adapt --yes --progress none --resume --checksum a.bmap "
			  "a.qcow2 disk; cmp -n 20971520 -i 8388608 a.raw disk");
}

static void resume_refuses_another_image_than_the_maps(void **state)
{
	_cleanup_process_result_ struct process_result other = {0}, larger = {0};

	(void)state;
	if (!has_program("qemu-img"))
		skip();
	make_map();
	make_disk("disk", 66);
	shell("cp a.raw b.raw; printf v2p | dd of=b.raw bs=1 seek=12000000 conv=notrunc "
	      "status=none; "
	      "cp a.raw c.raw; truncate -s 65M c.raw");
	v2p(&other, "restore", "--no-adapt", "--yes", "--resume", "--checksum", "a.bmap", "b.raw",
	    "disk");
	expect(&other, 3,
	       "the image is not what its block map promises: its bytes 11534336 to 12058624 have "
	       "another checksum");
	make_disk("disk", 66);
	v2p(&larger, "restore", "--no-adapt", "--yes", "--resume", "--checksum", "a.bmap", "c.raw",
	    "disk");
	expect(&larger, 1,
	       "the image has 68157440 bytes, and its block map is of one with 67108864");
	expect_untouched("disk");
}

static void unused_blocks_are_not_in_the_map(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_map();
	v2p(&result, "checksum", "a.raw");
	expect(&result, 0, "");
	assert_int_equal(file_replace("used.bmap", text_string(&result.output),
				      result.output.length, 0600, NULL),
			 0);
	shell("test $(grep -c '<Range' used.bmap) -lt 20; test $(grep -c '<Range' used.bmap) -gt "
	      "0");
}

static void an_image_of_zeroes_has_no_map(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	shell("rm -f zero.raw; truncate -s 8M zero.raw");
	v2p(&result, "checksum", "--format", "raw", "zero.raw");
	expect(&result, 1,
	       "make a block map of zero.raw: it holds nothing but zeroes, and a block map has "
	       "none");
}

static void a_map_that_cannot_be_printed_is_an_error(void **state)
{
	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	shell("if " V2P_PROGRAM " checksum a.raw > /dev/full 2> errors; then exit 1; fi; "
	      "grep -q 'could not be written to standard output' errors");
}

static void checksum_wants_one_image(void **state)
{
	_cleanup_process_result_ struct process_result none = {0}, help = {0};

	(void)state;
	v2p(&none, "checksum");
	expect(&none, 2, "v2p: checksum wants an image");
	v2p(&help, "checksum", "--help");
	expect(&help, 0, "");
	assert_non_null(strstr(text_string(&help.output), "--no-used-blocks"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_have_maps_too),
		cmocka_unit_test(bmaptool_copies_by_the_map),
		cmocka_unit_test(an_image_is_proven_by_its_own_map),
		cmocka_unit_test(resume_by_the_map_mends_what_differs),
		cmocka_unit_test(resume_by_the_map_brings_back_what_seems_unused),
		cmocka_unit_test(resume_refuses_another_image_than_the_maps),
		cmocka_unit_test(unused_blocks_are_not_in_the_map),
		cmocka_unit_test(an_image_of_zeroes_has_no_map),
		cmocka_unit_test(a_map_that_cannot_be_printed_is_an_error),
		cmocka_unit_test(checksum_wants_one_image),
	};

	return cmocka_run_group_tests(tests, enter_directory, remove_directory);
}
