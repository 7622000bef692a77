// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * initramfs_others: images that no kernel of the guest starts with: kdump's, for crash dumps, and
 * rescue and fallback images. They are neither built nor proven here.
 */
#pragma once

#include "adapt/guest.h"
#include "base/report.h"

/* A fact "initramfs-left" with their paths, and a warning where something follows for the user. */
void initramfs_others_report(const struct guest *guest, struct report *report);
