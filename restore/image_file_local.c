// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/image_file_kinds.h"

int image_file_local_open(const char *path, struct error *err)
{
	/* O_NONBLOCK: a FIFO must be refused, not waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? error_set(err, "%s", strerror(errno)) : fd;
}

int image_file_local_measure(struct image_file *file, struct error *err)
{
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return error_sys(err, errno, "stat");
	if (S_ISDIR(st.st_mode))
		return error_set(err, "this is a directory, not an image");
	file->is_block_device = S_ISBLK(st.st_mode);
	if (file->is_block_device) {
		if (ioctl(file->fd, BLKGETSIZE64, &file->size) < 0)
			return error_sys(err, errno, "ask for the size of the device");
	} else if (S_ISREG(st.st_mode)) {
		file->size = (uint64_t)st.st_size;
	} else {
		return error_set(err, "this is neither a regular file nor a block device");
	}
	if (file->size == 0)
		return error_set(err, "the file is empty");
	file->is_seekable = true;
	posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

static int local_read(const struct image_file *file, const char *what, void *data, size_t length,
		      uint64_t offset, struct error *err)
{
	return read_exactly(file->fd, what, data, length, offset, err);
}

static int open_directory_of(const struct image_file *file, struct error *err)
{
	_cleanup_free_ char *directory = string_copy(file->name);
	char *slash = strrchr(directory, '/');
	int fd;

	if (slash)
		slash[slash == directory] = '\0';
	fd = open(slash ? directory : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_sys(err, errno, "open the image's directory") : fd;
}

static int local_open_sibling(const struct image_file *file, const char *name,
			      struct image_file **out, struct error *err)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int directory = open_directory_of(file, err);
	_cleanup_free_ char *path = NULL;
	const char *slash = strrchr(file->name, '/');
	int fd;

	if (directory < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));
	if (fd < 0)
		return error_sys(err, errno, "open %s, which it names, in its directory", name);
	path = string_format("%.*s%s", slash ? (int)(slash - file->name) + 1 : 0, file->name, name);
	return image_file_open_fd(fd, path, out, err);
}

const struct image_file_ops image_file_local_ops = {
	.read = local_read,
	.open_sibling = local_open_sibling,
};
