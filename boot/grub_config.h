// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * grub_config: grub.cfg, the same for GRUB on BIOS and on UEFI. It is made again by the guest's own
 * grub-mkconfig when it holds names that this disk does not answer to, or when what it is made from
 * has changed. The result is checked before it replaces the old one: grub-mkconfig writes
 * root=/dev/sda2 (the rescue system's name of the disk) when it finds no UUID.
 */
#pragma once

#include "adapt/step.h"
#include "base/error.h"

/* "/boot/grub" or "/boot/grub2", whichever the guest has; NULL: no GRUB. Static. */
const char *grub_directory(const struct guest *guest);

/* step names the loader in the changes. A tree without a disk has its grub.cfg corrected in place,
 * without running a program. */
int grub_config_plan(struct adaptation *adaptation, struct changes *changes, const char *step,
		     struct error *err);
/* A check for each kernel that grub.cfg starts, and one for its names. */
int grub_config_verify(struct adaptation *adaptation, struct error *err);
