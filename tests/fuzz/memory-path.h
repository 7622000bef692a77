// SPDX-License-Identifier: GPL-3.0-or-later
/* memory-path: an input as a file that can be opened by its path. */
#pragma once

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/text.h"

/* The file is there until the caller closes *fd; the path is heap. NULL: no file could be made. */
static inline char *memory_path(const void *data, size_t size, int *fd)
{
	*fd = memfd_create("input", MFD_CLOEXEC);
	if (*fd < 0 || pwrite(*fd, data, size, 0) != (ssize_t)size)
		return NULL;
	return string_format("/proc/self/fd/%d", *fd);
}
