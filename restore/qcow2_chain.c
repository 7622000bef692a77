// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The names of other files come from the image: they are opened through image_file_open_sibling()
 * only, which refuses what leads elsewhere.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/qcow2.h"

#define LAYER_LIMIT 64
#define MEMORY_LIMIT (16U << 20)  /* for the tables of all layers */
#define LOOK_AHEAD (256ULL << 20) /* bytes of the disk, where answers of several layers meet */
#define PIECES_JOINED 64

static bool is_same_file(const struct image_file *a, const struct image_file *b)
{
	struct stat x, y;

	return a->fd >= 0 && b->fd >= 0 && fstat(a->fd, &x) == 0 && fstat(b->fd, &y) == 0 &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int add_layer(struct qcow2_chain *chain, struct image_file *file, struct error *err)
{
	struct qcow2_layer *layers = reallocarray(chain->layers, chain->count + 1, sizeof(*layers));
	struct qcow2_layer *layer;

	if (!layers) {
		if (chain->count > 0)
			image_file_close(file);
		return error_sys(err, ENOMEM, "open qcow2");
	}
	chain->layers = layers;
	layer = &layers[chain->count++];
	*layer = (struct qcow2_layer){.file = file};
	return qcow2_header_read(file, &layer->header, err);
}

/* A file that is none of the chain's yet. */
static int open_sibling(const struct qcow2_chain *chain, const struct image_file *of,
			const char *name, struct image_file **out, struct error *err)
{
	_cleanup_image_file_ struct image_file *file = NULL;

	if (image_file_open_sibling(of, name, &file, err) < 0)
		return -1;
	if (!file->is_seekable)
		return error_set(err, "it cannot be read at many places: name a URL of a server "
				      "that knows ranges");
	for (size_t i = 0; i < chain->count; i++)
		if (is_same_file(chain->layers[i].file, file))
			return error_set(err, "image is corrupt: the chain of its files is a loop");
	*out = steal(&file);
	return 0;
}

static int open_data_file(const struct qcow2_chain *chain, struct qcow2_layer *layer,
			  struct error *err)
{
	const char *name = layer->header.data_name;

	if (name && open_sibling(chain, layer->file, name, &layer->data, err) < 0)
		return error_in(err, "data file");
	return 0;
}

/* What the image says of the format counts. Where it does not say, content that looks like a format
 * that is not read is refused, as for an image. */
static int choose_format(struct image_file *file, const char *name, const struct source_ops **out,
			 struct error *err)
{
	if (!name && source_probe(file, out, err) < 0)
		return -1;
	if (name && string_equal(name, "qcow2"))
		*out = &source_qcow2_ops;
	else if (name && string_equal(name, "raw"))
		*out = &source_raw_ops;
	else if (name || (*out != &source_qcow2_ops && *out != &source_raw_ops))
		return error_set(err,
				 "it has the format %s, which is not supported for a backing file: "
				 "make a complete image first with `qemu-img convert -O qcow2`",
				 name ? name : (*out)->name);
	return 0;
}

/* file becomes the chain's own, after an error, too. */
static int add_backing(struct qcow2_chain *chain, struct image_file *file, const char *format,
		       struct error *err)
{
	const struct source_ops *ops;

	if (choose_format(file, format, &ops, err) < 0) {
		image_file_close(file);
		return -1;
	}
	if (ops == &source_raw_ops)
		return source_open_ops(file->name, ops, file, NULL, &chain->base, err);
	if (add_layer(chain, file, err) < 0)
		return -1;
	return open_data_file(chain, &chain->layers[chain->count - 1], err);
}

static int open_backing(struct qcow2_chain *chain, const struct qcow2_header *header,
			struct error *err)
{
	_cleanup_free_ char *shown = qcow2_printable((const uint8_t *)header->backing_name,
						     strlen(header->backing_name));
	struct image_file *file;

	if (chain->count >= LAYER_LIMIT)
		return error_set(err, "the image has a chain of more than %d backing files",
				 LAYER_LIMIT - 1);
	if (open_sibling(chain, chain->layers[chain->count - 1].file, header->backing_name, &file,
			 err) < 0 ||
	    add_backing(chain, file, header->backing_format, err) < 0)
		return error_in(err, "backing file %s", shown);
	return 0;
}

static int open_files(struct qcow2_chain *chain, struct image_file *file, const char *snapshot,
		      struct error *err)
{
	if (add_layer(chain, file, err) < 0)
		return -1;
	if (snapshot && qcow2_snapshot_select(file, &chain->layers[0].header, snapshot, err) < 0)
		return -1;
	if (open_data_file(chain, &chain->layers[0], err) < 0)
		return -1;
	while (!chain->base && chain->layers[chain->count - 1].header.backing_name) {
		/* The array moves when a layer is added, what the names point to does not. */
		struct qcow2_header header = chain->layers[chain->count - 1].header;

		if (open_backing(chain, &header, err) < 0)
			return -1;
	}
	return 0;
}

static const char *name_of(const struct qcow2_layer *layer)
{
	return layer->file->name;
}

/* Which file of several is it that is wrong? */
static int in_layer(const struct qcow2_chain *chain, size_t i, struct error *err)
{
	return i == 0 ? -1 : error_in(err, "backing file %s", name_of(&chain->layers[i]));
}

static int init_maps(struct qcow2_chain *chain, struct error *err)
{
	for (size_t i = 0; i < chain->count; i++) {
		struct qcow2_layer *layer = &chain->layers[i];

		layer->has_map = true;
		if (qcow2_map_init(&layer->map, layer->file, layer->data, &layer->header,
				   MEMORY_LIMIT / chain->count, err) < 0)
			return in_layer(chain, i, err);
	}
	return 0;
}

static size_t largest_cluster(const struct qcow2_chain *chain)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < chain->count; i++)
		if (chain->layers[i].header.cluster_bits > bits)
			bits = chain->layers[i].header.cluster_bits;
	return (size_t)1 << bits;
}

