// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * pack_build: makes driver packs: from a directory of .deb and .rpm packages, or from the modules
 * of the system that runs.
 */
#pragma once

#include "adapt/pack_index.h"
#include "base/error.h"
#include "base/text.h"

struct pack_build {
	struct pack_index index;
	struct strings sources;  /* where each file of the index lies now, in its order */
	struct strings warnings; /* sentences */
};

void pack_build_release(struct pack_build *build);
#define _cleanup_pack_build_ __attribute__((cleanup(pack_build_release)))

/* Every *.deb and *.rpm in directory. distribution: "debian 12" for all of them, or NULL. */
int pack_build_packages(struct pack_build *build, const char *directory, const char *distribution,
			struct error *err);
/*
 * The named modules of the kernel that runs, or all that are loaded when there is no name, each
 * with the modules that it needs and the firmware files that it asks for and that are there. root
 * is "/", or the root of another system whose only or newest kernel is taken.
 */
int pack_build_running(struct pack_build *build, const char *root, const struct strings *modules,
		       struct error *err);
/*
 * Writes the index and the files: a directory, which must not be there, or an archive when the name
 * ends in .tar, .tar.gz, .tar.xz or .tar.zst.
 */
int pack_build_write(const struct pack_build *build, const char *out, struct error *err);

/* For the two above. Adds the file at source to the entry, with size and SHA-256. */
int pack_build_add_file(struct pack_build *build, struct pack_entry *entry, const char *path,
			const char *source, struct error *err);
/* A label that no entry has yet. */
struct pack_entry *pack_build_add_entry(struct pack_build *build, const char *label,
					enum pack_kind kind);
/* Modaliases and wanted firmware of a module, from its .modinfo; name may be NULL: the module's own
 * counts. */
void pack_build_add_modinfo(struct pack_entry *entry, const char *name,
			    const struct strings *modinfo);
