// SPDX-License-Identifier: GPL-3.0-or-later
/* A driver pack in one archive. It is read from its start for each file: packs have few, and what
 * is unpacked needs no place to lie. */
#include <stdlib.h>
#include <string.h>

#include "adapt/pack_archive.h"
#include "adapt/pack_store.h"
#include "base/scope.h"
#include "restore/image_file.h"

struct reading {
	struct image_file *file;
	struct pack_archive archive;
};

static int give(void *context, void *data, size_t capacity, size_t *got, struct error *err)
{
	return image_file_next(context, data, capacity, got, err);
}

static int open_reading(const struct pack_store *store, struct reading *reading, struct error *err)
{
	const struct image_file_options options = {.ca_file = store->ca_file};

	if (image_file_open(store->name, &options, &reading->file, err) < 0)
		return -1;
	return pack_archive_open(&reading->archive, PACK_ARCHIVE_TAR, give, reading->file, err);
}

static void close_reading(struct reading *reading)
{
	pack_archive_release(&reading->archive);
	image_file_close(reading->file);
}

static int archive_open(const struct pack_store *store, const char *path,
			struct pack_stream *stream, struct error *err)
{
	_cleanup_free_ char *wanted = string_format("%s%s", store->prefix, path);
	struct reading *reading = calloc(1, sizeof(*reading));
	int r;

	if (!reading)
		abort();
	stream->state = reading;
	if (open_reading(store, reading, err) < 0)
		return -1;
	while ((r = pack_archive_next(&reading->archive, err)) > 0)
		if (strcmp(reading->archive.name, wanted) == 0)
			return 0;
	return r < 0 ? -1 : error_set(err, "there is no %s in the archive", wanted);
}

static int archive_read(struct pack_stream *stream, void *data, size_t capacity, size_t *got,
			struct error *err)
{
	struct reading *reading = stream->state;

	return pack_archive_read(&reading->archive, data, capacity, got, err);
}

static void archive_close(struct pack_stream *stream)
{
	if (stream->state)
		close_reading(stream->state);
	free(stream->state);
}

/* "" for v2p-pack.ini, "pack/" for pack/v2p-pack.ini; NULL for anything else. */
static char *prefix_of(const char *name)
{
	const char *slash = strchr(name, '/');
	const char *base = slash ? slash + 1 : name;

	if (strcmp(base, PACK_INDEX_NAME) != 0 || has_prefix(name, "../"))
		return NULL;
	return string_format("%.*s", (int)(base - name), name);
}

int pack_store_find_prefix(struct pack_store *store, struct error *err)
{
	struct reading reading = {0};
	char *prefix = NULL;
	int r = open_reading(store, &reading, err);

	while (r == 0 && !prefix) {
		r = pack_archive_next(&reading.archive, err);
		if (r == 0)
			r = error_set(err, "it has no " PACK_INDEX_NAME);
		else if (r > 0) {
			prefix = prefix_of(reading.archive.name);
			r = 0;
		}
	}
	close_reading(&reading);
	if (r == 0) {
		free(store->prefix);
		store->prefix = prefix;
	}
	return r;
}

const struct pack_store_ops pack_store_archive = {
	.open = archive_open,
	.read = archive_read,
	.close = archive_close,
};
