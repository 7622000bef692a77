// SPDX-License-Identifier: GPL-3.0-or-later
/* scratch-directory: a setup and teardown by which a test runs in an empty directory of its own. */
#pragma once

#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/text.h"

static inline int scratch_enter(void **state)
{
	char name[] = "scratch-XXXXXX";

	if (!mkdtemp(name) || chdir(name) < 0)
		return -1;
	*state = string_copy(name);
	return 0;
}

static inline int scratch_remove(const char *path, const struct stat *st, int kind,
				 struct FTW *place)
{
	(void)st;
	(void)kind;
	(void)place;
	return remove(path);
}

static inline int scratch_leave(void **state)
{
	_cleanup_free_ char *name = *state;

	if (chdir("..") < 0)
		return -1;
	return nftw(name, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);
}
