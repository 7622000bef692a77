// SPDX-License-Identifier: GPL-3.0-or-later
#include <ctype.h>
#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/image_file.h"
#include "restore/qcow2.h"

#define LENGTH_V2 72
#define LENGTH_V3 104
#define L1_LIMIT (32U << 20) /* bytes; the limit that QEMU sets */
#define NAME_LIMIT 1023      /* bytes of a backing file's name */
#define HEAD 4096            /* header and extensions are looked for here only */

#define EXTENSION_END 0U
#define EXTENSION_FEATURE_NAMES 0x6803f857U
#define FEATURE_NAME_LENGTH 48 /* type, bit, 46 characters */

/* "incompatible_features": a reader must know all bits that are set. */
#define FEATURE_DIRTY (1ULL << 0)
#define FEATURE_CORRUPT (1ULL << 1)
#define FEATURE_DATA_FILE (1ULL << 2)
#define FEATURE_COMPRESSION (1ULL << 3)
#define FEATURE_EXTENDED_L2 (1ULL << 4)
#define FEATURES_KNOWN 0x1fULL

/* The beginning of the file; bytes behind length are zero. */
struct head {
	uint8_t bytes[HEAD];
	size_t length;
};

static uint32_t get32(const struct head *head, size_t offset)
{
	uint32_t value;

	memcpy(&value, head->bytes + offset, sizeof(value));
	return be32toh(value);
}

static uint64_t get64(const struct head *head, size_t offset)
{
	uint64_t value;

	memcpy(&value, head->bytes + offset, sizeof(value));
	return be64toh(value);
}

/* A string from the image as it may be shown on a terminal; the caller frees it. */
static char *printable(const uint8_t *bytes, size_t length)
{
	struct text text = {0};

	text_add(&text, "");
	for (size_t i = 0; i < length && bytes[i]; i++)
		text_addf(&text, "%c", isprint(bytes[i]) ? bytes[i] : '?');
	return text_take(&text);
}

static int refuse_backing(const struct source *source, uint64_t offset, uint32_t length,
			  struct error *err)
{
	uint8_t bytes[NAME_LIMIT];
	_cleanup_free_ char *name = NULL;

	if (length == 0 || length > NAME_LIMIT)
		return error_set(err,
				 "image is corrupt: the name of its backing file has a length of "
				 "%" PRIu32 " bytes",
				 length);
	if (image_file_read(source->file, "name of the backing file", bytes, length, offset, err) <
	    0)
		return -1;
	name = printable(bytes, length);
	return error_set(err,
			 "the image holds only the differences to its backing file %s, which is "
			 "not opened: make a complete image first with "
			 "`qemu-img convert -O qcow2 %s OUT.qcow2`",
			 name, source->name);
}

static int refuse_encryption(uint32_t method, struct error *err)
{
	if (method == 1)
		return error_set(err, "the image is encrypted (AES), which is not supported: make "
				      "a plain image first with `qemu-img convert`");
	if (method == 2)
		return error_set(err, "the image is encrypted (LUKS), which is not supported: make "
				      "a plain image first with `qemu-img convert`");
	return error_set(err, "the image has an unknown encryption method %" PRIu32, method);
}

/* The name that the image itself gives to an incompatible feature, or NULL; the caller frees it. */
static char *feature_name(const struct head *head, size_t offset, size_t length, unsigned int bit)
{
	for (size_t i = 0; i + FEATURE_NAME_LENGTH <= length; i += FEATURE_NAME_LENGTH) {
		const uint8_t *row = head->bytes + offset + i;

		if (row[0] == 0 && row[1] == bit)
			return printable(row + 2, FEATURE_NAME_LENGTH - 2);
	}
	return NULL;
}

/* Walks the header extensions to the feature name table. */
static char *find_feature_name(const struct head *head, size_t offset, unsigned int bit)
{
	while (offset + 8 <= head->length) {
		uint32_t type = get32(head, offset);
		uint32_t length = get32(head, offset + 4);

		offset += 8;
		if (type == EXTENSION_END || length > head->length - offset)
			return NULL;
		if (type == EXTENSION_FEATURE_NAMES)
			return feature_name(head, offset, length, bit);
		offset += (length + 7U) & ~7U;
	}
	return NULL;
}

static int refuse_unknown_feature(const struct head *head, uint64_t unknown, struct error *err)
{
	unsigned int bit = (unsigned int)__builtin_ctzll(unknown);
	_cleanup_free_ char *name = find_feature_name(head, get32(head, 100), bit);

	return error_set(err, "the image uses a feature that is not known here: %s (bit %u)",
			 name && *name ? name : "without a name", bit);
}

static int check_features(const struct head *head, uint64_t features, struct error *err)
{
	if (features & ~FEATURES_KNOWN)
		return refuse_unknown_feature(head, features & ~FEATURES_KNOWN, err);
	if (features & FEATURE_CORRUPT)
		return error_set(err, "the image is marked as corrupt: repair a copy of it first "
				      "with `qemu-img check -r all`");
	if (features & FEATURE_DATA_FILE)
		return error_set(err, "the image keeps its data in another file (external data "
				      "file), which is not opened: make a complete image first "
				      "with `qemu-img convert`");
	if (features & FEATURE_EXTENDED_L2)
		return error_set(err, "the image has extended L2 entries (subclusters), which are "
				      "not supported yet: convert it first with `qemu-img convert "
				      "-O qcow2`");
	return 0;
}

