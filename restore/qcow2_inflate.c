// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Compressed clusters. Both kinds are unpacked in one call from memory to memory, straight into
 * the caller's buffer when it wants a whole cluster: no stream state, so no window whose size the
 * image could choose.
 */
#include <errno.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <string.h>
#include <zstd.h>

#include "base/scope.h"
#include "restore/image_file.h"
#include "restore/qcow2.h"

struct qcow2_unpacker {
	struct qcow2_unpacker *next;
	struct libdeflate_decompressor *deflate;
	ZSTD_DCtx *zstd;
	uint8_t *packed; /* 2 clusters */
	uint8_t *cluster;
	uint64_t holds; /* file offset of what cluster is unpacked from; 0: of nothing */
};

static void unpacker_free(struct qcow2_unpacker *unpacker)
{
	if (!unpacker)
		return;
	libdeflate_free_decompressor(unpacker->deflate);
	ZSTD_freeDCtx(unpacker->zstd);
	free(unpacker->packed);
	free(unpacker->cluster);
	free(unpacker);
}

static struct qcow2_unpacker *unpacker_new(const struct qcow2_unpackers *unpackers)
{
	struct qcow2_unpacker *unpacker = calloc(1, sizeof(*unpacker));

	if (!unpacker)
		return NULL;
	unpacker->packed = malloc(2 * unpackers->cluster_size);
	unpacker->cluster = malloc(unpackers->cluster_size);
	if (unpackers->compression == QCOW2_ZLIB)
		unpacker->deflate = libdeflate_alloc_decompressor();
	else
		unpacker->zstd = ZSTD_createDCtx();
	if (unpacker->packed && unpacker->cluster && (unpacker->deflate || unpacker->zstd))
		return unpacker;
	unpacker_free(unpacker);
	return NULL;
}

/* One that nobody uses, rather one that has the cluster at hand already. NULL: out of memory. */
static struct qcow2_unpacker *take(struct qcow2_unpackers *unpackers, uint64_t wanted)
{
	struct qcow2_unpacker **best = &unpackers->idle, *found;

	pthread_mutex_lock(&unpackers->lock);
	for (struct qcow2_unpacker **p = best; *p; p = &(*p)->next)
		if ((*p)->holds == wanted)
			best = p;
	found = *best;
	if (found)
		*best = found->next;
	pthread_mutex_unlock(&unpackers->lock);
	return found ? found : unpacker_new(unpackers);
}

static void give_back(struct qcow2_unpackers *unpackers, struct qcow2_unpacker *unpacker)
{
	pthread_mutex_lock(&unpackers->lock);
	unpacker->next = unpackers->idle;
	unpackers->idle = unpacker;
	pthread_mutex_unlock(&unpackers->lock);
}

/* Returns the reason, or NULL. The stream ends by itself; what follows it in the last sector is not
 * its own. */
static const char *inflate_zlib(struct qcow2_unpacker *unpacker, size_t packed, uint8_t *out,
				size_t length)
{
	size_t used;

	switch (libdeflate_deflate_decompress_ex(unpacker->deflate, unpacker->packed, packed, out,
						 length, &used, NULL)) {
	case LIBDEFLATE_SUCCESS:
		return NULL;
	case LIBDEFLATE_SHORT_OUTPUT:
		return "it is shorter than a cluster";
	case LIBDEFLATE_INSUFFICIENT_SPACE:
		return "it is longer than a cluster";
	default:
		return "the deflate stream is damaged";
	}
}

/* One frame as a rule; several are possible. Frames of length 0 are bounded by the input. */
static const char *inflate_zstd(struct qcow2_unpacker *unpacker, size_t packed, uint8_t *out,
				size_t length)
{
	const uint8_t *in = unpacker->packed;

	while (length > 0) {
		size_t frame = ZSTD_findFrameCompressedSize(in, packed);
		size_t done;

		if (ZSTD_isError(frame))
			return packed == 0 ? "it is shorter than a cluster"
					   : ZSTD_getErrorName(frame);
		done = ZSTD_decompressDCtx(unpacker->zstd, out, length, in, frame);
		if (ZSTD_isError(done))
			return ZSTD_getErrorName(done);
		in += frame;
		packed -= frame;
		out += done;
		length -= done;
	}
	return NULL;
}

static int inflate(const struct qcow2_unpackers *unpackers, struct qcow2_unpacker *unpacker,
		   const struct qcow2_run *run, uint8_t *out, struct error *err)
{
	const char *wrong;

	if (image_file_read(unpackers->source->file, "compressed cluster", unpacker->packed,
			    run->packed_length, run->file_offset, err) < 0)
		return -1;
	if (unpackers->compression == QCOW2_ZLIB)
		wrong = inflate_zlib(unpacker, run->packed_length, out, unpackers->cluster_size);
	else
		wrong = inflate_zstd(unpacker, run->packed_length, out, unpackers->cluster_size);
	if (wrong)
		return error_set(
			err,
			"image is corrupt: unpack compressed cluster at file offset %" PRIu64
			": %s",
			run->file_offset, wrong);
	return 0;
}

static int unpack_part(const struct qcow2_unpackers *unpackers, struct qcow2_unpacker *unpacker,
		       const struct qcow2_run *run, void *data, size_t length, size_t skip,
		       struct error *err)
{
	if (unpacker->holds != run->file_offset) {
		unpacker->holds = 0;
		if (inflate(unpackers, unpacker, run, unpacker->cluster, err) < 0)
			return -1;
		unpacker->holds = run->file_offset;
	}
	memcpy(data, unpacker->cluster + skip, length);
	return 0;
}

int qcow2_unpack(struct qcow2_unpackers *unpackers, const struct qcow2_run *run, void *data,
		 size_t length, size_t skip, struct error *err)
{
	struct qcow2_unpacker *unpacker = take(unpackers, run->file_offset);
	int result;

	if (!unpacker)
		return error_sys(err, ENOMEM, "unpack compressed cluster");
	if (length == unpackers->cluster_size)
		result = inflate(unpackers, unpacker, run, data, err);
	else
		result = unpack_part(unpackers, unpacker, run, data, length, skip, err);
	give_back(unpackers, unpacker);
	return result;
}

int qcow2_unpackers_init(struct qcow2_unpackers *unpackers, const struct source *source,
			 const struct qcow2_header *header, struct error *err)
{
	int number;

	*unpackers = (struct qcow2_unpackers){
		.source = source,
		.compression = header->compression,
		.cluster_size = (size_t)1 << header->cluster_bits,
	};
	number = pthread_mutex_init(&unpackers->lock, NULL);
	return number == 0 ? 0 : error_sys(err, number, "make a lock");
}

void qcow2_unpackers_release(struct qcow2_unpackers *unpackers)
{
	while (unpackers->idle) {
		struct qcow2_unpacker *unpacker = unpackers->idle;

		unpackers->idle = unpacker->next;
		unpacker_free(unpacker);
	}
	pthread_mutex_destroy(&unpackers->lock);
}