int qcow2_chain_open(struct qcow2_chain *chain, struct image_file *file, const char *snapshot,
		     struct error *err)
{
	*chain = (struct qcow2_chain){0};
	if (open_files(chain, file, snapshot, err) < 0 || init_maps(chain, err) < 0)
		return -1;
	return qcow2_unpackers_init(&chain->unpackers, largest_cluster(chain), err);
}

void qcow2_chain_release(struct qcow2_chain *chain)
{
	for (size_t i = 0; i < chain->count; i++) {
		struct qcow2_layer *layer = &chain->layers[i];

		if (layer->has_map)
			qcow2_map_release(&layer->map);
		qcow2_header_release(&layer->header);
		image_file_close(layer->data);
		if (i > 0)
			image_file_close(layer->file);
	}
	free(chain->layers);
	source_close(chain->base);
	qcow2_unpackers_release(&chain->unpackers);
}

typedef int (*map_fn)(struct qcow2_map *map, uint64_t offset, uint64_t length,
		      struct qcow2_run *out, struct error *err);

static uint64_t size_of(const struct qcow2_chain *chain, size_t layer)
{
	if (layer < chain->count)
		return chain->layers[layer].header.size;
	return chain->base ? chain->base->size : 0;
}

/*
 * Goes down to the layer that has the bytes at offset. *layer is chain->count for the raw image
 * below, of which the run is plain. A backing file may be shorter than what is based on it: behind
 * its end are zeroes.
 */
