// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Packed grains: one read of what is in the file, unpacked in one call from memory to memory,
 * straight into the caller's buffer when it wants a whole grain.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "restore/vmdk.h"

struct vmdk_unpacker {
	struct vmdk_unpacker *next;
	struct libdeflate_decompressor *deflate;
	uint8_t *packed; /* vmdk_packed_limit() */
	uint8_t *grain;
	uint64_t holds; /* disk offset of what is in grain, plus 1; 0: nothing is */
};

struct vmdk_marker vmdk_marker_parse(const uint8_t *bytes)
{
	struct vmdk_marker marker;

	memcpy(&marker.value, bytes, 8);
	memcpy(&marker.data_length, bytes + 8, 4);
	memcpy(&marker.type, bytes + 12, 4);
	return (struct vmdk_marker){
		.value = le64toh(marker.value),
		.data_length = le32toh(marker.data_length),
		.type = le32toh(marker.type),
	};
}

const char *vmdk_inflate(struct libdeflate_decompressor *deflate, const struct vmdk_header *header,
			 const uint8_t *packed, size_t packed_length, uint8_t *out, size_t needed)
{
	size_t used, got;

	switch (libdeflate_zlib_decompress_ex(deflate, packed, packed_length, out,
					      header->grain_size, &used, &got)) {
	case LIBDEFLATE_SUCCESS:
		return got < needed ? "it is shorter than a grain" : NULL;
	case LIBDEFLATE_INSUFFICIENT_SPACE:
		return "it is longer than a grain";
	default:
		return "the zlib stream is damaged";
	}
}

static void unpacker_free(struct vmdk_unpacker *unpacker)
{
	if (!unpacker)
		return;
	libdeflate_free_decompressor(unpacker->deflate);
	free(unpacker->packed);
	free(unpacker->grain);
	free(unpacker);
}

static struct vmdk_unpacker *unpacker_new(const struct vmdk_header *header)
{
	struct vmdk_unpacker *unpacker = calloc(1, sizeof(*unpacker));

	if (!unpacker)
		return NULL;
	unpacker->packed = malloc(vmdk_packed_limit(header));
	unpacker->grain = malloc(header->grain_size);
	unpacker->deflate = libdeflate_alloc_decompressor();
	if (unpacker->packed && unpacker->grain && unpacker->deflate)
		return unpacker;
	unpacker_free(unpacker);
	return NULL;
}

/* One that nobody uses, rather one that has the grain at hand already. NULL: out of memory. */
static struct vmdk_unpacker *take(struct vmdk_unpackers *unpackers, uint64_t wanted)
{
	struct vmdk_unpacker **best = &unpackers->idle, *found;

	pthread_mutex_lock(&unpackers->lock);
	for (struct vmdk_unpacker **p = best; *p; p = &(*p)->next)
		if ((*p)->holds == wanted)
			best = p;
	found = *best;
	if (found)
		*best = found->next;
	pthread_mutex_unlock(&unpackers->lock);
	return found ? found : unpacker_new(&unpackers->header);
}

static void give_back(struct vmdk_unpackers *unpackers, struct vmdk_unpacker *unpacker)
{
	pthread_mutex_lock(&unpackers->lock);
	unpacker->next = unpackers->idle;
	unpackers->idle = unpacker;
	pthread_mutex_unlock(&unpackers->lock);
}

static int corrupt(const struct vmdk_run *run, const char *wrong, struct error *err)
{
	return error_set(err,
			 "image is corrupt: unpack compressed grain at file offset %" PRIu64 ": %s",
			 run->file_offset, wrong);
}

/* The grain that begins at disk offset `offset`, into out. */
static int inflate(const struct vmdk_unpackers *unpackers, struct vmdk_unpacker *unpacker,
		   const struct vmdk_run *run, uint64_t offset, uint8_t *out, struct error *err)
{
	const struct vmdk_header *header = &unpackers->header;
	struct vmdk_marker marker;
	const char *wrong;

	if (image_file_read(unpackers->file, "compressed grain", unpacker->packed,
			    run->packed_length, run->file_offset, err) < 0)
		return -1;
	marker = vmdk_marker_parse(unpacker->packed);
	if (marker.value != offset / VMDK_SECTOR)
		return corrupt(run, "its marker says that it belongs elsewhere", err);
	if (marker.data_length > run->packed_length - VMDK_MARKER_LENGTH)
		return corrupt(run, "it is longer than the place it has in the file", err);
	wrong = vmdk_inflate(unpacker->deflate, header, unpacker->packed + VMDK_MARKER_LENGTH,
			     marker.data_length, out, vmdk_grain_length(header, offset));
	return wrong ? corrupt(run, wrong, err) : 0;
}

static int unpack_part(const struct vmdk_unpackers *unpackers, struct vmdk_unpacker *unpacker,
		       const struct vmdk_run *run, void *data, uint64_t offset, size_t skip,
		       struct error *err)
{
	uint64_t start = offset - skip;

	if (unpacker->holds != start + 1) {
		unpacker->holds = 0;
		if (inflate(unpackers, unpacker, run, start, unpacker->grain, err) < 0)
			return -1;
		unpacker->holds = start + 1;
	}
	memcpy(data, unpacker->grain + skip, (size_t)run->length);
	return 0;
}

int vmdk_unpack(struct vmdk_unpackers *unpackers, const struct vmdk_run *run, void *data,
		uint64_t offset, struct error *err)
{
	size_t skip = (size_t)(offset % unpackers->header.grain_size);
	struct vmdk_unpacker *unpacker = take(unpackers, offset - skip + 1);
	int result;

	if (!unpacker)
		return error_sys(err, ENOMEM, "unpack compressed grain");
	if (run->length == unpackers->header.grain_size)
		result = inflate(unpackers, unpacker, run, offset, data, err);
	else
		result = unpack_part(unpackers, unpacker, run, data, offset, skip, err);
	give_back(unpackers, unpacker);
	return result < 0 ? error_in(err, "disk offset %" PRIu64, offset - skip) : 0;
}

int vmdk_unpackers_init(struct vmdk_unpackers *unpackers, const struct image_file *file,
			const struct vmdk_header *header, struct error *err)
{
	int number;

	*unpackers = (struct vmdk_unpackers){.file = file, .header = *header};
	number = pthread_mutex_init(&unpackers->lock, NULL);
	return number == 0 ? 0 : error_sys(err, number, "make a lock");
}

void vmdk_unpackers_release(struct vmdk_unpackers *unpackers)
{
	while (unpackers->idle) {
		struct vmdk_unpacker *unpacker = unpackers->idle;

		unpackers->idle = unpacker->next;
		unpacker_free(unpacker);
	}
	pthread_mutex_destroy(&unpackers->lock);
}
