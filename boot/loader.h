// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * loader: what starts the guest. One table per boot loader; loader.c chooses among them by what the
 * guest has and what firmware the target starts with.
 *
 * A loader plans with the same `struct changes` as the adaptation steps, after them, so that it
 * sees the new /etc/fstab and /etc/default/grub through changes_read().
 */
#pragma once

#include "adapt/step.h"
#include "base/error.h"

enum firmware { FIRMWARE_BIOS, FIRMWARE_UEFI };

struct loader_ops {
	const char *name; /* "grub-bios" */
	enum firmware firmware;
	/* 1 this loader is installed in the guest for its firmware, 0 not, -1 error. */
	int (*detect)(struct adaptation *adaptation, struct error *err);
	/* Adds the changes that make the disk start by this loader. */
	int (*plan)(struct adaptation *adaptation, struct changes *changes, struct error *err);
	/* Proves it: report_check() for boot code, configuration, kernels named in it, firmware
	 * entry. */
	int (*verify)(struct adaptation *adaptation, struct error *err);
};

/*
 * Chooses the loader for the target's firmware and plans. A guest that was installed for the other
 * firmware only is an error that says so and what to do. A tree without a disk (--root) gets
 * configuration changes only, and a fact that says so.
 */
int loader_plan(struct adaptation *adaptation, struct changes *changes, struct error *err);
int loader_verify(struct adaptation *adaptation, struct error *err);

extern const struct loader_ops loader_grub_bios, loader_grub_efi;
