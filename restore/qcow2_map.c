// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * L2 tables are used in slices, so that an image with clusters of 2 MiB needs no more memory than
 * one with clusters of 512 bytes. A slice has one slot where it may be kept (its number modulo the
 * number of slots): reading in order, as a restore does, never evicts what is still needed.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>

#include "base/scope.h"
#include "restore/image_file.h"
#include "restore/qcow2.h"

#define CACHE_LIMIT (16U << 20)
#define SLICE_LIMIT (64U << 10)

#define ENTRY_COPIED (1ULL << 63) /* concerns writers only */
#define ENTRY_COMPRESSED (1ULL << 62)
#define ENTRY_ZERO (1ULL << 0)
#define ENTRY_OFFSET 0x00fffffffffffe00ULL
#define L1_RESERVED 0x7f000000000001ffULL
#define L2_RESERVED 0x3f000000000001feULL

static uint64_t cluster_size(const struct qcow2_map *map)
{
	return 1ULL << map->header.cluster_bits;
}

/* Bytes of the disk that one slice describes, and one L2 table. */
static uint64_t slice_span(const struct qcow2_map *map)
{
	return (uint64_t)map->slice_entries << map->header.cluster_bits;
}

static uint64_t table_span(const struct qcow2_map *map)
{
	return 1ULL << (2 * map->header.cluster_bits - 3);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* File offset of the L2 table for a disk offset; 0: there is none, all of it is zero. */
static int find_table(const struct qcow2_map *map, uint64_t offset, uint64_t *table,
		      struct error *err)
{
	uint64_t entry = map->l1[offset / table_span(map)];

	if (entry & L1_RESERVED)
		return error_set(err,
				 "image is corrupt: the L1 entry for disk offset %" PRIu64
				 " has reserved bits set (%#" PRIx64 ")",
				 offset, entry);
	*table = entry & ENTRY_OFFSET;
	if (*table % cluster_size(map) != 0)
		return error_set(err,
				 "image is corrupt: the L2 table for disk offset %" PRIu64
				 " is at file offset %" PRIu64
				 ", which is not the beginning of a cluster",
				 offset, *table);
	return 0;
}

/* Reads the slice that describes offset from the L2 table at file offset `table`. */
static int read_slice(const struct qcow2_map *map, uint64_t table, uint64_t offset,
		      uint64_t *entries, struct error *err)
{
	size_t length = map->slice_entries * sizeof(*entries);
	uint64_t within = offset % table_span(map) / slice_span(map) * length;

	if (image_file_read(map->source->file, "L2 table", entries, length, table + within, err) <
	    0)
		return -1;
	for (uint32_t i = 0; i < map->slice_entries; i++)
		entries[i] = be64toh(entries[i]);
	return 0;
}

/* Called with the lock held; the entries are borrowed and valid while it is. NULL: err says why. */
static const uint64_t *cached_slice(struct qcow2_map *map, uint64_t table, uint64_t offset,
				    struct error *err)
{
	uint64_t number = offset / slice_span(map);
	struct qcow2_slot *slot = &map->slots[number % map->slot_count];

	if (!slot->entries)
		slot->entries = malloc(map->slice_entries * sizeof(*slot->entries));
	if (!slot->entries) {
		error_sys(err, ENOMEM, "read L2 table");
		return NULL;
	}
	if (slot->slice != number + 1) {
		slot->slice = 0;
		if (read_slice(map, table, offset, slot->entries, err) < 0)
			return NULL;
		slot->slice = number + 1;
	}
	return slot->entries;
}

/*
 * Section "Compressed Clusters Descriptor": the offset has as many bits as the sector count leaves
 * it. The count rounds up, so the last sector may reach beyond the end of the file.
 */
static int decode_compressed(const struct qcow2_map *map, uint64_t entry, uint64_t offset,
			     struct qcow2_run *out, struct error *err)
{
	unsigned int bits = 62 - (map->header.cluster_bits - 8);
	uint64_t at = entry & ((1ULL << bits) - 1);
	uint64_t sectors = ((entry & (ENTRY_COMPRESSED - 1)) >> bits) + 1;
	uint64_t length = sectors * 512 - at % 512;

	if (at >> 56)
		return error_set(err,
				 "image is corrupt: the compressed cluster for disk offset %" PRIu64
				 " has reserved bits set (%#" PRIx64 ")",
				 offset, entry);
	if (at == 0)
		return error_set(err,
				 "image is corrupt: the compressed cluster for disk offset %" PRIu64
				 " is at file offset 0",
				 offset);
	if (image_file_has(map->source->file, "compressed cluster", at,
			   length > 511 ? length - 511 : 1, err) < 0)
		return error_in(err, "disk offset %" PRIu64, offset);
	out->kind = QCOW2_COMPRESSED;
	out->file_offset = at;
	out->packed_length = (uint32_t)smaller(length, map->source->file->size - at);
	return 0;
}

static int decode_plain(const struct qcow2_map *map, uint64_t at, uint64_t offset,
			struct qcow2_run *out, struct error *err)
{
	/* The last cluster of the disk may have been written up to the disk's end only. */
	uint64_t needed = smaller(cluster_size(map), map->header.size - offset);

	out->kind = QCOW2_PLAIN;
	out->file_offset = at;
	if (image_file_has(map->source->file, "data cluster", at, needed, err) < 0)
		return error_in(err, "disk offset %" PRIu64, offset);
	return 0;
}

/* What an L2 entry says of the cluster at disk offset `offset` (its beginning). */
static int decode(const struct qcow2_map *map, uint64_t entry, uint64_t offset,
		  struct qcow2_run *out, struct error *err)
{
	uint64_t at = entry & ENTRY_OFFSET;

	*out = (struct qcow2_run){.kind = QCOW2_ZERO, .length = cluster_size(map)};
	if (entry & ENTRY_COMPRESSED)
		return decode_compressed(map, entry, offset, out, err);
	/* Bit 0 came with version 3; before that it was reserved. */
	if (entry & L2_RESERVED || (entry & ENTRY_ZERO && map->header.version < 3))
		return error_set(err,
				 "image is corrupt: the L2 entry for disk offset %" PRIu64
				 " has reserved bits set (%#" PRIx64 ")",
				 offset, entry);
	if (at % cluster_size(map) != 0)
		return error_set(err,
				 "image is corrupt: the data cluster for disk offset %" PRIu64
				 " is at file offset %" PRIu64
				 ", which is not the beginning of a cluster",
				 offset, at);
	if (entry & ENTRY_ZERO || entry == 0)
		return 0;
	if (at == 0)
		return error_set(err,
				 "image is corrupt: the data cluster for disk offset %" PRIu64
				 " is at file offset 0",
				 offset);
	return decode_plain(map, at, offset, out, err);
}

/* Does the cluster `next` continue the run? The two answers that the callers need. */
typedef bool (*joins_fn)(const struct qcow2_run *run, const struct qcow2_run *next);

static bool joins_for_reading(const struct qcow2_run *run, const struct qcow2_run *next)
{
	if (run->kind != next->kind || run->kind == QCOW2_COMPRESSED)
		return false;
	return run->kind == QCOW2_ZERO || next->file_offset == run->file_offset + run->length;
}

static bool joins_as_extent(const struct qcow2_run *run, const struct qcow2_run *next)
{
	return (run->kind == QCOW2_ZERO) == (next->kind == QCOW2_ZERO);
}

/*
 * The run from offset on, within one slice. A damaged entry ends the run before it: the error
 * belongs to whoever asks for the bytes that it describes.
 */
static int run_in_slice(const struct qcow2_map *map, const uint64_t *entries, uint64_t offset,
			uint64_t length, joins_fn joins, struct qcow2_run *run, struct error *err)
{
	uint64_t within = offset % cluster_size(map);
	uint64_t cluster = offset - within;
	uint32_t i = (uint32_t)(offset % slice_span(map) / cluster_size(map));

	if (decode(map, entries[i], cluster, run, err) < 0)
		return -1;
	while (++i < map->slice_entries && run->length - within < length) {
		struct qcow2_run next;

		cluster += cluster_size(map);
		if (decode(map, entries[i], cluster, &next, NULL) < 0 || !joins(run, &next))
			break;
		run->length += cluster_size(map);
	}
	run->length = smaller(run->length - within, length);
	if (run->kind == QCOW2_PLAIN)
		run->file_offset += within;
	return 0;
}

/* Where no L2 table is, and behind it, up to the next that is. */
static void run_without_table(const struct qcow2_map *map, uint64_t offset, uint64_t length,
			      struct qcow2_run *run)
{
	uint64_t end = offset - offset % table_span(map) + table_span(map);

	while (end - offset < length && !(map->l1[end / table_span(map)] & ~ENTRY_COPIED))
		end += table_span(map);
	*run = (struct qcow2_run){.kind = QCOW2_ZERO, .length = smaller(end - offset, length)};
}

static int find_run(struct qcow2_map *map, uint64_t offset, uint64_t length, joins_fn joins,
		    struct qcow2_run *run, struct error *err)
{
	const uint64_t *entries;
	uint64_t table;
	int result = -1;

	if (find_table(map, offset, &table, err) < 0)
		return -1;
	if (table == 0) {
		run_without_table(map, offset, length, run);
		return 0;
	}
	pthread_mutex_lock(&map->lock);
	entries = cached_slice(map, table, offset, err);
	if (entries)
		result = run_in_slice(map, entries, offset, length, joins, run, err);
	pthread_mutex_unlock(&map->lock);
	return result;
}

int qcow2_map_run(struct qcow2_map *map, uint64_t offset, uint64_t length, struct qcow2_run *out,
		  struct error *err)
{
	if (find_run(map, offset, length, joins_for_reading, out, err) < 0)
		return -1;
	/* One read for what a slice's end cuts in two. */
	while (out->length < length && (offset + out->length) % slice_span(map) == 0) {
		struct qcow2_run next;

		if (find_run(map, offset + out->length, length - out->length, joins_for_reading,
			     &next, NULL) < 0 ||
		    !joins_for_reading(out, &next))
			break;
		out->length += next.length;
	}
	return 0;
}

int qcow2_map_extent(struct qcow2_map *map, uint64_t offset, uint64_t length, struct qcow2_run *out,
		     struct error *err)
{
	if (find_run(map, offset, length, joins_as_extent, out, err) < 0)
		return -1;
	/* Bounded, so that asking about all of a large disk answers soon. */
	for (int slices = 0; slices < 64 && out->length < length; slices++) {
		struct qcow2_run next;

		if (find_run(map, offset + out->length, length - out->length, joins_as_extent,
			     &next, NULL) < 0 ||
		    !joins_as_extent(out, &next))
			break;
		out->length += next.length;
	}
	if (out->kind == QCOW2_COMPRESSED)
		out->kind = QCOW2_PLAIN;
	return 0;
}

static int check_slice(const struct qcow2_map *map, uint64_t table, uint64_t offset,
		       uint64_t *entries, struct error *err)
{
	uint64_t left = map->header.size - offset;
	struct qcow2_run run;

	if (read_slice(map, table, offset, entries, err) < 0)
		return -1;
	for (uint32_t i = 0; i < map->slice_entries && i * cluster_size(map) < left; i++)
		if (decode(map, entries[i], offset + i * cluster_size(map), &run, err) < 0)
			return -1;
	return 0;
}

int qcow2_map_check(const struct qcow2_map *map, struct error *err)
{
	_cleanup_free_ uint64_t *entries = malloc(map->slice_entries * sizeof(*entries));
	uint64_t offset = 0;

	if (!entries)
		return error_sys(err, ENOMEM, "read L2 tables");
	while (offset < map->header.size) {
		uint64_t table;

		if (find_table(map, offset, &table, err) < 0)
			return -1;
		if (table != 0 && check_slice(map, table, offset, entries, err) < 0)
			return -1;
		offset += table != 0 ? slice_span(map) : table_span(map);
	}
	return 0;
}

static int read_l1(struct qcow2_map *map, struct error *err)
{
	size_t length = map->header.l1_entries * sizeof(*map->l1);

	/* Asked first, so that a small file cannot make us allocate much. */
	if (image_file_has(map->source->file, "L1 table", map->header.l1_offset, length, err) < 0)
		return -1;
	map->l1 = malloc(length);
	if (!map->l1)
		return error_sys(err, ENOMEM, "read L1 table");
	if (image_file_read(map->source->file, "L1 table", map->l1, length, map->header.l1_offset,
			    err) < 0)
		return -1;
	for (uint32_t i = 0; i < map->header.l1_entries; i++)
		map->l1[i] = be64toh(map->l1[i]);
	return 0;
}

int qcow2_map_init(struct qcow2_map *map, const struct source *source,
		   const struct qcow2_header *header, struct error *err)
{
	uint64_t slice_size = smaller(1ULL << header->cluster_bits, SLICE_LIMIT);
	uint64_t slices;

	*map = (struct qcow2_map){.source = source, .header = *header};
	pthread_mutex_init(&map->lock, NULL);
	map->slice_entries = (uint32_t)(slice_size / sizeof(uint64_t));
	slices = (header->size - 1) / slice_span(map) + 1;
	map->slot_count = (size_t)smaller(slices, CACHE_LIMIT / slice_size);
	map->slots = calloc(map->slot_count, sizeof(*map->slots));
	if (!map->slots)
		return error_sys(err, ENOMEM, "make room for L2 tables");
	return read_l1(map, err);
}

void qcow2_map_release(struct qcow2_map *map)
{
	for (size_t i = 0; i < map->slot_count && map->slots; i++)
		free(map->slots[i].entries);
	free(map->slots);
	free(map->l1);
	pthread_mutex_destroy(&map->lock);
}
