// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * L1 and L2 tables are used in slices, so that an image with clusters of 2 MiB needs no more memory
 * than one with clusters of 512 bytes.
 */
#include "base/number.h"
#include "restore/qcow2.h"

#define SLICE_LIMIT (64U << 10)
#define LOOK_AHEAD 64 /* slices, so that asking about all of a large disk answers soon */

static uint64_t l1_length(const struct qcow2_map *map)
{
	return map->header->l1_entries * sizeof(uint64_t);
}

/* The slice of the L1 table with this number; unlock map->l1. */
static const uint64_t *lock_l1(struct qcow2_map *map, uint64_t number, struct error *err)
{
	uint64_t at = number * map->l1.slice_size;
	uint64_t length = smaller(l1_length(map) - at, map->l1.slice_size);

	return qcow2_cache_lock(&map->l1, number, map->header->l1_offset + at, (size_t)length, err);
}

int qcow2_map_table(struct qcow2_map *map, uint64_t offset, uint64_t *table, struct error *err)
{
	uint64_t per_slice = map->l1.slice_size / sizeof(uint64_t);
	uint64_t i = offset / map->table_span;
	const uint64_t *entries = lock_l1(map, i / per_slice, err);
	uint64_t entry;

	if (!entries)
		return -1;
	entry = entries[i % per_slice];
	qcow2_cache_unlock(&map->l1, i / per_slice);
	return qcow2_entry_table(map, entry, offset, table, err);
}

/* Does `next` continue the run? The two answers that the callers need. */
typedef bool (*joins_fn)(const struct qcow2_run *run, const struct qcow2_run *next);

static bool joins_for_reading(const struct qcow2_run *run, const struct qcow2_run *next)
{
	if (run->kind != next->kind || run->kind == QCOW2_COMPRESSED)
		return false;
	return run->kind != QCOW2_PLAIN || next->file_offset == run->file_offset + run->length;
}

static enum qcow2_kind kind_of_extent(const struct qcow2_run *run)
{
	return run->kind == QCOW2_COMPRESSED ? QCOW2_PLAIN : run->kind;
}

static bool joins_as_extent(const struct qcow2_run *run, const struct qcow2_run *next)
{
	return kind_of_extent(run) == kind_of_extent(next);
}

/* The entry for offset in its slice. */
static const uint64_t *entry_of(const struct qcow2_map *map, const uint64_t *slice, uint64_t offset)
{
	uint64_t i = (offset % map->slice_span) >> map->header->cluster_bits;

	return slice + i * map->words_per_entry;
}

/*
 * The run from offset on, within one slice. A damaged entry ends the run before it: the error
 * belongs to whoever asks for the bytes that it describes.
 */
static int run_in_slice(const struct qcow2_map *map, const uint64_t *slice, uint64_t offset,
			uint64_t length, joins_fn joins, struct qcow2_run *run, struct error *err)
{
	uint64_t at = offset;

	if (qcow2_entry_run(map, entry_of(map, slice, at), at, run, err) < 0)
		return -1;
	for (at += run->length; run->length < length && at % map->slice_span != 0;
	     at = offset + run->length) {
		struct qcow2_run next;

		if (qcow2_entry_run(map, entry_of(map, slice, at), at, &next, NULL) < 0 ||
		    !joins(run, &next))
			break;
		run->length += next.length;
	}
	run->length = smaller(run->length, length);
	return 0;
}

/* The number of the first L1 entry from `i` on, and below `end`, that names a table, or the end of
 * the slice that entry i is in. */
static uint64_t skip_empty(struct qcow2_map *map, uint64_t i, uint64_t end)
{
	uint64_t per_slice = map->l1.slice_size / sizeof(uint64_t), slice = i / per_slice;
	const uint64_t *entries = lock_l1(map, slice, NULL);
	uint64_t found = i;

	if (!entries)
		return i;
	while (found < end && found / per_slice == slice && entries[found % per_slice] == 0)
		found++;
	qcow2_cache_unlock(&map->l1, slice);
	return found;
}

