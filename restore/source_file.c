// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/source_file.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/file.h"

int source_file_measure(struct source *source, struct error *err)
{
	struct stat st;

	if (fstat(source->fd, &st) < 0)
		return error_sys(err, errno, "stat");
	if (S_ISDIR(st.st_mode))
		return error_set(err, "this is a directory, not an image");
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(source->fd, BLKGETSIZE64, &source->file_size) < 0)
			return error_sys(err, errno, "ask for the size of the device");
	} else if (S_ISREG(st.st_mode)) {
		source->file_size = (uint64_t)st.st_size;
	} else {
		return error_set(err, "this is neither a regular file nor a block device");
	}
	if (source->file_size == 0)
		return error_set(err, "the file is empty");
	return 0;
}

int source_file_has(const struct source *source, const char *what, uint64_t offset, uint64_t length,
		    struct error *err)
{
	if (length <= source->file_size && offset <= source->file_size - length)
		return 0;
	return error_set(err,
			 "image is truncated: %s of %" PRIu64 " bytes at file offset %" PRIu64
			 " is missing, the file ends at %" PRIu64,
			 what, length, offset, source->file_size);
}

int source_file_read(const struct source *source, const char *what, void *data, size_t length,
		     uint64_t offset, struct error *err)
{
	if (source_file_has(source, what, offset, length, err) < 0)
		return -1;
	return read_exactly(source->fd, what, data, length, offset, err);
}
