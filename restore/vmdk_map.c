// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Grain tables have one slot each where they may be kept (their number modulo the number of slots):
 * reading in order, as a restore does, never evicts what is still needed. The redundant directory
 * and tables are not read.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>

#include "base/number.h"
#include "base/scope.h"
#include "restore/vmdk.h"

#define CACHE_LIMIT (8U << 20)
#define ENTRY_ZERO 1U /* where the header says so */

/* Bytes of the disk that one grain table describes. */
static uint64_t table_span(const struct vmdk_map *map)
{
	return (uint64_t)map->header.table_entries * map->header.grain_size;
}

static size_t table_length(const struct vmdk_map *map)
{
	return map->header.table_entries * sizeof(uint32_t);
}

static uint64_t directory_length(const struct vmdk_map *map)
{
	return map->header.directory_entries * sizeof(uint32_t);
}

static bool overlap(uint64_t a, uint64_t a_length, uint64_t b, uint64_t b_length)
{
	return a < b + b_length && b < a + a_length;
}

/* Is the range in the file, and none that header, descriptor or directory take? */
static int check_place(const struct vmdk_map *map, const char *what, uint64_t disk_offset,
		       uint64_t at, uint64_t length, struct error *err)
{
	const struct vmdk_header *header = &map->header;

	if (image_file_has(map->file, what, at, length, err) < 0)
		return -1;
	if (!overlap(at, length, 0, VMDK_SECTOR) &&
	    !overlap(at, length, header->descriptor_offset, header->descriptor_length) &&
	    !overlap(at, length, header->directory_offset, directory_length(map)))
		return 0;
	return error_set(err,
			 "image is corrupt: the %s for disk offset %" PRIu64
			 " is at file offset %" PRIu64
			 ", where the header, the descriptor or the grain directory is",
			 what, disk_offset, at);
}

/* File offset of the grain table for a disk offset; 0: there is none, all of it is zero. */
static uint64_t table_at(const struct vmdk_map *map, uint64_t offset)
{
	return (uint64_t)map->directory[offset / table_span(map)] * VMDK_SECTOR;
}

static int read_table(const struct vmdk_map *map, uint64_t offset, uint32_t *entries,
		      struct error *err)
{
	uint64_t at = table_at(map, offset);
	size_t length = table_length(map);

	if (check_place(map, "grain table", offset, at, length, err) < 0 ||
	    image_file_read(map->file, "grain table", entries, length, at, err) < 0)
		return -1;
	for (uint32_t i = 0; i < map->header.table_entries; i++)
		entries[i] = le32toh(entries[i]);
	return 0;
}

/* Called with the lock held; the entries are borrowed and valid while it is. NULL: err says why. */
static const uint32_t *cached_table(struct vmdk_map *map, uint64_t offset, struct error *err)
{
	uint32_t number = (uint32_t)(offset / table_span(map));
	struct vmdk_slot *slot = &map->slots[number % map->slot_count];

	if (!slot->entries)
		slot->entries = malloc(table_length(map));
	if (!slot->entries) {
		error_sys(err, ENOMEM, "read grain table");
		return NULL;
	}
	if (slot->table != number + 1) {
		slot->table = 0;
		if (read_table(map, offset, slot->entries, err) < 0)
			return NULL;
		slot->table = number + 1;
	}
	return slot->entries;
}

/*
 * How much to read for a packed grain, whose length only its marker tells: no grain reaches into
 * the next, and the tables of images that were written in order say where that is.
 */
static uint32_t packed_length(const struct vmdk_map *map, const uint32_t *entries, uint32_t i)
{
	uint64_t at = (uint64_t)entries[i] * VMDK_SECTOR;
	uint64_t length = smaller(map->file->size - at, vmdk_packed_limit(&map->header));

	while (++i < map->header.table_entries && entries[i] <= ENTRY_ZERO)
		;
	if (i < map->header.table_entries && entries[i] * (uint64_t)VMDK_SECTOR > at)
		length = smaller(length, entries[i] * (uint64_t)VMDK_SECTOR - at);
	return (uint32_t)length;
}

/* The run of exactly the grain that begins at disk offset `offset` and has the table's entry i. */
static int decode(const struct vmdk_map *map, const uint32_t *entries, uint32_t i, uint64_t offset,
		  struct vmdk_run *out, struct error *err)
{
	uint64_t at = (uint64_t)entries[i] * VMDK_SECTOR;
	uint32_t length = vmdk_grain_length(&map->header, offset);

	*out = (struct vmdk_run){.kind = VMDK_ZERO, .length = length};
	if (at == 0 || (entries[i] == ENTRY_ZERO && map->header.has_zero_grains))
		return 0;
	out->kind = map->header.is_compressed ? VMDK_PACKED : VMDK_PLAIN;
	out->file_offset = at;
	if (out->kind == VMDK_PACKED)
		length = VMDK_MARKER_LENGTH + 1;
	if (check_place(map, "grain", offset, at, length, err) < 0)
		return -1;
	if (out->kind == VMDK_PACKED)
		out->packed_length = packed_length(map, entries, i);
	return 0;
}

/* Does the grain `next` continue the run? The two answers that the callers need. */
typedef bool (*joins_fn)(const struct vmdk_run *run, const struct vmdk_run *next);

static bool joins_for_reading(const struct vmdk_run *run, const struct vmdk_run *next)
{
	if (run->kind != next->kind || run->kind == VMDK_PACKED)
		return false;
	return run->kind == VMDK_ZERO || next->file_offset == run->file_offset + run->length;
}

static bool joins_as_extent(const struct vmdk_run *run, const struct vmdk_run *next)
{
	return (run->kind == VMDK_ZERO) == (next->kind == VMDK_ZERO);
}

