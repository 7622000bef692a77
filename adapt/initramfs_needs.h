// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * initramfs_needs: what the root file system needs in the initramfs besides modules: programs that
 * assemble volumes, RAID and encryption, and the settings that name them.
 *
 * Known are the mounts (of a disk), else fstab; crypttab; and the images that the guest has: they
 * started it in the VM, so what they hold of such settings is what the root needs.
 */
#pragma once

#include "adapt/initramfs_audit.h"
#include "adapt/step.h"

struct initramfs_needs {
	bool has_lvm, has_crypt, has_raid;
	/* Words for the command line of dracut that name the root's volumes: rd.lvm.lv=vg0/root,
	 * rd.luks.uuid=…, rd.md.uuid=…. */
	struct strings words;
	struct strings crypt; /* names in crypttab of what is opened on the way to the root */
};

/* old: of a present image of the guest that was read, or NULL. The caller releases out. */
void initramfs_needs_find(const struct guest *guest, const struct changes *changes,
			  const struct initramfs_content *old, struct initramfs_needs *out);
void initramfs_needs_release(struct initramfs_needs *needs);

/* Lines of a crypttab that name one of needs->crypt, each with its newline; heap. */
char *initramfs_crypttab(const struct initramfs_needs *needs, const char *crypttab);
