// SPDX-License-Identifier: GPL-3.0-or-later
/* Images that consist of several files must read as QEMU reads them, and lead nowhere else. */
#include "tests/test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/qemu-image.h"

#define CREATE(...) RUN("qemu-img", "create", "-q", "-f", "qcow2", __VA_ARGS__)
#define WRITE(image, ...) RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", __VA_ARGS__, image)

static void a_chain_reads_as_qemu_reads_it(void **state)
{
	static const char *const sizes[] = {"512", "4k", "64k", "2M"};

	(void)state;
	require_tools();
	make_content("raw", 7 * PIECE + 512);
	for (size_t i = 0; i < array_length(sizes); i++) {
		_cleanup_free_ char *options = string_format("cluster_size=%s", sizes[i]);
		_cleanup_free_ char *other =
			string_format("cluster_size=%s,compression_type=zstd", sizes[3 - i]);

		CREATE("-o", options, "-b", "raw", "-F", "raw", "base", "20M");
		WRITE("base", "-c", "write -P 1 1M 700k", "-c", "write -c -P 2 10M 4M", "-c",
		      "write -z 3M 1M", "-c", "write -P 3 19M 1M");
		CREATE("-o", other, "-b", "base", "-F", "qcow2", "middle", "18M");
		WRITE("middle", "-c", "write -P 4 1300k 100k", "-c", "write -c -P 5 12M 2M", "-c",
		      "write -z 2M 2M");
		CREATE("-o", options, "-b", "middle", "-F", "qcow2", "image", "30M");
		WRITE("image", "-c", "write -P 6 5M 512", "-c", "write -z 11M 512k", "-c",
		      "write -P 7 29M 1M", "-c", "write -P 8 17M 4k");
		compare_with_qemu();
	}
}

/* QEMU's tools no longer make images that do not name the format; older ones did. */
static void forget_format(const char *path)
{
	static const uint8_t type[] = {0xe2, 0x79, 0x2a, 0xca};
	_cleanup_text_ struct text image = {0};
	char *found;

	assert_int_equal(file_read(path, 1U << 30, &image, NULL), 0);
	found = memmem(image.data, image.length, type, sizeof(type));
	assert_non_null(found);
	*found = 1;
	assert_int_equal(file_replace(path, image.data, image.length, 0600, NULL), 0);
}

static void a_backing_file_without_a_format_is_looked_at(void **state)
{
	(void)state;
	require_tools();
	make_content("raw", 2 * PIECE);
	CREATE("-o", "compat=0.10", "-b", "raw", "-F", "raw", "base", "2M");
	CREATE("-b", "base", "-F", "qcow2", "image", "2M");
	WRITE("image", "-c", "write -P 6 1M 100k");
	forget_format("base");
	forget_format("image");
	compare_with_qemu();
}

/* A guest may write what looks like a qcow2 image to its raw disk. */
static void the_format_that_the_image_names_counts(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	uint8_t data[4];

	(void)state;
	require_tools();
	CREATE("raw", "1M");
	CREATE("-b", "raw", "-F", "raw", "image");
	source = open_image();
	assert_int_equal(source_read(source, data, 4, 0, NULL), 0);
	assert_memory_equal(data, "QFI\xfb", 4);
}

static void an_image_is_based_on_nothing_else_than_raw_and_qcow2(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "vdi", "disk.vdi", "1M");
	CREATE("-b", "disk.vdi", "-F", "vdi", "image");
	assert_image_refused("image", "open image image: backing file disk.vdi: it has the format "
				      "vdi, which is not supported for a backing file: make a "
				      "complete image first with `qemu-img convert -O qcow2`");
	forget_format("image");
	assert_int_equal(source_open("image", NULL, &source, &err), -1);
	assert_non_null(strstr(error_text(&err), "backing file disk.vdi: "));
}

