// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * pack_install: a choice of driver packs put into the guest. Loose modules and firmware files are
 * written as every guest file is; packages are installed by the guest's own package manager, in
 * its sandbox, without network. Every file is proven before the guest sees it.
 */
#pragma once

#include "adapt/packs.h"
#include "base/report.h"

/* Where what was installed, and from where, is written down: see v2p-driver-pack(5). */
#define PACK_RECORD "/var/lib/v2p/packs.json"

/*
 * Modules to /lib/modules/RELEASE/updates/v2p/, firmware to /lib/firmware/updates/. A module of
 * another kernel is refused. Appends the paths in the guest.
 */
int pack_install_files(struct guest *guest, const char *release, const struct pack_pick *pick,
		       struct strings *paths, struct error *err);
/* depmod of the guest. */
int pack_install_index(struct guest *guest, const char *release, struct error *err);
/* All packages of the choice in one go; 0 when there are none. Warnings go to the report. */
int pack_install_packages(struct guest *guest, const struct pack_choice *choice,
			  struct report *report, struct error *err);

/* Adds the choice to what is written down. */
int pack_record_add(struct guest *guest, const struct pack_choice *choice, struct error *err);