static int find_run(struct qcow2_chain *chain, map_fn map_run, uint64_t offset, uint64_t length,
		    struct qcow2_run *run, size_t *layer, struct error *err)
{
	*run = (struct qcow2_run){.kind = QCOW2_BACKING, .length = length};
	for (*layer = 0; run->kind == QCOW2_BACKING; (*layer)++) {
		uint64_t size = size_of(chain, *layer);

		if (offset >= size) {
			run->kind = QCOW2_ZERO;
			return 0;
		}
		if (run->length > size - offset)
			run->length = size - offset;
		if (*layer == chain->count) {
			run->kind = QCOW2_PLAIN;
			run->file_offset = offset;
			return 0;
		}
		if (map_run(&chain->layers[*layer].map, offset, run->length, run, err) < 0)
			return in_layer(chain, *layer, err);
		if (run->kind != QCOW2_BACKING)
			return 0;
	}
	return 0;
}

static int unpack(struct qcow2_chain *chain, const struct qcow2_map *map,
		  const struct qcow2_run *run, void *data, uint64_t offset, struct error *err)
{
	size_t skip = (size_t)(offset & ((1ULL << map->header->cluster_bits) - 1));

	if (qcow2_unpack(&chain->unpackers, map, run, data, (size_t)run->length, skip, err) < 0)
		return error_in(err, "disk offset %" PRIu64, offset - skip);
	return 0;
}

static int read_run(struct qcow2_chain *chain, size_t layer, const struct qcow2_run *run,
		    void *data, uint64_t offset, struct error *err)
{
	const struct qcow2_map *map;

	if (run->kind == QCOW2_ZERO) {
		memset(data, 0, (size_t)run->length);
		return 0;
	}
	if (layer == chain->count)
		return source_read(chain->base, data, (size_t)run->length, offset, err);
	map = &chain->layers[layer].map;
	if (run->kind == QCOW2_COMPRESSED
		    ? unpack(chain, map, run, data, offset, err) < 0
		    : image_file_read(map->data, "data cluster", data, (size_t)run->length,
				      run->file_offset, err) < 0)
		return in_layer(chain, layer, err);
	return 0;
}

int qcow2_chain_read(struct qcow2_chain *chain, void *data, uint64_t length, uint64_t offset,
		     struct error *err)
{
	struct qcow2_run run;
	size_t layer;

	for (uint64_t done = 0; done < length; done += run.length) {
		if (find_run(chain, qcow2_map_run, offset + done, length - done, &run, &layer,
			     err) < 0 ||
		    read_run(chain, layer, &run, (uint8_t *)data + done, offset + done, err) < 0)
			return -1;
	}
	return 0;
}

/* The extent from offset on, as far as one look into each layer tells. */
static int find_extent(struct qcow2_chain *chain, uint64_t offset, uint64_t length,
		       struct extent *out, struct error *err)
{
	struct qcow2_run run;
	size_t layer;

	if (find_run(chain, qcow2_map_extent, offset, length, &run, &layer, err) < 0)
		return -1;
	if (run.kind != QCOW2_ZERO && layer == chain->count)
		return source_extent(chain->base, offset, run.length, out, err);
	*out = (struct extent){
		.offset = offset,
		.length = run.length,
		.kind = run.kind == QCOW2_ZERO ? EXTENT_ZERO : EXTENT_DATA,
	};
	return 0;
}

int qcow2_chain_extent(struct qcow2_chain *chain, uint64_t offset, uint64_t length,
		       struct extent *out, struct error *err)
{
	struct extent next;

	if (size_of(chain, 1) == 0)
		return find_extent(chain, offset, length, out, err);
	if (length > LOOK_AHEAD)
		length = LOOK_AHEAD;
	if (find_extent(chain, offset, length, out, err) < 0)
		return -1;
	for (int i = 0; i < PIECES_JOINED && out->length < length; i++) {
		if (find_extent(chain, offset + out->length, length - out->length, &next, NULL) <
			    0 ||
		    next.kind != out->kind)
			break;
		out->length += next.length;
	}
	return 0;
}

int qcow2_chain_check(struct qcow2_chain *chain, struct error *err)
{
	for (size_t i = 0; i < chain->count; i++)
		if (qcow2_check(&chain->layers[i].map, err) < 0)
			return in_layer(chain, i, err);
	return 0;
}
