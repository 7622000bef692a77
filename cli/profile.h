// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * profile: the answers of an unattended restore, in one INI file.
 *
 *   [Match]    vendor product serial board mac pci disk-size: shell patterns (pci: "8086:2922";
 *              disk-size: a rule such as size>=200G); all that are given must hold for the machine
 *   [Image]    path (relative to the profile's own directory), format, checksum, signature, key,
 *              ca-file (these four: see v2p(8) --checksum; files as path)
 *   [Disk]     rule (a path or a rule, see disk.h), resume, verify, used-blocks = yes|no
 *   [Adapt]    enabled = yes|no, skip = names of steps, initramfs = most|list,
 *              driver-pack = places, separated by spaces, driver-pack-key,
 *              force-boot-verdict = yes|no
 *   [Network]  mode = map|dhcp|keep
 *   [Identity] hostname
 *   [Report]   file
 *   [After]    action = reboot|poweroff|shell
 *
 * A profile may come from a network: it is small, has no unknown sections or keys, and each value
 * is checked when it is read. Exactly one profile must match the machine.
 */
#pragma once

#include "adapt/hardware.h"
#include "adapt/step.h"
#include "base/error.h"
#include "base/text.h"

enum { PROFILE_LIMIT = 65536 }; /* bytes */

struct profile {
	char *origin; /* path or URL */
	/* [Match]; NULL: anything */
	char *vendor, *product, *serial, *board, *mac, *pci, *disk_size;
	char *image,
		*format; /* image is absolute, or relative to the working directory as origin is */
	char *checksum, *signature, *key, *ca_file;
	char *rule;
	char *resume, *verify, *used_blocks; /* "yes", "no" or NULL */
	bool adapt;
	char *skip;                          /* names of steps, separated by commas or spaces */
	char *initramfs;                     /* "most", "list" or NULL */
	char *driver_pack, *driver_pack_key; /* places, separated by spaces; resolved as image */
	char *force_boot_verdict;            /* "yes", "no" or NULL */
	enum network_mode network;
	char *hostname, *report;
	char *after;
};

/* text is the file's content. Errors name origin and line. */
int profile_parse(const char *origin, const char *text, struct profile *out, struct error *err);
bool profile_matches(const struct profile *profile, const struct hardware *hardware);
/*
 * Reads all files, directories (their *.conf) and http(s) URLs; exactly one must match, otherwise
 * the error lists what was looked at.
 */
int profile_choose(const struct strings *from, const struct hardware *hardware, struct profile *out,
		   struct error *err);
/* "after.action" → "reboot"; NULL: no such key. "" when it is not set. */
const char *profile_get(const struct profile *profile, const char *name);
void profile_render(const struct profile *profile, struct text *out);
json_object *profile_json(const struct profile *profile);
void profile_release(struct profile *profile);
#define _cleanup_profile_ __attribute__((cleanup(profile_release)))
