// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <sys/stat.h>

#include "base/process.h"
#include "base/text.h"
#include "restore/source.h"
#include "tests/archive-image.h"
#include "tests/scratch-directory.h"

enum { LENGTH = (4 << 20) + 301000, HEAD = 4 << 20 };

#define test(function) cmocka_unit_test_setup_teardown(function, scratch_enter, scratch_leave)

static const char *const filters[] = {"gzip", "xz", "zstd", "bzip2", "lz4", "lzip"};

static struct source *open_image(const char *path)
{
	_cleanup_error_ struct error err = {0};
	struct source *source = NULL;

	if (source_open(path, NULL, &source, &err) < 0)
		fail_msg("%s", error_text(&err));
	return source;
}

static void assert_refused(const char *path, const char *message)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	assert_int_equal(source_open(path, NULL, &source, &err), -1);
	assert_string_equal(error_text(&err), message);
}

/* Reads to the end in pieces. Returns how much of it was known as zeroes, or -1 with the reason. */
static int64_t read_disk(struct source *source, uint8_t *out, size_t length, size_t piece,
			 struct error *err)
{
	uint64_t at = 0, zeroes = 0;

	for (;;) {
		_cleanup_free_ uint8_t *data = malloc(piece);
		struct extent extent;

		if (source_next(source, data, piece, &extent, err) < 0)
			return -1;
		if (extent.length == 0)
			break;
		assert_int_equal(extent.offset, at);
		assert_true(extent.length <= length - at);
		if (extent.kind == EXTENT_ZERO) {
			memset(out + at, 0, extent.length);
			zeroes += extent.length;
		} else {
			memcpy(out + at, data, extent.length);
		}
		at += extent.length;
		/* Promised by stream_head.h. */
		if (piece % 4096 == 0 && at < source->size && at < length)
			assert_int_equal(at % 4096, 0);
	}
	assert_true(source->size_is_known);
	assert_int_equal(source->size, at);
	assert_int_equal(at, length);
	return (int64_t)zeroes;
}

static int64_t assert_holds(struct source *source, const uint8_t *disk, size_t length, size_t piece)
{
	_cleanup_free_ uint8_t *out = malloc(length);
	_cleanup_error_ struct error err = {0};
	int64_t zeroes = read_disk(source, out, length, piece, &err);

	if (zeroes < 0)
		fail_msg("%s", error_text(&err));
	assert_memory_equal(out, disk, length);
	assert_int_equal(source_finish(source, NULL), 0);
	return zeroes;
}

static void shell(const char *command)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	_cleanup_error_ struct error err = {0};

	if (process_check(argv, NULL, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void every_compression_gives_the_disk(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);

	(void)state;
	for (size_t i = 0; i < array_length(filters); i++) {
		_cleanup_source_ struct source *source = NULL;

		make_compressed("image", filters[i], disk, LENGTH);
		source = open_image("image");
		assert_string_equal(source->ops->name, "archive");
		assert_true(source->is_stream);
		assert_false(source->size_is_known);
		assert_int_equal(source->size, HEAD);
		assert_int_equal(source->head_length, HEAD);
		assert_holds(source, disk, LENGTH, 1 << 20);
	}
}

static void it_is_the_same_in_tiny_pieces(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);

	(void)state;
	for (size_t i = 0; i < array_length(filters); i++) {
		_cleanup_source_ struct source *source = NULL;

		make_tar("image", filters[i], "disk", disk, LENGTH);
		source = open_image("image");
		assert_holds(source, disk, LENGTH, 777);
	}
}

static void the_tools_own_files_are_read(void **state)
{
	static const char *const commands[] = {
		"gzip -k disk && gzip -c disk > image",
		"(head -c 1000 disk | gzip; tail -c +1001 disk | gzip -1) > image",
		"(gzip -c disk; head -c 5000 /dev/zero) > image",
		"xz -9 -c disk > image",
		"(head -c 70000 disk | xz -0; tail -c +70001 disk | xz -0) > image",
		"zstd -q -c disk > image",
		"zstd -q -19 -c disk > image",
		"(head -c 70000 disk | zstd -q; tail -c +70001 disk | zstd -q) > image",
		"bzip2 -c disk > image",
		"(head -c 70000 disk | bzip2; tail -c +70001 disk | bzip2 -1) > image",
		"tar -cf image disk",
		"tar -cSf image --format=oldgnu disk",
		"tar -cSzf image --format=gnu disk",
		"tar -cSJf image --format=posix disk",
		"tar -cf image --format=ustar --zstd $PWD/disk 2>/dev/null",
	};
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);

	(void)state;
	write_file("disk", disk, LENGTH);
	for (size_t i = 0; i < array_length(commands); i++) {
		_cleanup_source_ struct source *source = NULL;

		shell(commands[i]);
		source = open_image("image");
		assert_holds(source, disk, LENGTH, 65536);
	}
}

