// SPDX-License-Identifier: GPL-3.0-or-later
/* source-fd: a source with a given reader from an open file, which becomes the source's own. */
#pragma once

#include "restore/source.h"

static inline int source_open_fd(int fd, const char *name, const struct source_ops *ops,
				 struct source **out, struct error *err)
{
	struct image_file *file;

	if (image_file_open_fd(fd, name, &file, err) < 0)
		return error_in(err, "open image %s", name);
	return source_open_ops(name, ops, file, NULL, out, err);
}
