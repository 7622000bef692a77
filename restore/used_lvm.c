// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/used_lvm.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/used_bytes.h"

enum {
	SECTOR = 512,
	LABEL_SECTORS = 4, /* the label is in one of the first */
	ID = 32,
	METADATA_HEADER = 512,
	METADATA_LIMIT = 1 << 20, /* bytes of text; a volume takes about 600 */
	LOCATION_IGNORED = 1,
	PV_AREAS = 40, /* of the PV header: where the list of data areas begins */
	AREA = 16,     /* offset and size */
};

#define INITIAL_CRC 0xf597a6cfU

static bool has_checksum(const uint8_t *data, size_t length, uint32_t want)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	(void)data;
	(void)length;
	(void)want;
	return true;
#else
	/* LVM neither inverts before nor after. */
	return ~libdeflate_crc32(~INITIAL_CRC, data, length) == want;
#endif
}

/* What the text says, while it is read. */
struct metadata {
	struct used_lvm *out;
	const char *id; /* of the physical volume that the text was found on, without dashes */
	uint64_t limit; /* length of the physical volume in sectors */
	uint64_t extent_size, start, extents; /* sectors, sectors, extents */
	unsigned int physical_volumes;
	bool is_ours;
	/* Of the segment that is being read. */
	uint64_t segment_start, segment_extents, first_extent, stripes;
	bool is_linear;
	struct used_lvm_word device, physical_volume;
	uint64_t volume_extents;
};

static bool is_in(const struct used_lvm_setting *setting, size_t depth, const char *name)
{
	return setting->depth == depth && depth > 1 && used_lvm_word_is(&setting->section[1], name);
}

static int begin_volume(struct metadata *metadata, const struct used_lvm_word *name)
{
	struct used_lvm *out = metadata->out;

	out->volume = reallocarray(out->volume, out->volumes + 1, sizeof(*out->volume));
	if (!out->volume)
		abort();
	out->volume[out->volumes++] = (struct used_lvm_volume){
		.name = string_format("%.*s", (int)name->length, name->start)};
	metadata->volume_extents = 0;
	return USED_KNOWN;
}

static int begin(void *context, const struct used_lvm_setting *setting, struct error *err)
{
	struct metadata *metadata = context;
	const struct used_lvm_word *name = &setting->section[setting->depth - 1];

	if (setting->depth == 1 && !metadata->out->group)
		metadata->out->group = string_format("%.*s", (int)name->length, name->start);
	if (is_in(setting, 3, "physical_volumes")) {
		metadata->physical_volumes++;
		metadata->physical_volume = *name;
	}
	if (is_in(setting, 3, "logical_volumes"))
		return begin_volume(metadata, name);
	if (is_in(setting, 4, "logical_volumes")) {
		metadata->segment_start = metadata->segment_extents = UINT64_MAX;
		metadata->first_extent = metadata->stripes = UINT64_MAX;
		metadata->is_linear = false;
		metadata->device = (struct used_lvm_word){.start = ""};
	}
	if (setting->depth > 4 && is_in(setting, setting->depth, "logical_volumes"))
		return used_decline(err, "it has volumes that are not linear");
	return USED_KNOWN;
}

/* "AbcdEf-ghij-…" is the id with dashes. */
static bool is_id(const struct used_lvm_word *word, const char *id)
{
	size_t at = 0;

	for (size_t i = 0; i < word->length; i++) {
		if (word->start[i] == '-')
			continue;
		if (at == ID || word->start[i] != id[at])
			return false;
		at++;
	}
	return at == ID;
}

static int set_segment(struct metadata *metadata, const struct used_lvm_setting *setting)
{
	const struct used_lvm_word *value = &setting->value[0];

	if (used_lvm_word_is(&setting->name, "type"))
		metadata->is_linear = used_lvm_word_is(value, "striped");
	if (used_lvm_word_is(&setting->name, "stripes") && setting->values == 2) {
		metadata->device = *value;
		used_lvm_word_number(&setting->value[1], &metadata->first_extent);
	}
	if (used_lvm_word_is(&setting->name, "stripe_count"))
		used_lvm_word_number(value, &metadata->stripes);
	if (used_lvm_word_is(&setting->name, "start_extent"))
		used_lvm_word_number(value, &metadata->segment_start);
	if (used_lvm_word_is(&setting->name, "extent_count"))
		used_lvm_word_number(value, &metadata->segment_extents);
	return USED_KNOWN;
}

