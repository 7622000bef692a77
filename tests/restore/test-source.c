// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/source.h"
#include "tests/fake-source.h"

/* Every test runs in a directory of its own. */
static int enter_directory(void **state)
{
	char name[] = "test-source-XXXXXX";

	if (!mkdtemp(name) || chdir(name) < 0)
		return -1;
	*state = string_copy(name);
	return 0;
}

static int leave_directory(void **state)
{
	_cleanup_free_ char *name = *state;

	unlink("image");
	rmdir("directory");
	return chdir("..") < 0 || rmdir(name) < 0 ? -1 : 0;
}

#define test(function) cmocka_unit_test_setup_teardown(function, enter_directory, leave_directory)

static void make_image(uint64_t size, uint64_t offset, const char *bytes, size_t length)
{
	_cleanup_close_ int fd = open("image", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(write_exactly(fd, "image", bytes, length, offset, NULL), 0);
}

static void assert_refused(const char *path, const char *format, const char *message)
{
	const struct source_options options = {.format = format};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	assert_int_equal(source_open(path, &options, &source, &err), -1);
	assert_string_equal(error_text(&err), message);
	assert_null(source);
}

static void an_image_that_is_missing_is_named(void **state)
{
	(void)state;
	assert_refused("image", NULL, "open image image: No such file or directory");
}

static void a_directory_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir("directory", 0700), 0);
	assert_refused("directory", NULL,
		       "open image directory: this is a directory, not an image");
}

static void an_empty_file_is_refused(void **state)
{
	(void)state;
	make_image(0, 0, "", 0);
	assert_refused("image", NULL, "open image image: the file is empty");
}

static void a_character_device_is_refused(void **state)
{
	(void)state;
	assert_refused("/dev/null", NULL,
		       "open image /dev/null: this is neither a regular file nor a block device");
}

static void a_fifo_is_refused_without_waiting(void **state)
{
	(void)state;
	assert_int_equal(mkfifo("image", 0600), 0);
	assert_refused("image", NULL,
		       "open image image: this is neither a regular file nor a block device");
}

static void an_unreadable_file_is_refused(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip(); /* root reads everything */
	make_image(512, 0, "x", 1);
	assert_int_equal(chmod("image", 0), 0);
	assert_refused("image", NULL, "open image image: Permission denied");
}

static void an_unknown_format_is_refused(void **state)
{
	(void)state;
	make_image(512, 0, "x", 1);
	assert_refused("image", "qcow3",
		       "open image image: there is no image format qcow3; known are qcow2, vmdk, "
		       "ova, archive, raw, vdi, "
		       "vpc, vhdx, qed, parallels, dmg, bochs, cloop, qcow");
}

/* What must never be taken for raw, and what is said about it. */
static const struct foreign {
	uint64_t offset;
	const char *bytes;
	size_t length;
	const char *message;
} foreign[] = {
#define OTHER(what, advice)                                                                        \
	"open image image: this is " what ", not a disk image that can be written: " advice
	{0, "LUKS\xba\xbe", 6,
	 OTHER("a LUKS container", "it is encrypted; open it and take an image of what is in it")},
	{0, "7z\xbc\xaf\x27\x1c", 6, OTHER("a 7-Zip archive", "unpack it first")},
	{0, "PK\3\4", 4, OTHER("a ZIP archive", "unpack it first")},
	{0, "MSWIM\0\0\0", 8, OTHER("a WIM archive", "it holds files, not a disk")},
	{0, "partclone-image", 15,
	 OTHER("a partclone image",
	       "it holds a file system, not a disk; restore it with partclone")},
	{32769, "CD001", 5,
	 "open image image: this is an ISO 9660 image without a partition table, "
	 "not the image of a disk"},
};

static void other_formats_are_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(foreign); i++) {
		make_image(65536, foreign[i].offset, foreign[i].bytes, foreign[i].length);
		assert_refused("image", NULL, foreign[i].message);
	}
}

static void every_known_signature_in_a_tiny_file_is_safe(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(foreign); i++) {
		_cleanup_source_ struct source *source = NULL;

		make_image(1, 0, foreign[i].bytes, 1);
		assert_int_equal(source_open("image", NULL, &source, NULL), 0);
		assert_string_equal(source->ops->name, "raw");
	}
}

static void an_explicit_raw_wins_over_the_content(void **state)
{
	const struct source_options raw = {.format = "raw"};
	_cleanup_source_ struct source *source = NULL;

	(void)state;
	make_image(65536, 0, "KDMV", 4);
	assert_int_equal(source_open("image", &raw, &source, NULL), 0);
	assert_string_equal(source->ops->name, "raw");
}

static void an_explicit_qcow2_is_not_taken_for_raw(void **state)
{
	(void)state;
	make_image(65536, 0, "x", 1);
	assert_refused("image", "qcow2", "open image image: this is not a qcow2 image");
}

