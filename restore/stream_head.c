// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/stream_head.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

enum {
	MBR_ENTRIES = 446,
	MBR_SECTOR = 512,
	MBR_TYPE_PROTECTIVE = 0xee,
	GPT_ENTRY_MIN = 128,
};

/* UEFI 2.10, table 5-5; little endian. */
struct gpt_header {
	uint8_t signature[8];
	uint8_t skipped[24];
	uint64_t alternate; /* the disk's last sector */
	uint8_t skipped_too[32];
	uint64_t entries_at;
	uint32_t entries, entry_size;
} __attribute__((packed));

/* Table 5-6. */
struct gpt_entry {
	uint8_t type[16], guid[16];
	uint64_t first, last;
} __attribute__((packed));

struct mbr_entry {
	uint8_t status, skipped[3], type, skipped_too[3];
	uint32_t start, sectors;
} __attribute__((packed));

static bool is_unused(const struct gpt_entry *entry)
{
	static const uint8_t nothing[sizeof(entry->type)];

	return memcmp(entry->type, nothing, sizeof(nothing)) == 0;
}

/* Where a sector ends; 0 for one that no disk has. */
static uint64_t sector_end(uint64_t sector, uint64_t sector_size)
{
	return sector < INT64_MAX / sector_size ? (sector + 1) * sector_size : 0;
}

static void raise_to(uint64_t *value, uint64_t other)
{
	if (other > *value)
		*value = other;
}

static struct stream_claim gpt_claim(const uint8_t *data, size_t length, size_t sector_size)
{
	struct stream_claim claim = {0};
	struct gpt_header header;
	uint64_t at, step;

	if (length < sector_size + sizeof(header))
		return claim;
	memcpy(&header, data + sector_size, sizeof(header));
	if (memcmp(header.signature, "EFI PART", sizeof(header.signature)) != 0)
		return claim;
	claim.size = sector_end(le64toh(header.alternate), sector_size);
	at = le64toh(header.entries_at);
	step = le32toh(header.entry_size);
	if (step < GPT_ENTRY_MIN || at > length / sector_size)
		return claim;
	at *= sector_size;
	for (uint32_t i = 0; i < le32toh(header.entries) && at + step <= length; i++, at += step) {
		struct gpt_entry entry;

		memcpy(&entry, data + at, sizeof(entry));
		if (!is_unused(&entry))
			raise_to(&claim.partitions_end,
				 sector_end(le64toh(entry.last), sector_size));
	}
	raise_to(&claim.size, claim.partitions_end);
	return claim;
}

/* The boot sector of a file system ends like an MBR, and has code where that has its entries. */
static bool is_mbr(const uint8_t *data, size_t length)
{
	if (length < MBR_SECTOR || data[510] != 0x55 || data[511] != 0xaa)
		return false;
	for (size_t i = 0; i < 4; i++)
		if ((data[MBR_ENTRIES + i * sizeof(struct mbr_entry)] & 0x7f) != 0)
			return false;
	return true;
}

static struct stream_claim mbr_claim(const uint8_t *data, size_t length)
{
	struct stream_claim claim = {0};
	struct mbr_entry entries[4];

	if (!is_mbr(data, length))
		return claim;
	memcpy(entries, data + MBR_ENTRIES, sizeof(entries));
	for (size_t i = 0; i < array_length(entries); i++) {
		uint64_t sectors = le32toh(entries[i].sectors);

		if (entries[i].type != 0 && entries[i].type != MBR_TYPE_PROTECTIVE && sectors > 0)
			raise_to(&claim.partitions_end,
				 (le32toh(entries[i].start) + sectors) * MBR_SECTOR);
	}
	claim.size = claim.partitions_end;
	return claim;
}

struct stream_claim stream_head_claim(const uint8_t *data, size_t length)
{
	static const size_t sector_sizes[] = {512, 4096};

	for (size_t i = 0; i < array_length(sector_sizes); i++) {
		struct stream_claim claim = gpt_claim(data, length, sector_sizes[i]);

		if (claim.size > 0)
			return claim;
	}
	return mbr_claim(data, length);
}

