// SPDX-License-Identifier: GPL-3.0-or-later
/* archive-image: compressed files and tar archives with a disk in them, made by libarchive. */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "tests/test.h"

/* Looks random, but for a stretch of zeroes in the middle. */
static inline uint8_t *disk_content(size_t length)
{
	uint8_t *data = malloc(length);
	uint32_t x = 1;

	assert_non_null(data);
	for (size_t i = 0; i < length; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = i > length / 4 && i < length / 2 ? 0 : (uint8_t)(x >> 24);
	}
	return data;
}

static inline void write_file(const char *path, const void *data, size_t length)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_exactly(fd, path, data, length, 0, NULL), 0);
}

/* filter: "gzip", "xz" …, or NULL; format: "raw", "ustar", "pax", "gnutar". */
static inline struct archive *archive_begin(const char *path, const char *filter,
					    const char *format)
{
	struct archive *archive = archive_write_new();

	assert_non_null(archive);
	if (filter)
		assert_int_equal(archive_write_add_filter_by_name(archive, filter), ARCHIVE_OK);
	/* The better ones are slow. */
	archive_write_set_filter_option(archive, NULL, "compression-level", "1");
	assert_int_equal(archive_write_set_format_by_name(archive, format), ARCHIVE_OK);
	assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
	return archive;
}

static inline void archive_add(struct archive *archive, const char *name, unsigned int type,
			       const void *data, size_t length)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, 0644);
	if (type == AE_IFREG)
		archive_entry_set_size(entry, (la_int64_t)length);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(entry, "elsewhere");
	assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
	if (length > 0)
		assert_int_equal(archive_write_data(archive, data, length), length);
	archive_entry_free(entry);
}

static inline void archive_end(struct archive *archive)
{
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
}

static inline void make_compressed(const char *path, const char *filter, const void *data,
				   size_t length)
{
	struct archive *archive = archive_begin(path, filter, "raw");

	archive_add(archive, "disk", AE_IFREG, data, length);
	archive_end(archive);
}

static inline void make_tar(const char *path, const char *filter, const char *name,
			    const void *data, size_t length)
{
	struct archive *archive = archive_begin(path, filter, "pax");

	archive_add(archive, name, AE_IFREG, data, length);
	archive_end(archive);
}
