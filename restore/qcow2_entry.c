// SPDX-License-Identifier: GPL-3.0-or-later
/* Sections "Cluster mapping" and "Extended L2 Entries". */
#include <inttypes.h>

#include "base/number.h"
#include "restore/qcow2.h"

#define ENTRY_COPIED (1ULL << 63) /* concerns writers, and offset 0 of a data file */
#define ENTRY_COMPRESSED (1ULL << 62)
#define ENTRY_ZERO (1ULL << 0)
#define ENTRY_OFFSET 0x00fffffffffffe00ULL
#define L1_RESERVED 0x7f000000000001ffULL
#define L2_RESERVED 0x3f000000000001feULL

static uint64_t cluster_size(const struct qcow2_map *map)
{
	return 1ULL << map->header->cluster_bits;
}

/* What nothing in this file says anything of. */
static enum qcow2_kind kind_of_nothing(const struct qcow2_map *map)
{
	return map->header->backing_name ? QCOW2_BACKING : QCOW2_ZERO;
}

static int refuse_reserved(const char *what, uint64_t offset, uint64_t entry, struct error *err)
{
	return error_set(err,
			 "image is corrupt: the %s for disk offset %" PRIu64
			 " has reserved bits set (%#" PRIx64 ")",
			 what, offset, entry);
}

static int check_aligned(const struct qcow2_map *map, const char *what, uint64_t offset,
			 uint64_t at, struct error *err)
{
	if (at % cluster_size(map) == 0)
		return 0;
	return error_set(err,
			 "image is corrupt: the %s for disk offset %" PRIu64
			 " is at file offset %" PRIu64 ", which is not the beginning of a cluster",
			 what, offset, at);
}

int qcow2_entry_table(const struct qcow2_map *map, uint64_t entry, uint64_t offset, uint64_t *table,
		      struct error *err)
{
	if (entry & L1_RESERVED)
		return refuse_reserved("L1 entry", offset, entry, err);
	*table = entry & ENTRY_OFFSET;
	return check_aligned(map, "L2 table", offset, *table, err);
}

/*
 * Section "Compressed Clusters Descriptor": the offset has as many bits as the sector count leaves
 * it. The count rounds up, so the last sector may reach beyond the end of the file.
 */
static int decode_compressed(const struct qcow2_map *map, uint64_t entry, uint64_t cluster,
			     struct qcow2_run *out, struct error *err)
{
	unsigned int bits = 62 - (map->header->cluster_bits - 8);
	uint64_t at = entry & ((1ULL << bits) - 1);
	uint64_t sectors = ((entry & (ENTRY_COMPRESSED - 1)) >> bits) + 1;
	uint64_t length = sectors * 512 - at % 512;

	if (map->header->data_name)
		return error_set(err,
				 "image is corrupt: the cluster for disk offset %" PRIu64
				 " is compressed, which an image with a data file cannot have",
				 cluster);
	if (at >> 56)
		return refuse_reserved("compressed cluster", cluster, entry, err);
	if (at == 0)
		return error_set(err,
				 "image is corrupt: the compressed cluster for disk offset %" PRIu64
				 " is at file offset 0",
				 cluster);
	if (image_file_has(map->file, "compressed cluster", at, length > 511 ? length - 511 : 1,
			   err) < 0)
		return error_in(err, "disk offset %" PRIu64, cluster);
	out->kind = QCOW2_COMPRESSED;
	out->file_offset = at;
	out->packed_length = (uint32_t)smaller(length, map->file->size - at);
	return 0;
}

/* The first `needed` bytes of the cluster must be there. */
static int check_place(const struct qcow2_map *map, uint64_t entry, uint64_t cluster,
		       uint64_t needed, struct error *err)
{
	uint64_t at = entry & ENTRY_OFFSET;

	if (at == 0 && !(map->header->data_name && entry & ENTRY_COPIED))
		return error_set(err,
				 "image is corrupt: the data cluster for disk offset %" PRIu64
				 " is at file offset 0",
				 cluster);
	if (map->header->data_name && at != cluster)
		return error_set(err,
				 "image is corrupt: the data cluster for disk offset %" PRIu64
				 " is at offset %" PRIu64
				 " of the data file, not at the same offset",
				 cluster, at);
	/* The last cluster of the disk may have been written up to the disk's end only. */
	needed = smaller(needed, map->header->size - cluster);
	if (image_file_has(map->data, "data cluster", at, needed, err) < 0)
		return error_in(err, "disk offset %" PRIu64, cluster);
	return 0;
}

