// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * qemu-image: images made by QEMU's tools, in a directory of each test's own, and whether they read
 * as QEMU reads them.
 */
#pragma once

#include <dirent.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/source.h"
#include "tests/test.h"

#define PIECE (1U << 20)

static inline void require_tools(void)
{
	const char *argv[] = {"qemu-io", "--version", NULL};

	if (process_check(argv, NULL, NULL) < 0)
		skip(); /* the package qemu-utils is not installed */
}

static inline void run(const char *const *argv)
{
	_cleanup_error_ struct error err = {0};

	if (process_check(argv, NULL, &err) < 0)
		fail_msg("%s", error_text(&err));
}

#define RUN(...) run((const char *[]){__VA_ARGS__, NULL})

static inline int enter_directory(void **state)
{
	char name[] = "test-qcow2-XXXXXX";

	if (!mkdtemp(name) || chdir(name) < 0)
		return -1;
	*state = string_copy(name);
	return 0;
}

static inline int leave_directory(void **state)
{
	_cleanup_free_ char *name = *state;
	_cleanup_closedir_ DIR *directory = opendir(".");
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)) != NULL)
		unlink(entry->d_name);
	return chdir("..") < 0 || rmdir(name) < 0 ? -1 : 0;
}

#define test(function) cmocka_unit_test_setup_teardown(function, enter_directory, leave_directory)

/* Data that compresses by half or so, with runs of zeroes in between. */
static inline void make_content(const char *path, size_t size)
{
	_cleanup_free_ uint8_t *data = calloc(1, size);
	uint64_t x = 88172645463325252ULL;

	assert_non_null(data);
	for (size_t i = 0; i < size; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if ((i >> 18) % 3 != 2)
			memcpy(data + i, &x, i % 16 ? 2 : 6);
	}
	assert_int_equal(file_replace(path, data, size, 0600, NULL), 0);
}

static inline struct source *open_named(const char *name)
{
	_cleanup_error_ struct error err = {0};
	struct source *source = NULL;

	if (source_open(name, NULL, &source, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(source->ops->name, "qcow2");
	return source;
}

static inline struct source *open_image(void)
{
	return open_named("image");
}

static inline void assert_zero(const uint8_t *data, uint64_t length)
{
	assert_true(data[0] == 0 && memcmp(data, data + 1, length - 1) == 0);
}

/* The extents cover the disk, and those said to be zero are. */
static inline void compare_extents(struct source *source, const uint8_t *expected)
{
	struct extent extent;

	for (uint64_t at = 0; at < source->size; at += extent.length) {
		assert_int_equal(source_extent(source, at, source->size, &extent, NULL), 0);
		if (extent.kind == EXTENT_ZERO)
			assert_zero(expected + at, extent.length);
	}
}

/* Pieces of every kind: large ones in order, and small ones at odd places. */
static inline void compare_reads(struct source *source, const uint8_t *expected)
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

/* The disk in the image called name is what the file "expected" holds. */
static inline void compare_with_expected(const char *name)
{
	_cleanup_source_ struct source *source = open_named(name);
	_cleanup_text_ struct text expected = {0};
	_cleanup_error_ struct error err = {0};

	assert_int_equal(file_read("expected", 1U << 30, &expected, NULL), 0);
	assert_int_equal(source->size, expected.length);
	if (source_check(source, &err) < 0)
		fail_msg("%s", error_text(&err));
	compare_extents(source, (const uint8_t *)expected.data);
	compare_reads(source, (const uint8_t *)expected.data);
}

static inline void compare_with_qemu(void)
{
	RUN("qemu-img", "convert", "-t", "unsafe", "-f", "qcow2", "-O", "raw", "image", "expected");
	compare_with_expected("image");
}

static inline void assert_image_refused(const char *name, const char *message)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	if (source_open(name, NULL, &source, &err) == 0)
		source_check(source, &err);
	assert_string_equal(error_text(&err), message);
}
