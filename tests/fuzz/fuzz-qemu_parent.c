// SPDX-License-Identifier: GPL-3.0-or-later
/* The headers that are looked at before QEMU does: each check ends, whatever the file holds. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/file.h"
#include "base/scope.h"
#include "restore/qemu_parent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The VHDX tables are 64 KiB apart and long: inputs stay small when theirs is what is not zero. */
static int open_image(const uint8_t *data, size_t size, struct image_file **file)
{
	_cleanup_close_ int fd = memfd_create("image", MFD_CLOEXEC);
	size_t head = size < 256 ? size : 256, tables = size - head;

	if (fd < 0 || ftruncate(fd, 512 << 10) < 0 ||
	    write_exactly(fd, "image", data, head, 0, NULL) < 0 ||
	    write_exactly(fd, "image", data + head, tables / 2, 192 << 10, NULL) < 0 ||
	    write_exactly(fd, "image", data + head + tables / 2, tables - tables / 2, 256 << 10,
			  NULL) < 0)
		return -1;
	return image_file_open_fd(steal_fd(&fd), "image", file, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_image_file_ struct image_file *file = NULL;

	if (size > 65536 || open_image(data, size, &file) < 0)
		return 0;
	qemu_parent_check_vpc(file, NULL);
	qemu_parent_check_qed(file, NULL);
	qemu_parent_check_qcow(file, NULL);
	qemu_parent_check_vhdx(file, NULL);
	return 0;
}
