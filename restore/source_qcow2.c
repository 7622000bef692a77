// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/scope.h"
#include "restore/image_file.h"
#include "restore/qcow2.h"
#include "restore/source.h"

#define SNAPSHOTS_SHOWN 256

static bool qcow2_probe(const uint8_t *head, size_t length)
{
	return length >= 4 && memcmp(head, "QFI\xfb", 4) == 0;
}

static int qcow2_open(struct source *source, const struct source_options *options,
		      struct error *err)
{
	struct qcow2_chain *chain = calloc(1, sizeof(*chain));

	if (!chain)
		return error_sys(err, ENOMEM, "open qcow2");
	source->state = chain;
	if (qcow2_chain_open(chain, source->file, options->snapshot, err) < 0)
		return -1;
	source->size = chain->layers[0].header.size;
	source->granule = (uint32_t)chain->unpackers.cluster_size;
	return 0;
}

static void qcow2_close(struct source *source)
{
	if (source->state)
		qcow2_chain_release(source->state);
	free(source->state);
}

static int qcow2_extent(struct source *source, uint64_t offset, uint64_t length, struct extent *out,
			struct error *err)
{
	return qcow2_chain_extent(source->state, offset, length, out, err);
}

static int qcow2_read(struct source *source, void *data, size_t length, uint64_t offset,
		      struct error *err)
{
	return qcow2_chain_read(source->state, data, length, offset, err);
}

static int qcow2_source_check(struct source *source, struct error *err)
{
	return qcow2_chain_check(source->state, err);
}

static void add_string(json_object *out, const char *key, const char *value)
{
	json_object_object_add(out, key, json_object_new_string(value));
}

static void add_bool(json_object *out, const char *key, int value)
{
	json_object_object_add(out, key, json_object_new_boolean(value));
}

static int describe_snapshot(const struct qcow2_snapshot *snapshot, void *data)
{
	json_object *list = data, *out = json_object_new_object();
	time_t taken = (time_t)snapshot->seconds;
	char date[32];
	struct tm tm;

	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&taken, &tm));
	add_string(out, "id", snapshot->id);
	add_string(out, "name", snapshot->name);
	json_object_object_add(out, "size", json_object_new_uint64(snapshot->size));
	add_string(out, "date", date);
	json_object_array_add(list, out);
	return json_object_array_length(list) >= SNAPSHOTS_SHOWN;
}

static void describe_snapshots(const struct qcow2_layer *layer, json_object *out)
{
	_cleanup_error_ struct error err = {0};
	json_object *list = json_object_new_array();

	if (qcow2_snapshot_each(layer->file, &layer->header, describe_snapshot, list, &err) < 0)
		add_string(out, "snapshots-error", error_text(&err));
	json_object_object_add(out, "snapshot-count",
			       json_object_new_uint64(layer->header.snapshots));
	json_object_object_add(out, "snapshots", list);
}

static void add_file(json_object *list, const char *path, const char *format, uint64_t size)
{
	json_object *out = json_object_new_object();

	add_string(out, "path", path);
	add_string(out, "format", format);
	json_object_object_add(out, "size", json_object_new_uint64(size));
	json_object_array_add(list, out);
}

/* The files below the image, in the order in which they are asked. */
static void describe_backing(const struct qcow2_chain *chain, json_object *out)
{
	json_object *list = json_object_new_array();

	for (size_t i = 1; i < chain->count; i++)
		add_file(list, chain->layers[i].file->name, "qcow2", chain->layers[i].header.size);
	if (chain->base)
		add_file(list, chain->base->name, "raw", chain->base->size);
	json_object_object_add(out, "backing-files", list);
}

static void qcow2_describe(const struct source *source, json_object *out)
{
	const struct qcow2_chain *chain = source->state;
	const struct qcow2_layer *layer = &chain->layers[0];
	const struct qcow2_header *header = &layer->header;

	json_object_object_add(out, "version", json_object_new_uint64(header->version));
	json_object_object_add(out, "cluster-size",
			       json_object_new_uint64(1ULL << header->cluster_bits));
	add_string(out, "compression", header->compression == QCOW2_ZSTD ? "zstd" : "zlib");
	add_bool(out, "extended-l2", header->has_extended_l2);
	add_bool(out, "dirty", header->is_dirty);
	add_bool(out, "lazy-refcounts", header->has_lazy_refcounts);
	add_bool(out, "bitmaps", header->has_bitmaps);
	if (layer->data) {
		add_string(out, "data-file", layer->data->name);
		add_bool(out, "data-file-raw", header->data_file_is_raw);
	}
	describe_backing(chain, out);
	describe_snapshots(layer, out);
}

const struct source_ops source_qcow2_ops = {
	.name = "qcow2",
	.has_snapshots = true,
	.probe = qcow2_probe,
	.open = qcow2_open,
	.close = qcow2_close,
	.extent = qcow2_extent,
	.read = qcow2_read,
	.check = qcow2_source_check,
	.describe = qcow2_describe,
};
