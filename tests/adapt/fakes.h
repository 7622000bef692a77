// SPDX-License-Identifier: GPL-3.0-or-later
/* Stand-ins for restore/disk.h and adapt/guest.h, until those are there. */
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "adapt/guest.h"
#include "base/scope.h"
#include "restore/disk.h"

int disks_list(struct disks *out, struct error *err)
{
	(void)err;
	*out = (struct disks){0};
	return 0;
}

json_object *disk_json(const struct disk *disk)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "path", json_object_new_string(disk->path));
	json_object_object_add(object, "serial", json_object_new_string(disk->serial));
	json_object_object_add(object, "size", json_object_new_int64((int64_t)disk->size));
	json_object_object_add(object, "rotational", json_object_new_boolean(disk->rotational));
	return object;
}

void disks_release(struct disks *disks)
{
	for (size_t i = 0; i < disks->count; i++) {
		free(disks->item[i].path);
		free(disks->item[i].name);
		free(disks->item[i].serial);
	}
	free(disks->item);
	*disks = (struct disks){0};
}

int guest_open_file(const struct guest *guest, const char *path, int flags, struct error *err)
{
	int fd = openat(guest->root_fd, path + 1, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);

	return fd < 0 ? error_sys(err, errno, "open %s", path) : fd;
}
