// SPDX-License-Identifier: GPL-3.0-or-later
/* pack_deb, pack_rpm: the two kinds of packages; for pack_package.c. */
#pragma once

#include "adapt/pack_package.h"

int pack_deb_describe(int fd, struct pack_entry *entry, struct error *err);
int pack_deb_walk(int fd, pack_visit visit, void *context, struct error *err);
int pack_rpm_describe(int fd, struct pack_entry *entry, struct error *err);
int pack_rpm_walk(int fd, pack_visit visit, void *context, struct error *err);
