// SPDX-License-Identifier: GPL-3.0-or-later
/* initramfs_build: a new image, proven at its place in /boot before the old one goes. */
#pragma once

#include "adapt/step.h"

/* Adds the change that builds the image of kernel anew. No room for it in /boot is an error. */
int initramfs_plan_build(const struct adaptation *adaptation, struct changes *changes,
			 const struct guest_kernel *kernel, const char *why, struct error *err);
/* Is this the kernel that starts: the newest that can be started? */
bool initramfs_is_default(const struct guest *guest, const struct guest_kernel *kernel);