static void the_head_can_be_read_before_and_after(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	uint8_t data[5000];

	(void)state;
	make_compressed("image", "gzip", disk, LENGTH);
	source = open_image("image");
	assert_int_equal(source_read(source, data, sizeof(data), 100000, &err), 0);
	assert_memory_equal(data, disk + 100000, sizeof(data));
	assert_holds(source, disk, LENGTH, 4096);
	assert_int_equal(source_read(source, data, sizeof(data), HEAD - 5000, &err), 0);
	assert_memory_equal(data, disk + HEAD - 5000, sizeof(data));
	assert_int_equal(source_read(source, data, 1, HEAD, &err), -1);
	assert_string_equal(error_text(&err),
			    "read 1 bytes of image at offset 4194304: of a stream only its head "
			    "can be read, up to 4194304");
}

static void a_tar_archive_says_how_large_the_disk_is(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);
	_cleanup_source_ struct source *source = NULL;
	json_object *description;

	(void)state;
	make_tar("image", "xz", "../images/disk.raw", disk, LENGTH);
	source = open_image("image");
	assert_true(source->size_is_known);
	assert_int_equal(source->size, LENGTH);
	description = source_describe(source);
	assert_string_equal(
		json_object_get_string(json_object_object_get(description, "compression")), "xz");
	assert_string_equal(json_object_get_string(json_object_object_get(description, "member")),
			    "../images/disk.raw");
	json_object_put(description);
}

static void a_disk_smaller_than_the_head_has_a_known_size(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(5000);
	_cleanup_source_ struct source *source = NULL;

	(void)state;
	make_compressed("image", "zstd", disk, 5000);
	source = open_image("image");
	assert_true(source->size_is_known);
	assert_int_equal(source->size, 5000);
	assert_holds(source, disk, 5000, 4096);
}

static void holes_of_a_sparse_member_are_known(void **state)
{
	_cleanup_free_ uint8_t *disk = calloc(1, 64 << 20);
	_cleanup_source_ struct source *source = NULL;

	(void)state;
	memset(disk, 'a', 10000);
	memset(disk + (40 << 20), 'b', 10000);
	write_file("disk", disk, 10000);
	assert_int_equal(truncate("disk", 64 << 20), 0);
	{
		_cleanup_close_ int fd = open("disk", O_RDWR | O_CLOEXEC);

		assert_int_equal(
			write_exactly(fd, "disk", disk + (40 << 20), 10000, 40 << 20, NULL), 0);
	}
	shell("tar -cSf image disk");
	source = open_image("image");
	assert_int_equal(source->size, 64 << 20);
	assert_true(assert_holds(source, disk, 64 << 20, 65536) > 58 << 20);
}

static void directories_and_links_in_a_tar_archive_do_not_matter(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);
	_cleanup_source_ struct source *source = NULL;
	struct archive *archive;

	(void)state;
	archive = archive_begin("image", "gzip", "ustar");
	archive_add(archive, "images/", AE_IFDIR, NULL, 0);
	archive_add(archive, "/etc/passwd", AE_IFLNK, NULL, 0);
	archive_add(archive, "/images/disk", AE_IFREG, disk, LENGTH);
	archive_add(archive, "images/link", AE_IFLNK, NULL, 0);
	archive_end(archive);
	source = open_image("image");
	assert_holds(source, disk, LENGTH, 65536);
}

static void several_files_in_a_tar_archive_are_refused(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);
	_cleanup_free_ uint8_t *out = malloc(LENGTH);
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct archive *archive;

	(void)state;
	archive = archive_begin("image", "gzip", "ustar");
	archive_add(archive, "read\033me", AE_IFREG, "hello", 5);
	archive_add(archive, "disk", AE_IFREG, disk, LENGTH);
	archive_end(archive);
	assert_refused("image",
		       "open image image: tar archive: there are several files in it (read?me, "
		       "disk): which of them is the image? Unpack it, or make an archive of the "
		       "image alone");
	archive = archive_begin("image", NULL, "gnutar");
	archive_add(archive, "disk", AE_IFREG, disk, LENGTH);
	archive_add(archive, "disk.sha256", AE_IFREG, "hello", 5);
	archive_end(archive);
	source = open_image("image");
	assert_int_equal(read_disk(source, out, LENGTH, 65536, &err), -1);
	assert_string_equal(error_text(&err),
			    "read image: tar archive: there are several files in it (disk, "
			    "disk.sha256): which of them is the image? Unpack it, or make an "
			    "archive of the image alone");
}

