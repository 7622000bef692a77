// SPDX-License-Identifier: GPL-3.0-or-later
#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "restore/vmdk.h"

#define FLAG_NEWLINE (1U << 0)
#define FLAG_ZERO_GRAINS (1U << 2)
#define FLAG_COMPRESSED (1U << 16)
#define FLAG_MARKERS (1U << 17)
/* The upper half says how the data is to be read; bits of it that are not known change that. */
#define FLAGS_THAT_MATTER 0xffff0000U

#define DEFLATE 1
#define AT_END UINT64_MAX /* gdOffset: the footer says where */
#define GRAIN_LIMIT (1U << 20)
#define TABLE_ENTRIES_MIN 128U /* a table is a sector at least */
#define TABLE_ENTRIES_MAX 512U
#define DIRECTORY_LIMIT (8U << 20) /* bytes: 64 TiB with the usual grains */

/* "SparseExtentHeader", little endian. */
struct disk_header {
	uint8_t magic[4];
	uint32_t version, flags;
	uint64_t capacity, grain_size, descriptor_offset, descriptor_size;
	uint32_t table_entries;
	uint64_t spare_directory_offset, directory_offset, overhead;
	uint8_t is_unclean;
	uint8_t newlines[4];
	uint16_t compression;
	uint8_t pad[433];
} __attribute__((packed));

static_assert(sizeof(struct disk_header) == VMDK_SECTOR, "a header is a sector");

static bool is_power_of_two(uint64_t number)
{
	return number > 0 && (number & (number - 1)) == 0;
}

/* Sectors as bytes. What is too large becomes an offset that is in no file. */
static uint64_t bytes_of(uint64_t sectors)
{
	sectors = le64toh(sectors);
	return sectors > INT64_MAX / VMDK_SECTOR ? INT64_MAX : sectors * VMDK_SECTOR;
}

static int parse_compression(const struct disk_header *disk, uint32_t flags,
			     struct vmdk_header *header, struct error *err)
{
	uint16_t method = le16toh(disk->compression);

	header->is_compressed = flags & FLAG_COMPRESSED;
	if (header->is_compressed && method != DEFLATE)
		return error_set(err, "the image has an unknown compression method %u", method);
	if (!header->is_compressed && method != 0)
		return error_set(
			err,
			"image is corrupt: its compression method %u and its flags %#" PRIx32
			" contradict each other",
			method, flags);
	if (header->is_compressed && !(flags & FLAG_MARKERS))
		return error_set(err, "the image has compressed grains without markers, which is "
				      "not supported: convert it first with `qemu-img convert "
				      "-f vmdk -O qcow2`");
	return 0;
}

static int parse_flags(const struct disk_header *disk, struct vmdk_header *header,
		       struct error *err)
{
	uint32_t flags = le32toh(disk->flags);
	uint32_t unknown = flags & FLAGS_THAT_MATTER & ~(FLAG_COMPRESSED | FLAG_MARKERS);

	if (unknown)
		return error_set(
			err, "the image uses a feature that is not known here (flags %#" PRIx32 ")",
			unknown);
	if (flags & FLAG_NEWLINE && memcmp(disk->newlines, "\n \r\n", 4) != 0)
		return error_set(err, "image is corrupt: its line ends were changed, as a transfer "
				      "in text mode does: copy it again in binary mode");
	header->has_zero_grains = flags & FLAG_ZERO_GRAINS;
	return parse_compression(disk, flags, header, err);
}

/* The directory must cover the disk. */
static int parse_geometry(const struct disk_header *disk, struct vmdk_header *header,
			  struct error *err)
{
	uint64_t grain = bytes_of(disk->grain_size), covered, entries;

