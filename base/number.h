// SPDX-License-Identifier: GPL-3.0-or-later
/* number: what the readers and writers of bytes ask of offsets and lengths everywhere. */
#pragma once

#include <stdint.h>

static inline uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}
