// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/text.h"
#include "restore/layout.h"
#include "restore/source.h"
#include "tests/archive-image.h"
#include "tests/scratch-directory.h"

enum { LENGTH = (5 << 20) + 1000 };

struct scratch {
	void *directory;
	int saved; /* the test program's own standard input */
	pid_t writer;
};

static int enter(void **state)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch || scratch_enter(&scratch->directory) < 0)
		return -1;
	scratch->saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	*state = scratch;
	return 0;
}

static int leave(void **state)
{
	struct scratch *scratch = *state;
	int r = dup2(scratch->saved, STDIN_FILENO) < 0 ? -1 : 0;

	close(scratch->saved);
	if (scratch->writer > 0)
		waitpid(scratch->writer, NULL, 0);
	r |= scratch_leave(&scratch->directory);
	free(scratch);
	return r;
}

#define test(function) cmocka_unit_test_setup_teardown(function, enter, leave)

/* Another program writes it, in pieces of odd lengths. */
static void pipe_in(struct scratch *scratch, const uint8_t *data, size_t length)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	scratch->writer = fork();
	assert_true(scratch->writer >= 0);
	if (scratch->writer == 0) {
		signal(SIGPIPE, SIG_DFL);
		close(ends[0]);
		for (size_t at = 0, piece = 1; at < length; at += piece) {
			piece = 1 + at * 7919 % 70000;
			if (piece > length - at)
				piece = length - at;
			if (write(ends[1], data + at, piece) != (ssize_t)piece)
				_exit(1);
		}
		_exit(0);
	}
	close(ends[1]);
	assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
	close(ends[0]);
}

static void file_in(const char *path, off_t offset)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, offset, SEEK_SET), offset);
	assert_true(dup2(fd, STDIN_FILENO) >= 0);
}

static struct source *open_stdin(void)
{
	_cleanup_error_ struct error err = {0};
	struct source *source = NULL;

	if (source_open("-", NULL, &source, &err) < 0)
		fail_msg("%s", error_text(&err));
	return source;
}

static void assert_refused(const char *message)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	assert_int_equal(source_open("-", NULL, &source, &err), -1);
	assert_string_equal(error_text(&err), message);
}

static void assert_streams(struct source *source, const uint8_t *disk, size_t length)
{
	_cleanup_free_ uint8_t *data = malloc(1 << 20);
	_cleanup_error_ struct error err = {0};
	struct extent extent = {.length = 1};

	assert_true(source->is_stream);
	for (uint64_t at = 0; extent.length > 0; at += extent.length) {
		if (source_next(source, data, 1 << 20, &extent, &err) < 0)
			fail_msg("%s", error_text(&err));
		assert_int_equal(extent.offset, at);
		assert_true(extent.length <= length - at);
		assert_memory_equal(data, disk + at, extent.length);
	}
	assert_true(source->size_is_known);
	assert_int_equal(source->size, length);
}

static void a_raw_disk_comes_through_a_pipe(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);
	_cleanup_source_ struct source *source = NULL;

	pipe_in(*state, disk, LENGTH);
	source = open_stdin();
	assert_string_equal(source->ops->name, "raw");
	assert_false(source->size_is_known);
	assert_int_equal(source->head_length, 4 << 20);
	assert_streams(source, disk, LENGTH);
}

static void a_compressed_disk_comes_through_a_pipe(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);
	_cleanup_text_ struct text image = {0};
	_cleanup_source_ struct source *source = NULL;

	make_compressed("image", "zstd", disk, LENGTH);
	assert_int_equal(file_read("image", 2 * LENGTH, &image, NULL), 0);
	pipe_in(*state, (const uint8_t *)image.data, image.length);
	source = open_stdin();
	assert_string_equal(source->ops->name, "archive");
	assert_streams(source, disk, LENGTH);
}

static void a_file_on_standard_input_is_read_at_any_place(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);
	_cleanup_source_ struct source *source = NULL;
	uint8_t data[1000];

	(void)state;
	write_file("disk", disk, LENGTH);
	file_in("disk", 0);
	source = open_stdin();
	assert_false(source->is_stream);
	assert_int_equal(source->size, LENGTH);
	assert_int_equal(source_read(source, data, 1000, LENGTH - 1000, NULL), 0);
	assert_memory_equal(data, disk + LENGTH - 1000, 1000);
}

