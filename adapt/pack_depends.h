// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * pack_depends: which other packages of the packs a package needs in a guest.
 *
 * Of a .deb, every clause of Depends and Pre-Depends is met by what dpkg lists as installed or by
 * the packs, or the package is refused. What is installed in a guest with rpm only rpm itself can
 * tell: there, what the packs provide is taken along, and rpm judges before it installs anything.
 */
#pragma once

#include "adapt/deb_control.h"
#include "adapt/guest.h"
#include "adapt/packs.h"

struct pack_item {
	const struct pack *pack;
	const struct pack_entry *entry;
	const struct pack_entry *needed_by; /* NULL: for its own sake */
};

struct pack_items {
	struct pack_item *item;
	size_t count;
};

struct pack_depends {
	const struct packs *packs;
	const struct guest *guest;
	struct deb_installed installed;
	bool has_dpkg, has_rpm;
};

/* Reads what is installed. packs and guest are borrowed. */
int pack_depends_init(struct pack_depends *depends, const struct packs *packs,
		      const struct guest *guest, struct error *err);
void pack_depends_release(struct pack_depends *depends);
#define _cleanup_pack_depends_ __attribute__((cleanup(pack_depends_release)))

/*
 * Could this package be installed: the guest has its package manager, and not this version or a
 * newer one already? why_not (heap) is set where a person would wonder.
 */
bool pack_depends_can_install(const struct pack_depends *depends, const struct pack_entry *entry,
			      char **why_not);
/* The entry and all that it needs, each once. An error says what cannot be had. */
int pack_depends_close(const struct pack_depends *depends, const struct pack *pack,
		       const struct pack_entry *entry, struct pack_items *out, struct error *err);
void pack_items_release(struct pack_items *items);
#define _cleanup_pack_items_ __attribute__((cleanup(pack_items_release)))
void pack_items_add(struct pack_items *items, struct pack_item item);
bool pack_items_have(const struct pack_items *items, const struct pack_entry *entry);
