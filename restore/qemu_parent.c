// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/qemu_parent.h"

#include <endian.h>
#include <string.h>

#include "base/scope.h"

static uint32_t le32_at(const uint8_t *data, size_t offset)
{
	uint32_t value;

	memcpy(&value, data + offset, sizeof(value));
	return le32toh(value);
}

static uint64_t le64_at(const uint8_t *data, size_t offset)
{
	uint64_t value;

	memcpy(&value, data + offset, sizeof(value));
	return le64toh(value);
}

static int refuse(const char *what, struct error *err)
{
	return error_set(err,
			 "this %s image holds only the changes against another one: make one "
			 "image of both with `qemu-img convert -O qcow2`",
			 what);
}

/* Virtual Hard Disk Image Format Specification, "Hard Disk Footer Format": disk type, big-endian,
 * at 60. A dynamic disk begins with a copy of the footer. */
int qemu_parent_check_vpc(const struct image_file *file, struct error *err)
{
	static const uint8_t differencing[] = {0, 0, 0, 4};
	uint8_t footer[512];

	if (image_file_read(file, "VHD footer", footer, sizeof(footer), 0, err) < 0)
		return -1;
	if (memcmp(footer, "conectix", 8) != 0 &&
	    image_file_read(file, "VHD footer", footer, sizeof(footer), file->size - sizeof(footer),
			    err) < 0)
		return -1;
	return memcmp(footer + 60, differencing, 4) == 0 ? refuse("VHD", err) : 0;
}

/* QEMU, docs/interop/qed_spec: features, little-endian, at 16; bit 0: QED_F_BACKING_FILE. */
int qemu_parent_check_qed(const struct image_file *file, struct error *err)
{
	uint8_t features[8];

	if (image_file_read(file, "QED header", features, sizeof(features), 16, err) < 0)
		return -1;
	return features[0] & 1 ? refuse("QED", err) : 0;
}

/* The offset of the backing file's name, at 8. */
int qemu_parent_check_qcow(const struct image_file *file, struct error *err)
{
	uint8_t offset[8], none[8] = {0};

	if (image_file_read(file, "qcow header", offset, sizeof(offset), 8, err) < 0)
		return -1;
	return memcmp(offset, none, sizeof(none)) != 0 ? refuse("qcow", err) : 0;
}

/* [MS-VHDX] 2.2.3 and 2.6: a table of entries, at each of which a GUID comes first. */
struct vhdx_table {
	const char *what;
	uint64_t offset; /* in the file */
	const char *signature;
	size_t header;   /* bytes before the first entry */
	size_t count_at; /* of the number of entries, 16 bits; what follows in 32 is 0 */
	const uint8_t *guid;
	size_t value_at; /* in the entry, 8 bytes */
};

enum { VHDX_TABLE = 64 << 10, VHDX_ENTRY = 32 };

/* *value stays as it is when the table has no such entry. */
static int find_entry(const struct image_file *file, const struct vhdx_table *table,
		      uint64_t *value, struct error *err)
{
	_cleanup_free_ uint8_t *data = malloc(VHDX_TABLE);
	size_t count;

	if (!data)
		return error_set(err, "out of memory");
	if (image_file_read(file, table->what, data, VHDX_TABLE, table->offset, err) < 0)
		return -1;
	count = memcmp(data, table->signature, strlen(table->signature)) == 0
			? le32_at(data, table->count_at) & 0xffff
			: 0;
	if (count > (VHDX_TABLE - table->header) / VHDX_ENTRY)
		count = (VHDX_TABLE - table->header) / VHDX_ENTRY;
	for (size_t at = table->header; count > 0; count--, at += VHDX_ENTRY)
		if (memcmp(data + at, table->guid, 16) == 0)
			*value = le64_at(data, at + table->value_at);
	return 0;
}

/* 8B7CA206-4790-4B9A-B8FE-575F050F886E and CAA16737-FA36-4D43-B3B6-33F0AA44E76B */
static const uint8_t metadata_guid[] = {0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
					0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e};
static const uint8_t parameters_guid[] = {0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
					  0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b};

/* The file parameters' second word: bit 1 is HasParent. What is damaged is QEMU's to refuse. */
int qemu_parent_check_vhdx(const struct image_file *file, struct error *err)
{
	const struct vhdx_table regions = {"VHDX region table", 192 << 10, "regi", 16, 8,
					   metadata_guid,       16};
	struct vhdx_table metadata = {"VHDX metadata", 0, "metadata", 32, 10, parameters_guid, 16};
	uint64_t item = 0;
	uint8_t parameters[8];

	if (find_entry(file, &regions, &metadata.offset, err) < 0)
		return -1;
	if (metadata.offset == 0)
		return 0;
	if (find_entry(file, &metadata, &item, err) < 0)
		return -1;
	item &= UINT32_MAX;
	if (item == 0)
		return 0;
	if (metadata.offset > file->size)
		return 0;
	if (image_file_read(file, "VHDX file parameters", parameters, sizeof(parameters),
			    metadata.offset + item, err) < 0)
		return -1;
	return le32_at(parameters, 4) & 2 ? refuse("VHDX", err) : 0;
}
