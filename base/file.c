// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

int file_read_fd(int fd, const char *name, size_t limit, struct text *out, struct error *err)
{
	size_t start = out->length;

	for (;;) {
		char *end = text_reserve(out, 65536);
		ssize_t n = read(fd, end, 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, errno, "read %s", name);
		if (n == 0)
			break;
		out->length += (size_t)n;
		out->data[out->length] = '\0';
		if (out->length - start > limit)
			return error_set(err, "read %s: larger than the %zu bytes that are allowed",
					 name, limit);
	}
	text_add_bytes(out, "", 0);
	return 0;
}

int file_read(const char *path, size_t limit, struct text *out, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, errno, "open %s", path);
	return file_read_fd(fd, path, limit, out, err);
}

char *file_line(const char *format, ...)
{
	_cleanup_text_ struct text path = {0}, content = {0};
	va_list args;
	char *line;

	va_start(args, format);
	text_vaddf(&path, format, args);
	va_end(args);
	if (file_read(text_string(&path), 65536, &content, NULL) < 0)
		return NULL;
	line = content.data;
	line[strcspn(line, "\n")] = '\0';
	return string_copy(string_trim(line));
}

static int sync_directory_of(const char *path, struct error *err)
{
	_cleanup_free_ char *copy = string_copy(path);
	const char *directory = dirname(copy);
	_cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return error_sys(err, errno, "sync directory %s", directory);
	return 0;
}

static int write_new(const char *path, const void *data, size_t length, unsigned int mode,
		     struct error *err)
{
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return error_sys(err, errno, "create %s", path);
	if (write_exactly(fd, path, data, length, 0, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return error_sys(err, errno, "sync %s", path);
	return 0;
}

int file_replace(const char *path, const void *data, size_t length, unsigned int mode,
		 struct error *err)
{
	_cleanup_free_ char *temporary = string_format("%s.new", path);

	if (write_new(temporary, data, length, mode, err) < 0) {
		unlink(temporary);
		return -1;
	}
	if (rename(temporary, path) < 0) {
		error_sys(err, errno, "rename %s to %s", temporary, path);
		unlink(temporary);
		return -1;
	}
	return sync_directory_of(path, err);
}

int read_exactly(int fd, const char *name, void *data, size_t length, uint64_t offset,
		 struct error *err)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = pread(fd, (char *)data + done, length - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, errno, "read %zu bytes of %s at offset %llu",
					 length - done, name, (unsigned long long)(offset + done));
		if (n == 0)
			return error_set(err,
					 "read %zu bytes of %s at offset %llu: the file ends there",
					 length - done, name, (unsigned long long)(offset + done));
		done += (size_t)n;
	}
	return 0;
}

int write_exactly(int fd, const char *name, const void *data, size_t length, uint64_t offset,
		  struct error *err)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = pwrite(fd, (const char *)data + done, length - done,
				   (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, errno, "write %zu bytes to %s at offset %llu",
					 length - done, name, (unsigned long long)(offset + done));
		if (n == 0)
			return error_set(
				err, "write %zu bytes to %s at offset %llu: nothing was written",
				length - done, name, (unsigned long long)(offset + done));
		done += (size_t)n;
	}
	return 0;
}
