// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * efi_entry: the entries of the firmware's boot menu, and what has to change so that the restored
 * system is started first: one entry for it and no second one, itself first in BootOrder, and
 * entries of systems that were on this machine before gone when they can only be those.
 *
 * Specification: UEFI 2.10 sections 3.1 (boot manager) and 10.3 (device path nodes). Variables may
 * hold anything: what does not parse is kept and shown, never touched.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "boot/efi_store.h"

struct efi_entry {
	uint16_t number;     /* Boot0003: 3 */
	uint32_t attributes; /* bit 0: active */
	char *label;         /* UTF-8; "" when it does not parse */
	char *partition;     /* partition of its device path as a PARTUUID, lower case, or NULL */
	char *file;          /* "\EFI\debian\shimx64.efi", or NULL */
	struct text data;    /* the variable */
};

struct efi_entries {
	struct efi_entry *item; /* by number */
	size_t count;
	uint16_t *order; /* BootOrder */
	size_t order_count;
};

int efi_entries_read(const struct efi_store *store, struct efi_entries *out, struct error *err);
/* Everything as it is, the variables in hexadecimal: enough to put it back by hand. */
json_object *efi_entries_json(const struct efi_entries *entries);
void efi_entries_release(struct efi_entries *entries);
#define _cleanup_efi_entries_ __attribute__((cleanup(efi_entries_release)))

/* The entry that the restored system wants. All borrowed. */
struct efi_wanted {
	const char *label;
	const char *file; /* with backslashes */
	const struct layout *layout;
	const struct partition *esp;
	/*
	 * PARTUUIDs of every partition of every disk of this machine, or NULL when they are not
	 * all known: then no entry counts as stale.
	 */
	const struct strings *partitions;
};

/* What to do about it. Nothing at all when the entry is there, active and first. */
struct efi_entry_plan {
	uint16_t number;    /* of the wanted entry */
	struct text option; /* what its variable is set to; empty: it is right as it is */
	uint16_t *remove;   /* stale entries: wanted label and file, on a partition that is gone */
	size_t remove_count;
	uint16_t *order; /* the new BootOrder */
	size_t order_count;
	bool reorders;
};

int efi_entry_plan_make(const struct efi_entries *entries, const struct efi_wanted *wanted,
			struct efi_entry_plan *out, struct error *err);
bool efi_entry_plan_is_empty(const struct efi_entry_plan *plan);
/*
 * Stale entries go first (they free the space that a full store lacks), then the entry, then
 * BootOrder: whatever fails, BootOrder names nothing that was not there before.
 */
int efi_entry_plan_apply(const struct efi_store *store, const struct efi_entry_plan *plan,
			 struct error *err);
void efi_entry_plan_release(struct efi_entry_plan *plan);
#define _cleanup_efi_entry_plan_ __attribute__((cleanup(efi_entry_plan_release)))
