// SPDX-License-Identifier: GPL-3.0-or-later
/* What is said before anything is written, and that saying it takes bounded time. */
#include "tests/test.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/qemu-image.h"

static void make_cut(const char *options)
{
	make_content("content", 3 * PIECE);
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "image", "3M");
	RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", "write -P 1 0 300k", "-c",
	    "write -c -P 2 1M 512k", "-c", "write -z 300k 100k", "-c", "write -P 3 2M 5k", "image");
}

/* Wherever the file is cut, it is said before anything is written, or else nothing is missing (of
 * the disk: refcounts are not read). */
static void cut_everywhere(uint64_t step)
{
	struct stat st;

	RUN("qemu-img", "convert", "-t", "unsafe", "-f", "qcow2", "-O", "raw", "image", "expected");
	assert_int_equal(stat("image", &st), 0);
	for (uint64_t cut = step; cut <= (uint64_t)st.st_size; cut += step) {
		_cleanup_source_ struct source *source = NULL;
		_cleanup_error_ struct error err = {0};
		uint64_t size = ((uint64_t)st.st_size - cut) / step * step;

		assert_int_equal(truncate("image", (off_t)size), 0);
		if (source_open("image", NULL, &source, &err) == 0 &&
		    source_check(source, &err) == 0)
			compare_with_expected("image");
		else if (size > 0)
			assert_non_null(strstr(error_text(&err), "image is truncated: "));
	}
}

static void a_truncated_image_is_found_before_it_is_written(void **state)
{
	static const char *const kinds[] = {"compat=0.10", "compression_type=zstd",
					    "extended_l2=on"};

	(void)state;
	require_tools();
	for (size_t i = 0; i < array_length(kinds); i++) {
		make_cut(kinds[i]);
		cut_everywhere(65536);
	}
	make_cut("cluster_size=512");
	cut_everywhere(11 * 512);
}

static void put(int fd, uint64_t offset, uint64_t value)
{
	value = htobe64(value);
	assert_int_equal(write_exactly(fd, "image", &value, sizeof(value), offset, NULL), 0);
}

/* The L1 table of a disk of 64 TiB has 1 MiB. */
static int open_claim(void)
{
	int fd;

	RUN("qemu-img", "create", "-q", "-f", "qcow2", "image", "64T");
	fd = open("image", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static uint64_t l1_of(int fd)
{
	uint64_t offset;

	assert_int_equal(read_exactly(fd, "image", &offset, sizeof(offset), 40, NULL), 0);
	return be64toh(offset);
}

static void a_small_file_that_claims_a_large_disk_is_soon_checked(void **state)
{
	_cleanup_close_ int fd = -1;

	(void)state;
	require_tools();
	fd = open_claim();
	for (uint64_t i = 0; i < 131072; i++)
		put(fd, l1_of(fd) + 8 * i, 2 << 20);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	assert_image_refused(
		"image",
		"check image image: image is corrupt: two entries of its L1 table name the "
		"same L2 table at file offset 2097152");
}

/* 8 GiB of tables in disorder, in the file's holes but for the last. */
static void tables_in_holes_are_not_read(void **state)
{
	_cleanup_close_ int fd = -1;

	(void)state;
	require_tools();
	fd = open_claim();
	for (uint64_t i = 0; i < 131072; i++)
		put(fd, l1_of(fd) + 8 * i, (2 << 20) + (i ^ 0x15555) * 65536);
	assert_int_equal(ftruncate(fd, (2 << 20) + 131072LL * 65536), 0);
	source_close(open_image());
	put(fd, (2 << 20) + 131072LL * 65536 - 8, 2);
	assert_image_refused("image",
			     "check image image: image is corrupt: the L2 entry for disk offset "
			     "23456426950656 has reserved bits set (0x2)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_truncated_image_is_found_before_it_is_written),
		test(a_small_file_that_claims_a_large_disk_is_soon_checked),
		test(tables_in_holes_are_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
