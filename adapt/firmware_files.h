// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * firmware_files: does the guest have a firmware file that a driver will ask for? As the kernel
 * looks for it: drivers/base/firmware_loader/main.c, Documentation/driver-api/firmware.
 */
#pragma once

#include <stdbool.h>

#include "adapt/guest.h"
#include "base/text.h"

/*
 * name as in a module's firmware field ("rtl_nic/rtl8168h-2.fw"); it may be a shell pattern.
 * Compressed files (.xz, .zst) count.
 */
bool firmware_exists(const struct guest *guest, const char *release, const char *name);
