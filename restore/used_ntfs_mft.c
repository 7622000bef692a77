// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/used_bytes.h"
#include "restore/used_ntfs.h"

enum {
	SECTOR = 512, /* of the fix-ups, whatever the disk's are */
	RECORD_IN_USE = 1,
	ATTRIBUTE = 24, /* the shortest: one in its record */
	STREAM = 64,    /* the head of one that is not */
};

static int damaged(struct error *err)
{
	return used_decline(err, "its master file table is damaged");
}

bool used_ntfs_fix(uint8_t *block, size_t length)
{
	size_t at = le16_at(block + 4), count = le16_at(block + 6);

	if (count != length / SECTOR + 1 || at < 8 || at + 2 * count > SECTOR - 2)
		return false;
	for (size_t i = 1; i < count; i++) {
		uint8_t *end = block + i * SECTOR - 2;

		if (memcmp(end, block + at, 2) != 0)
			return false;
		memcpy(end, block + at + 2 * i, 2);
	}
	return true;
}

int used_ntfs_read_record(struct used_ntfs *ntfs, uint32_t number, struct error *err)
{
	uint8_t *record = ntfs->record;
	int r = used_region_read(ntfs->region, record, ntfs->record_size,
				 ntfs->table + (uint64_t)number * ntfs->record_size, err);

	if (r != USED_KNOWN)
		return r;
	if (memcmp(record, "FILE", 4) != 0 || !used_ntfs_fix(record, ntfs->record_size) ||
	    !(le16_at(record + 22) & RECORD_IN_USE) || le64_at(record + 32) != 0 ||
	    (le16_at(record + 4) >= 48 && le32_at(record + 44) != number))
		return damaged(err);
	return USED_KNOWN;
}

static bool is_wanted(const uint8_t *attribute, uint32_t type)
{
	return le32_at(attribute) == type && (attribute[9] == 0 || type == USED_NTFS_INDEX_ROOT ||
					      type == USED_NTFS_INDEX_ALLOCATION);
}

const uint8_t *used_ntfs_attribute(const struct used_ntfs *ntfs, uint32_t type, uint32_t *length)
{
	uint32_t at = le16_at(ntfs->record + 20);

	while (at <= ntfs->record_size - ATTRIBUTE) {
		const uint8_t *attribute = ntfs->record + at;

		*length = le32_at(attribute + 4);
		if (le32_at(attribute) == UINT32_MAX || *length < ATTRIBUTE ||
		    *length > ntfs->record_size - at)
			return NULL;
		if (is_wanted(attribute, type))
			return attribute;
		at += *length;
	}
	return NULL;
}

const uint8_t *used_ntfs_value(const uint8_t *attribute, uint32_t length, uint32_t *value_length)
{
	uint32_t offset = le16_at(attribute + 20);

	*value_length = le32_at(attribute + 16);
	if (attribute[8] != 0 || offset > length || *value_length > length - offset)
		return NULL;
	return attribute + offset;
}

/* A number of 1 to 8 bytes with a sign. */
static int64_t signed_at(const uint8_t *bytes, unsigned int count)
{
	uint64_t number = bytes[count - 1] & 0x80 ? UINT64_MAX : 0;

	for (unsigned int i = count; i-- > 0;)
		number = number << 8 | bytes[i];
	return (int64_t)number;
}

/* One pair of the list: how long, and how far from the run before. Sparse runs (without an offset)
 * are refused: none of the streams that are read here has any. */
static int add_run(const struct used_ntfs *ntfs, const uint8_t *pair, uint64_t *cluster,
		   struct used_ntfs_stream *out, struct error *err)
{
	unsigned int length_bytes = *pair & 15, offset_bytes = *pair >> 4;
	int64_t length = signed_at(pair + 1, length_bytes);
	uint64_t first = *cluster + (uint64_t)signed_at(pair + 1 + length_bytes, offset_bytes);

	if (length <= 0 || (uint64_t)length > ntfs->clusters ||
	    first > ntfs->clusters - (uint64_t)length || out->runs == USED_NTFS_RUNS)
		return damaged(err);
	*cluster = first;
	out->run[out->runs].offset = first * ntfs->cluster_size;
	out->run[out->runs++].length = (uint64_t)length * ntfs->cluster_size;
	return USED_KNOWN;
}

int used_ntfs_stream(const struct used_ntfs *ntfs, const uint8_t *attribute, uint32_t length,
		     struct used_ntfs_stream *out, struct error *err)
{
	uint64_t cluster = 0, size = 0;
	uint32_t at;

	out->runs = 0;
	if (attribute[8] == 0 || length < STREAM || le64_at(attribute + 16) != 0 ||
	    le16_at(attribute + 12) != 0)
		return damaged(err);
	out->length = le64_at(attribute + 56);
	for (at = le16_at(attribute + 32); at < length && attribute[at] != 0;) {
		uint32_t pair = 1U + (attribute[at] & 15) + (attribute[at] >> 4);
		int r;

		if ((attribute[at] & 15) - 1U > 7 || (attribute[at] >> 4) - 1U > 7 ||
		    pair > length - at)
			return damaged(err);
		r = add_run(ntfs, attribute + at, &cluster, out, err);
		if (r != USED_KNOWN)
			return r;
		size += out->run[out->runs - 1].length;
		at += pair;
	}
	return out->length > size ? damaged(err) : USED_KNOWN;
}

int used_ntfs_read(const struct used_ntfs *ntfs, const struct used_ntfs_stream *stream, void *data,
		   uint64_t length, uint64_t offset, struct error *err)
{
	uint8_t *to = data;

	for (size_t i = 0; i < stream->runs && length > 0; i++) {
		uint64_t left = stream->run[i].length, piece;
		int r;

		if (offset >= left) {
			offset -= left;
			continue;
		}
		piece = left - offset < length ? left - offset : length;
		r = used_region_read(ntfs->region, to, piece, stream->run[i].offset + offset, err);
		if (r != USED_KNOWN)
			return r;
		to += piece;
		length -= piece;
		offset = 0;
	}
	return length == 0 ? USED_KNOWN : damaged(err);
}
