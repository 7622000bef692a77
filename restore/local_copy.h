// SPDX-License-Identifier: GPL-3.0-or-later
/* local_copy: what came from elsewhere, as a file in /tmp for libraries and programs that open
 * their files by name. */
#pragma once

#include "base/error.h"
#include "base/text.h"

struct local_copy {
	char path[32]; /* "": nothing was copied */
};

int local_copy_save(struct local_copy *copy, const struct text *content, struct error *err);
/* Removes the file. */
void local_copy_release(struct local_copy *copy);
#define _cleanup_local_copy_ __attribute__((cleanup(local_copy_release)))
