// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <sys/mman.h>

#include "base/file.h"
#include "restore/image_file_window.h"
#include "tests/stream-file.h"

static const uint8_t content[] = "0123456789abcdef";

static struct image_file *open_parent(void)
{
	int fd = memfd_create("parent", MFD_CLOEXEC);
	struct image_file *file;

	assert_int_equal(write_exactly(fd, "parent", content, 16, 0, NULL), 0);
	assert_int_equal(image_file_open_fd(fd, "parent", &file, NULL), 0);
	return file;
}

static void add_seen(void *context, const void *data, size_t length)
{
	text_add_bytes(context, data, length);
}

static void a_window_shows_its_range_only(void **state)
{
	_cleanup_image_file_ struct image_file *parent = open_parent(), *window = NULL;
	_cleanup_error_ struct error err = {0};
	uint8_t data[8];

	(void)state;
	assert_int_equal(image_file_window_open(parent, "member", 4, 8, NULL, &window, &err), 0);
	assert_int_equal(window->size, 8);
	assert_int_equal(image_file_read(window, "all", data, 8, 0, &err), 0);
	assert_memory_equal(data, content + 4, 8);
	assert_int_equal(image_file_read(window, "end", data, 2, 7, &err), -1);
	assert_string_equal(error_text(&err), "image is truncated: end of 2 bytes at file offset 7 "
					      "is missing, the file ends at 8");
}

static void a_window_beyond_the_end_is_refused(void **state)
{
	_cleanup_image_file_ struct image_file *parent = open_parent();
	_cleanup_error_ struct error err = {0};
	struct image_file *window;

	(void)state;
	assert_int_equal(image_file_window_open(parent, "member", 4, 13, NULL, &window, &err), -1);
	assert_string_equal(error_text(&err), "image is truncated: member of 13 bytes at file "
					      "offset 4 is missing, the file ends at 16");
	assert_int_equal(image_file_window_open(parent, "member", 4, 0, NULL, &window, &err), -1);
	assert_string_equal(error_text(&err), "member is empty");
}

static void a_window_names_no_other_file(void **state)
{
	_cleanup_image_file_ struct image_file *parent = open_parent(), *window = NULL;
	_cleanup_error_ struct error err = {0};
	struct image_file *sibling;

	(void)state;
	assert_int_equal(image_file_window_open(parent, "member", 4, 8, NULL, &window, &err), 0);
	assert_int_equal(image_file_open_sibling(window, "other", &sibling, &err), -1);
}

/* All of a window, read in order, and what its watcher saw. */
static void assert_passes(struct image_file *parent, uint64_t offset)
{
	_cleanup_text_ struct text seen = {0}, read = {0};
	const struct image_file_watcher watcher = {add_seen, &seen};
	_cleanup_image_file_ struct image_file *window = NULL;
	uint8_t data[3];
	size_t got = 1;

	assert_int_equal(
		image_file_window_open(parent, "member", offset, 8, &watcher, &window, NULL), 0);
	while (got > 0) {
		assert_int_equal(image_file_next(window, data, sizeof(data), &got, NULL), 0);
		text_add_bytes(&read, data, got);
	}
	assert_int_equal(read.length, 8);
	assert_memory_equal(read.data, content + offset, 8);
	assert_string_equal(text_string(&seen), text_string(&read));
}

static void a_watcher_sees_what_is_read_in_order(void **state)
{
	struct stream_file stream = {content, 16};
	_cleanup_image_file_ struct image_file *parent = open_parent();
	_cleanup_image_file_ struct image_file *pipe = stream_file_open(&stream, "pipe");
	uint8_t data[4];
	size_t got = 0;

	(void)state;
	assert_passes(parent, 4);
	while (pipe->position < 4)
		assert_int_equal(
			image_file_next(pipe, data, 4 - (size_t)pipe->position, &got, NULL), 0);
	assert_passes(pipe, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_shows_its_range_only),
		cmocka_unit_test(a_window_beyond_the_end_is_refused),
		cmocka_unit_test(a_window_names_no_other_file),
		cmocka_unit_test(a_watcher_sees_what_is_read_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