static void the_name_of_a_format_may_be_anything(void **state)
{
	static const uint8_t type[] = {0xe2, 0x79, 0x2a, 0xca, 0, 0, 0, 5};
	_cleanup_text_ struct text image = {0};
	char *found;

	(void)state;
	require_tools();
	make_content("base", 1 << 20);
	CREATE("-b", "base", "-F", "qcow2", "-u", "image", "1M");
	assert_int_equal(file_read("image", 1U << 30, &image, NULL), 0);
	found = memmem(image.data, image.length, type, sizeof(type));
	assert_non_null(found);
	memcpy(found + 8, "\033[31m", 5);
	assert_int_equal(file_replace("image", image.data, image.length, 0600, NULL), 0);
	assert_image_refused("image", "open image image: backing file base: it has the format "
				      "?[31m, which is not supported for a backing file: make a "
				      "complete image first with `qemu-img convert -O qcow2`");
}

static void an_external_data_file_is_read(void **state)
{
	static const char *const kinds[] = {
		"data_file=data",
		"data_file=data,data_file_raw=on",
		"data_file=data,preallocation=metadata",
		"data_file=data,cluster_size=512",
		"data_file=data,extended_l2=on",
	};

	(void)state;
	require_tools();
	for (size_t i = 0; i < array_length(kinds); i++) {
		CREATE("-o", kinds[i], "image", "9M");
		WRITE("image", "-c", "write -P 1 0 700k", "-c", "write -P 2 3M 1M", "-c",
		      "write -z 3500k 100k", "-c", "write -P 4 8M 1M");
		compare_with_qemu();
	}
	CREATE("-o", "data_file=data", "-b", "image", "-F", "qcow2", "-u", "top", "9M");
}

static void a_data_file_may_lie_below_a_backing_file(void **state)
{
	(void)state;
	require_tools();
	CREATE("-o", "data_file=data", "base", "5M");
	WRITE("base", "-c", "write -P 1 0 700k", "-c", "write -P 2 3M 1M");
	CREATE("-b", "base", "-F", "qcow2", "image");
	WRITE("image", "-c", "write -P 3 3500k 1M");
	compare_with_qemu();
}

static void other_places_are_not_opened(void **state)
{
	static const char *const names[] = {
		"/etc/shadow",       "../../x",   "json:{\"driver\":\"raw\"}",
		"nbd://127.0.0.1/x", "file:base",
	};

	(void)state;
	require_tools();
	for (size_t i = 0; i < array_length(names); i++) {
		_cleanup_free_ char *message = string_format(
			"open image image: backing file %s: the image names another file, '%s': "
			"only files in the image's own directory are opened; copy it there, or "
			"make one image of both with `qemu-img convert -O qcow2`",
			names[i], names[i]);

		CREATE("-u", "-b", names[i], "-F", "raw", "image", "1M");
		assert_image_refused("image", message);
	}
}

static void a_link_out_of_the_directory_is_not_followed(void **state)
{
	(void)state;
	require_tools();
	assert_int_equal(symlink("/etc/passwd", "base"), 0);
	CREATE("-u", "-b", "base", "-F", "raw", "image", "1M");
	assert_image_refused("image", "open image image: backing file base: open base, which it "
				      "names, in its directory: Invalid cross-device link");
}

static void a_backing_file_that_is_missing_is_named(void **state)
{
	(void)state;
	require_tools();
	CREATE("-u", "-b", "base", "-F", "raw", "image", "1M");
	assert_image_refused("image", "open image image: backing file base: open base, which it "
				      "names, in its directory: No such file or directory");
}

