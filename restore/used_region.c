// SPDX-License-Identifier: GPL-3.0-or-later
#include <ext2fs/ext2fs.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/used_blocks_kinds.h"

int used_decline(struct error *err, const char *format, ...)
{
	_cleanup_text_ struct text text = {0};
	va_list args;

	va_start(args, format);
	text_vaddf(&text, format, args);
	va_end(args);
	error_set(err, "%s", text_string(&text));
	return USED_DECLINED;
}

void used_cache_release(struct used_cache *cache)
{
	for (size_t i = 0; i < USED_CACHE_SLOTS; i++)
		free(cache->slot[i].data);
	*cache = (struct used_cache){0};
}

int used_cache_reserve(struct used_cache *cache, uint64_t bytes, struct error *err)
{
	if (bytes > cache->memory_left)
		return used_decline(err, "its tables take %" PRIu64 " bytes, more than can be kept",
				    bytes);
	cache->memory_left -= (size_t)bytes;
	return USED_KNOWN;
}

/* The slot that holds the block, or the one that was not touched for longest. */
static size_t cache_slot(const struct used_cache *cache, uint64_t block)
{
	size_t oldest = 0;

	for (size_t i = 0; i < USED_CACHE_SLOTS; i++) {
		if (cache->slot[i].block == block + 1)
			return i;
		if (cache->slot[i].touched < cache->slot[oldest].touched)
			oldest = i;
	}
	return oldest;
}

/* The block of that number, in *out until the next call. */
static int cache_block(struct used_cache *cache, uint64_t block, const uint8_t **out,
		       struct error *err)
{
	uint64_t offset = block * USED_CACHE_BLOCK;
	size_t length = (size_t)smaller(cache->source->size - offset, USED_CACHE_BLOCK);
	size_t i = cache_slot(cache, block);

	cache->slot[i].touched = ++cache->clock;
	*out = cache->slot[i].data;
	if (cache->slot[i].block == block + 1)
		return 0;
	if (!cache->slot[i].data)
		cache->slot[i].data = malloc(USED_CACHE_BLOCK);
	if (!cache->slot[i].data)
		abort();
	*out = cache->slot[i].data;
	cache->slot[i].block = 0;
	if (source_read(cache->source, cache->slot[i].data, length, offset, err) < 0)
		return USED_FAILED;
	cache->slot[i].block = block + 1;
	return 0;
}

static int cache_read(struct used_cache *cache, uint8_t *data, uint64_t length, uint64_t offset,
		      struct error *err)
{
	while (length > 0) {
		uint64_t within = offset % USED_CACHE_BLOCK;
		uint64_t piece = smaller(USED_CACHE_BLOCK - within, length);
		const uint8_t *block;

		if (cache_block(cache, offset / USED_CACHE_BLOCK, &block, err) < 0)
			return USED_FAILED;
		memcpy(data, block + within, (size_t)piece);
		data += piece;
		offset += piece;
		length -= piece;
	}
	return 0;
}

bool used_region_add(struct used_region *region, uint64_t offset, uint64_t length)
{
	uint64_t size = region->cache->source->size;

	if (length > size || offset > size - length || length > UINT64_MAX - region->length)
		return false;
	region->segment =
		reallocarray(region->segment, region->segments + 1, sizeof(*region->segment));
	if (!region->segment)
		abort();
	region->segment[region->segments++] =
		(struct used_segment){.offset = offset, .length = length};
	region->length += length;
	return true;
}

void used_region_release(struct used_region *region)
{
	free(region->segment);
	*region = (struct used_region){0};
}

int used_region_read(const struct used_region *region, void *data, size_t length, uint64_t offset,
		     struct error *err)
{
	uint8_t *to = data;

	if (length > region->length || offset > region->length - length)
		return used_decline(
			err, "its structures name %zu bytes at offset %" PRIu64 ", outside of it",
			length, offset);
	for (size_t i = 0; i < region->segments && length > 0; i++) {
		const struct used_segment *segment = &region->segment[i];
		uint64_t piece;

		if (offset >= segment->length) {
			offset -= segment->length;
			continue;
		}
		piece = smaller(segment->length - offset, length);
		if (cache_read(region->cache, to, piece, segment->offset + offset, err) < 0)
			return USED_FAILED;
		to += piece;
		length -= (size_t)piece;
		offset = 0;
	}
	return 0;
}

bool used_has_crc32c(const uint8_t *data, size_t length, size_t hole, uint32_t sum)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	(void)data;
	(void)length;
	(void)hole;
	(void)sum;
	return true;
#else
	static const uint8_t zeroes[4];
	size_t behind = hole + sizeof(zeroes);
	uint32_t crc = ext2fs_crc32c_le(~0U, data, hole);

	if (behind <= length) {
		crc = ext2fs_crc32c_le(crc, zeroes, sizeof(zeroes));
		crc = ext2fs_crc32c_le(crc, data + behind, length - behind);
	}
	return ~crc == sum;
#endif
}
