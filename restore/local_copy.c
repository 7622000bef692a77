// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/local_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"

int local_copy_save(struct local_copy *copy, const struct text *content, struct error *err)
{
	char path[] = "/tmp/v2p-XXXXXX";
	_cleanup_close_ int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, errno, "make a temporary file in /tmp");
	snprintf(copy->path, sizeof(copy->path), "%s", path);
	return write_exactly(fd, path, content->data, content->length, 0, err);
}

void local_copy_release(struct local_copy *copy)
{
	if (*copy->path)
		unlink(copy->path);
	*copy->path = '\0';
}
