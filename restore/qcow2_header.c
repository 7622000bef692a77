// SPDX-License-Identifier: GPL-3.0-or-later
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/image_file.h"
#include "restore/qcow2.h"

#define LENGTH_V2 72
#define LENGTH_V3 104
#define L1_LIMIT (32U << 20) /* bytes; the limit that QEMU sets */
#define NAME_LIMIT 1023      /* bytes of a file's name */
#define HEAD (64U << 10)     /* header and extensions are looked for here only */

#define EXTENSION_END 0U
#define EXTENSION_BACKING_FORMAT 0xe2792acaU
#define EXTENSION_FEATURE_NAMES 0x6803f857U
#define EXTENSION_BITMAPS 0x23852875U
#define EXTENSION_DATA_FILE 0x44415441U
#define FEATURE_NAME_LENGTH 48 /* type, bit, 46 characters */

/* "incompatible_features": a reader must know all bits that are set. */
#define FEATURE_DIRTY (1ULL << 0)
#define FEATURE_CORRUPT (1ULL << 1)
#define FEATURE_DATA_FILE (1ULL << 2)
#define FEATURE_COMPRESSION (1ULL << 3)
#define FEATURE_EXTENDED_L2 (1ULL << 4)
#define FEATURES_KNOWN 0x1fULL

#define COMPATIBLE_LAZY_REFCOUNTS (1ULL << 0)
#define AUTOCLEAR_RAW_DATA (1ULL << 1)

