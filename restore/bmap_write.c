// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/bmap_write.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Stand where the map's own checksum will, which is made with them there. */
#define ZEROES "0000000000000000000000000000000000000000000000000000000000000000"

enum { HEAD = 1024, RANGE = 120 }; /* at most, of text */

static uint64_t blocks(uint64_t bytes)
{
	return (bytes + BMAP_BLOCK - 1) / BMAP_BLOCK;
}

/* Returns where in the text the checksum belongs. */
static size_t write_head(const struct bmap *map, struct text *out)
{
	uint64_t mapped = 0;
	size_t place;

	for (size_t i = 0; i < map->count; i++)
		mapped += blocks(map->range[i].end) - map->range[i].offset / BMAP_BLOCK;
	text_addf(out,
		  "<?xml version=\"1.0\" ?>\n<bmap version=\"2.0\">\n"
		  "<ImageSize> %" PRIu64 " </ImageSize>\n<BlockSize> %d </BlockSize>\n"
		  "<BlocksCount> %" PRIu64 " </BlocksCount>\n"
		  "<MappedBlocksCount> %" PRIu64 " </MappedBlocksCount>\n"
		  "<ChecksumType> sha256 </ChecksumType>\n<BmapFileChecksum> ",
		  map->size, BMAP_BLOCK, blocks(map->size), mapped);
	place = out->length;
	text_add(out, ZEROES " </BmapFileChecksum>\n<BlockMap>\n");
	return place;
}

static void write_range(const struct bmap_range *range, struct text *out)
{
	char sum[2 * SHA256_LENGTH + 1];

	assert(range->offset % BMAP_BLOCK == 0);
	sha256_format(range->sum, sum);
	text_addf(out, "<Range chksum=\"%s\"> %" PRIu64 "-%" PRIu64 " </Range>\n", sum,
		  range->offset / BMAP_BLOCK, blocks(range->end) - 1);
}

int bmap_write(const struct bmap *map, struct text *out, struct error *err)
{
	size_t begin = out->length, place;
	uint8_t sum[SHA256_LENGTH];
	char digits[2 * SHA256_LENGTH + 1];

	assert(map->count > 0 && map->count <= BMAP_RANGES);
	/* At once: doubled again and again, it would take more memory than it has text. */
	text_reserve(out, HEAD + map->count * RANGE);
	place = write_head(map, out);
	for (size_t i = 0; i < map->count; i++)
		write_range(&map->range[i], out);
	text_add(out, "</BlockMap>\n</bmap>\n");
	if (sha256_of(out->data + begin, out->length - begin, sum, err) < 0)
		return -1;
	sha256_format(sum, digits);
	memcpy(out->data + place, digits, strlen(digits));
	return 0;
}
