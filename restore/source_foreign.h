// SPDX-License-Identifier: GPL-3.0-or-later
/* source_foreign: image formats that have no reader of our own: some are read through qemu-nbd (see
 * source_qemu.h), the others are recognised only to be refused by name: taken for raw they would
 * become a disk full of nonsense. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"

/* How many bytes of the file's beginning source_foreign_find() likes to see. */
#define SOURCE_FOREIGN_HEAD 36864

/*
 * *format becomes QEMU's name of the format, or NULL where the content is of no format that is
 * known here. tail holds the last tail_length bytes of the file (512 are enough). The error is for
 * what is not a disk image: it says what it is and what to do with it.
 */
int source_foreign_find(const uint8_t *head, size_t head_length, const uint8_t *tail,
			size_t tail_length, const char **format, struct error *err);
