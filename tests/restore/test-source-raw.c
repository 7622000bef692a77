// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "tests/source-fd.h"

#define MiB (1ULL << 20)

/* 4 MiB in a file of the working directory, already unlinked: data at 1 MiB, 64 KiB long. */
static int sparse_image(void)
{
	char name[] = "test-raw-XXXXXX";
	uint8_t data[65536];
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	memset(data, 'd', sizeof(data));
	assert_int_equal(ftruncate(fd, 4 * MiB), 0);
	assert_int_equal(write_exactly(fd, name, data, sizeof(data), MiB, NULL), 0);
	return fd;
}

static void open_sparse(struct source **source)
{
	assert_int_equal(source_open_fd(sparse_image(), "raw", &source_raw_ops, source, NULL), 0);
}

static void require_holes(const struct source *source)
{
	if (lseek(source->file->fd, 0, SEEK_DATA) <= 0)
		skip(); /* the file system does not know holes */
}

static void holes_are_zero_extents(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct extent extent;

	(void)state;
	open_sparse(&source);
	require_holes(source);
	assert_int_equal(source_extent(source, 0, 4 * MiB, &extent, NULL), 0);
	assert_true(extent.kind == EXTENT_ZERO && extent.length == MiB);
	assert_int_equal(source_extent(source, 5, 100, &extent, NULL), 0);
	assert_true(extent.kind == EXTENT_ZERO && extent.length == 100);
	assert_int_equal(source_extent(source, MiB, 4 * MiB, &extent, NULL), 0);
	assert_true(extent.kind == EXTENT_DATA && extent.length == 65536);
	assert_int_equal(source_extent(source, MiB + 65536, 4 * MiB, &extent, NULL), 0);
	assert_true(extent.kind == EXTENT_ZERO && extent.length == 3 * MiB - 65536);
}

static void the_bytes_are_those_of_the_file(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	uint8_t data[4];

	(void)state;
	open_sparse(&source);
	assert_int_equal(source->size, 4 * MiB);
	assert_int_equal(source_read(source, data, 4, MiB - 2, NULL), 0);
	assert_memory_equal(data, "\0\0dd", 4);
	assert_int_equal(source_check(source, NULL), 0);
}

static void a_file_that_shrinks_meanwhile_is_an_error_not_zeroes(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct extent extent;
	uint8_t data[16];

	(void)state;
	open_sparse(&source);
	assert_int_equal(ftruncate(source->file->fd, MiB), 0);
	assert_int_equal(source_extent(source, 2 * MiB, MiB, &extent, NULL), 0);
	assert_int_equal(extent.kind, EXTENT_DATA);
	assert_int_equal(source_read(source, data, 16, 2 * MiB, &err), -1);
	assert_string_equal(error_text(&err),
			    "read 16 bytes of raw at offset 2097152: read 16 bytes of image at "
			    "offset 2097152: the file ends there");
}

static void the_last_odd_bytes_are_read(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	int fd = memfd_create("raw", MFD_CLOEXEC);
	char data[3];

	(void)state;
	assert_int_equal(write_exactly(fd, "raw", "abc", 3, 510, NULL), 0);
	assert_int_equal(source_open_fd(fd, "raw", &source_raw_ops, &source, NULL), 0);
	assert_int_equal(source->size, 513);
	assert_int_equal(source_read(source, data, 3, 510, NULL), 0);
	assert_memory_equal(data, "abc", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holes_are_zero_extents),
		cmocka_unit_test(the_bytes_are_those_of_the_file),
		cmocka_unit_test(a_file_that_shrinks_meanwhile_is_an_error_not_zeroes),
		cmocka_unit_test(the_last_odd_bytes_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
