// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/scope.h"
#include "restore/http.h"
#include "restore/image_file.h"

enum { PIECE = 256 << 10 };

static int open_index(const struct pack_store *store, struct image_file **out, struct error *err)
{
	const struct image_file_options options = {.ca_file = store->ca_file};

	return image_file_open(store->name, &options, out, err);
}

static int beside_open(const struct pack_store *store, const char *path, struct pack_stream *stream,
		       struct error *err)
{
	_cleanup_image_file_ struct image_file *index = NULL;
	struct image_file *file = NULL;

	if (open_index(store, &index, err) < 0)
		return -1;
	if (strcmp(path, pack_store_index(store)) == 0)
		file = steal(&index);
	else if (image_file_open_sibling(index, path, &file, err) < 0)
		return -1;
	stream->state = file;
	return 0;
}

static int beside_read(struct pack_stream *stream, void *data, size_t capacity, size_t *got,
		       struct error *err)
{
	return image_file_next(stream->state, data, capacity, got, err);
}

static void beside_close(struct pack_stream *stream)
{
	image_file_close(stream->state);
}

const struct pack_store_ops pack_store_beside = {
	.open = beside_open,
	.read = beside_read,
	.close = beside_close,
};

static bool is_directory(const char *place)
{
	struct stat st;

	return http_is_url(place) ? has_suffix(place, "/")
				  : stat(place, &st) == 0 && S_ISDIR(st.st_mode);
}

int pack_store_open(const char *place, const char *ca_file, struct pack_store **out,
		    struct error *err)
{
	struct pack_store *store = calloc(1, sizeof(*store));

	if (!store)
		abort();
	if (!*place || strcmp(place, "-") == 0) {
		free(store);
		return error_set(err, "a driver pack is a directory, an archive or a URL");
	}
	store->label = image_file_label(place);
	store->ca_file = ca_file ? string_copy(ca_file) : NULL;
	store->ops = &pack_store_beside;
	if (is_directory(place))
		store->name = string_format("%s%s%s", place, has_suffix(place, "/") ? "" : "/",
					    PACK_INDEX_NAME);
	else
		store->name = string_copy(place);
	if (!has_suffix(store->name, ".ini")) {
		store->ops = &pack_store_archive;
		store->prefix = string_copy("");
		if (pack_store_find_prefix(store, err) < 0) {
			error_in(err, "driver pack %s", store->label);
			pack_store_close(store);
			return -1;
		}
	}
	*out = store;
	return 0;
}

void pack_store_close(struct pack_store *store)
{
	if (!store)
		return;
	free(store->label);
	free(store->name);
	free(store->ca_file);
	free(store->prefix);
	free(store);
}

const char *pack_store_index(const struct pack_store *store)
{
	const char *slash = strrchr(store->name, '/');

	if (store->ops == &pack_store_archive)
		return PACK_INDEX_NAME;
	return slash ? slash + 1 : store->name;
}

/* What is done with the bytes of one file. */
struct sink {
	uint64_t limit, done;
	int (*take)(struct sink *sink, const void *data, size_t length, struct error *err);
	struct text *text;
	int fd;
	const char *path;
	struct image_digest *digest;
};

static int pump(const struct pack_store *store, const char *path, struct sink *sink,
		struct error *err)
{
	_cleanup_free_ char *piece = malloc(PIECE);
	struct pack_stream stream = {0};
	size_t got = 0;
	int r;

	if (!piece)
		abort();
	r = store->ops->open(store, path, &stream, err);
	while (r == 0) {
		r = store->ops->read(&stream, piece, PIECE, &got, err);
		if (r < 0 || got == 0)
			break;
		if (got > sink->limit - sink->done)
			r = error_set(err, "%s is larger than %llu bytes", path,
				      (unsigned long long)sink->limit);
		else
			r = sink->take(sink, piece, got, err);
		sink->done += got;
	}
	store->ops->close(&stream);
	return r;
}

static int take_text(struct sink *sink, const void *data, size_t length, struct error *err)
{
	(void)err;
	text_add_bytes(sink->text, data, length);
	return 0;
}

int pack_store_read(const struct pack_store *store, const char *path, size_t limit,
		    struct text *out, struct error *err)
{
	struct sink sink = {.limit = limit, .take = take_text, .text = out};

	return pump(store, path, &sink, err);
}

static int take_proven(struct sink *sink, const void *data, size_t length, struct error *err)
{
	if (image_digest_add(sink->digest, data, length, err) < 0)
		return -1;
	return write_exactly(sink->fd, sink->path, data, length, sink->done, err);
}

int pack_store_copy(const struct pack_store *store, const struct pack_file *file, int fd,
		    struct error *err)
{
	_cleanup_image_digest_ struct image_digest *digest = NULL;
	struct sink sink = {.limit = file->size, .take = take_proven, .fd = fd, .path = file->path};
	uint8_t sum[IMAGE_DIGEST_MAX];

	if (image_digest_new(IMAGE_DIGEST_SET(IMAGE_DIGEST_SHA256), &digest, err) < 0)
		return -1;
	sink.digest = digest;
	if (pump(store, file->path, &sink, err) < 0)
		return error_in(err, "driver pack %s", store->label);
	if (sink.done != file->size)
		return error_set(err, "driver pack %s: %s has %llu bytes, and its index says %llu",
				 store->label, file->path, (unsigned long long)sink.done,
				 (unsigned long long)file->size);
	if (image_digest_end(digest, IMAGE_DIGEST_SHA256, sum, err) < 0)
		return -1;
	if (memcmp(sum, file->sum, SHA256_LENGTH) != 0)
		return error_set(err,
				 "driver pack %s: %s is not what its index says: its SHA-256 is "
				 "another",
				 store->label, file->path);
	return 0;
}
