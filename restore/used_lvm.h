// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * used_lvm: where the logical volumes of a physical volume lie. Only a volume group of one
 * physical volume whose volumes are all linear is understood: what others mean is up to LVM.
 *
 *   used_lvm_text   the metadata, a text in LVM's configuration syntax, read section by section
 *   used_lvm        where the text is, and what it must say
 *
 * Facts from LVM2's lib/format_text/layout.h and man/lvm.conf(5).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/used_blocks_kinds.h"

struct used_lvm_volume {
	char *name;
	struct used_segment *segment; /* offsets in the physical volume */
	size_t segments;
};

struct used_lvm {
	char *group; /* the name of the volume group */
	struct used_lvm_volume *volume;
	size_t volumes;
	struct used_segment *unallocated; /* by offset */
	size_t unallocated_count;
};

/* See enum used_verdict; *out is to be released whatever comes back. */
int used_lvm_read(const struct used_region *region, struct used_lvm *out, struct error *err);
void used_lvm_release(struct used_lvm *lvm);
#define _cleanup_used_lvm_ __attribute__((cleanup(used_lvm_release)))

/* A stretch of the text: not terminated. */
struct used_lvm_word {
	const char *start;
	size_t length;
};

enum {
	USED_LVM_DEPTH = 8,  /* of sections */
	USED_LVM_VALUES = 2, /* that are kept of a list; stripes = ["pv0", 0] */
};

struct used_lvm_setting {
	const struct used_lvm_word *section; /* the outermost first */
	size_t depth;
	struct used_lvm_word name;
	struct used_lvm_word value[USED_LVM_VALUES]; /* strings without their quotes */
	size_t values;
};

bool used_lvm_word_is(const struct used_lvm_word *word, const char *string);
/* A decimal number that fits; false for anything else. */
bool used_lvm_word_number(const struct used_lvm_word *word, uint64_t *out);

/* What each setting, and each beginning and end of a section, is handed to: 0 or a verdict that
 * ends the reading. A section's own name is the last of setting->section. */
struct used_lvm_reader {
	int (*begin)(void *context, const struct used_lvm_setting *setting, struct error *err);
	int (*set)(void *context, const struct used_lvm_setting *setting, struct error *err);
	int (*end)(void *context, const struct used_lvm_setting *setting, struct error *err);
	void *context;
};

int used_lvm_text_read(const char *text, const struct used_lvm_reader *reader, struct error *err);
