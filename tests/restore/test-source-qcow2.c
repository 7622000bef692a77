// SPDX-License-Identifier: GPL-3.0-or-later
/* Images made by QEMU's tools must read as QEMU reads them. */
#include "tests/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/source.h"
#include "tests/qemu-image.h"

/* The whole matrix of what a qcow2 image can be made with. */
static const char *const cluster_sizes[] = {"512", "4096", "65536", "2097152"};
static const char *const kinds[] = {"compat=0.10", "compat=1.1",
				    "compat=1.1,compression_type=zstd"};

typedef void (*make_fn)(const char *options);

static void over_the_matrix(make_fn make)
{
	require_tools();
	for (size_t i = 0; i < array_length(cluster_sizes); i++) {
		for (size_t k = 0; k < array_length(kinds); k++) {
			_cleanup_free_ char *options =
				string_format("%s,cluster_size=%s", kinds[k], cluster_sizes[i]);

			make(options);
			compare_with_qemu();
		}
	}
}

static void make_plain(const char *options)
{
	make_content("content", 5 * PIECE + 1536);
	RUN("qemu-img", "convert", "-t", "unsafe", "-O", "qcow2", "-o", options, "content",
	    "image");
}

static void make_compressed(const char *options)
{
	make_content("content", 5 * PIECE + 1536);
	RUN("qemu-img", "convert", "-t", "unsafe", "-c", "-O", "qcow2", "-o", options, "content",
	    "image");
}

/* Written here and there, in a disorder that fragments the file, with all kinds of clusters. */
static void make_mixed(const char *options)
{
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "image", "40M");
	RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", "write -P 1 20M 3M", "-c",
	    "write -P 2 1000k 70k", "-c", "write -P 3 0 512", "-c", "write -c -P 4 32M 2M", "-c",
	    "write -P 5 21M 8k", "-c", "write -P 6 1M 4M", "-c", "write -c -P 7 36M 4M", "-c",
	    "write -P 8 39M 1M", "image");
}

/* Zero clusters with and without a place in the file, which version 2 does not have. */
static void make_zeroed(const char *options)
{
	make_mixed(options);
	RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", "write -z 2M 2M", "-c",
	    "write -z -u 20M 2M", "-c", "write -z 10M 4M", "-c", "discard 32M 2M", "-c",
	    "write -P 9 3M 4k", "image");
}

static void plain_images_read_as_qemu_reads_them(void **state)
{
	(void)state;
	over_the_matrix(make_plain);
}

static void compressed_images_read_as_qemu_reads_them(void **state)
{
	(void)state;
	over_the_matrix(make_compressed);
}

static void mixed_images_read_as_qemu_reads_them(void **state)
{
	(void)state;
	over_the_matrix(make_mixed);
}

static void zero_clusters_read_as_qemu_reads_them(void **state)
{
	(void)state;
	over_the_matrix(make_zeroed);
}

static void extended_l2_entries_read_as_qemu_reads_them(void **state)
{
	static const char *const options[] = {
		"extended_l2=on,cluster_size=16k",
		"extended_l2=on,compression_type=zstd",
		"extended_l2=on,cluster_size=2M",
	};
	static const make_fn makes[] = {make_plain, make_compressed, make_mixed, make_zeroed};

	(void)state;
	require_tools();
	for (size_t i = 0; i < array_length(options); i++) {
		for (size_t m = 0; m < array_length(makes); m++) {
			makes[m](options[i]);
			compare_with_qemu();
		}
	}
}

/* Data, zeroes and holes in one cluster, in a file that ends in the middle of its last. */
static void subclusters_of_all_kinds_read_as_qemu_reads_them(void **state)
{
	static const char *const bases[] = {"", ",backing_file=content,backing_fmt=raw"};

	(void)state;
	require_tools();
	make_content("content", 1 << 19);
	for (size_t i = 0; i < array_length(bases); i++) {
		_cleanup_free_ char *options = string_format("extended_l2=on%s", bases[i]);

		RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "image", "1M");
		RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", "write -P 1 4k 3k", "-c",
		    "write -z 8k 6k", "-c", "write -P 2 30k 2k", "-c", "write -P 3 62k 4k", "-c",
		    "write -z 70k 2k", "-c", "write -P 4 300k 1k", "-c", "discard 300k 2k",
		    "image");
		compare_with_qemu();
	}
}

