// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * vmdk-image: small VMDK images made by hand, to be damaged field by field.
 *
 * The disk has 6 MiB and 2 sectors, grains of 8 sectors, tables of 128 entries (one sector), and
 * data in the grains that vmdk_image_grains names; the last of them is the disk's end, a quarter of
 * a grain.
 */
#pragma once

#include <endian.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "tests/source-fd.h"
#include "tests/stream-file.h"

enum {
	SECTOR = 512,
	GRAIN = 8 * SECTOR,
	TABLE_ENTRIES = 128,
	TABLES = 13,
	DISK_SECTORS = 12 * 1024 + 2,
	DISK_SIZE = DISK_SECTORS * SECTOR,
	GRAINS = 6,
};

static const uint32_t vmdk_image_grains[GRAINS] = {0, 1, 130, 1280, 1281, 1536};

#define VMDK_DESCRIPTOR(kind, more)                                                                \
	"# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=\"" kind   \
	"\"\n" more "RW 12290 SPARSE \"disk.vmdk\"\n"

struct vmdk_image {
	uint8_t bytes[160 * SECTOR];
	size_t length;
	/* File offsets, to know where to do damage. */
	size_t grain_at[GRAINS], table_at[TABLES], directory_at, tables_marker_at, footer_at;
};

enum vmdk_header_field {
	VERSION = 4,
	FLAGS = 8,
	CAPACITY = 12,
	GRAIN_SIZE = 20,
	DESCRIPTOR_AT = 28,
	DESCRIPTOR_SIZE = 36,
	TABLE_SIZE = 44,
	DIRECTORY_AT = 56,
	OVERHEAD = 64,
	UNCLEAN = 72,
	NEWLINES = 73,
	COMPRESSION = 77,
};

static inline void put_le32(struct vmdk_image *image, size_t at, uint32_t value)
{
	value = htole32(value);
	memcpy(image->bytes + at, &value, sizeof(value));
}

static inline void put_le64(struct vmdk_image *image, size_t at, uint64_t value)
{
	value = htole64(value);
	memcpy(image->bytes + at, &value, sizeof(value));
}

/* What the disk holds; data has room for DISK_SIZE. */
static inline void vmdk_image_expected(uint8_t *data)
{
	memset(data, 0, DISK_SIZE);
	for (size_t i = 0; i < GRAINS; i++)
		for (size_t at = vmdk_image_grains[i] * GRAIN, end = at + GRAIN;
		     at < end && at < DISK_SIZE; at++)
			data[at] = (uint8_t)(at % 7 ? i + 1 : at * 37 >> 3);
}

static inline void put_header(struct vmdk_image *image, size_t at, uint32_t flags)
{
	memcpy(image->bytes + at, "KDMV", 4);
	put_le32(image, at + VERSION, 3);
	put_le32(image, at + FLAGS, flags);
	put_le64(image, at + CAPACITY, DISK_SECTORS);
	put_le64(image, at + GRAIN_SIZE, 8);
	put_le64(image, at + DESCRIPTOR_AT, 1);
	put_le64(image, at + DESCRIPTOR_SIZE, 2);
	put_le32(image, at + TABLE_SIZE, TABLE_ENTRIES);
	memcpy(image->bytes + at + NEWLINES, "\n \r\n", 4);
}

static inline void put_descriptor(struct vmdk_image *image, const char *text)
{
	memset(image->bytes + SECTOR, 0, 2 * SECTOR);
	memcpy(image->bytes + SECTOR, text, strlen(text));
}

static inline void put_marker(struct vmdk_image *image, size_t at, uint64_t value, uint32_t length,
			      uint32_t type)
{
	put_le64(image, at, value);
	put_le32(image, at + 8, length);
	if (length == 0)
		put_le32(image, at + 12, type);
}

static inline size_t add_marker(struct vmdk_image *image, uint64_t sectors, uint32_t type)
{
	size_t at = image->length;

	put_marker(image, at, sectors, 0, type);
	image->length += SECTOR;
	return at;
}

static inline void put_entries(struct vmdk_image *image)
{
	for (size_t t = 0; t < TABLES; t++)
		put_le32(image, image->directory_at + 4 * t,
			 (uint32_t)(image->table_at[t] / SECTOR));
	for (size_t i = 0; i < GRAINS; i++) {
		uint32_t grain = vmdk_image_grains[i];

		put_le32(image,
			 image->table_at[grain / TABLE_ENTRIES] + 4 * (grain % TABLE_ENTRIES),
			 (uint32_t)(image->grain_at[i] / SECTOR));
	}
}

