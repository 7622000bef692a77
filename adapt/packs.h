// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * packs: driver packs that are at hand, and what of them would help a guest. The format is that of
 * v2p-driver-pack(5).
 *
 * A pack is a directory, an archive (tar, compressed or not) or an http(s) URL. Only its index is
 * read when it is opened; files are read, and proven by size and SHA-256, when they are installed.
 */
#pragma once

#include <json-c/json.h>

#include "adapt/drivers.h"
#include "adapt/guest.h"
#include "adapt/hardware.h"
#include "adapt/pack_index.h"
#include "base/error.h"
#include "base/text.h"

struct packs_options {
	/* Path or URL; every pack must be signed with it. NULL: signatures are not looked at. */
	const char *key;
	const char *ca_file; /* certificates (PEM) to trust for https, or NULL: the system's */
};

struct packs;

/* places: a directory, a file, a URL each. The strings of options need not outlive the call. */
int packs_open(const struct strings *places, const struct packs_options *options,
	       struct packs **out, struct error *err);
void packs_close(struct packs *packs); /* accepts NULL */
static inline void packs_closep(struct packs **packs)
{
	packs_close(*packs);
}
#define _cleanup_packs_ __attribute__((cleanup(packs_closep)))

/* One pack of packs. */
struct pack {
	char *place; /* for messages: without password */
	struct pack_store *store;
	struct pack_index index;
	bool is_signed; /* and proven */
};
size_t packs_count(const struct packs *packs);
const struct pack *packs_get(const struct packs *packs, size_t i);
/* The file's bytes to fd, an empty regular file that is written from its start; size and SHA-256
 * are as the index says or it is an error. */
int pack_copy(const struct pack *pack, const struct pack_file *file, int fd, struct error *err);

/* An entry that is to be installed, and why. Borrowed from packs. */
struct pack_pick {
	const struct pack *pack;
	const struct pack_entry *entry;
	char *why; /* "drives 0000:00:1f.2 SATA controller (ahci)", "needed by linux-image-…" */
};

struct pack_choice {
	struct pack_pick *pick; /* in the order of installation; none: nothing helps */
	size_t count;
	char *release; /* of the kernel that drives the devices then: the one that was asked about,
			  or a new one; NULL when nothing is chosen */
	bool is_new_kernel;
	size_t critical_left; /* boot-critical devices that no pack gives a driver */
	struct strings left;  /* sentences: devices that stay without a driver, and why entries that
				 would help were not chosen */
};

/*
 * What of the packs would turn missing into module for this kernel: the smallest set that drives
 * the most boot-critical devices, then the most others. Modules for this kernel come before a new
 * kernel package. Dependencies of packages are closed within the guest and the packs, or they are
 * not chosen. A value; nothing is read but the guest. Empty when nothing is missing or nothing
 * helps.
 */
int packs_choose(const struct packs *packs, const struct drivers_db *db,
		 const struct hardware *hardware, const struct guest *guest,
		 const struct guest_kernel *kernel, struct pack_choice *out, struct error *err);
/*
 * The kernel that starts: the one that a pack brought before, while it is there; else the newest.
 * NULL: there is none. Borrowed from guest.
 */
const struct guest_kernel *packs_default_kernel(const struct guest *guest);
/* Can the step make the boot loader start a new kernel of a pack? Otherwise the loader chooses. */
bool packs_can_set_default(const struct guest *guest);
/* [{ "pack", "entry", "kind", "package", "version", "why" }] */
json_object *pack_choice_json(const struct pack_choice *choice);
void pack_choice_release(struct pack_choice *choice);
#define _cleanup_pack_choice_ __attribute__((cleanup(pack_choice_release)))
