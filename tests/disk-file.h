// SPDX-License-Identifier: GPL-3.0-or-later
/* disk-file: files full of junk that play disks, for tests of what writes disks. */
#pragma once

#include "tests/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "restore/layout.h"
#include "restore/target.h"
#include "restore/write.h"

#define MIB (1ULL << 20)
#define JUNK 0xa5

/* A file full of junk that plays the disk. */
struct disk_file {
	char path[64];
	uint64_t size;
};

static inline void disk_make(struct disk_file *disk, uint64_t size)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ uint8_t *junk = malloc(MIB);

	strcpy(disk->path, "/var/tmp/v2p-write-XXXXXX");
	disk->size = size;
	fd = mkstemp(disk->path);
	assert_true(fd >= 0);
	memset(junk, JUNK, MIB);
	for (uint64_t at = 0; at < size; at += MIB)
		assert_int_equal(write_exactly(fd, "disk", junk, size - at < MIB ? size - at : MIB,
					       at, NULL),
				 0);
}

static inline void disk_remove(struct disk_file *disk)
{
	unlink(disk->path);
}
#define _cleanup_disk_file_ _cleanup_(disk_remove)

static inline uint8_t *content_of(const char *path, uint64_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *data = malloc(size + 1);

	assert_true(fd >= 0 && data);
	assert_int_equal(read_exactly(fd, path, data, size, 0, NULL), 0);
	return data;
}

static inline void open_target(const struct disk_file *disk, struct target *target)
{
	_cleanup_error_ struct error err = {0};

	if (target_open(disk->path, 0, target, &err) < 0)
		fail_msg("%s", error_text(&err));
}

/* One disk; what failed is in err. */
static inline int write_one(struct source *source, struct target *target,
			    const struct write_options *options, struct write_outcome *outcome,
			    struct error *err)
{
	struct write_stats stats;
	int r = write_image(source, target, 1, options, &stats, outcome, err);

	assert_int_equal(outcome->failed, r < 0);
	write_outcome_release(outcome);
	return r;
}

static inline void expect_all(const uint8_t *data, uint64_t from, uint64_t to, uint8_t value)
{
	if (from < to && data[from] == value &&
	    !memcmp(data + from, data + from + 1, to - from - 1))
		return;
	for (uint64_t i = from; i < to; i++)
		if (data[i] != value)
			fail_msg("byte %llu is %u instead of %u", (unsigned long long)i, data[i],
				 value);
}

static inline void expect_no_table(const char *path)
{
	_cleanup_layout_ struct layout layout = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ uint8_t *data = content_of(path, MIB);

	if (layout_read(path, &layout, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_null(layout.table);
	assert_int_equal(layout.count, 0);
	expect_all(data, 0, MIB, 0);
}
