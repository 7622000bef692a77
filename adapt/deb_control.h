// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * deb_control: what Debian's packages, and dpkg's list of installed ones, say. Hostile, bounded by
 * who reads the text.
 * Specification: deb-control(5); Debian policy, chapter 5.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "adapt/deb_version.h"
#include "adapt/guest.h"
#include "base/error.h"
#include "base/text.h"

struct deb_package {
	char *name, *version, *architecture;
	struct strings depends; /* clauses, of Pre-Depends too */
	struct strings provides;
	uint64_t installed_size; /* bytes; 0 unknown */
};

/* A stanza. One without a name, a version or an architecture is an error. */
int deb_package_parse(const char *stanza, struct deb_package *out, struct error *err);
void deb_package_release(struct deb_package *package);
#define _cleanup_deb_package_ __attribute__((cleanup(deb_package_release)))

/* What is installed in a guest, by name. */
struct deb_installed {
	struct deb_package *item;
	size_t count;
};

/* 1, or 0 when the guest has no dpkg. */
int deb_installed_read(const struct guest *guest, struct deb_installed *out, struct error *err);
/* NULL when it is not installed. Borrowed. */
const struct deb_package *deb_installed_find(const struct deb_installed *installed,
					     const char *name);
/* Does something installed satisfy the relation, by name or by what it provides? */
bool deb_installed_satisfies(const struct deb_installed *installed,
			     const struct deb_relation *relation);
/* Does name and version, or an item of provides ("a (= 1)"), satisfy the relation? */
bool deb_provides(const char *name, const char *version, const struct strings *provides,
		  const struct deb_relation *relation);
void deb_installed_release(struct deb_installed *installed);
#define _cleanup_deb_installed_ __attribute__((cleanup(deb_installed_release)))
