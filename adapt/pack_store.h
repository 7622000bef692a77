// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * pack_store: where a driver pack's files are: a directory, an archive, a web server. Hostile:
 * names are those of the index, which were checked; they do not lead out of the pack's directory,
 * and everything is bounded. A file is proven while it is copied, and is not used before.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "adapt/pack_index.h"
#include "base/error.h"
#include "base/text.h"

struct pack_store {
	const struct pack_store_ops *ops;
	char *label;   /* for messages: without password */
	char *name;    /* path or URL: of the index, or of the archive */
	char *ca_file; /* or NULL */
	char *prefix;  /* archive: the directory in it that holds the index: "" or "pack/" */
};

/* One file that is being read. */
struct pack_stream {
	void *state;
};

struct pack_store_ops {
	/* The file at path in the pack; one that is not there is an error. */
	int (*open)(const struct pack_store *store, const char *path, struct pack_stream *stream,
		    struct error *err);
	/* 1 to capacity bytes; *got is 0 at the end. */
	int (*read)(struct pack_stream *stream, void *data, size_t capacity, size_t *got,
		    struct error *err);
	/* Called for half-opened ones, too. */
	void (*close)(struct pack_stream *stream);
};

/* place: a directory or a URL that ends in "/", an index (*.ini), or an archive. */
int pack_store_open(const char *place, const char *ca_file, struct pack_store **out,
		    struct error *err);
void pack_store_close(struct pack_store *store); /* accepts NULL */
static inline void pack_store_closep(struct pack_store **store)
{
	pack_store_close(*store);
}
#define _cleanup_pack_store_ __attribute__((cleanup(pack_store_closep)))

/* The name of the index in the pack: PACK_INDEX_NAME unless the place names another. */
const char *pack_store_index(const struct pack_store *store);
/* Appends a small file; more than limit bytes is an error. */
int pack_store_read(const struct pack_store *store, const char *path, size_t limit,
		    struct text *out, struct error *err);
/* To fd from its start on: exactly the size and the SHA-256 that the index promises, or it is an
 * error. */
int pack_store_copy(const struct pack_store *store, const struct pack_file *file, int fd,
		    struct error *err);

extern const struct pack_store_ops pack_store_beside, pack_store_archive;
/* Sets prefix: where in the archive the index is, at most one directory deep. */
int pack_store_find_prefix(struct pack_store *store, struct error *err);
