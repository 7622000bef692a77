// SPDX-License-Identifier: GPL-3.0-or-later
/* used_bytes: numbers in structures of a disk, wherever they lie. */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define USED_BYTES_AT(name, type, convert)                                                         \
	static inline type name(const uint8_t *bytes)                                              \
	{                                                                                          \
		type number;                                                                       \
                                                                                                   \
		memcpy(&number, bytes, sizeof(number));                                            \
		return convert(number);                                                            \
	}

USED_BYTES_AT(le16_at, uint16_t, le16toh)
USED_BYTES_AT(le32_at, uint32_t, le32toh)
USED_BYTES_AT(le64_at, uint64_t, le64toh)
USED_BYTES_AT(be16_at, uint16_t, be16toh)
USED_BYTES_AT(be32_at, uint32_t, be32toh)
USED_BYTES_AT(be64_at, uint64_t, be64toh)