	header->size = bytes_of(disk->capacity);
	header->table_entries = le32toh(disk->table_entries);
	if (!is_power_of_two(grain) || grain > GRAIN_LIMIT)
		return error_set(err,
				 "image is corrupt: its grain size is %" PRIu64
				 " sectors (a power of two, up to 2048, is possible)",
				 le64toh(disk->grain_size));
	if (!is_power_of_two(header->table_entries) || header->table_entries < TABLE_ENTRIES_MIN ||
	    header->table_entries > TABLE_ENTRIES_MAX)
		return error_set(err,
				 "image is corrupt: its grain tables have %" PRIu32
				 " entries (512 are usual)",
				 header->table_entries);
	header->grain_size = (uint32_t)grain;
	covered = grain * header->table_entries; /* by one grain table */
	entries = header->size / covered + (header->size % covered != 0);
	if (entries > DIRECTORY_LIMIT / sizeof(uint32_t))
		return error_set(err,
				 "image is corrupt: a disk of %" PRIu64
				 " sectors is more than grains of %" PRIu32 " bytes can hold",
				 le64toh(disk->capacity), header->grain_size);
	header->directory_entries = (uint32_t)entries;
	return 0;
}

/* "header" or "footer", with the bytes of a sector. */
static int parse(const char *what, const uint8_t *bytes, struct vmdk_header *header,
		 struct error *err)
{
	struct disk_header disk;

	memcpy(&disk, bytes, sizeof(disk));
	*header = (struct vmdk_header){
		.version = le32toh(disk.version),
		.directory_offset = bytes_of(disk.directory_offset),
		.descriptor_offset = bytes_of(disk.descriptor_offset),
		.descriptor_length = bytes_of(disk.descriptor_size),
		.data_offset = bytes_of(disk.overhead),
		.is_unclean = disk.is_unclean,
	};
	if (memcmp(disk.magic, "KDMV", 4) != 0)
		return error_set(
			err, "this is not a sparse VMDK image (its %s lacks the signature)", what);
	if (header->version < 1 || header->version > 3)
		return error_set(err, "VMDK version %" PRIu32 " is not supported (1 to 3 are)",
				 header->version);
	if (le64toh(disk.directory_offset) == AT_END)
		header->directory_offset = VMDK_NO_DIRECTORY;
	if (parse_flags(&disk, header, err) < 0)
		return -1;
	return parse_geometry(&disk, header, err);
}

/*
 * The last three sectors: the footer's marker, the footer, the end marker. Where they are not, the
 * file is a stream that something follows, or that breaks off: both come to light when its markers
 * are followed.
 */
static int read_footer(const struct image_file *file, struct vmdk_header *header, struct error *err)
{
	uint8_t tail[3 * VMDK_SECTOR];
	struct vmdk_marker first, last;
	struct vmdk_header footer;

	if (file->size < sizeof(tail))
		return 0;
	if (image_file_read(file, "footer", tail, sizeof(tail), file->size - sizeof(tail), err) < 0)
		return -1;
	first = vmdk_marker_parse(tail);
	last = vmdk_marker_parse(tail + sizeof(tail) - VMDK_SECTOR);
	if (first.data_length != 0 || first.type != VMDK_FOOTER || last.data_length != 0 ||
	    last.type != VMDK_END)
		return 0;
	if (parse("footer", tail + VMDK_SECTOR, &footer, err) < 0)
		return error_in(err, "footer at file offset %" PRIu64,
				file->size - 2 * VMDK_SECTOR);
	if (footer.directory_offset == VMDK_NO_DIRECTORY)
		return error_set(err, "image is corrupt: its footer does not say where the grain "
				      "directory is");
	footer.descriptor_offset = header->descriptor_offset;
	footer.descriptor_length = header->descriptor_length;
	*header = footer;
	return 0;
}

static int find_directory(const struct image_file *file, struct vmdk_header *header,
			  struct error *err)
{
	if (header->directory_offset != VMDK_NO_DIRECTORY)
		return 0;
	if (!header->is_compressed)
		return error_set(err, "image is corrupt: it has no grain directory");
	return file->is_seekable ? read_footer(file, header, err) : 0;
}

int vmdk_header_read(struct image_file *file, struct vmdk_header *header, struct error *err)
{
	uint8_t bytes[VMDK_SECTOR] = {0};
	size_t got;

	if (image_file_peek(file, bytes, sizeof(bytes), &got, err) < 0)
		return -1;
	if (got < sizeof(bytes))
		return error_set(err,
				 "image is truncated: its header has 512 bytes, the file ends at "
				 "%zu",
				 got);
	if (parse("header", bytes, header, err) < 0 || find_directory(file, header, err) < 0)
		return -1;
	return header->size ? 0 : error_set(err, "the disk in this image has a size of 0");
}
