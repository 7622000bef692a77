// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * efi_store: the firmware's boot variables, behind one table, so that everything above it runs
 * against a store in memory too. efi_store.c is the only file that calls libefivar and libefiboot.
 *
 * Only variables of EFI_GLOBAL_VARIABLE are meant (UEFI 2.10 section 3.3); names are ASCII.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "restore/layout.h"

struct efi_store_ops {
	/* Adds the names of all variables that begin with "Boot". */
	int (*list)(void *context, struct strings *names, struct error *err);
	/* 1 and the value (without attributes) appended, 0 when there is no such variable. */
	int (*get)(void *context, const char *name, struct text *value, struct error *err);
	/* Creates or replaces: non-volatile, with boot-service and runtime access. */
	int (*set)(void *context, const char *name, const void *data, size_t length,
		   struct error *err);
	/* A variable that does not exist is not an error. */
	int (*remove)(void *context, const char *name, struct error *err);
};

struct efi_store {
	const struct efi_store_ops *ops;
	void *context;
};

/* This machine's. libefivar decides when the program starts whether there are variables at all. */
extern const struct efi_store efi_store_firmware;

/*
 * Appends an active EFI_LOAD_OPTION (UEFI 2.10 section 3.1.3) with the short-form device path of a
 * file on the EFI system partition `esp` of `layout` (section 10.3.5.1). file begins with a
 * backslash and is separated by backslashes.
 */
int efi_option_make(const struct layout *layout, const struct partition *esp, const char *label,
		    const char *file, struct text *out, struct error *err);
