// SPDX-License-Identifier: GPL-3.0-or-later
/* fstab_private: the parts of step fstab, one per kind of file that names block devices. */
#pragma once

#include "adapt/config.h"
#include "adapt/device_names.h"

struct fstab_work {
	struct adaptation *adaptation;
	struct changes *changes;
	struct device_names names;
};

/* Learns what the VM called its disk from root= in the kernel parameters, below a directory of the
 * guest: "", or where originals are kept. */
void fstab_learn_from_command_line(struct fstab_work *work, const char *below);
int fstab_plan_crypttab(struct fstab_work *work, struct error *err);
/* /etc/initramfs-tools/…: RESUME= */
int fstab_plan_resume(struct fstab_work *work, struct error *err);
/* /etc/default/grub, /etc/default/grub.d, /etc/kernel/cmdline */
int fstab_plan_command_line(struct fstab_work *work, struct error *err);
