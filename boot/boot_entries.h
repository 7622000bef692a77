// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * boot_entries: the entries of a boot menu in their order, and how a default names one of them.
 * Part of default_kernel_find(); filled by grub_entries.c from grub.cfg and by bls_entries.c from
 * the files of the Boot Loader Specification.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "adapt/guest.h"
#include "base/error.h"
#include "base/text.h"

enum { BOOT_ENTRIES_LIMIT = 1024, BOOT_ENTRIES_TOP = -1 };

struct boot_entry {
	char *title, *id; /* "" where there is none */
	char *kernel;     /* path as the loader reads it, or NULL: it starts no Linux */
	char *version;    /* of BLS: the kernel's release, or NULL */
	char *sort_key;   /* of BLS, or NULL */
	bool is_menu;     /* a submenu: it holds the entries whose menu it is */
	int menu;         /* index of the submenu that holds it, or BOOT_ENTRIES_TOP */
	int index;        /* its number there */
};

struct boot_entries {
	struct boot_entry *item;
	size_t count;
};

/* Adds an entry behind the others of its menu; NULL when there are too many. */
struct boot_entry *boot_entries_add(struct boot_entries *entries, int menu, const char *title,
				    const char *id);
void boot_entries_release(struct boot_entries *entries);
#define _cleanup_boot_entries_ __attribute__((cleanup(boot_entries_release)))

/*
 * The entry that chosen names in GRUB's way: number, title or id, with '>' between the menus ('>>'
 * stands for '>' itself). For NULL, "" and what names nothing it is the first one, as in GRUB; for
 * a submenu the first in it. NULL: there is none that starts Linux there.
 */
const struct boot_entry *boot_entries_choose(const struct boot_entries *entries,
					     const char *chosen);

/* Adds the entries of a grub.cfg. It is a program; this reads what grub-mkconfig writes. */
void grub_entries_parse(const char *config, struct boot_entries *out);
/* Does it take entries from BLS files (blscfg)? */
bool grub_entries_has_bls(const char *config);
/*
 * What the configuration sets `default` to, with the variables of the environment block (the text
 * of grubenv, "" for none) put in; heap, NULL: not set.
 */
char *grub_entries_default(const char *config, const char *environment);

/* Adds the *.conf files of directory, in the order of the specification: newest kernel first. The
 * id is the name of the file without .conf. */
int bls_entries_read(const struct guest *guest, const char *directory, struct boot_entries *out,
		     struct error *err);
