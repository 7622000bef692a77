// SPDX-License-Identifier: GPL-3.0-or-later
/* file: whole small files of the machine that v2p runs on (sysfs, proc, profiles). Guest files are
 * reached through adapt/guest.h only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* Appends the file's content to out; more than `limit` bytes is an error. */
int file_read(const char *path, size_t limit, struct text *out, struct error *err);
/* As file_read(), from an open file descriptor, from its current offset on; name is for messages.
 */
int file_read_fd(int fd, const char *name, size_t limit, struct text *out, struct error *err);
/* One line of sysfs or procfs, trimmed: heap, the caller frees; NULL when absent or unreadable. */
char *file_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Writes path.new, fsync, rename, fsync of the directory; mode is used for a new file. */
int file_replace(const char *path, const void *data, size_t length, unsigned int mode,
		 struct error *err);
/* Reads or writes exactly length bytes at offset; a short transfer is an error with the offset. */
int read_exactly(int fd, const char *name, void *data, size_t length, uint64_t offset,
		 struct error *err);
int write_exactly(int fd, const char *name, const void *data, size_t length, uint64_t offset,
		  struct error *err);
