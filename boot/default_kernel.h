// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * default_kernel: which of the guest's kernels its boot loader starts when nobody chooses, as far
 * as its configuration tells: GRUB's grub.cfg with grubenv, entries of the Boot Loader
 * Specification (below GRUB's blscfg, or systemd-boot's own). Nothing is evaluated that a guest
 * could make long or dangerous: what is not understood is answered with the newest kernel, and
 * said.
 *
 * Specifications: GRUB manual, "default", "menuentry" and "The GRUB environment block";
 * uapi-group.org Boot Loader Specification (type 1 entries); loader.conf(5).
 */
#pragma once

#include "adapt/guest.h"
#include "base/error.h"

struct default_kernel {
	const struct guest_kernel *kernel; /* borrowed from the guest; NULL: it has none to start */
	char *how;                         /* for people: where this stands */
	bool is_certain;                   /* it stands there; else it is the newest, as a guess */
};

/* An error is one of reading the guest's files. */
int default_kernel_find(const struct guest *guest, struct default_kernel *out, struct error *err);
void default_kernel_release(struct default_kernel *kernel);
#define _cleanup_default_kernel_ __attribute__((cleanup(default_kernel_release)))
