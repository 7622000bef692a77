// SPDX-License-Identifier: GPL-3.0-or-later
/* Images made by QEMU's tools must read as QEMU reads them, as files and as streams. */
#include "tests/test.h"

#include <pthread.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/source.h"
#include "tests/stream-file.h"

#define PIECE (1U << 20)

static void require_tools(void)
{
	const char *argv[] = {"qemu-io", "--version", NULL};

	if (process_check(argv, NULL, NULL) < 0)
		skip(); /* the package qemu-utils is not installed */
}

static void run(const char *const *argv)
{
	_cleanup_error_ struct error err = {0};

	if (process_check(argv, NULL, &err) < 0)
		fail_msg("%s", error_text(&err));
}

#define RUN(...) run((const char *[]){__VA_ARGS__, NULL})

static int enter_directory(void **state)
{
	char name[] = "test-vmdk-XXXXXX";

	if (!mkdtemp(name) || chdir(name) < 0)
		return -1;
	*state = string_copy(name);
	return 0;
}

static int leave_directory(void **state)
{
	_cleanup_free_ char *name = *state;

	unlink("image");
	unlink("expected");
	unlink("content");
	return chdir("..") < 0 || rmdir(name) < 0 ? -1 : 0;
}

/* Data that compresses by half or so, with runs of zeroes in between. */
static void make_content(const char *path, size_t size)
{
	_cleanup_free_ uint8_t *data = calloc(1, size);
	uint64_t x = 88172645463325252ULL;

	assert_non_null(data);
	for (size_t i = 0; i + 8 <= size; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if ((i >> 18) % 3 != 2)
			memcpy(data + i, &x, i % 16 ? 2 : 6);
	}
	assert_int_equal(file_replace(path, data, size, 0600, NULL), 0);
}

static void convert_content(const char *options)
{
	RUN("qemu-img", "convert", "-t", "unsafe", "-f", "raw", "-O", "vmdk", "-o", options,
	    "content", "image");
}

static struct source *open_image(void)
{
	_cleanup_error_ struct error err = {0};
	struct source *source = NULL;