/* All tables but those of the grains, which stay 0, are there. */
static inline void add_tables(struct vmdk_image *image)
{
	for (size_t t = 0; t < TABLES; t++, image->length += SECTOR)
		image->table_at[t] = image->length;
}

/* monolithicSparse: directory, tables, plain grains. */
static inline void vmdk_image_sparse(struct vmdk_image *image)
{
	static uint8_t disk[DISK_SIZE + GRAIN];

	memset(image, 0, sizeof(*image));
	vmdk_image_expected(disk);
	put_header(image, 0, 3);
	put_descriptor(image, VMDK_DESCRIPTOR("monolithicSparse", ""));
	image->directory_at = 3 * (size_t)SECTOR;
	image->length = 4 * (size_t)SECTOR;
	put_le64(image, DIRECTORY_AT, 3);
	add_tables(image);
	put_le64(image, OVERHEAD, image->length / SECTOR);
	for (size_t i = 0; i < GRAINS; i++, image->length += GRAIN) {
		image->grain_at[i] = image->length;
		memcpy(image->bytes + image->length, disk + vmdk_image_grains[i] * GRAIN, GRAIN);
	}
	put_entries(image);
}

static inline void add_packed_grain(struct vmdk_image *image, uint32_t grain, const uint8_t *data,
				    size_t length)
{
	struct libdeflate_compressor *deflate = libdeflate_alloc_compressor(6);
	size_t got = libdeflate_zlib_compress(deflate, data, length,
					      image->bytes + image->length + 12, 2 * GRAIN);

	put_marker(image, image->length, grain * 8, (uint32_t)got, 0);
	image->length += (12 + got + SECTOR - 1) / SECTOR * SECTOR;
	libdeflate_free_compressor(deflate);
}

static inline void add_packed_grains(struct vmdk_image *image)
{
	static uint8_t disk[DISK_SIZE + GRAIN];

	vmdk_image_expected(disk);
	for (size_t i = 0; i < GRAINS; i++) {
		size_t length = i == GRAINS - 1 ? GRAIN / 4 : GRAIN;

		image->grain_at[i] = image->length;
		add_packed_grain(image, vmdk_image_grains[i], disk + vmdk_image_grains[i] * GRAIN,
				 length);
	}
}

/* streamOptimized as VMware writes it: tables behind the grains, a footer, an end marker. */
static inline void vmdk_image_stream(struct vmdk_image *image)
{
	memset(image, 0, sizeof(*image));
	put_header(image, 0, 0x30001);
	image->bytes[COMPRESSION] = 1;
	put_le64(image, DIRECTORY_AT, UINT64_MAX);
	put_le64(image, OVERHEAD, 4);
	put_descriptor(image, VMDK_DESCRIPTOR("streamOptimized", ""));
	image->length = 4 * (size_t)SECTOR;
	add_packed_grains(image);
	image->tables_marker_at = add_marker(image, TABLES, 1);
	add_tables(image);
	add_marker(image, 1, 2);
	image->directory_at = image->length;
	image->length += SECTOR;
	put_entries(image);
	image->footer_at = add_marker(image, 1, 3) + SECTOR;
	memcpy(image->bytes + image->footer_at, image->bytes, SECTOR);
	put_le64(image, image->footer_at + DIRECTORY_AT, image->directory_at / SECTOR);
	image->length += SECTOR;
	add_marker(image, 0, 0);
}

/* streamOptimized as qemu-img writes it: tables before the grains, no end. */
static inline void vmdk_image_qemu_stream(struct vmdk_image *image)
{
	vmdk_image_sparse(image);
	put_le32(image, FLAGS, 0x30003);
	image->bytes[COMPRESSION] = 1;
	put_descriptor(image, VMDK_DESCRIPTOR("streamOptimized", ""));
	image->length = image->grain_at[0];
	memset(image->bytes + image->length, 0, sizeof(image->bytes) - image->length);
	add_packed_grains(image);
	put_entries(image);
}

static inline int vmdk_image_open(const struct vmdk_image *image, struct source **out,
				  struct error *err)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write_exactly(fd, "image", image->bytes, image->length, 0, err) < 0)
		return -1;
	return source_open_fd(fd, "image", &source_vmdk_ops, out, err);
}

/* stream must outlive the source. */
static inline int vmdk_image_open_stream(const struct vmdk_image *image, struct stream_file *stream,
					 struct source **out, struct error *err)
{
	*stream = (struct stream_file){image->bytes, image->length};
	return source_open_ops("image", &source_vmdk_ops, stream_file_open(stream, "image"), NULL,
			       out, err);
}
