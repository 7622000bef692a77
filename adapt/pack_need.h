// SPDX-License-Identifier: GPL-3.0-or-later
/* pack_need: what a kernel of the guest lacks on this machine, and which entries of driver packs
 * would help. */
#pragma once

#include <stdbool.h>

#include "adapt/drivers.h"
#include "adapt/pack_index.h"
#include "base/text.h"

enum pack_need_kind {
	PACK_NEED_DRIVER,   /* of a device */
	PACK_NEED_MODULE,   /* that the root needs by name */
	PACK_NEED_FIRMWARE, /* one of the files that a device's driver asks for */
};

struct pack_need {
	enum pack_need_kind kind;
	const struct driver_match *match; /* or NULL: root is set */
	const struct root_module *root;
	bool is_critical; /* the machine does not start without */
};

enum { PACK_NEEDS_LIMIT = 64 }; /* bits of a set; what is critical comes first */

struct pack_needs {
	struct pack_need item[PACK_NEEDS_LIMIT];
	size_t count;
};

/* Of devices without which something is lacking. Borrows from matches. */
void pack_needs_find(const struct driver_matches *matches, struct pack_needs *out);
/* What any kernel needs that is to start here, whether the guest's has it or not. */
void pack_needs_to_start(const struct driver_matches *matches, struct pack_needs *out);
/* by: the module or the firmware file with which it helps, borrowed from the entry; NULL unknown.
 */
bool pack_entry_meets(const struct pack_entry *entry, const struct pack_need *need,
		      const char **by);
/* As far as it is about files of firmware, one of which is enough. */
bool pack_entry_brings_firmware(const struct pack_entry *entry, const struct strings *wanted,
				const char **by);
/* "0000:00:1f.2 SATA controller", "module ext4 (file system ext4)"; heap. */
char *pack_need_describe(const struct pack_need *need);

/* Is the entry for this guest and, where release is not NULL, for this kernel? */
bool pack_entry_fits(const struct pack_entry *entry, const struct guest *guest,
		     const char *release);