static void an_image_that_a_machine_runs_on_is_noticed(void **state)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 101, .l_len = 1};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_close_ int machine = -1;

	(void)state;
	make_image(65536, 0, "x", 1);
	assert_int_equal(source_open("image", NULL, &source, NULL), 0);
	assert_false(source_is_being_written(source));
	machine = open("image", O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(machine, F_OFD_SETLK, &lock), 0);
	assert_true(source_is_being_written(source));
}

static void a_hybrid_iso_is_a_disk(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_close_ int fd = -1;

	(void)state;
	make_image(65536, 32769, "CD001", 5);
	fd = open("image", O_RDWR | O_CLOEXEC);
	assert_int_equal(write_exactly(fd, "image", "\x55\xaa", 2, 510, NULL), 0);
	assert_int_equal(source_open("image", NULL, &source, NULL), 0);
}

static void a_read_past_the_end_is_refused(void **state)
{
	struct fake_source fake = {.size = 1000};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	uint8_t data[1001];

	(void)state;
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(source_read(source, data, 1000, 0, &err), 0);
	assert_int_equal(source_read(source, data, 1001, 0, &err), -1);
	assert_int_equal(source_read(source, data, 2, 999, &err), -1);
	assert_string_equal(error_text(&err),
			    "read 2 bytes of fake at offset 999: the disk in it ends at 1000");
	assert_int_equal(source_read(source, data, 2, UINT64_MAX, &err), -1);
	assert_int_equal(fake.reads, 1);
}

static void an_extent_is_cut_at_the_end_of_the_disk(void **state)
{
	struct fake_source fake = {.size = 1000};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct extent extent;

	(void)state;
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(source_extent(source, 10, UINT64_MAX, &extent, &err), 0);
	assert_int_equal(extent.length, 990);
	assert_int_equal(source_extent(source, 1000, 1, &extent, &err), -1);
	assert_string_equal(error_text(&err), "look at 1 bytes of fake at offset 1000: the disk in "
					      "it ends at 1000");
	assert_int_equal(source_extent(source, 0, 0, &extent, &err), -1);
}

static void a_fake_source_follows_its_script(void **state)
{
	static const struct extent holes[] = {{100, 50, EXTENT_ZERO}, {200, 800, EXTENT_ZERO}};
	struct fake_source fake = {
		.size = 1000, .zeroes = holes, .zero_count = 2, .error_at = 30, .damaged = "it is"};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct extent extent;
	uint8_t data[60];

	(void)state;
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(source_extent(source, 0, 1000, &extent, NULL), 0);
	assert_true(extent.length == 100 && extent.kind == EXTENT_DATA);
	assert_int_equal(source_extent(source, 120, 1000, &extent, NULL), 0);
	assert_true(extent.length == 30 && extent.kind == EXTENT_ZERO);
	assert_int_equal(source_extent(source, 150, 10, &extent, NULL), 0);
	assert_true(extent.length == 10 && extent.kind == EXTENT_DATA);
	assert_int_equal(source_read(source, data, 60, 95, NULL), 0);
	assert_true(data[4] == fake_source_byte(99) && data[5] == 0 && data[54] == 0);
	assert_int_equal(data[55], fake_source_byte(150));
	assert_int_equal(source_read(source, data, 60, 0, &err), -1);
	assert_string_equal(error_text(&err),
			    "read 60 bytes of fake at offset 0: fake read error at offset 30");
	assert_int_equal(source_check(source, &err), -1);
	assert_string_equal(error_text(&err), "check image fake: it is");
}

static void a_disk_of_no_size_is_refused(void **state)
{
	struct fake_source fake = {0};
	_cleanup_source_ struct source *source = NULL;

	(void)state;
	assert_int_equal(fake_source_open(&fake, &source), -1);
	assert_null(source);
}

static void a_description_names_format_and_sizes(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	json_object *out;

	(void)state;
	make_image(65536, 0, "x", 1);
	assert_int_equal(source_open("image", NULL, &source, NULL), 0);
	out = source_describe(source);
	assert_string_equal(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN),
			    "{\"path\":\"image\",\"format\":\"raw\",\"size\":65536,"
			    "\"file-size\":65536}");
	json_object_put(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(an_image_that_is_missing_is_named),
		test(a_directory_is_refused),
		test(an_empty_file_is_refused),
		test(a_character_device_is_refused),
		test(a_fifo_is_refused_without_waiting),
		test(an_unreadable_file_is_refused),
		test(an_unknown_format_is_refused),
		test(other_formats_are_refused_by_name),
		test(every_known_signature_in_a_tiny_file_is_safe),
		test(an_explicit_raw_wins_over_the_content),
		test(an_explicit_qcow2_is_not_taken_for_raw),
		test(an_image_that_a_machine_runs_on_is_noticed),
		test(a_hybrid_iso_is_a_disk),
		test(a_read_past_the_end_is_refused),
		test(an_extent_is_cut_at_the_end_of_the_disk),
		test(a_fake_source_follows_its_script),
		test(a_disk_of_no_size_is_refused),
		test(a_description_names_format_and_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
