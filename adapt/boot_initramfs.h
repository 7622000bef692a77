// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * boot_initramfs: what the initramfs of the kernel that starts makes of the answer, where the
 * adaptation leaves it as it is: there is no tool to build it, or the step is left out.
 */
#pragma once

#include "adapt/boot_answer.h"
#include "adapt/step.h"

/*
 * changes: as all steps planned them; nothing is said when they build the image anew. matches: of
 * the kernel. An image that lacks the driver of a device on the way to the root does not find it.
 */
int boot_initramfs_check(const struct adaptation *adaptation, const struct changes *changes,
			 const struct guest_kernel *kernel, const struct driver_matches *matches,
			 struct boot_answer *answer, struct error *err);
