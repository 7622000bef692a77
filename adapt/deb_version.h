// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * deb_version: order of Debian's version numbers, and relations between packages.
 * Specification: deb-version(7); Debian policy, chapter 7.
 */
#pragma once

#include <stdbool.h>

#include "base/text.h"

/* Less than, equal to, greater than 0, as strcmp(). */
int deb_version_compare(const char *a, const char *b);

/* One alternative of a clause: "linux-base (>= 4.3~)", "python3:any". */
struct deb_relation {
	char *package;
	char *operator; /* "<<", "<=", "=", ">=", ">>", or NULL: any version */
	char *version;  /* or NULL */
};

struct deb_relations {
	struct deb_relation *item;
	size_t count;
};

/* The alternatives of one clause. What cannot be read is a package that nobody has. */
void deb_relations_parse(const char *clause, struct deb_relations *out);
void deb_relations_release(struct deb_relations *relations);
#define _cleanup_deb_relations_ __attribute__((cleanup(deb_relations_release)))
/* Does a package of this version satisfy the relation? version NULL (something that is provided
 * without one): only where any will do. */
bool deb_relation_accepts(const struct deb_relation *relation, const char *version);
