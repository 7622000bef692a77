// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * initramfs_audit: what an initramfs holds. The image is opened and read to its end, whatever tool
 * made it: one or more cpio archives (uncompressed ones first: microcode, ACPI tables), the last of
 * which may be compressed with gzip, bzip2, xz, lzma, zstd or lz4.
 *
 * The image is hostile: entries, names and the uncompressed size are bounded.
 *
 * Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel; cpio "newc".
 */
#pragma once

#include "base/error.h"
#include "base/text.h"

enum {
	INITRAMFS_ENTRIES_LIMIT = 200000,
	INITRAMFS_NAMES_LIMIT = 32 << 20, /* bytes of all names */
	INITRAMFS_TEXT_LIMIT = 64 << 10,  /* bytes of one settings file; larger ones are not kept */
	INITRAMFS_TEXTS_LIMIT = 64,       /* settings files that are kept */
};
#define INITRAMFS_SIZE_LIMIT (4ULL << 30) /* bytes, uncompressed */

/* What an image holds. */
struct initramfs_content {
	/* Everything, without leading "./" and "/". Empty regular files are left out: a full disk
	 * makes them, and a driver without content is none. */
	struct strings names;
	/* The settings among them (crypttab, resume device, words for the command line): settings
	 * names the files, texts holds what they say, in the same order. */
	struct strings settings, texts;
};

/*
 * fd is read from its start; name is for messages. An image that ends early is an error. The caller
 * releases out in any case.
 */
int initramfs_read(int fd, const char *name, struct initramfs_content *out, struct error *err);
void initramfs_content_release(struct initramfs_content *content);
#define _cleanup_initramfs_content_ __attribute__((cleanup(initramfs_content_release)))

/*
 * Appends those of required (kernel/drivers/ata/ahci.ko, with or without .xz .zst .gz) that
 * the image does not hold below lib/modules/RELEASE/ or usr/lib/modules/RELEASE/.
 */
void initramfs_missing(const struct strings *names, const char *release,
		       const struct strings *required, struct strings *missing);
