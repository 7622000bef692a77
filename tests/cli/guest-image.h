// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * guest-image: a small disk image with a Linux system that v2p can plan for: an MBR disk with
 * GRUB's boot code and one ext4 partition, in it the files that make a Debian with one kernel,
 * whose module index is real (tests/adapt/module-tree.h).
 */
#pragma once

#include "tests/adapt/module-tree.h"
#include "tests/cli/program.h"

#define GUEST_UUID "aaaaaaaa-1111-4111-8111-111111111111"

/* A directory that holds the guest's files, to be changed and then packed; NULL: a tool is missing.
 * It is removed with tree_remove(). */
static inline char *guest_files_make(void)
{
	/* The head of a program for x86_64: e_machine is 62. */
	static const uint8_t program[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 3, [18] = 62};
	const struct strings none = {0};
	char *root;

	if (!has_program("depmod") || !has_program("cc") || !has_program("mke2fs") ||
	    !has_program("cpio"))
		return NULL;
	root = module_tree_make(&none, false);
	tree_text(root, "etc/os-release",
		  "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (test)\"\n");
	tree_text(root, "etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n");
	tree_text(root, "etc/hostname", "vm\n");
	tree_text(root, "etc/network/interfaces",
		  "auto lo\niface lo inet loopback\nauto ens3\niface ens3 inet dhcp\n");
	tree_text(root, "usr/sbin/init", "");
	tree_write(root, "bin/sh", program, sizeof(program));
	tree_text(root, "boot/vmlinuz-" MODULE_RELEASE, "");
	tree_text(root, "boot/grub/i386-pc/normal.mod", "");
	tree_text(root, "boot/grub/grub.cfg",
		  "set default=\"0\"\nmenuentry 'Debian' {\n  linux /boot/vmlinuz-" MODULE_RELEASE
		  " root=UUID=" GUEST_UUID " ro\n}\n");
	return root;
}

/* The kernel loses a module, as if it had been built without. */
static inline void guest_files_lose(const char *root, const char *file)
{
	_cleanup_free_ char *command = string_format(
		"rm %1$s/" MODULE_DIRECTORY "/%2$s; depmod -b %1$s " MODULE_RELEASE, root, file);

	shell(command);
}

/* An initramfs that holds every module. */
static inline void guest_files_pack_initramfs(const char *root)
{
	_cleanup_free_ char *command = string_format(
		"cd %s; find usr | cpio -o -H newc --quiet > boot/initrd.img-" MODULE_RELEASE,
		root);

	shell(command);
}

/* 64 MiB: boot sector and core image as GRUB writes them, then the files in a partition. */
static inline void guest_image_make(const char *name, const char *root)
{
	_cleanup_free_ char *command = string_format(
		"rm -f %1$s p; truncate -s 64M %1$s; echo 'start=2048,type=83,bootable' | sfdisk "
		"-q "
		"%1$s; truncate -s 63M p; mke2fs -q -t ext4 -U " GUEST_UUID " -d %2$s p; "
		"dd if=p of=%1$s bs=1M seek=1 conv=notrunc,sparse status=none; "
		"printf 'GRUB ' | dd of=%1$s bs=1 seek=384 conv=notrunc status=none; "
		"printf '\\1' | dd of=%1$s bs=1 seek=92 conv=notrunc status=none; "
		"printf 'R' | dd of=%1$s bs=1 seek=512 conv=notrunc status=none; "
		"printf '\\74\\0\\40\\10' | dd of=%1$s bs=1 seek=1020 conv=notrunc status=none",
		name, root);

	shell(command);
}