static int set(void *context, const struct used_lvm_setting *setting, struct error *err)
{
	struct metadata *metadata = context;
	const struct used_lvm_word *value = &setting->value[0];

	(void)err;
	if (setting->values == 0)
		return USED_KNOWN;
	if (setting->depth == 1 && used_lvm_word_is(&setting->name, "extent_size"))
		used_lvm_word_number(value, &metadata->extent_size);
	if (is_in(setting, 4, "logical_volumes"))
		return set_segment(metadata, setting);
	if (!is_in(setting, 3, "physical_volumes"))
		return USED_KNOWN;
	if (used_lvm_word_is(&setting->name, "pe_start"))
		used_lvm_word_number(value, &metadata->start);
	if (used_lvm_word_is(&setting->name, "pe_count"))
		used_lvm_word_number(value, &metadata->extents);
	if (used_lvm_word_is(&setting->name, "id"))
		metadata->is_ours = is_id(value, metadata->id);
	return USED_KNOWN;
}

/* LVM writes the group's own settings and its physical volumes before the logical ones. */
static int check_group(const struct metadata *metadata, struct error *err)
{
	if (metadata->physical_volumes > 1)
		return used_decline(err, "its volume group has more than one physical volume");
	if (metadata->physical_volumes == 0 || !metadata->is_ours || metadata->extent_size == 0 ||
	    metadata->start > metadata->limit ||
	    metadata->extents > (metadata->limit - metadata->start) / metadata->extent_size)
		return used_decline(err, "its metadata is contradictory");
	return USED_KNOWN;
}

static struct used_segment segment_of(const struct metadata *metadata, uint64_t extent,
				      uint64_t count)
{
	return (struct used_segment){
		.offset = (metadata->start + extent * metadata->extent_size) * SECTOR,
		.length = count * metadata->extent_size * SECTOR,
	};
}

static bool is_same(const struct used_lvm_word *a, const struct used_lvm_word *b)
{
	return a->length == b->length && memcmp(a->start, b->start, a->length) == 0;
}

static int end_segment(struct metadata *metadata, struct error *err)
{
	struct used_lvm_volume *volume = &metadata->out->volume[metadata->out->volumes - 1];
	int r = check_group(metadata, err);

	if (r != USED_KNOWN)
		return r;
	if (!metadata->is_linear || metadata->stripes != 1)
		return used_decline(err, "it has volumes that are not linear");
	if (!is_same(&metadata->device, &metadata->physical_volume) ||
	    metadata->segment_extents == 0 || metadata->segment_extents > metadata->extents ||
	    metadata->first_extent > metadata->extents - metadata->segment_extents ||
	    metadata->segment_start != metadata->volume_extents)
		return used_decline(err, "its metadata is contradictory");
	volume->segment =
		reallocarray(volume->segment, volume->segments + 1, sizeof(*volume->segment));
	if (!volume->segment)
		abort();
	volume->segment[volume->segments++] =
		segment_of(metadata, metadata->first_extent, metadata->segment_extents);
	metadata->volume_extents += metadata->segment_extents;
	return USED_KNOWN;
}

static int end(void *context, const struct used_lvm_setting *setting, struct error *err)
{
	return is_in(setting, 4, "logical_volumes") ? end_segment(context, err) : USED_KNOWN;
}

static int compare_segments(const void *a, const void *b)
{
	const struct used_segment *one = a, *other = b;

	return one->offset < other->offset ? -1 : one->offset > other->offset;
}

/* All segments of all volumes; the caller frees. */
static struct used_segment *all_segments(const struct used_lvm *lvm, size_t *count)
{
	struct used_segment *all = NULL;

	*count = 0;
	for (size_t i = 0; i < lvm->volumes; i++) {
		all = reallocarray(all, *count + lvm->volume[i].segments + 1, sizeof(*all));
		if (!all)
			abort();
		for (size_t s = 0; s < lvm->volume[i].segments; s++)
			all[(*count)++] = lvm->volume[i].segment[s];
	}
	if (*count)
		qsort(all, *count, sizeof(*all), compare_segments);
	return all;
}

static void add_unallocated(struct used_lvm *lvm, uint64_t start, uint64_t end)
{
	if (start >= end)
		return;
	lvm->unallocated = reallocarray(lvm->unallocated, lvm->unallocated_count + 1,
					sizeof(*lvm->unallocated));
	if (!lvm->unallocated)
		abort();
	lvm->unallocated[lvm->unallocated_count++] =
		(struct used_segment){.offset = start, .length = end - start};
}

static int find_unallocated(const struct metadata *metadata, struct error *err)
{
	struct used_segment whole = segment_of(metadata, 0, metadata->extents);
	uint64_t at = whole.offset;
	size_t count;
	_cleanup_free_ struct used_segment *all = all_segments(metadata->out, &count);

	for (size_t i = 0; i < count; i++) {
		if (all[i].offset < at)
			return used_decline(err, "its volumes overlap");
		add_unallocated(metadata->out, at, all[i].offset);
		at = all[i].offset + all[i].length;
	}
	add_unallocated(metadata->out, at, whole.offset + whole.length);
	return USED_KNOWN;
}

