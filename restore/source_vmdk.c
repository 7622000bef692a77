// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "restore/image_file.h"
#include "restore/source.h"
#include "restore/vmdk.h"

/* The map and the unpackers are there for random access, the stream is there otherwise. */
struct vmdk {
	struct vmdk_header header;
	char *create_type;
	struct vmdk_map map;
	struct vmdk_unpackers unpackers;
	struct vmdk_stream *stream;
};

static bool vmdk_probe(const uint8_t *head, size_t length)
{
	return length >= 4 && memcmp(head, "KDMV", 4) == 0;
}

static int open_stream(struct source *source, struct vmdk *vmdk, struct error *err)
{
	if (!vmdk->header.is_compressed)
		return error_set(err,
				 "a VMDK of the kind %s is read at many places, which %s does "
				 "not allow: name a file or a URL of a server that knows ranges",
				 vmdk->create_type, source->file->name);
	if (vmdk_stream_open(source->file, &vmdk->header, &vmdk->stream, err) < 0)
		return -1;
	source->is_stream = true;
	vmdk_stream_head(vmdk->stream, &source->head_length);
	return 0;
}

static int vmdk_open(struct source *source, const struct source_options *options, struct error *err)
{
	struct vmdk_header header;
	struct vmdk *vmdk;

	(void)options;
	if (vmdk_header_read(source->file, &header, err) < 0)
		return -1;
	vmdk = calloc(1, sizeof(*vmdk));
	if (!vmdk)
		return error_sys(err, ENOMEM, "open VMDK");
	vmdk->header = header;
	source->state = vmdk;
	source->size = header.size;
	source->granule = header.grain_size;
	if (vmdk_descriptor_read(source->file, &header, &vmdk->create_type, err) < 0)
		return -1;
	if (!source->file->is_seekable || header.directory_offset == VMDK_NO_DIRECTORY)
		return open_stream(source, vmdk, err);
	if (vmdk_unpackers_init(&vmdk->unpackers, source->file, &header, err) < 0)
		return -1;
	return vmdk_map_init(&vmdk->map, source->file, &header, err);
}

static void vmdk_close(struct source *source)
{
	struct vmdk *vmdk = source->state;

	if (!vmdk)
		return;
	vmdk_map_release(&vmdk->map);
	vmdk_unpackers_release(&vmdk->unpackers);
	vmdk_stream_close(vmdk->stream);
	free(vmdk->create_type);
	free(vmdk);
}

static int vmdk_extent(struct source *source, uint64_t offset, uint64_t length, struct extent *out,
		       struct error *err)
{
	struct vmdk *vmdk = source->state;
	struct vmdk_run run;

	if (vmdk_map_extent(&vmdk->map, offset, length, &run, err) < 0)
		return -1;
	*out = (struct extent){
		.offset = offset,
		.length = run.length,
		.kind = run.kind == VMDK_ZERO ? EXTENT_ZERO : EXTENT_DATA,
	};
	return 0;
}

static int read_run(struct source *source, const struct vmdk_run *run, void *data, uint64_t offset,
		    struct error *err)
{
	struct vmdk *vmdk = source->state;

	switch (run->kind) {
	case VMDK_ZERO:
		memset(data, 0, (size_t)run->length);
		return 0;
	case VMDK_PLAIN:
		return image_file_read(source->file, "grain", data, (size_t)run->length,
				       run->file_offset, err);
	case VMDK_PACKED:
		return vmdk_unpack(&vmdk->unpackers, run, data, offset, err);
	}
	return error_set(err, "unknown kind of grain");
}

static int read_map(struct source *source, void *data, size_t length, uint64_t offset,
		    struct error *err)
{
	struct vmdk *vmdk = source->state;
	struct vmdk_run run;

	for (size_t done = 0; done < length; done += (size_t)run.length) {
		if (vmdk_map_run(&vmdk->map, offset + done, length - done, &run, err) < 0 ||
		    read_run(source, &run, (uint8_t *)data + done, offset + done, err) < 0)
			return -1;
	}
	return 0;
}

static int vmdk_read(struct source *source, void *data, size_t length, uint64_t offset,
		     struct error *err)
{
	const struct vmdk *vmdk = source->state;
	uint64_t head_length;

	if (!vmdk->stream)
		return read_map(source, data, length, offset, err);
	memcpy(data, vmdk_stream_head(vmdk->stream, &head_length) + offset, length);
	return 0;
}

static int vmdk_next(struct source *source, void *data, size_t capacity, struct extent *out,
		     struct error *err)
{
	const struct vmdk *vmdk = source->state;

	return vmdk_stream_next(vmdk->stream, data, capacity, out, err);
}

/* A stream in a file can be walked over before it is read; not over a network, a marker at a time.
 */
static int vmdk_check(struct source *source, struct error *err)
{
	const struct vmdk *vmdk = source->state;

	if (!vmdk->stream)
		return vmdk_map_check(&vmdk->map, err);
	if (!source->file->is_seekable || source->file->fd < 0)
		return 0;
	return vmdk_stream_check(source->file, &vmdk->header, err);
}

static void vmdk_describe(const struct source *source, json_object *out)
{
	const struct vmdk *vmdk = source->state;
	const char *compression = vmdk->header.is_compressed ? "zlib" : "none";

	json_object_object_add(out, "version", json_object_new_uint64(vmdk->header.version));
	json_object_object_add(out, "create-type", json_object_new_string(vmdk->create_type));
	json_object_object_add(out, "grain-size", json_object_new_uint64(vmdk->header.grain_size));
	json_object_object_add(out, "compression", json_object_new_string(compression));
	json_object_object_add(out, "dirty", json_object_new_boolean(vmdk->header.is_unclean));
	json_object_object_add(out, "stream", json_object_new_boolean(vmdk->stream != NULL));
}

const struct source_ops source_vmdk_ops = {
	.name = "vmdk",
	.takes_streams = true,
	.probe = vmdk_probe,
	.open = vmdk_open,
	.close = vmdk_close,
	.extent = vmdk_extent,
	.read = vmdk_read,
	.next = vmdk_next,
	.check = vmdk_check,
	.describe = vmdk_describe,
};