static void a_tar_archive_without_a_file_is_refused(void **state)
{
	struct archive *archive;

	(void)state;
	archive = archive_begin("image", NULL, "ustar");
	archive_add(archive, "directory/", AE_IFDIR, NULL, 0);
	archive_end(archive);
	assert_refused("image", "open image image: tar archive: there is no file in it");
	make_tar("image", "gzip", "disk", "", 0);
	assert_refused("image", "open image image: tar archive: the file in it is empty");
}

static void endless_headers_are_refused(void **state)
{
	struct archive *archive;

	(void)state;
	archive = archive_begin("image", "gzip", "ustar");
	for (int i = 0; i < 1001; i++)
		archive_add(archive, "directory/", AE_IFDIR, NULL, 0);
	archive_add(archive, "disk", AE_IFREG, "x", 1);
	archive_end(archive);
	assert_refused("image", "open image image: tar archive: it has more than 1000 directories "
				"and links");
}

/* A GNU sparse header that goes on and on: libarchive keeps each of its extents in memory. */
static void an_endless_map_of_holes_is_refused(void **state)
{
	enum { BLOCKS = 10000 };
	_cleanup_free_ uint8_t *tar = calloc(BLOCKS, 512);
	unsigned int sum = 0;

	(void)state;
	strcpy((char *)tar, "disk");
	strcpy((char *)tar + 100, "0000644");
	strcpy((char *)tar + 124, "00000000000");
	strcpy((char *)tar + 136, "00000000000");
	tar[156] = 'S';
	memcpy(tar + 257, "ustar  ", 8);
	strcpy((char *)tar + 386, "00000000000");
	strcpy((char *)tar + 398, "00000000001");
	tar[482] = 1;
	strcpy((char *)tar + 483, "00000100000");
	memset(tar + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += tar[i];
	snprintf((char *)tar + 148, 8, "%06o", sum);
	for (size_t block = 1; block < BLOCKS; block++) {
		char *at = (char *)tar + block * 512;

		for (size_t i = 0; i < 21; i++)
			snprintf(at + i * 24, 25, "%011zo 00000000001 ", block * 42 + i * 2);
		at[504] = 1;
	}
	make_compressed("image", "gzip", tar, (size_t)BLOCKS * 512);
	assert_refused("image", "open image image: tar archive: it has more headers than a disk "
				"image needs");
}

static void other_formats_inside_are_refused_by_name(void **state)
{
	static const struct {
		const char *magic, *format;
	} inside[] = {
		{"QFI\xfb", "qcow2"},
		{"\x1f\x8b\x08", "archive"},
		{"vhdxfile", "vhdx"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(inside); i++) {
		uint8_t disk[65536] = {0};
		_cleanup_free_ char *message = string_format(
			"open image image: in it is not a disk but an image or archive of the "
			"format %s, which cannot be read in there: unpack it first",
			inside[i].format);

		memcpy(disk, inside[i].magic, strlen(inside[i].magic));
		make_compressed("image", "gzip", disk, sizeof(disk));
		assert_refused("image", message);
		make_tar("image", "zstd", "disk", disk, sizeof(disk));
		assert_refused("image", message);
	}
}

static void nothing_inside_is_refused(void **state)
{
	(void)state;
	make_compressed("image", "gzip", "", 0);
	assert_refused("image", "open image image: there is nothing in it: it is empty");
}

static void an_explicit_archive_that_is_none_is_refused(void **state)
{
	const struct source_options options = {.format = "archive"};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	write_file("image", "hello", 5);
	assert_int_equal(source_open("image", &options, &source, &err), -1);
	assert_string_equal(error_text(&err), "open image image: this is neither a compressed file "
					      "nor a tar archive");
}

static bool fails_with(const char *what)
{
	_cleanup_free_ uint8_t *out = malloc(LENGTH);
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	if (source_open("image", NULL, &source, &err) == 0 &&
	    read_disk(source, out, LENGTH, 65536, &err) >= 0)
		return false;
	if (!strstr(error_text(&err), what))
		print_message("%s\n", error_text(&err));
	return strstr(error_text(&err), what) != NULL;
}

static size_t length_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

static void a_truncated_file_is_told(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);

	(void)state;
	for (size_t i = 0; i < array_length(filters); i++) {
		size_t length;

		make_compressed("image", filters[i], disk, LENGTH);
		length = length_of("image");
		assert_int_equal(truncate("image", (off_t)length - 1), 0);
		assert_true(fails_with("ends in the middle: the file is truncated"));
		assert_int_equal(truncate("image", (off_t)length / 2), 0);
		assert_true(fails_with("ends in the middle: the file is truncated"));
		assert_int_equal(truncate("image", 40), 0);
		assert_true(fails_with("ends in the middle: the file is truncated"));
	}
}

static void a_truncated_tar_archive_is_told(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);

	(void)state;
	make_tar("image", NULL, "disk", disk, LENGTH);
	assert_int_equal(truncate("image", LENGTH / 2), 0);
	assert_true(fails_with("tar archive: Truncated"));
}

