// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * pe_signature: does a program for UEFI carry a signature? By whom it is, and whether the firmware
 * trusts that, is not looked at: Secure Boot refuses what carries none in any case.
 *
 * Specification: Microsoft PE Format, "Optional Header Data Directories": the certificate table.
 */
#pragma once

#include "adapt/guest.h"
#include "base/error.h"

/* 1 it carries one, 0 none or it is no such program (what Secure Boot refuses as well), -1 it
 * cannot be read. path is in the guest. */
int pe_is_signed(const struct guest *guest, const char *path, struct error *err);
