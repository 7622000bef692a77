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
	const struct qcow2_map *map; /* of the layer that cluster is unpacked from, */
	uint64_t holds;              /* and the file offset there; 0: it holds nothing */
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
	unpacker->deflate = libdeflate_alloc_decompressor();
	unpacker->zstd = ZSTD_createDCtx();
	if (unpacker->packed && unpacker->cluster && unpacker->deflate && unpacker->zstd)
		return unpacker;
	unpacker_free(unpacker);
	return NULL;
}

static bool has_at_hand(const struct qcow2_unpacker *unpacker, const struct qcow2_map *map,
			const struct qcow2_run *run)
{
	return unpacker->holds == run->file_offset && unpacker->map == map;
}

/* One that nobody uses, rather one that has the cluster at hand already. NULL: out of memory. */
static struct qcow2_unpacker *take(struct qcow2_unpackers *unpackers, const struct qcow2_map *map,
				   const struct qcow2_run *run)
{
	struct qcow2_unpacker **best = &unpackers->idle, *found;

	pthread_mutex_lock(&unpackers->lock);
	for (struct qcow2_unpacker **p = best; *p; p = &(*p)->next)
		if (has_at_hand(*p, map, run))
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

static int inflate(struct qcow2_unpacker *unpacker, const struct qcow2_map *map,
		   const struct qcow2_run *run, uint8_t *out, struct error *err)
{
	size_t length = (size_t)1 << map->header->cluster_bits;
	const char *wrong;

	if (image_file_read(map->file, "compressed cluster", unpacker->packed, run->packed_length,
			    run->file_offset, err) < 0)
		return -1;
	if (map->header->compression == QCOW2_ZLIB)
		wrong = inflate_zlib(unpacker, run->packed_length, out, length);
	else
		wrong = inflate_zstd(unpacker, run->packed_length, out, length);
	if (wrong)
		return error_set(
			err,
			"image is corrupt: unpack compressed cluster at file offset %" PRIu64
			": %s",
			run->file_offset, wrong);
	return 0;
}

static int unpack_part(struct qcow2_unpacker *unpacker, const struct qcow2_map *map,
		       const struct qcow2_run *run, void *data, size_t length, size_t skip,
		       struct error *err)
{
	if (!has_at_hand(unpacker, map, run)) {
		unpacker->holds = 0;
		if (inflate(unpacker, map, run, unpacker->cluster, err) < 0)
			return -1;
		unpacker->map = map;
		unpacker->holds = run->file_offset;
	}
	memcpy(data, unpacker->cluster + skip, length);
	return 0;
}

int qcow2_unpack(struct qcow2_unpackers *unpackers, const struct qcow2_map *map,
		 const struct qcow2_run *run, void *data, size_t length, size_t skip,
		 struct error *err)
{
	struct qcow2_unpacker *unpacker = take(unpackers, map, run);
	int result;

	if (!unpacker)
		return error_sys(err, ENOMEM, "unpack compressed cluster");
	if (length == (size_t)1 << map->header->cluster_bits)
		result = inflate(unpacker, map, run, data, err);
	else
		result = unpack_part(unpacker, map, run, data, length, skip, err);
	give_back(unpackers, unpacker);
	return result;
}

int qcow2_unpackers_init(struct qcow2_unpackers *unpackers, size_t cluster_size, struct error *err)
{
	int number;

	*unpackers = (struct qcow2_unpackers){.cluster_size = cluster_size};
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
	if (unpackers->cluster_size > 0)
		pthread_mutex_destroy(&unpackers->lock);
}
