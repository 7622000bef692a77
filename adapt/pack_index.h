// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * pack_index: what a driver pack says that it holds: v2p-pack.ini, see v2p-driver-pack(5).
 *
 * The text is hostile until its signature is proven, and may be so after that: size, names and
 * counts are bounded, paths stay in the pack, unknown keys and kinds are errors with their line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "restore/image_digest.h"

#define PACK_INDEX_NAME "v2p-pack.ini"
#define PACK_INDEX_SECTION "Pack"

enum {
	PACK_INDEX_LIMIT = 16 << 20, /* bytes; that of a distribution's kernel has 2 MiB */
	PACK_LINE_LIMIT = 198,       /* characters: inih's */
	PACK_ENTRIES_LIMIT = 4096,
	PACK_LABEL_LIMIT = 48, /* characters of an entry's label: inih's, less its end */
	PACK_FORMAT = 1,
};
#define PACK_FILE_LIMIT (1ULL << 30)         /* bytes of a package */
#define PACK_MEMORY_FILE_LIMIT (64ULL << 20) /* bytes of a module or a firmware file */

enum pack_kind { PACK_MODULES, PACK_PACKAGE, PACK_FIRMWARE };

struct pack_file {
	char *path; /* in the pack: relative, without ".." */
	uint64_t size;
	uint8_t sum[SHA256_LENGTH];
};

/* A device and its driver, or a driver and its firmware file. */
struct pack_pair {
	char *first;  /* glob of modaliases; name of a module */
	char *second; /* name of a module, or NULL; name below /lib/firmware */
};

struct pack_pairs {
	struct pack_pair *item;
	size_t count;
};

struct pack_entry {
	char *label;
	enum pack_kind kind;
	struct strings kernels;       /* globs of releases that it is for; none: any */
	struct strings distributions; /* "debian 12": ID and a glob of VERSION_ID; none: any */
	char *architecture;           /* of a package: as packages say it (amd64); or NULL */
	struct pack_file *file;       /* at least one, of a package exactly one */
	size_t file_count;
	struct pack_pairs modaliases; /* glob, module */
	struct pack_pairs wants;      /* module, firmware file */
	struct strings modules; /* of a package: names of all that it brings or has built in */
	/* Of a package. */
	char *package, *version;
	struct strings depends;  /* clauses as in a .deb's Depends: "a (>= 1) | b" */
	struct strings provides; /* "a" or "a (= 1)" */
	struct strings firmware; /* files that it brings, below /lib/firmware */
	char *release;           /* of the kernel that it brings, or NULL */
	uint64_t installed_size; /* bytes; 0 unknown */
};

struct pack_index {
	char *name; /* for people */
	struct pack_entry *entry;
	size_t count;
};

/* origin is for messages. */
int pack_index_parse(const char *origin, const char *text, size_t length, struct pack_index *out,
		     struct error *err);
/* The text that pack_index_parse() reads. A value too long for a line is an error. */
int pack_index_write(const struct pack_index *index, struct text *out, struct error *err);
void pack_index_release(struct pack_index *index);
#define _cleanup_pack_index_ __attribute__((cleanup(pack_index_release)))

void pack_pairs_add(struct pack_pairs *pairs, const char *first, const char *second);
/* Zeroed; valid until the next addition. */
struct pack_entry *pack_index_add(struct pack_index *index, const char *label);
struct pack_file *pack_entry_add_file(struct pack_entry *entry, const char *path);

/* "modules", "package", "firmware". */
const char *pack_kind_name(enum pack_kind kind);
/* Is it a path that a pack may name: relative, no "..", no empty part, harmless characters? */
bool pack_is_path(const char *path);
