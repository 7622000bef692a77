// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * boot_fit: do the guest's boot loader and kernel fit the firmware of the machine? What a loader's
 * plan() cannot know, since nothing of it is changed: Secure Boot, the width of the firmware, the
 * space for its variables, the processor. That a guest was installed for the other firmware is an
 * error of loader_plan().
 */
#pragma once

#include "adapt/boot_answer.h"
#include "adapt/step.h"
#include "base/error.h"

/* kernel: the one that starts, or NULL. Adds reasons; an error is one of reading the guest. */
int boot_fit_check(const struct adaptation *adaptation, const struct guest_kernel *kernel,
		   struct boot_answer *answer, struct error *err);
