// SPDX-License-Identifier: GPL-3.0-or-later
/* initramfs_proof: is an image good for this machine and this root? What it lacks, in words. */
#pragma once

#include "adapt/initramfs_audit.h"
#include "adapt/initramfs_needs.h"

/* What the image of one kernel must hold. */
struct initramfs_requirements {
	const char *release;
	const struct strings *modules;  /* files below /lib/modules/RELEASE/ */
	const struct strings *firmware; /* files below /lib/firmware/ that the guest has */
	const struct initramfs_needs *needs;
};

/*
 * Reads the guest's image at path: 0, or -1 with the reason; out holds what was read until then.
 * The caller releases it.
 */
int initramfs_open(const struct guest *guest, const char *path, struct initramfs_content *out,
		   struct error *err);
/* Appends what the image lacks: "ahci.ko", "firmware qed/x.bin", "cryptsetup". */
void initramfs_lacks(const struct initramfs_content *content,
		     const struct initramfs_requirements *required, struct strings *missing);
/* The device that the image waits for to resume from, when it is certainly not there: heap; or
 * NULL. */
char *initramfs_gone_resume(const struct guest *guest, const struct initramfs_content *content);

/*
 * Firmware files that the modules (files below /lib/modules/RELEASE/) name and the guest has, below
 * /lib/firmware/, without compression suffix. What cannot be read names none.
 */
void initramfs_firmware(const struct guest *guest, const char *release,
			const struct strings *modules, struct strings *out);

/*
 * What to say of microcode for processors of this vendor ("GenuineIntel", or NULL) when the image
 * holds none, with the package that brings it; heap. NULL: it is there, or there is none to be had.
 */
char *initramfs_microcode_note(const struct drivers_db *db, const struct guest *guest,
			       const struct initramfs_content *content, const char *cpu_vendor);