/*
 * The run from offset on, within one table. A damaged entry ends the run before it: the error
 * belongs to whoever asks for the bytes that it describes.
 */
static int run_in_table(const struct vmdk_map *map, const uint32_t *entries, uint64_t offset,
			uint64_t length, joins_fn joins, struct vmdk_run *run, struct error *err)
{
	uint32_t grain_size = map->header.grain_size;
	uint64_t within = offset % grain_size, grain = offset - within;
	uint32_t i = (uint32_t)(offset % table_span(map) / grain_size);

	if (decode(map, entries, i, grain, run, err) < 0)
		return -1;
	while (++i < map->header.table_entries && run->length - within < length) {
		struct vmdk_run next;

		grain += grain_size;
		if (decode(map, entries, i, grain, &next, NULL) < 0 || !joins(run, &next))
			break;
		run->length += next.length;
	}
	run->length = smaller(run->length - within, length);
	if (run->kind == VMDK_PLAIN)
		run->file_offset += within;
	return 0;
}

/* Where no grain table is, and behind it, up to the next that is. */
static void run_without_table(const struct vmdk_map *map, uint64_t offset, uint64_t length,
			      struct vmdk_run *run)
{
	uint64_t end = offset - offset % table_span(map) + table_span(map);

	while (end - offset < length && table_at(map, end) == 0)
		end += table_span(map);
	*run = (struct vmdk_run){.kind = VMDK_ZERO, .length = smaller(end - offset, length)};
}

static int find_run(struct vmdk_map *map, uint64_t offset, uint64_t length, joins_fn joins,
		    struct vmdk_run *run, struct error *err)
{
	const uint32_t *entries;
	int result = -1;

	if (table_at(map, offset) == 0) {
		run_without_table(map, offset, length, run);
		return 0;
	}
	pthread_mutex_lock(&map->lock);
	entries = cached_table(map, offset, err);
	if (entries)
		result = run_in_table(map, entries, offset, length, joins, run, err);
	pthread_mutex_unlock(&map->lock);
	return result;
}

int vmdk_map_run(struct vmdk_map *map, uint64_t offset, uint64_t length, struct vmdk_run *out,
		 struct error *err)
{
	return find_run(map, offset, length, joins_for_reading, out, err);
}

int vmdk_map_extent(struct vmdk_map *map, uint64_t offset, uint64_t length, struct vmdk_run *out,
		    struct error *err)
{
	if (find_run(map, offset, length, joins_as_extent, out, err) < 0)
		return -1;
	/* Bounded, so that asking about all of a large disk answers soon. */
	for (int tables = 0; tables < 64 && out->length < length; tables++) {
		struct vmdk_run next;

		if (find_run(map, offset + out->length, length - out->length, joins_as_extent,
			     &next, NULL) < 0 ||
		    !joins_as_extent(out, &next))
			break;
		out->length += next.length;
	}
	if (out->kind == VMDK_PACKED)
		out->kind = VMDK_PLAIN;
	return 0;
}

static int check_table(const struct vmdk_map *map, uint64_t offset, uint32_t *entries,
		       struct error *err)
{
	struct vmdk_run run;

	if (read_table(map, offset, entries, err) < 0)
		return -1;
	for (uint32_t i = 0; i < map->header.table_entries && offset < map->header.size; i++) {
		if (decode(map, entries, i, offset, &run, err) < 0)
			return -1;
		offset += map->header.grain_size;
	}
	return 0;
}

int vmdk_map_check(const struct vmdk_map *map, struct error *err)
{
	_cleanup_free_ uint32_t *entries = malloc(table_length(map));

	if (!entries)
		return error_sys(err, ENOMEM, "read grain tables");
	for (uint64_t offset = 0; offset < map->header.size; offset += table_span(map))
		if (table_at(map, offset) != 0 && check_table(map, offset, entries, err) < 0)
			return -1;
	return 0;
}

static int read_directory(struct vmdk_map *map, struct error *err)
{
	const struct vmdk_header *header = &map->header;
	uint64_t at = header->directory_offset, length = directory_length(map);

	/* Asked first, so that a small file cannot make us allocate much. */
	if (image_file_has(map->file, "grain directory", at, length, err) < 0)
		return -1;
	if (overlap(at, length, 0, VMDK_SECTOR) ||
	    overlap(at, length, header->descriptor_offset, header->descriptor_length))
		return error_set(err,
				 "image is corrupt: its grain directory is at file offset %" PRIu64
				 ", where the header or the descriptor is",
				 at);
	map->directory = malloc(length);
	if (!map->directory)
		return error_sys(err, ENOMEM, "read grain directory");
	if (image_file_read(map->file, "grain directory", map->directory, length, at, err) < 0)
		return -1;
	for (uint32_t i = 0; i < header->directory_entries; i++)
		map->directory[i] = le32toh(map->directory[i]);
	return 0;
}

int vmdk_map_init(struct vmdk_map *map, const struct image_file *file,
		  const struct vmdk_header *header, struct error *err)
{
	*map = (struct vmdk_map){.file = file, .header = *header};
	pthread_mutex_init(&map->lock, NULL);
	map->slot_count = smaller(header->directory_entries, CACHE_LIMIT / table_length(map));
	map->slots = calloc(map->slot_count, sizeof(*map->slots));
	if (!map->slots)
		return error_sys(err, ENOMEM, "make room for grain tables");
	return read_directory(map, err);
}

void vmdk_map_release(struct vmdk_map *map)
{
	for (size_t i = 0; i < map->slot_count && map->slots; i++)
		free(map->slots[i].entries);
	free(map->slots);
	free(map->directory);
	pthread_mutex_destroy(&map->lock);
}
