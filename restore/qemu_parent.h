// SPDX-License-Identifier: GPL-3.0-or-later
/* qemu_parent: images that hold only the changes against another one are refused before a program
 * looks for that one. */
#pragma once

#include "restore/source.h"

int qemu_parent_check_vpc(const struct image_file *file, struct error *err);
int qemu_parent_check_qed(const struct image_file *file, struct error *err);
int qemu_parent_check_qcow(const struct image_file *file, struct error *err);
int qemu_parent_check_vhdx(const struct image_file *file, struct error *err);