static void refcounts_of_any_width_are_passed_over(void **state)
{
	(void)state;
	require_tools();
	for (int bits = 1; bits <= 64; bits *= 2) {
		_cleanup_free_ char *options = string_format("refcount_bits=%d", bits);

		RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "image", "1M");
		RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", "write -P 1 4k 300k", "image");
		compare_with_qemu();
	}
}

static void bitmaps_are_passed_over_and_described(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	json_object *out, *bitmaps = NULL;

	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "image", "1M");
	RUN("qemu-img", "bitmap", "--add", "image", "changes");
	RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", "write -P 1 4k 300k", "image");
	compare_with_qemu();
	source = open_image();
	out = source_describe(source);
	assert_true(json_object_object_get_ex(out, "bitmaps", &bitmaps));
	assert_true(json_object_get_boolean(bitmaps));
	json_object_put(out);
}

static void preallocated_images_read_as_qemu_reads_them(void **state)
{
	static const char *const ways[] = {"metadata", "falloc", "full"};

	(void)state;
	require_tools();
	for (size_t i = 0; i < array_length(ways); i++) {
		_cleanup_free_ char *options = string_format("preallocation=%s", ways[i]);

		RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "image", "5000k");
		RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", "write -P 7 1M 100k", "image");
		compare_with_qemu();
	}
}

static void internal_snapshots_are_passed_over(void **state)
{
	(void)state;
	require_tools();
	make_mixed("compat=1.1");
	RUN("qemu-img", "snapshot", "-c", "before", "image");
	RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", "write -P 99 20M 1M", "image");
	compare_with_qemu();
}

static void set_byte(off_t offset, uint8_t value)
{
	_cleanup_close_ int fd = open("image", O_RDWR | O_CLOEXEC);

	assert_int_equal(write_exactly(fd, "image", &value, 1, (uint64_t)offset, NULL), 0);
}

static void an_image_that_was_not_closed_is_read_and_described_as_dirty(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	json_object *out, *dirty = NULL;

	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", "lazy_refcounts=on", "image", "4M");
	RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", "write -P 5 1M 1M", "image");
	set_byte(79, 1);
	compare_with_qemu();
	source = open_image();
	out = source_describe(source);
	assert_true(json_object_object_get_ex(out, "dirty", &dirty));
	assert_true(json_object_get_boolean(dirty));
	json_object_put(out);
}

static void a_large_empty_image_is_one_look(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct extent extent;

	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "image", "64T");
	source = open_image();
	assert_int_equal(source_extent(source, 12345, UINT64_MAX, &extent, NULL), 0);
	assert_int_equal(extent.kind, EXTENT_ZERO);
	assert_int_equal(extent.length, (64ULL << 40) - 12345);
	assert_int_equal(source_check(source, NULL), 0);
}

static void neighbours_of_one_kind_are_one_extent(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct extent extent;

	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "image", "64M");
	RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", "write -P 1 4M 1M", "-c",
	    "write -P 1 3M 1M", "-c", "write -c -P 3 5M 1M", "-c", "write -z 6M 1M", "image");
	source = open_image();
	assert_int_equal(source_extent(source, 0, UINT64_MAX, &extent, NULL), 0);
	assert_true(extent.kind == EXTENT_ZERO && extent.length == 3 * PIECE);
	assert_int_equal(source_extent(source, 3 * PIECE, UINT64_MAX, &extent, NULL), 0);
	assert_true(extent.kind == EXTENT_DATA && extent.length == 3 * PIECE);
	assert_int_equal(source_extent(source, 6 * PIECE, UINT64_MAX, &extent, NULL), 0);
	assert_true(extent.kind == EXTENT_ZERO && extent.length == 58 * PIECE);
}

/* 16 MiB of L2 tables describe 1 GiB of clusters of 512 bytes: what is 1 GiB apart competes. */
static void tables_that_compete_for_memory_are_not_mixed_up(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	uint8_t data[2];

	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=512", "image", "2G");
	RUN("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", "write -P 1 0 4k", "-c",
	    "write -P 2 1G 4k", "image");
	source = open_image();
	for (int i = 0; i < 4; i++) {
		assert_int_equal(source_read(source, &data[0], 1, 0, NULL), 0);
		assert_int_equal(source_read(source, &data[1], 1, 1024ULL * PIECE, NULL), 0);
		assert_memory_equal(data, "\1\2", 2);
	}
}