/* The beginning of the file; bytes behind length are zero. */
struct head {
	uint8_t *bytes; /* HEAD of them */
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

char *qcow2_printable(const uint8_t *bytes, size_t length)
{
	struct text text = {0};

	text_add(&text, "");
	for (size_t i = 0; i < length && bytes[i]; i++)
		text_addf(&text, "%c", isprint(bytes[i]) ? bytes[i] : '?');
	return text_take(&text);
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
			return qcow2_printable(row + 2, FEATURE_NAME_LENGTH - 2);
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
static int parse_v3(const struct image_file *file, const struct head *head,
		    struct qcow2_header *header, struct error *err)
{
	uint64_t features = get64(head, 72);
	uint32_t refcount_order = get32(head, 96), length = get32(head, 100);

	if (image_file_has(file, "header", 0, LENGTH_V3, err) < 0)
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
	header->has_lazy_refcounts = get64(head, 80) & COMPATIBLE_LAZY_REFCOUNTS;
	header->has_extended_l2 = features & FEATURE_EXTENDED_L2;
	if (header->has_extended_l2 && header->cluster_bits < QCOW2_MIN_EXTENDED_BITS)
		return error_set(err,
				 "image is corrupt: it has extended L2 entries, which clusters of "
				 "%u bytes cannot have",
				 1U << header->cluster_bits);
	return parse_compression(head, features, header, err);
}

/* The table must cover the disk; what lies behind (the state of a saved VM) is not read. */
int qcow2_header_set_l1(struct qcow2_header *header, uint64_t offset, uint32_t entries,
			struct error *err)
{
	unsigned int entry_bits = header->has_extended_l2 ? 4 : 3;
	uint64_t covered = 1ULL << (2 * header->cluster_bits - entry_bits); /* by one L2 table */
	uint64_t needed = header->size / covered + (header->size % covered != 0);

	if (header->size > INT64_MAX)
		return error_set(err, "image is corrupt: its disk size is %" PRIu64 " bytes",
				 header->size);
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
	if (offset == 0 || offset % (1U << header->cluster_bits) != 0)
		return error_set(err,
				 "image is corrupt: its L1 table is at file offset %" PRIu64
				 ", which is not the beginning of a cluster",
				 offset);
	header->l1_offset = offset;
	header->l1_entries = (uint32_t)needed;
	return 0;
}

/* Names end at their first NUL, as QEMU takes them. */
static int take_name(const char *what, const uint8_t *bytes, size_t length, char **out,
		     struct error *err)
{
	if (length == 0 || length > NAME_LIMIT || bytes[0] == '\0')
		return error_set(err,
				 "image is corrupt: the name of its %s has a length of %zu bytes",
				 what, length);
	free(*out);
	*out = strndup((const char *)bytes, length);
	return *out ? 0 : error_sys(err, ENOMEM, "read the name of the %s", what);
}

static int read_backing_name(const struct image_file *file, uint64_t offset, uint32_t length,
			     char **out, struct error *err)
{
	uint8_t bytes[NAME_LIMIT] = {0};

	if (length <= NAME_LIMIT &&
	    image_file_read(file, "name of the backing file", bytes, length, offset, err) < 0)
		return -1;
	return take_name("backing file", bytes, length, out, err);
}

static int parse_extension(const struct head *head, uint32_t type, size_t offset, uint32_t length,
			   struct qcow2_header *header, struct error *err)
{
	const uint8_t *bytes = head->bytes + offset;

	switch (type) {
	case EXTENSION_BACKING_FORMAT:
		return take_name("backing file's format", bytes, length, &header->backing_format,
				 err);
	case EXTENSION_DATA_FILE:
		return take_name("data file", bytes, length, &header->data_name, err);
	case EXTENSION_BITMAPS:
		header->has_bitmaps = true;
		return 0;
	default:
		return 0;
	}
}

/* Extensions end with one that says so, at the backing file's name, or with the first cluster. */
static size_t end_of_extensions(const struct head *head, const struct qcow2_header *header)
{
	uint64_t end = 1ULL << header->cluster_bits, name = get64(head, 8);

	if (name != 0 && name < end)
		end = name;
	return end < head->length ? (size_t)end : head->length;
}

/* One that was passed over unseen could be the one that says how to read the image. */
static int parse_extensions(const struct head *head, struct qcow2_header *header, struct error *err)
{
	size_t end = end_of_extensions(head, header);
	size_t offset = header->version >= 3 ? get32(head, 100) : LENGTH_V2;

	while (offset + 8 <= end && get32(head, offset) != EXTENSION_END) {
		uint32_t type = get32(head, offset), length = get32(head, offset + 4);

		if (length > end - offset - 8)
			return error_set(err,
					 "image is corrupt: its header extension at file offset "
					 "%zu has a length of %" PRIu32
					 " bytes, more than there is room for",
					 offset, length);
		if (parse_extension(head, type, offset + 8, length, header, err) < 0)
			return -1;
		offset += 8 + ((length + 7U) & ~7U);
	}
	return 0;
}

/* The feature bits say whether there are other files, the rest where. */
static int parse_names(const struct image_file *file, const struct head *head,
		       struct qcow2_header *header, struct error *err)
{
	uint64_t features = header->version >= 3 ? get64(head, 72) : 0;

	if (parse_extensions(head, header, err) < 0)
		return -1;
	if (get64(head, 8) != 0 && read_backing_name(file, get64(head, 8), get32(head, 16),
						     &header->backing_name, err) < 0)
		return -1;
	if (!(features & FEATURE_DATA_FILE)) {
		free(steal(&header->data_name));
		return 0;
	}
	header->data_file_is_raw = get64(head, 88) & AUTOCLEAR_RAW_DATA;
	if (!header->data_name)
		return error_set(err, "the image keeps its data in another file (external data "
				      "file) and does not say in which: make a complete image "
				      "first with `qemu-img convert`");
	if (header->data_file_is_raw && header->backing_name)
		return error_set(err, "image is corrupt: it has both a raw data file and a backing "
				      "file");
	return 0;
}

static int parse(const struct image_file *file, const struct head *head,
		 struct qcow2_header *header, struct error *err)
{
	header->version = get32(head, 4);
	header->cluster_bits = get32(head, 20);
	header->size = get64(head, 24);
	header->snapshots = get32(head, 60);
	header->snapshots_offset = get64(head, 64);
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
	if (header->version >= 3 && parse_v3(file, head, header, err) < 0)
		return -1;
	if (get32(head, 32) != 0)
		return refuse_encryption(get32(head, 32), err);
	if (parse_names(file, head, header, err) < 0)
		return -1;
	return qcow2_header_set_l1(header, get64(head, 40), get32(head, 36), err);
}

int qcow2_header_read(const struct image_file *file, struct qcow2_header *header, struct error *err)
{
	_cleanup_free_ uint8_t *bytes = calloc(1, HEAD);
	struct head head = {
		.bytes = bytes,
		.length = file->size < HEAD ? (size_t)file->size : HEAD,
	};

	*header = (struct qcow2_header){0};
	if (!bytes)
		return error_sys(err, ENOMEM, "read header");
	if (image_file_has(file, "header", 0, LENGTH_V2, err) < 0 ||
	    image_file_read(file, "header", head.bytes, head.length, 0, err) < 0)
		return -1;
	return parse(file, &head, header, err);
}

void qcow2_header_release(struct qcow2_header *header)
{
	free(header->backing_name);
	free(header->backing_format);
	free(header->data_name);
}
