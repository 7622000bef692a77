// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adapt/initramfs_proof.h"
#include "adapt/initramfs_settings.h"
#include "base/file.h"
#include "base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is asked of an image that was read, also as far as it could be. */
static void search(const struct initramfs_content *content)
{
	static const char *const names[] = {"RESUME", "hostonly", NULL};
	struct partition partition = {.number = 1, .filesystem = (char *)"swap"};
	const struct guest guest = {.root_fd = -1, .layout = {.partition = &partition, .count = 1}};
	_cleanup_strings_ struct strings modules = {0}, firmware = {0}, missing = {0};
	_cleanup_settings_ struct settings settings = {0};
	struct initramfs_needs needs = {.has_lvm = true, .has_crypt = true, .has_raid = true};
	const struct initramfs_requirements required = {
		.release = "6.1.0", .modules = &modules, .firmware = &firmware, .needs = &needs};
	_cleanup_free_ char *resume = NULL;

	strings_add(&modules, "kernel/drivers/ata/ahci.ko");
	strings_add(&firmware, "qed/a.bin");
	strings_add(&needs.crypt, "root");
	initramfs_lacks(content, &required, &missing);
	resume = initramfs_gone_resume(&guest, content);
	for (size_t i = 0; i < content->texts.count; i++)
		settings_parse("/etc/x", content->texts.item[i], names, &settings);
	initramfs_needs_release(&needs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("initramfs", MFD_CLOEXEC);
	_cleanup_initramfs_content_ struct initramfs_content content = {0};
	_cleanup_error_ struct error err = {0};

	if (fd < 0 || write_exactly(fd, "memory", data, size, 0, NULL) < 0)
		return 0;
	initramfs_read(fd, "image", &content, &err);
	search(&content);
	return 0;
}
