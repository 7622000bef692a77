// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * pack_package: what is in a .deb or an .rpm. Hostile: everything is bounded, see pack_archive.
 * Specifications: deb(5); the RPM file format ("lead, signature, header, payload") of the RPM
 * reference manual.
 */
#pragma once

#include "adapt/pack_archive.h"
#include "adapt/pack_index.h"

/*
 * What the package says of itself: sets package, version, architecture, depends, provides and
 * installed_size of a zeroed entry. fd is read from its start; name, for messages, ends in .deb or
 * .rpm.
 */
int pack_package_describe(int fd, const char *name, struct pack_entry *entry, struct error *err);
/* A regular file of the package: it may be read with pack_archive_read() or _text(); its name is
 * its path without the leading slash. */
typedef int (*pack_visit)(void *context, struct pack_archive *archive, struct error *err);
int pack_package_walk(int fd, const char *name, pack_visit visit, void *context, struct error *err);