/* out is as for a cluster that is not allocated. */
static int decode_standard(const struct qcow2_map *map, uint64_t entry, uint64_t cluster,
			   struct qcow2_run *out, struct error *err)
{
	/* Bit 0 came with version 3; before that it was reserved. */
	if (entry & L2_RESERVED || (entry & ENTRY_ZERO && map->header->version < 3))
		return refuse_reserved("L2 entry", cluster, entry, err);
	if (check_aligned(map, "data cluster", cluster, entry & ENTRY_OFFSET, err) < 0)
		return -1;
	if (entry & ENTRY_ZERO)
		out->kind = QCOW2_ZERO;
	if (entry & ENTRY_ZERO || entry == 0)
		return 0;
	if (check_place(map, entry, cluster, cluster_size(map), err) < 0)
		return -1;
	out->kind = QCOW2_PLAIN;
	out->file_offset = entry & ENTRY_OFFSET;
	return 0;
}

static enum qcow2_kind kind_of_subcluster(const struct qcow2_map *map, uint64_t bitmap,
					  uint64_t which)
{
	if (bitmap >> which & 1)
		return QCOW2_PLAIN;
	if (bitmap >> (which + QCOW2_SUBCLUSTERS) & 1)
		return QCOW2_ZERO;
	return kind_of_nothing(map);
}

static int check_extended(const struct qcow2_map *map, const uint64_t *entry, uint64_t cluster,
			  struct error *err)
{
	uint32_t allocated = (uint32_t)entry[1], zero = (uint32_t)(entry[1] >> QCOW2_SUBCLUSTERS);
	uint64_t subcluster = cluster_size(map) / QCOW2_SUBCLUSTERS;

	if (entry[0] & (L2_RESERVED | ENTRY_ZERO))
		return refuse_reserved("L2 entry", cluster, entry[0], err);
	if (allocated & zero)
		return error_set(err,
				 "image is corrupt: subclusters of the cluster for disk offset "
				 "%" PRIu64 " are both data and zeroes (%#" PRIx64 ")",
				 cluster, entry[1]);
	if (check_aligned(map, "data cluster", cluster, entry[0] & ENTRY_OFFSET, err) < 0)
		return -1;
	if (allocated == 0)
		return 0;
	return check_place(map, entry[0], cluster,
			   (32 - (uint64_t)__builtin_clz(allocated)) * subcluster, err);
}

/* Subclusters of one kind that follow each other. */
static int decode_extended(const struct qcow2_map *map, const uint64_t *entry, uint64_t offset,
			   struct qcow2_run *out, struct error *err)
{
	uint64_t within = offset % cluster_size(map);
	uint64_t subcluster = cluster_size(map) / QCOW2_SUBCLUSTERS;
	uint64_t i = within / subcluster;

	if (check_extended(map, entry, offset - within, err) < 0)
		return -1;
	out->kind = kind_of_subcluster(map, entry[1], i);
	while (++i < QCOW2_SUBCLUSTERS && kind_of_subcluster(map, entry[1], i) == out->kind)
		;
	out->length = i * subcluster - within;
	if (out->kind == QCOW2_PLAIN)
		out->file_offset = (entry[0] & ENTRY_OFFSET) + within;
	return 0;
}

int qcow2_entry_run(const struct qcow2_map *map, const uint64_t *entry, uint64_t offset,
		    struct qcow2_run *out, struct error *err)
{
	uint64_t within = offset % cluster_size(map), cluster = offset - within;

	*out = (struct qcow2_run){
		.kind = kind_of_nothing(map),
		.length = cluster_size(map) - within,
	};
	if (entry[0] & ENTRY_COMPRESSED) {
		if (map->words_per_entry == 2 && entry[1] != 0)
			return refuse_reserved("L2 bitmap", cluster, entry[1], err);
		return decode_compressed(map, entry[0], cluster, out, err);
	}
	if (map->words_per_entry == 2)
		return decode_extended(map, entry, offset, out, err);
	if (decode_standard(map, entry[0], cluster, out, err) < 0)
		return -1;
	if (out->kind == QCOW2_PLAIN)
		out->file_offset += within;
	return 0;
}
