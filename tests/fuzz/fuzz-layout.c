// SPDX-License-Identifier: GPL-3.0-or-later
/* The input is the beginning of a disk of 64 MiB: its table, its logical partitions, the plan. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/scope.h"
#include "restore/layout.h"
#include "tests/source-fd.h"

enum { DISK_SIZE = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_disk(struct source *source, void *out, size_t length, uint64_t offset,
		     struct error *err)
{
	ssize_t n = pread(source->file->fd, out, length, (off_t)offset);

	return n == (ssize_t)length ? 0 : error_set(err, "short");
}

static int open_disk(struct source *source, const struct source_options *options, struct error *err)
{
	(void)options;
	(void)err;
	source->size = DISK_SIZE;
	source->granule = 4096;
	return 0;
}

static void close_disk(struct source *source)
{
	(void)source;
}

static const struct source_ops disk_ops = {
	.name = "fuzz", .open = open_disk, .read = read_disk, .close = close_disk};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("disk", MFD_CLOEXEC);
	_cleanup_layout_ struct layout layout = {0}, again = {0};
	_cleanup_growth_ struct growth growth = {0};
	_cleanup_source_ struct source *source = NULL;

	if (fd < 0 || size > DISK_SIZE || pwrite(fd, data, size, 0) != (ssize_t)size ||
	    ftruncate(fd, DISK_SIZE) < 0)
		return 0;
	if (layout_read_fd(fd, "disk", DISK_SIZE, 0, &layout, NULL) == 0 &&
	    layout_check(&layout, 2ULL * DISK_SIZE, 0, NULL) == 0 &&
	    layout_plan_growth(&layout, 2ULL * DISK_SIZE, &growth, NULL) == 0)
		json_object_put(growth_json(&growth));
	if (source_open_fd(steal_fd(&fd), "disk", &disk_ops, &source, NULL) == 0 &&
	    layout_read_source(source, &again, NULL) == 0)
		json_object_put(layout_json(&again));
	return 0;
}