static void change_byte(const char *path, uint64_t offset)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_int_equal(read_exactly(fd, path, &byte, 1, offset, NULL), 0);
	byte ^= 0x10;
	assert_int_equal(write_exactly(fd, path, &byte, 1, offset, NULL), 0);
}

/* The checksums that the tools write find every one of them. */
static void a_changed_byte_anywhere_is_told(void **state)
{
	static const char *const commands[] = {
		"gzip -c disk >image",  "xz -1 -c disk >image", "zstd -qc disk >image",
		"bzip2 -c disk >image", "lz4 -qc disk >image",
	};
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);

	(void)state;
	write_file("disk", disk, LENGTH);
	for (size_t i = 0; i < array_length(commands); i++) {
		shell(commands[i]);
		for (uint64_t at = 100; at < length_of("image"); at += 1234567) {
			change_byte("image", at);
			if (!fails_with(" data"))
				fail_msg("%s, byte %llu", commands[i], (unsigned long long)at);
			change_byte("image", at);
		}
	}
}

static void bytes_behind_the_end_are_told(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);

	(void)state;
	/* lzip's own tool takes them, too. */
	for (size_t i = 0; i + 1 < array_length(filters); i++) {
		_cleanup_close_ int fd = -1;

		make_compressed("image", filters[i], disk, LENGTH);
		fd = open("image", O_RDWR | O_CLOEXEC);
		assert_int_equal(write_exactly(fd, "image", "garbage", 7, length_of("image"), NULL),
				 0);
		assert_true(fails_with("data near byte "));
	}
}

static void a_window_of_more_memory_than_allowed_is_refused(void **state)
{
	(void)state;
	write_file("disk", "x", 1);
	assert_int_equal(truncate("disk", 70 << 20), 0);
	shell("zstd -q -1 --long=26 -c disk >image");
	assert_true(fails_with("reading it takes more than the 32 MiB of memory that are allowed"));
}

static void a_dictionary_of_more_memory_than_allowed_is_refused(void **state)
{
	(void)state;
	write_file("disk", "x", 1);
	assert_int_equal(truncate("disk", 5 << 20), 0);
	shell("xz --lzma2=preset=6,dict=80MiB -c disk >image");
	assert_true(fails_with("MiB of memory, more than the 72 that are allowed: compress it "
			       "again with `xz -9` or less"));
}

static void a_disk_that_ends_before_its_last_partition_is_told(void **state)
{
	_cleanup_free_ uint8_t *disk = disk_content(LENGTH);

	(void)state;
	memset(disk, 0, 512);
	memcpy(disk + 446, "\0\0\0\0\x83\0\0\0\0\x08\0\0\0\0\1\0", 16); /* 1 MiB to 33 MiB */
	memcpy(disk + 510, "\x55\xaa", 2);
	make_compressed("image", "gzip", disk, LENGTH);
	assert_true(fails_with("read image: the image is truncated: it ends at 4495304 bytes, its "
			       "last partition at 34603008"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(every_compression_gives_the_disk),
		test(it_is_the_same_in_tiny_pieces),
		test(the_tools_own_files_are_read),
		test(the_head_can_be_read_before_and_after),
		test(a_tar_archive_says_how_large_the_disk_is),
		test(a_disk_smaller_than_the_head_has_a_known_size),
		test(holes_of_a_sparse_member_are_known),
		test(directories_and_links_in_a_tar_archive_do_not_matter),
		test(several_files_in_a_tar_archive_are_refused),
		test(a_tar_archive_without_a_file_is_refused),
		test(endless_headers_are_refused),
		test(an_endless_map_of_holes_is_refused),
		test(other_formats_inside_are_refused_by_name),
		test(nothing_inside_is_refused),
		test(an_explicit_archive_that_is_none_is_refused),
		test(a_truncated_file_is_told),
		test(a_truncated_tar_archive_is_told),
		test(a_changed_byte_anywhere_is_told),
		test(bytes_behind_the_end_are_told),
		test(a_window_of_more_memory_than_allowed_is_refused),
		test(a_dictionary_of_more_memory_than_allowed_is_refused),
		test(a_disk_that_ends_before_its_last_partition_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
