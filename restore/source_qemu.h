// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * source_qemu: the image formats that QEMU reads and v2p does not: a qemu-nbd that is started for
 * the image (see qemu_nbd.h) does, and is asked over NBD. The format is always named to it, never
 * guessed by it.
 */
#pragma once

#include "base/text.h"
#include "restore/source.h"

/* The reader for QEMU's name of a format ("vpc"), or NULL when it is not one of these. */
const struct source_ops *source_qemu_named(const char *name);
/* Adds the names of all of them. */
void source_qemu_names(struct strings *out);