/* The bit and the field must agree: readers that do not know the field go by the bit. */
static int parse_compression(const struct head *head, uint64_t features,
			     struct qcow2_header *header, struct error *err)
{
	uint8_t type = get32(head, 100) > LENGTH_V3 ? head->bytes[LENGTH_V3] : 0;

	if (!!(features & FEATURE_COMPRESSION) != (type != 0))
		return error_set(err,
				 "image is corrupt: its compression type %u and its feature bits "
				 "contradict each other",
				 type);
	if (type > QCOW2_ZSTD)
		return error_set(err, "the image has an unknown compression type %u", type);
	header->compression = type;
	return 0;
}

/* What version 2 does not have. */
static int parse_v3(const struct source *source, const struct head *head,
		    struct qcow2_header *header, struct error *err)
{
	uint64_t features = get64(head, 72);
	uint32_t refcount_order = get32(head, 96), length = get32(head, 100);

	if (image_file_has(source->file, "header", 0, LENGTH_V3, err) < 0)
		return -1;
	if (length < LENGTH_V3 || length % 8 != 0 || length > 1U << header->cluster_bits ||
	    length > HEAD)
		return error_set(err, "image is corrupt: its header length is %" PRIu32 " bytes",
				 length);
	if (check_features(head, features, err) < 0)
		return -1;
	if (refcount_order > 6)
		return error_set(err, "image is corrupt: its refcount order is %" PRIu32,
				 refcount_order);
	header->is_dirty = features & FEATURE_DIRTY;
	return parse_compression(head, features, header, err);
}

/* The table must cover the disk; what lies behind (the state of a saved VM) is not read. */
static int parse_l1(const struct head *head, struct qcow2_header *header, struct error *err)
{
	uint32_t entries = get32(head, 36);
	uint64_t covered = 1ULL << (2 * header->cluster_bits - 3); /* by one L2 table */
	uint64_t needed = header->size / covered + (header->size % covered != 0);

	header->l1_offset = get64(head, 40);
	if (needed > L1_LIMIT / sizeof(uint64_t))
		return error_set(err,
				 "image is corrupt: a disk of %" PRIu64
				 " bytes is more than clusters of %u bytes can hold",
				 header->size, 1U << header->cluster_bits);
	if (entries < needed)
		return error_set(err,
				 "image is corrupt: its L1 table has %" PRIu32
				 " entries, the disk needs %" PRIu64,
				 entries, needed);
	if (header->l1_offset == 0 || header->l1_offset % (1U << header->cluster_bits) != 0)
		return error_set(err,
				 "image is corrupt: its L1 table is at file offset %" PRIu64
				 ", which is not the beginning of a cluster",
				 header->l1_offset);
	header->l1_entries = (uint32_t)needed;
	return 0;
}

static int parse(const struct source *source, const struct head *head, struct qcow2_header *header,
		 struct error *err)
{
	header->version = get32(head, 4);
	header->cluster_bits = get32(head, 20);
	header->size = get64(head, 24);
	header->snapshots = get32(head, 60);
	if (get32(head, 0) != QCOW2_MAGIC)
		return error_set(err, "this is not a qcow2 image");
	if (header->version != 2 && header->version != 3)
		return error_set(err,
				 "qcow version %" PRIu32 " is not supported: convert the image "
				 "first with `qemu-img convert -O qcow2`",
				 header->version);
	if (header->cluster_bits < QCOW2_MIN_CLUSTER_BITS ||
	    header->cluster_bits > QCOW2_MAX_CLUSTER_BITS)
		return error_set(err,
				 "image is corrupt: its cluster size is 2^%" PRIu32
				 " bytes (2^9 to 2^21 are possible)",
				 header->cluster_bits);
	if (header->size == 0)
		return error_set(err, "the disk in this image has a size of 0");
	if (header->size > INT64_MAX)
		return error_set(err, "image is corrupt: its disk size is %" PRIu64 " bytes",
				 header->size);
	if (header->version >= 3 && parse_v3(source, head, header, err) < 0)
		return -1;
	if (get32(head, 32) != 0)
		return refuse_encryption(get32(head, 32), err);
	if (get64(head, 8) != 0)
		return refuse_backing(source, get64(head, 8), get32(head, 16), err);
	return parse_l1(head, header, err);
}

int qcow2_header_read(const struct source *source, struct qcow2_header *header, struct error *err)
{
	struct head head = {
		.length = source->file->size < HEAD ? (size_t)source->file->size : HEAD,
	};

	if (image_file_has(source->file, "header", 0, LENGTH_V2, err) < 0 ||
	    image_file_read(source->file, "header", head.bytes, head.length, 0, err) < 0)
		return -1;
	*header = (struct qcow2_header){0};
	return parse(source, &head, header, err);
}