/* What comes next: from the head, of a zero extent, from the reader. *got may be 0. */
static int take(struct stream_head *head, struct source *source, uint8_t *data, size_t capacity,
		size_t *got, struct error *err)
{
	struct extent piece = {0};

	*got = capacity;
	if (head->position < head->length) {
		if (head->length - head->position < capacity)
			*got = head->length - (size_t)head->position;
		memcpy(data, head->data + head->position, *got);
		return 0;
	}
	if (head->zeroes > 0) {
		if (head->zeroes < capacity)
			*got = (size_t)head->zeroes;
		memset(data, 0, *got);
		head->zeroes -= *got;
		return 0;
	}
	if (head->next(source, data, capacity, &piece, err) < 0)
		return -1;
	*got = piece.kind == EXTENT_ZERO ? 0 : (size_t)piece.length;
	head->zeroes = piece.kind == EXTENT_ZERO ? piece.length : 0;
	head->has_ended = piece.length == 0;
	return 0;
}

static bool give_zeroes(struct stream_head *head, struct extent *out)
{
	if (head->position < head->length || head->position % STREAM_GRANULE != 0 ||
	    head->zeroes < STREAM_GRANULE)
		return false;
	out->kind = EXTENT_ZERO;
	out->length = head->zeroes - head->zeroes % STREAM_GRANULE;
	head->zeroes -= out->length;
	head->position += out->length;
	return true;
}

static int end(const struct stream_head *head, struct source *source, struct error *err)
{
	source->size = head->position;
	source->size_is_known = true;
	if (head->promised && head->position != head->promised)
		return error_set(err,
				 "the image is truncated: it ends at %" PRIu64 " bytes and should "
				 "have %" PRIu64,
				 head->position, head->promised);
	if (head->position < head->partitions_end)
		return error_set(err,
				 "the image is truncated: it ends at %" PRIu64 " bytes, its last "
				 "partition at %" PRIu64,
				 head->position, head->partitions_end);
	return 0;
}

int stream_head_next(struct stream_head *head, struct source *source, void *data, size_t capacity,
		     struct extent *out, struct error *err)
{
	size_t filled = 0, got;

	*out = (struct extent){.offset = head->position, .kind = EXTENT_DATA};
	while (filled < capacity && (!head->has_ended || head->position < head->length)) {
		if (filled == 0 && give_zeroes(head, out))
			return 0;
		if (take(head, source, (uint8_t *)data + filled, capacity - filled, &got, err) < 0)
			return -1;
		filled += got;
		head->position += got;
	}
	out->length = filled;
	return filled > 0 ? 0 : end(head, source, err);
}

void stream_head_read(const struct stream_head *head, void *data, size_t length, uint64_t offset)
{
	memcpy(data, head->data + offset, length);
}

static int read_head(struct stream_head *head, struct source *source, struct error *err)
{
	size_t length = 0, got;
	uint8_t *shorter;

	head->data = malloc(STREAM_HEAD);
	if (!head->data)
		return error_sys(err, ENOMEM, "keep the first %d bytes", STREAM_HEAD);
	while (length < STREAM_HEAD && !head->has_ended) {
		if (take(head, source, head->data + length, STREAM_HEAD - length, &got, err) < 0)
			return -1;
		length += got;
	}
	if (length == 0)
		return error_set(err, "there is nothing in it: it is empty");
	shorter = realloc(head->data, length);
	if (shorter)
		head->data = shorter;
	head->length = length;
	return 0;
}

int stream_head_open(struct stream_head *head, struct source *source, stream_next *next,
		     struct error *err)
{
	struct stream_claim claim;

	*head = (struct stream_head){.next = next, .promised = source->size};
	if (read_head(head, source, err) < 0)
		return -1;
	claim = stream_head_claim(head->data, head->length);
	head->partitions_end = claim.partitions_end;
	source->is_stream = true;
	source->head_length = head->length;
	source->granule = STREAM_GRANULE;
	source->size_is_known = head->promised || head->has_ended;
	if (head->promised)
		return 0;
	source->size = head->length;
	if (!head->has_ended)
		raise_to(&source->size, claim.size);
	return 0;
}

void stream_head_release(struct stream_head *head)
{
	free(head->data);
	*head = (struct stream_head){0};
}
