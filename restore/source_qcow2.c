// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/scope.h"
#include "restore/image_file.h"
#include "restore/qcow2.h"
#include "restore/source.h"

struct qcow2 {
	struct qcow2_map map;
	struct qcow2_unpackers unpackers;
};

static bool qcow2_probe(const uint8_t *head, size_t length)
{
	return length >= 4 && memcmp(head, "QFI\xfb", 4) == 0;
}

static int qcow2_open(struct source *source, const struct source_options *options,
		      struct error *err)
{
	struct qcow2_header header;
	struct qcow2 *qcow2;

	(void)options;
	if (qcow2_header_read(source, &header, err) < 0)
		return -1;
	qcow2 = calloc(1, sizeof(*qcow2));
	if (!qcow2)
		return error_sys(err, ENOMEM, "open qcow2");
	source->state = qcow2;
	source->size = header.size;
	source->granule = 1U << header.cluster_bits;
	if (qcow2_unpackers_init(&qcow2->unpackers, source, &header, err) < 0)
		return -1;
	return qcow2_map_init(&qcow2->map, source, &header, err);
}

static void qcow2_close(struct source *source)
{
	struct qcow2 *qcow2 = source->state;

	if (!qcow2)
		return;
	qcow2_map_release(&qcow2->map);
	qcow2_unpackers_release(&qcow2->unpackers);
	free(qcow2);
}

static int qcow2_extent(struct source *source, uint64_t offset, uint64_t length, struct extent *out,
			struct error *err)
{
	struct qcow2 *qcow2 = source->state;
	struct qcow2_run run;

	if (qcow2_map_extent(&qcow2->map, offset, length, &run, err) < 0)
		return -1;
	*out = (struct extent){
		.offset = offset,
		.length = run.length,
		.kind = run.kind == QCOW2_ZERO ? EXTENT_ZERO : EXTENT_DATA,
	};
	return 0;
}

static int read_run(struct source *source, const struct qcow2_run *run, void *data, uint64_t offset,
		    struct error *err)
{
	struct qcow2 *qcow2 = source->state;
	size_t skip;

	switch (run->kind) {
	case QCOW2_ZERO:
		memset(data, 0, (size_t)run->length);
		return 0;
	case QCOW2_PLAIN:
		return image_file_read(source->file, "data cluster", data, (size_t)run->length,
				       run->file_offset, err);
	case QCOW2_COMPRESSED:
		skip = (size_t)(offset & (source->granule - 1));
		if (qcow2_unpack(&qcow2->unpackers, run, data, (size_t)run->length, skip, err) == 0)
			return 0;
		return error_in(err, "disk offset %" PRIu64, offset - skip);
	}
	return error_set(err, "unknown kind of cluster");
}

static int qcow2_read(struct source *source, void *data, size_t length, uint64_t offset,
		      struct error *err)
{
	struct qcow2 *qcow2 = source->state;
	struct qcow2_run run;

	for (size_t done = 0; done < length; done += (size_t)run.length) {
		if (qcow2_map_run(&qcow2->map, offset + done, length - done, &run, err) < 0 ||
		    read_run(source, &run, (uint8_t *)data + done, offset + done, err) < 0)
			return -1;
	}
	return 0;
}

static int qcow2_check(struct source *source, struct error *err)
{
	const struct qcow2 *qcow2 = source->state;

	return qcow2_map_check(&qcow2->map, err);
}

static void qcow2_describe(const struct source *source, json_object *out)
{
	const struct qcow2 *qcow2 = source->state;
	const struct qcow2_header *header = &qcow2->map.header;
	const char *compression = header->compression == QCOW2_ZSTD ? "zstd" : "zlib";

	json_object_object_add(out, "version", json_object_new_uint64(header->version));
	json_object_object_add(out, "cluster-size",
			       json_object_new_uint64(1ULL << header->cluster_bits));
	json_object_object_add(out, "compression", json_object_new_string(compression));
	json_object_object_add(out, "dirty", json_object_new_boolean(header->is_dirty));
	json_object_object_add(out, "snapshots", json_object_new_uint64(header->snapshots));
}

const struct source_ops source_qcow2_ops = {
	.name = "qcow2",
	.probe = qcow2_probe,
	.open = qcow2_open,
	.close = qcow2_close,
	.extent = qcow2_extent,
	.read = qcow2_read,
	.check = qcow2_check,
	.describe = qcow2_describe,
};
