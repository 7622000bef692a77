// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/scope.h"
#include "restore/qcow2.h"

static int compare_offsets(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Each of the count tables has a place of its own. */
static int check_places(const struct qcow2_map *map, uint64_t *tables, size_t count,
			struct error *err)
{
	const struct qcow2_header *header = map->header;
	uint64_t cluster = 1ULL << header->cluster_bits;
	uint64_t l1_end = header->l1_offset + header->l1_entries * sizeof(uint64_t);

	qsort(tables, count, sizeof(*tables), compare_offsets);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && tables[i] == tables[i - 1])
			return error_set(err,
					 "image is corrupt: two entries of its L1 table name the "
					 "same L2 table at file offset %" PRIu64,
					 tables[i]);
		if (tables[i] + cluster > header->l1_offset && tables[i] < l1_end)
			return error_set(err,
					 "image is corrupt: the L2 table at file offset %" PRIu64
					 " and the L1 table overlap",
					 tables[i]);
	}
	return 0;
}

/* Tables in the hole of a sparse file describe nothing, and there may be terabytes of them. */
static bool is_hole(const struct image_file *file, uint64_t offset, uint64_t length)
{
	off_t data;

	if (file->fd < 0)
		return false;
	data = lseek(file->fd, (off_t)offset, SEEK_DATA);
	return data < 0 ? errno == ENXIO : (uint64_t)data >= offset + length;
}

/* Entries that are not part of the disk are not looked at. */
static int check_entries(const struct qcow2_map *map, const uint64_t *words, uint64_t offset,
			 uint64_t end, struct error *err)
{
	uint64_t cluster = 1ULL << map->header->cluster_bits;
	struct qcow2_run run;

	for (; offset < end; offset += cluster, words += map->words_per_entry)
		if (qcow2_entry_run(map, words, offset, &run, err) < 0)
			return -1;
	return 0;
}

static int check_table(const struct qcow2_map *map, uint64_t table, uint64_t offset,
		       uint64_t *words, struct error *err)
{
	uint64_t cluster = 1ULL << map->header->cluster_bits, left = map->header->size - offset;
	uint64_t end = offset + (left < map->table_span ? left : map->table_span);

	if (image_file_has(map->file, "L2 table", table, cluster, err) < 0)
		return -1;
	if (is_hole(map->file, table, cluster))
		return 0;
	for (; offset < end; offset += map->slice_span, table += map->l2.slice_size) {
		uint64_t stop = end - offset < map->slice_span ? end : offset + map->slice_span;

		if (qcow2_words_read(map->file, "L2 table", words, map->l2.slice_size, table, err) <
			    0 ||
		    check_entries(map, words, offset, stop, err) < 0)
			return -1;
	}
	return 0;
}

/* The file offsets of all L2 tables; *out has room for them. */
static int list_tables(struct qcow2_map *map, uint64_t *out, size_t *count, struct error *err)
{
	*count = 0;
	for (uint64_t offset = 0; offset < map->header->size; offset += map->table_span) {
		if (qcow2_map_table(map, offset, &out[*count], err) < 0)
			return -1;
		if (out[*count] != 0)
			(*count)++;
	}
	return 0;
}

/* At most 32 MiB for a moment, where the L1 table is as large as it may be. */
static int check_tables_apart(struct qcow2_map *map, struct error *err)
{
	_cleanup_free_ uint64_t *tables = malloc(map->header->l1_entries * sizeof(*tables));
	size_t count;

	if (!tables)
		return error_sys(err, ENOMEM, "check the L1 table");
	if (list_tables(map, tables, &count, err) < 0)
		return -1;
	return check_places(map, tables, count, err);
}

int qcow2_check(struct qcow2_map *map, struct error *err)
{
	_cleanup_free_ uint64_t *words = malloc(map->l2.slice_size);
	uint64_t table;

	if (!words)
		return error_sys(err, ENOMEM, "read L2 tables");
	if (check_tables_apart(map, err) < 0)
		return -1;
	for (uint64_t offset = 0; offset < map->header->size; offset += map->table_span) {
		if (qcow2_map_table(map, offset, &table, err) < 0)
			return -1;
		if (table != 0 && check_table(map, table, offset, words, err) < 0)
			return -1;
	}
	return 0;
}