/* Where no L2 table is, and behind it, up to the next that is. */
static void run_without_table(struct qcow2_map *map, uint64_t offset, uint64_t length,
			      struct qcow2_run *run)
{
	uint64_t end = (offset + length - 1) / map->table_span + 1;
	uint64_t i = offset / map->table_span + 1, next;

	for (; i < end; i = next) {
		next = skip_empty(map, i, end);
		if (next == i)
			break;
	}
	*run = (struct qcow2_run){
		.kind = map->header->backing_name ? QCOW2_BACKING : QCOW2_ZERO,
		.length = smaller(i * map->table_span - offset, length),
	};
}

static int find_run(struct qcow2_map *map, uint64_t offset, uint64_t length, joins_fn joins,
		    struct qcow2_run *run, struct error *err)
{
	uint64_t number = offset / map->slice_span;
	uint64_t within = offset % map->table_span / map->slice_span * map->l2.slice_size;
	const uint64_t *slice;
	uint64_t table;
	int result;

	if (qcow2_map_table(map, offset, &table, err) < 0)
		return -1;
	if (table == 0) {
		run_without_table(map, offset, length, run);
		return 0;
	}
	slice = qcow2_cache_lock(&map->l2, number, table + within, map->l2.slice_size, err);
	if (!slice)
		return -1;
	result = run_in_slice(map, slice, offset, length, joins, run, err);
	qcow2_cache_unlock(&map->l2, number);
	return result;
}

/* Goes on where a slice's end cuts a run in two. */
static void join_slices(struct qcow2_map *map, uint64_t offset, uint64_t length, joins_fn joins,
			struct qcow2_run *run)
{
	for (int i = 0; i < LOOK_AHEAD && run->length < length; i++) {
		struct qcow2_run next;

		if ((offset + run->length) % map->slice_span != 0 ||
		    find_run(map, offset + run->length, length - run->length, joins, &next, NULL) <
			    0 ||
		    !joins(run, &next))
			return;
		run->length += next.length;
	}
}

int qcow2_map_run(struct qcow2_map *map, uint64_t offset, uint64_t length, struct qcow2_run *out,
		  struct error *err)
{
	if (find_run(map, offset, length, joins_for_reading, out, err) < 0)
		return -1;
	join_slices(map, offset, length, joins_for_reading, out);
	return 0;
}

int qcow2_map_extent(struct qcow2_map *map, uint64_t offset, uint64_t length, struct qcow2_run *out,
		     struct error *err)
{
	if (find_run(map, offset, length, joins_as_extent, out, err) < 0)
		return -1;
	join_slices(map, offset, length, joins_as_extent, out);
	out->kind = kind_of_extent(out);
	return 0;
}

int qcow2_map_init(struct qcow2_map *map, const struct image_file *file,
		   const struct image_file *data, const struct qcow2_header *header, uint64_t limit,
		   struct error *err)
{
	uint64_t cluster = 1ULL << header->cluster_bits;
	size_t slice = (size_t)smaller(cluster, SLICE_LIMIT);

	*map = (struct qcow2_map){
		.file = file,
		.data = data ? data : file,
		.header = header,
		.words_per_entry = header->has_extended_l2 ? 2 : 1,
	};
	map->table_span = cluster / sizeof(uint64_t) / map->words_per_entry * cluster;
	map->slice_span = slice / sizeof(uint64_t) / map->words_per_entry * cluster;
	if (image_file_has(file, "L1 table", header->l1_offset, l1_length(map), err) < 0)
		return -1;
	if (qcow2_cache_init(&map->l1, file, "L1 table", SLICE_LIMIT,
			     (l1_length(map) - 1) / SLICE_LIMIT + 1, limit / 8, err) < 0)
		return -1;
	return qcow2_cache_init(&map->l2, file, "L2 table", slice,
				(header->size - 1) / map->slice_span + 1, limit - limit / 8, err);
}

void qcow2_map_release(struct qcow2_map *map)
{
	qcow2_cache_release(&map->l1);
	qcow2_cache_release(&map->l2);
}
