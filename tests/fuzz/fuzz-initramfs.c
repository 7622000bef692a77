// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adapt/initramfs_audit.h"
#include "base/file.h"
#include "base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("initramfs", MFD_CLOEXEC);
	_cleanup_initramfs_content_ struct initramfs_content content = {0};
	_cleanup_strings_ struct strings required = {0}, missing = {0};
	_cleanup_error_ struct error err = {0};

	if (fd < 0 || write_exactly(fd, "memory", data, size, 0, NULL) < 0)
		return 0;
	strings_add(&required, "kernel/drivers/ata/ahci.ko");
	initramfs_read(fd, "image", &content, &err);
	initramfs_missing(&content.names, "6.1.0", &required, &missing);
	return 0;
}