static void a_file_that_was_begun_goes_on_from_there(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);
	_cleanup_source_ struct source *source = NULL;

	(void)state;
	write_file("disk", disk, LENGTH);
	file_in("disk", 512);
	source = open_stdin();
	assert_streams(source, disk + 512, LENGTH - 512);
}

static void nothing_on_standard_input_is_refused(void **state)
{
	pipe_in(*state, NULL, 0);
	assert_refused("open image standard input: there is nothing in it: it is empty");
}

static void a_terminal_is_refused(void **state)
{
	_cleanup_close_ int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	_cleanup_close_ int other = -1;

	(void)state;
	if (terminal < 0 || grantpt(terminal) < 0 || unlockpt(terminal) < 0)
		skip();
	other = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(other >= 0);
	assert_true(dup2(other, STDIN_FILENO) >= 0);
	assert_refused("open image standard input: it is a terminal: pipe the image "
		       "into v2p, or name a file");
}

static void a_closed_standard_input_is_refused(void **state)
{
	(void)state;
	close(STDIN_FILENO);
	assert_refused("open image standard input: it is closed: Bad file descriptor");
}

static void a_directory_is_refused(void **state)
{
	(void)state;
	file_in(".", 0);
	assert_refused("open image standard input: read standard input at offset 0: Is a "
		       "directory");
}

static void a_format_that_is_read_at_many_places_is_refused(void **state)
{
	uint8_t image[65536] = "QFI\xfb\0\0\0\3";

	pipe_in(*state, image, sizeof(image));
	assert_refused("open image standard input: the format qcow2 is read at many places, which "
		       "standard input does not allow: name a file or a URL of a server that knows "
		       "ranges");
}

/* A partition of type 0x83, from start to end. */
static uint8_t *disk_with_partition(uint32_t start, uint32_t sectors)
{
	uint8_t *disk = disk_content(LENGTH);

	memset(disk, 0, 512);
	disk[446 + 4] = 0x83;
	memcpy(disk + 446 + 8, &start, sizeof(start));
	memcpy(disk + 446 + 12, &sectors, sizeof(sectors));
	memcpy(disk + 510, "\x55\xaa", 2);
	return disk;
}

static void the_table_says_how_large_the_disk_is(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_with_partition(8192, 1000);
	_cleanup_source_ struct source *source = NULL;
	_cleanup_layout_ struct layout layout = {0};
	_cleanup_error_ struct error err = {0};

	pipe_in(*state, disk, LENGTH);
	source = open_stdin();
	assert_false(source->size_is_known);
	assert_int_equal(source->size, 9192 * 512);
	if (layout_read_source(source, &layout, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(layout.table, "msdos");
	assert_int_equal(layout.count, 1);
	assert_int_equal(layout.partition[0].start, 8192 * 512);
	assert_true(layout.is_partial);
	assert_int_equal(layout_check(&layout, 1 << 30, 512, &err), 0);
	assert_streams(source, disk, LENGTH);
}

static void a_partition_within_the_head_is_seen(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_with_partition(2048, 4096);
	_cleanup_source_ struct source *source = NULL;
	_cleanup_layout_ struct layout layout = {0};

	/* An ext2 superblock's magic number would do for some; swap's is certain. */
	memset(disk + (1 << 20), 0, 4096);
	disk[(1 << 20) + 1024] = 1;
	disk[(1 << 20) + 1024 + 5] = 1;
	memcpy(disk + (1 << 20) + 4086, "SWAPSPACE2", 10);
	pipe_in(*state, disk, LENGTH);
	source = open_stdin();
	assert_int_equal(layout_read_source(source, &layout, NULL), 0);
	assert_int_equal(layout.count, 1);
	assert_string_equal(layout.partition[0].filesystem, "swap");
	assert_false(layout.is_partial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_raw_disk_comes_through_a_pipe),
		test(a_compressed_disk_comes_through_a_pipe),
		test(a_file_on_standard_input_is_read_at_any_place),
		test(a_file_that_was_begun_goes_on_from_there),
		test(nothing_on_standard_input_is_refused),
		test(a_terminal_is_refused),
		test(a_closed_standard_input_is_refused),
		test(a_directory_is_refused),
		test(a_format_that_is_read_at_many_places_is_refused),
		test(the_table_says_how_large_the_disk_is),
		test(a_partition_within_the_head_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
