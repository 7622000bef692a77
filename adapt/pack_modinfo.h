// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * pack_modinfo: what the bytes of a kernel module say of it: the section .modinfo of an ELF file,
 * "name=…", "alias=…", "firmware=…", "vermagic=…". For modules that lie in no guest yet; libkmod
 * reads files only, and not those of other machines' byte order. 64 bits, little-endian. Hostile.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum { PACK_MODULE_LIMIT = 64 << 20 }; /* bytes, uncompressed */

/* Appends the strings. */
int pack_modinfo_read(const void *elf, size_t length, struct strings *out, struct error *err);
/* As pack_modinfo_read(), of a file in memory that may be compressed (.ko.xz, .zst, .gz). */
int pack_modinfo_read_file(const void *file, size_t length, struct strings *out, struct error *err);
/* What follows "key=", of the first such string; NULL when there is none. Borrowed. */
const char *pack_modinfo_value(const struct strings *modinfo, const char *key);