static void a_loop_is_refused(void **state)
{
	(void)state;
	require_tools();
	CREATE("-u", "-b", "image", "-F", "qcow2", "other", "1M");
	assert_int_equal(rename("other", "image"), 0);
	assert_image_refused("image", "open image image: backing file image: image is corrupt: the "
				      "chain of its files is a loop");
	CREATE("-u", "-b", "base", "-F", "qcow2", "image", "1M");
	CREATE("-u", "-b", "link", "-F", "qcow2", "base", "1M");
	assert_int_equal(link("image", "link"), 0);
	assert_image_refused("image", "open image image: backing file link: image is corrupt: the "
				      "chain of its files is a loop");
	CREATE("-o", "data_file=data", "base", "1M");
	unlink("data");
	assert_int_equal(link("image", "data"), 0);
	assert_image_refused("image",
			     "open image image: backing file base: data file data: image is "
			     "corrupt: the chain of its files is a loop");
}

static void a_chain_has_an_end(void **state)
{
	(void)state;
	require_tools();
	CREATE("0", "1M");
	WRITE("0", "-c", "write -P 9 0 64k");
	for (int i = 1; i <= 64; i++) {
		_cleanup_free_ char *below = string_format("%d", i - 1);
		_cleanup_free_ char *name = string_format("%d", i);

		CREATE("-u", "-b", below, "-F", "qcow2", name, "1M");
	}
	RUN("qemu-img", "convert", "-f", "qcow2", "-O", "raw", "63", "expected");
	compare_with_expected("63");
	assert_image_refused("64", "open image 64: the image has a chain of more "
				   "than 63 backing files");
}

static void damage_in_a_backing_file_names_it(void **state)
{
	(void)state;
	require_tools();
	CREATE("base", "1M");
	WRITE("base", "-c", "write -P 9 0 1M");
	CREATE("-b", "base", "-F", "qcow2", "image");
	assert_int_equal(truncate("base", 6 * 65536), 0);
	assert_image_refused("image",
			     "check image image: backing file base: disk offset 65536: image is "
			     "truncated: data cluster of 65536 bytes at file offset 393216 is "
			     "missing, the file ends at 393216");
	assert_int_equal(truncate("base", 100), 0);
	assert_image_refused("image",
			     "open image image: backing file base: image is truncated: header of "
			     "104 bytes at file offset 0 is missing, the file ends at 100");
}

static void a_data_file_that_is_too_short_is_found_before_it_is_written(void **state)
{
	(void)state;
	require_tools();
	CREATE("-o", "data_file=data", "image", "1M");
	WRITE("image", "-c", "write -P 1 128k 200k");
	assert_int_equal(truncate("data", 256 << 10), 0);
	assert_image_refused("image", "check image image: disk offset 262144: image is truncated: "
				      "data cluster of 65536 bytes at file offset 262144 is "
				      "missing, the file ends at 262144");
}

static void the_chain_is_described(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	json_object *out, *files = NULL;

	(void)state;
	require_tools();
	make_content("raw", 2 * PIECE);
	CREATE("-b", "raw", "-F", "raw", "base");
	CREATE("-b", "base", "-F", "qcow2", "image", "3M");
	source = open_image();
	out = source_describe(source);
	assert_true(json_object_object_get_ex(out, "backing-files", &files));
	assert_string_equal(json_object_to_json_string_ext(files, JSON_C_TO_STRING_PLAIN),
			    "[{\"path\":\"base\",\"format\":\"qcow2\",\"size\":2097152},"
			    "{\"path\":\"raw\",\"format\":\"raw\",\"size\":2097152}]");
	json_object_put(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_chain_reads_as_qemu_reads_it),
		test(a_backing_file_without_a_format_is_looked_at),
		test(the_format_that_the_image_names_counts),
		test(an_image_is_based_on_nothing_else_than_raw_and_qcow2),
		test(the_name_of_a_format_may_be_anything),
		test(an_external_data_file_is_read),
		test(a_data_file_may_lie_below_a_backing_file),
		test(other_places_are_not_opened),
		test(a_link_out_of_the_directory_is_not_followed),
		test(a_backing_file_that_is_missing_is_named),
		test(a_loop_is_refused),
		test(a_chain_has_an_end),
		test(damage_in_a_backing_file_names_it),
		test(a_data_file_that_is_too_short_is_found_before_it_is_written),
		test(the_chain_is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
