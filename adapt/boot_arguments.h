// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * boot_arguments: the kernel command lines with which the guest's boot entries start one of its
 * kernels: GRUB's menu, boot loader entries, syslinux, and /etc/kernel/cmdline, from which kernel
 * packages make entries.
 *
 * Specification of the entries: The Boot Loader Specification, type 1.
 */
#pragma once

#include "adapt/guest.h"
#include "base/error.h"
#include "base/text.h"

struct boot_arguments_line {
	char *file;           /* that says so */
	struct strings words; /* quotes taken off */
};

struct boot_arguments {
	struct boot_arguments_line *line;
	size_t count;
};

/*
 * Of each file the first entry for this kernel: the ones behind it are for recovery. An entry that
 * names another kernel of the guest does not count; one that names none (a link, /vmlinuz) does.
 * Files that cannot be read are left out.
 */
int boot_arguments_read(const struct guest *guest, const char *release, struct boot_arguments *out,
			struct error *err);
void boot_arguments_release(struct boot_arguments *arguments);
#define _cleanup_boot_arguments_ __attribute__((cleanup(boot_arguments_release)))