struct reader {
	struct source *source;
	const struct text *expected;
	unsigned int seed;
	bool is_right;
};

/* No assertions: cmocka's work in the main thread only. */
static void *read_at_random(void *argument)
{
	struct reader *reader = argument;
	_cleanup_free_ uint8_t *data = malloc(PIECE);

	reader->is_right = true;
	for (int i = 0; i < 300; i++) {
		size_t length = (size_t)rand_r(&reader->seed) % PIECE + 1;
		uint64_t at = (uint64_t)rand_r(&reader->seed) % (reader->source->size - length);

		if (source_read(reader->source, data, length, at, NULL) < 0 ||
		    memcmp(data, reader->expected->data + at, length) != 0)
			reader->is_right = false;
	}
	return NULL;
}

static void several_threads_may_read(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_text_ struct text expected = {0};
	struct reader readers[4];
	pthread_t threads[array_length(readers)];

	(void)state;
	require_tools();
	make_mixed("compat=1.1,cluster_size=4096,compression_type=zstd");
	RUN("qemu-img", "convert", "-t", "unsafe", "-O", "raw", "image", "expected");
	assert_int_equal(file_read("expected", 1U << 30, &expected, NULL), 0);
	source = open_image();
	for (unsigned int i = 0; i < array_length(readers); i++) {
		readers[i] = (struct reader){source, &expected, i + 1, false};
		assert_int_equal(pthread_create(&threads[i], NULL, read_at_random, &readers[i]), 0);
	}
	for (unsigned int i = 0; i < array_length(readers); i++) {
		pthread_join(threads[i], NULL);
		assert_true(readers[i].is_right);
	}
}

/* Wherever the file is cut, it is said before anything is written, or else nothing is missing. */
static void a_truncated_image_is_found_before_it_is_written(void **state)
{
	struct stat st;

	(void)state;
	require_tools();
	make_content("content", 3 * PIECE);
	RUN("qemu-img", "convert", "-t", "unsafe", "-O", "qcow2", "content", "image");
	assert_int_equal(stat("image", &st), 0);
	for (off_t size = st.st_size - 512; size > 0; size -= 37 * 512) {
		_cleanup_source_ struct source *source = NULL;
		_cleanup_error_ struct error err = {0};

		assert_int_equal(truncate("image", size), 0);
		if (source_open("image", NULL, &source, &err) == 0)
			assert_int_equal(source_check(source, &err), -1);
		assert_non_null(strstr(error_text(&err), "image is truncated: "));
	}
}

static void assert_refused(const char *message)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	assert_int_equal(source_open("image", NULL, &source, &err), -1);
	assert_string_equal(error_text(&err), message);
}

static void an_encrypted_image_is_refused(void **state)
{
	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "--object", "secret,id=s,data=geheim", "-o",
	    "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", "image", "1M");
	assert_refused("open image image: the image is encrypted (LUKS), which is not supported: "
		       "make a plain image first with `qemu-img convert`");
}

static void an_image_marked_corrupt_is_refused(void **state)
{
	(void)state;
	require_tools();
	RUN("qemu-img", "create", "-q", "-f", "qcow2", "image", "1M");
	set_byte(79, 2);
	assert_refused("open image image: the image is marked as corrupt: repair a copy of it "
		       "first with `qemu-img check -r all`");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(plain_images_read_as_qemu_reads_them),
		test(compressed_images_read_as_qemu_reads_them),
		test(mixed_images_read_as_qemu_reads_them),
		test(zero_clusters_read_as_qemu_reads_them),
		test(extended_l2_entries_read_as_qemu_reads_them),
		test(subclusters_of_all_kinds_read_as_qemu_reads_them),
		test(refcounts_of_any_width_are_passed_over),
		test(bitmaps_are_passed_over_and_described),
		test(preallocated_images_read_as_qemu_reads_them),
		test(internal_snapshots_are_passed_over),
		test(an_image_that_was_not_closed_is_read_and_described_as_dirty),
		test(a_large_empty_image_is_one_look),
		test(neighbours_of_one_kind_are_one_extent),
		test(tables_that_compete_for_memory_are_not_mixed_up),
		test(several_threads_may_read),
		test(a_truncated_image_is_found_before_it_is_written),
		test(an_encrypted_image_is_refused),
		test(an_image_marked_corrupt_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
