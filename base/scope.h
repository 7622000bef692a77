// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * scope: cleanup attributes. A resource is declared with its attribute and initialised there; it
 * is released when the scope ends. Handing it on is visible: `*out = steal(&p);`, `steal_fd(&fd)`.
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

static inline void scope_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void scope_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void scope_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void scope_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_free_ _cleanup_(scope_free)
#define _cleanup_close_ _cleanup_(scope_close)
#define _cleanup_fclose_ _cleanup_(scope_fclose)
#define _cleanup_closedir_ _cleanup_(scope_closedir)

#define steal(pointer)                                                                             \
	({                                                                                         \
		__typeof__(*(pointer)) stolen_ = *(pointer);                                       \
		*(pointer) = NULL;                                                                 \
		stolen_;                                                                           \
	})

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

#define array_length(array) (sizeof(array) / sizeof((array)[0]))
