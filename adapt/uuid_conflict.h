// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * uuid_conflict: file systems on other disks of this machine that carry the same UUID as the
 * restored ones, as an earlier restore of the same image leaves them. What is mounted by such a
 * UUID is a matter of chance.
 */
#pragma once

#include "adapt/guest.h"
#include "adapt/hardware.h"
#include "base/report.h"

/* Warns of each; other disks are only read. Nothing for a tree or a machine that is not this one.
 */
void uuid_conflict_warn(const struct guest *guest, const struct hardware *hardware,
			struct report *report);
