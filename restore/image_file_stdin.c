// SPDX-License-Identifier: GPL-3.0-or-later
/* Standard input: a pipe is read once, in order; a file that the shell opened (`<`) is as good as
 * one that is named, but for its neighbours: nobody knows in which directory it lies. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "restore/image_file_kinds.h"

/* From its very beginning: what another program has taken off already is not read again. */
static bool is_whole_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) &&
	       lseek(fd, 0, SEEK_CUR) == 0;
}

int image_file_stdin_open(struct image_file *file, struct error *err)
{
	file->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (file->fd < 0)
		return error_sys(err, errno, "it is closed");
	if (isatty(file->fd))
		return error_set(err, "it is a terminal: pipe the image into v2p, or "
				      "name a file");
	if (is_whole_file(file->fd))
		return image_file_local_measure(file, err);
	file->size = IMAGE_FILE_SIZE_UNKNOWN;
	return 0;
}

static int stdin_read(const struct image_file *file, const char *what, void *data, size_t length,
		      uint64_t offset, struct error *err)
{
	return read_exactly(file->fd, what, data, length, offset, err);
}

static int stdin_next(struct image_file *file, void *data, size_t capacity, size_t *got,
		      struct error *err)
{
	ssize_t n;

	do
		n = file->is_seekable ? pread(file->fd, data, capacity, (off_t)file->position)
				      : read(file->fd, data, capacity);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_sys(err, errno, "read standard input at offset %llu",
				 (unsigned long long)file->position);
	*got = (size_t)n;
	return 0;
}

const struct image_file_ops image_file_stdin_ops = {
	.read = stdin_read,
	.next = stdin_next,
};
