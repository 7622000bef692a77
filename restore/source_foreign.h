// SPDX-License-Identifier: GPL-3.0-or-later
/* source_foreign: image formats that are recognised only to be refused by name: taken for raw they
 * would become a disk full of nonsense. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"

/* How many bytes of the file's beginning source_foreign_refuse() likes to see. */
#define SOURCE_FOREIGN_HEAD 36864

/*
 * 0 when the content is of no format that is known here. tail holds the last tail_length bytes of
 * the file (512 are enough). The error says what the image is and what to do with it.
 */
int source_foreign_refuse(const char *path, const uint8_t *head, size_t head_length,
			  const uint8_t *tail, size_t tail_length, struct error *err);

/* The error for an explicit format that is not read. Always -1. */
int source_foreign_unknown(const char *format, struct error *err);