	if (source_open("image", NULL, &source, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(source->ops->name, "vmdk");
	return source;
}

static void assert_zero(const uint8_t *data, uint64_t length)
{
	assert_true(data[0] == 0 && memcmp(data, data + 1, length - 1) == 0);
}

/* The extents cover the disk, and those said to be zero are. */
static void compare_extents(struct source *source, const uint8_t *expected)
{
	struct extent extent;

	for (uint64_t at = 0; at < source->size; at += extent.length) {
		assert_int_equal(source_extent(source, at, source->size, &extent, NULL), 0);
		if (extent.kind == EXTENT_ZERO)
			assert_zero(expected + at, extent.length);
	}
}

/* Pieces of every kind: large ones in order, and small ones at odd places. */
static void compare_reads(struct source *source, const uint8_t *expected)
{
	static uint8_t data[PIECE];
	_cleanup_error_ struct error err = {0};
	size_t length;

	for (uint64_t at = 0; at < source->size; at += length) {
		length = source->size - at < PIECE ? (size_t)(source->size - at) : PIECE;
		if (source_read(source, data, length, at, &err) < 0)
			fail_msg("%s", error_text(&err));
		assert_memory_equal(data, expected + at, length);
	}
	for (uint64_t at = 1; at + 5000 < source->size; at += 77777) {
		assert_int_equal(source_read(source, data, 5000, at, NULL), 0);
		assert_memory_equal(data, expected + at, 5000);
	}
}

static void read_expected(struct text *expected)
{
	RUN("qemu-img", "convert", "-t", "unsafe", "-f", "vmdk", "-O", "raw", "image", "expected");
	assert_int_equal(file_read("expected", 1U << 30, expected, NULL), 0);
}

static void compare_with_qemu(void)
{
	_cleanup_source_ struct source *source = open_image();
	_cleanup_text_ struct text expected = {0};
	_cleanup_error_ struct error err = {0};

	read_expected(&expected);
	assert_int_equal(source->size, expected.length);
	assert_false(source->is_stream);
	if (source_check(source, &err) < 0)
		fail_msg("%s", error_text(&err));
	compare_extents(source, (const uint8_t *)expected.data);
	compare_reads(source, (const uint8_t *)expected.data);
}

/* One pass with a buffer of this size. */
static void compare_pass(struct source *source, const uint8_t *expected, size_t capacity)
{
	_cleanup_free_ uint8_t *data = malloc(capacity);
	_cleanup_error_ struct error err = {0};
	struct extent extent = {.length = 1};
	uint64_t at = 0;

	for (; extent.length > 0; at += extent.length) {
		if (source_next(source, data, capacity, &extent, &err) < 0)
			fail_msg("%s", error_text(&err));
		assert_int_equal(extent.offset, at);
		assert_true(extent.length <= source->size - at);
		if (extent.length && extent.kind == EXTENT_ZERO)
			assert_zero(expected + at, extent.length);
		else
			assert_memory_equal(data, expected + at, extent.length);
	}
	assert_int_equal(at, source->size);
	assert_int_equal(source_finish(source, &err), 0);
}

static void compare_stream_with_qemu(size_t capacity)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_text_ struct text image = {0}, expected = {0};
	_cleanup_error_ struct error err = {0};
	struct stream_file stream;

	assert_int_equal(file_read("image", 1U << 30, &image, NULL), 0);
	read_expected(&expected);
	stream = (struct stream_file){(const uint8_t *)image.data, image.length};
	if (source_open_ops("stream", &source_vmdk_ops, stream_file_open(&stream, "stream"), NULL,
			    &source, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_true(source->is_stream);
	assert_int_equal(source->size, expected.length);
	compare_pass(source, (const uint8_t *)expected.data, capacity);
	assert_int_equal(source_read(source, image.data, 1000, 12345, &err), 0);
	assert_memory_equal(image.data, expected.data + 12345, 1000);
}

static const size_t sizes[] = {512, 65536, 7 * 65536 + 1024, 5 * PIECE + 1536, 33 * PIECE + 512};

static void sparse_images_read_as_qemu_reads_them(void **state)
{
	(void)state;
	require_tools();
	for (size_t i = 0; i < array_length(sizes); i++) {
		make_content("content", sizes[i]);
		convert_content("subformat=monolithicSparse");
		compare_with_qemu();
	}
}

static void stream_optimized_images_read_as_qemu_reads_them(void **state)
{
	(void)state;
	require_tools();
	for (size_t i = 0; i < array_length(sizes); i++) {
		make_content("content", sizes[i]);
		convert_content("subformat=streamOptimized");
		compare_with_qemu();
	}
}

static void streams_read_as_qemu_reads_them(void **state)
{
	static const size_t capacities[] = {1000, 65536, 200000, PIECE};

	(void)state;
	require_tools();
	make_content("content", 33 * PIECE + 512);
	convert_content("subformat=streamOptimized");
	for (size_t i = 0; i < array_length(capacities); i++)
		compare_stream_with_qemu(capacities[i]);
}

static void small_streams_read_as_qemu_reads_them(void **state)
{
	(void)state;
	require_tools();
	for (size_t i = 3; i < array_length(sizes); i++) {
		make_content("content", sizes[i]);
		convert_content("subformat=streamOptimized");
		compare_stream_with_qemu(PIECE);
	}
}

/* Written here and there, in a disorder that fragments the file. */
static void mixed_images_read_as_qemu_reads_them(void **state)
{
	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "vmdk", "-o",
	    "subformat=monolithicSparse,zeroed_grain=on", "image", "100M");
	RUN("qemu-io", "-t", "unsafe", "-f", "vmdk", "-c", "write -P 1 20M 3M", "-c",
	    "write -P 2 1000k 70k", "-c", "write -P 3 0 512", "-c", "write -P 4 90M 2M", "-c",
	    "write -P 5 21M 8k", "-c", "write -P 6 1M 4M", "-c", "write -z 2M 2M", "-c",
	    "write -z 40M 2M", "-c", "write -P 8 99M 1M", "image");
	compare_with_qemu();
}

static void an_empty_disk_is_one_extent_of_zeroes(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct extent extent;

	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "vmdk", "image", "10G");
	source = open_image();
	assert_int_equal(source_extent(source, 0, UINT64_MAX, &extent, NULL), 0);
	assert_int_equal(extent.kind, EXTENT_ZERO);
}

struct reader {
	struct source *source;
	const uint8_t *expected;
	uint64_t first;
	bool is_equal;
};

static void *read_all(void *context)
{
	struct reader *reader = context;
	_cleanup_free_ uint8_t *data = malloc(100000);

	for (uint64_t at = reader->first; at + 100000 < reader->source->size; at += 99991) {
		if (source_read(reader->source, data, 100000, at, NULL) < 0 ||
		    memcmp(data, reader->expected + at, 100000) != 0)
			return NULL;
	}
	reader->is_equal = true;
	return NULL;
}

static void several_threads_read_at_once(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_text_ struct text expected = {0};
	struct reader readers[4];
	pthread_t threads[4];

	(void)state;
	require_tools();
	make_content("content", 20 * PIECE);
	convert_content("subformat=streamOptimized");
	read_expected(&expected);
	source = open_image();
	for (size_t i = 0; i < array_length(threads); i++) {
		readers[i] =
			(struct reader){source, (const uint8_t *)expected.data, i * 1000, false};
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
	}
	for (size_t i = 0; i < array_length(threads); i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < array_length(threads); i++)
		assert_true(readers[i].is_equal);
}

static void a_description_names_the_kind(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	const char *text;
	json_object *out;

	(void)state;
	require_tools();
	make_content("content", PIECE);
	convert_content("subformat=streamOptimized");
	source = open_image();
	out = source_describe(source);
	json_object_object_del(out, "file-size");
	text = json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN);
	assert_string_equal(text, "{\"path\":\"image\",\"format\":\"vmdk\",\"size\":1048576,"
				  "\"version\":3,\"create-type\":\"streamOptimized\","
				  "\"grain-size\":65536,\"compression\":\"zlib\",\"dirty\":false,"
				  "\"stream\":false}");
	json_object_put(out);
}

#define test(function) cmocka_unit_test_setup_teardown(function, enter_directory, leave_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(sparse_images_read_as_qemu_reads_them),
		test(stream_optimized_images_read_as_qemu_reads_them),
		test(streams_read_as_qemu_reads_them),
		test(small_streams_read_as_qemu_reads_them),
		test(mixed_images_read_as_qemu_reads_them),
		test(an_empty_disk_is_one_extent_of_zeroes),
		test(several_threads_read_at_once),
		test(a_description_names_the_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