static int read_text(const struct used_region *region, const char *text, const char *id,
		     struct used_lvm *out, struct error *err)
{
	struct metadata metadata = {.out = out, .id = id, .limit = region->length / SECTOR};
	const struct used_lvm_reader reader = {
		.begin = begin, .set = set, .end = end, .context = &metadata};
	int r = used_lvm_text_read(text, &reader, err);

	if (r == USED_KNOWN)
		r = check_group(&metadata, err);
	if (r == USED_KNOWN)
		r = find_unallocated(&metadata, err);
	return r;
}

/* The area is a ring behind its header. */
static int load_text(const struct used_region *region, uint64_t start, uint64_t size,
		     const uint8_t *location, char *text, struct error *err)
{
	uint64_t offset = le64_at(location), length = le64_at(location + 8);
	uint64_t first = length < size - offset ? length : size - offset;
	int r = used_region_read(region, text, first, start + offset, err);

	if (r == USED_KNOWN && first < length)
		r = used_region_read(region, text + first, length - first, start + METADATA_HEADER,
				     err);
	if (r == USED_KNOWN && !has_checksum((const uint8_t *)text, length, le32_at(location + 16)))
		return used_decline(err, "its metadata has a wrong checksum");
	return r;
}

static int read_area(const struct used_region *region, uint64_t start, const char *id,
		     struct used_lvm *out, struct error *err)
{
	uint8_t header[METADATA_HEADER];
	const uint8_t *location = header + 40;
	_cleanup_free_ char *text = NULL;
	uint64_t size;
	int r = used_region_read(region, header, sizeof(header), start, err);

	if (r != USED_KNOWN)
		return r;
	size = le64_at(header + 32);
	if (memcmp(header + 4, " LVM2 x[5A%r0N*>", 16) != 0 || le32_at(header + 20) != 1 ||
	    le64_at(header + 24) != start || size > region->length || size <= METADATA_HEADER ||
	    !has_checksum(header + 4, sizeof(header) - 4, le32_at(header)))
		return used_decline(err, "the header of its metadata is damaged");
	if (le64_at(location) < METADATA_HEADER || le64_at(location) >= size ||
	    le64_at(location + 8) > size - METADATA_HEADER ||
	    le64_at(location + 8) > METADATA_LIMIT || le32_at(location + 20) & LOCATION_IGNORED)
		return used_decline(err, "it belongs to no volume group, or keeps its metadata "
					 "elsewhere");
	text = calloc(1, le64_at(location + 8) + 1);
	if (!text)
		abort();
	r = load_text(region, start, size, location, text, err);
	return r == USED_KNOWN ? read_text(region, text, id, out, err) : r;
}

/* Where the first metadata area is: behind the list of data areas, which a zero ends. */
static int find_area(const uint8_t *label, uint64_t *start, struct error *err)
{
	uint32_t header = le32_at(label + 20), at;

	if (header < 32 || header > SECTOR - PV_AREAS)
		return used_decline(err, "its label is damaged");
	for (at = header + PV_AREAS; at <= SECTOR - 2 * AREA; at += AREA) {
		if (le64_at(label + at) != 0)
			continue;
		*start = le64_at(label + at + AREA);
		if (*start != 0)
			return USED_KNOWN;
		break;
	}
	return used_decline(err, "it belongs to no volume group, or keeps its metadata elsewhere");
}

int used_lvm_read(const struct used_region *region, struct used_lvm *out, struct error *err)
{
	uint8_t label[SECTOR];
	uint64_t start;

	*out = (struct used_lvm){0};
	for (uint64_t i = 0; i < LABEL_SECTORS; i++) {
		int r = used_region_read(region, label, sizeof(label), i * SECTOR, err);

		if (r != USED_KNOWN)
			return r;
		if (memcmp(label, "LABELONE", 8) != 0)
			continue;
		if (memcmp(label + 24, "LVM2 001", 8) != 0 ||
		    !has_checksum(label + 20, SECTOR - 20, le32_at(label + 16)))
			break;
		r = find_area(label, &start, err);
		if (r != USED_KNOWN)
			return r;
		return read_area(region, start, (const char *)label + le32_at(label + 20), out,
				 err);
	}
	return used_decline(err, "its label is damaged");
}

void used_lvm_release(struct used_lvm *lvm)
{
	for (size_t i = 0; i < lvm->volumes; i++) {
		free(lvm->volume[i].name);
		free(lvm->volume[i].segment);
	}
	free(lvm->volume);
	free(lvm->group);
	free(lvm->unallocated);
	*lvm = (struct used_lvm){0};
}
