// SPDX-License-Identifier: GPL-3.0-or-later
/* Section "Snapshots". */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/qcow2.h"

#define COUNT_LIMIT 65536 /* the limit that QEMU sets */
#define ENTRY_LENGTH 40   /* without extra data, ID and name */
#define NAMES_SHOWN 16

/* As in the file; numbers are big-endian. */
struct entry {
	uint64_t l1_offset;
	uint32_t l1_entries;
	uint16_t id_length, name_length;
	uint32_t seconds, nanoseconds;
	uint64_t guest_nanoseconds;
	uint32_t state_size, extra_length;
	uint64_t large_state_size, disk_size; /* of the extra data */
};

_Static_assert(sizeof(struct entry) == ENTRY_LENGTH + 16, "as the specification has it");

static void snapshot_release(struct qcow2_snapshot *snapshot)
{
	free(snapshot->id);
	free(snapshot->name);
}

static int read_string(const struct image_file *file, uint16_t length, uint64_t offset, char **out,
		       struct error *err)
{
	*out = calloc(1, length + 1U);
	if (!*out)
		return error_sys(err, ENOMEM, "read the snapshot table");
	return image_file_read(file, "snapshot table", *out, length, offset, err);
}

/* Reads the entry at *offset and moves *offset to the next. */
static int read_snapshot(const struct image_file *file, const struct qcow2_header *header,
			 uint64_t *offset, struct qcow2_snapshot *out, struct error *err)
{
	struct entry entry = {0};
	uint64_t at = *offset;
	uint32_t extra;

	if (image_file_read(file, "snapshot table", &entry, ENTRY_LENGTH, at, err) < 0)
		return -1;
	extra = be32toh(entry.extra_length);
	at += ENTRY_LENGTH;
	if (extra >= 16 && image_file_read(file, "snapshot table", (uint8_t *)&entry + ENTRY_LENGTH,
					   16, at, err) < 0)
		return -1;
	*out = (struct qcow2_snapshot){
		.l1_offset = be64toh(entry.l1_offset),
		.l1_entries = be32toh(entry.l1_entries),
		.size = extra >= 16 ? be64toh(entry.disk_size) : header->size,
		.seconds = be32toh(entry.seconds),
	};
	at += extra;
	if (read_string(file, be16toh(entry.id_length), at, &out->id, err) < 0)
		return -1;
	at += be16toh(entry.id_length);
	if (read_string(file, be16toh(entry.name_length), at, &out->name, err) < 0)
		return -1;
	*offset = (at + be16toh(entry.name_length) + 7) & ~7ULL;
	return 0;
}

static int check_table(const struct qcow2_header *header, struct error *err)
{
	if (header->snapshots > COUNT_LIMIT)
		return error_set(
			err, "image is corrupt: it claims %" PRIu32 " snapshots (%d are possible)",
			header->snapshots, COUNT_LIMIT);
	if (header->snapshots > 0 && header->snapshots_offset % (1U << header->cluster_bits) != 0)
		return error_set(err,
				 "image is corrupt: its snapshot table is at file offset %" PRIu64
				 ", which is not the beginning of a cluster",
				 header->snapshots_offset);
	return 0;
}

int qcow2_snapshot_each(const struct image_file *file, const struct qcow2_header *header,
			qcow2_snapshot_fn found, void *data, struct error *err)
{
	uint64_t offset = header->snapshots_offset;
	int result = 0;

	if (check_table(header, err) < 0)
		return -1;
	for (uint32_t i = 0; i < header->snapshots && result == 0; i++) {
		_cleanup_(snapshot_release) struct qcow2_snapshot snapshot = {0};

		if (read_snapshot(file, header, &offset, &snapshot, err) < 0)
			return -1;
		result = found(&snapshot, data);
	}
	return result;
}

struct search {
	const char *wanted;
	bool is_found_by_name, is_found_by_id;
	struct qcow2_snapshot found; /* without its strings */
	struct strings names;        /* of the first snapshots */
};

static void search_release(struct search *search)
{
	strings_release(&search->names);
}

static void note_name(struct search *search, const char *name)
{
	_cleanup_free_ char *shown = NULL;

	if (search->names.count >= NAMES_SHOWN)
		return;
	shown = qcow2_printable(name);
	strings_addf(&search->names, "%.64s", shown);
}

static int look(const struct qcow2_snapshot *snapshot, void *data)
{
	struct search *search = data;

	note_name(search, snapshot->name);
	search->is_found_by_name = string_equal(snapshot->name, search->wanted);
	if (search->is_found_by_name ||
	    (!search->is_found_by_id && string_equal(snapshot->id, search->wanted))) {
		search->is_found_by_id = !search->is_found_by_name;
		search->found = *snapshot;
		search->found.id = search->found.name = NULL;
	}
	return search->is_found_by_name;
}

static int refuse_unknown(const struct search *search, uint32_t count, struct error *err)
{
	_cleanup_free_ char *names = NULL;

	if (count == 0)
		return error_set(err, "the image has no snapshot '%s': it has none at all",
				 search->wanted);
	names = strings_join(&search->names, ", ");
	return error_set(err, "the image has no snapshot '%s': it has %s%s", search->wanted, names,
			 count > search->names.count ? ", …" : "");
}

int qcow2_snapshot_select(const struct image_file *file, struct qcow2_header *header,
			  const char *name, struct error *err)
{
	_cleanup_(search_release) struct search search = {.wanted = name};

	if (header->data_name)
		return error_set(err,
				 "an image with a data file holds its newest state only: "
				 "snapshot '%s' cannot be read",
				 name);
	if (qcow2_snapshot_each(file, header, look, &search, err) < 0)
		return -1;
	if (!search.is_found_by_name && !search.is_found_by_id)
		return refuse_unknown(&search, header->snapshots, err);
	header->size = search.found.size;
	if (header->size == 0)
		return error_set(err, "the disk in snapshot '%s' has a size of 0", name);
	if (qcow2_header_set_l1(header, search.found.l1_offset, search.found.l1_entries, err) < 0)
		return error_in(err, "snapshot '%s'", name);
	return 0;
}
