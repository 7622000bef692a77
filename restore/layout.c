// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/layout.h"

#include <blkid/blkid.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/text.h"

enum {
	SECTOR = 512, /* libblkid counts in these whatever the disk's sectors are */
	GPT_ENTRIES_LIMIT = 512 << 10, /* bytes; 16 KiB is usual */
};

#define ESP_GUID "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
#define BIOS_BOOT_GUID "21686148-6449-6e6f-744e-656564454649"
#define GPT_LEGACY_BOOT (1ULL << 2) /* UEFI 2.10, table 5-8 */
#define MBR_ACTIVE 0x80
#define MBR_TYPE_ESP 0xef
#define MBR_TYPE_PROTECTIVE 0xee

/* UEFI 2.10, table 5-5; little endian. */
struct gpt_header {
	uint8_t signature[8];
	uint8_t skipped[72];
	uint32_t entries;
	uint32_t entry_size;
} __attribute__((packed));

struct disk_file {
	int fd;
	const char *name;
	uint64_t size;
	uint32_t sector_size;
};

static void probe_releasep(blkid_probe *probe)
{
	blkid_free_probe(*probe);
}
#define _cleanup_probe_ _cleanup_(probe_releasep)

static char *copy_or_null(const char *string)
{
	return string && *string ? string_copy(string) : NULL;
}

/* Labels and names come from the image and are printed. */
static char *copy_printable(const char *string)
{
	char *copy = copy_or_null(string);

	for (char *c = copy; c && *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return copy;
}

static bool has_gpt_at(const struct disk_file *file, uint64_t offset, struct gpt_header *header)
{
	if (offset > file->size || file->size - offset < sizeof(*header))
		return false;
	if (read_exactly(file->fd, file->name, header, sizeof(*header), offset, NULL) < 0)
		return false;
	return memcmp(header->signature, "EFI PART", sizeof(header->signature)) == 0;
}

/* A file does not say how large its sectors are; the place of the GPT header does. */
static uint32_t guess_sector_size(const struct disk_file *file)
{
	struct gpt_header header;

	if (has_gpt_at(file, 512, &header))
		return 512;
	return has_gpt_at(file, 4096, &header) ? 4096 : 512;
}

/* libblkid loads the whole array of entries into memory to check its sum. */
static int check_gpt_bounds(const struct disk_file *file, struct error *err)
{
	const uint64_t places[] = {file->sector_size, file->size - file->sector_size};

	for (size_t i = 0; i < array_length(places); i++) {
		struct gpt_header header;
		uint64_t bytes;

		if (file->size < file->sector_size || !has_gpt_at(file, places[i], &header))
			continue;
		bytes = (uint64_t)le32toh(header.entries) * le32toh(header.entry_size);
		if (bytes > GPT_ENTRIES_LIMIT)
			return error_set(err,
					 "%s: the GPT at offset %llu has %u entries of %u bytes: "
					 "more than a sane table",
					 file->name, (unsigned long long)places[i],
					 le32toh(header.entries), le32toh(header.entry_size));
	}
	return 0;
}

/* As the tools write it: a GUID, or the byte in hexadecimal. */
static char *partition_type(const char *table, blkid_partition from)
{
	const char *guid = blkid_partition_get_type_string(from);

	if (string_equal(table, "gpt"))
		return copy_or_null(guid);
	return string_format("0x%x", (unsigned int)blkid_partition_get_type(from));
}

static int partition_fill(const struct disk_file *file, const char *table, blkid_partition from,
			  struct partition *out, struct error *err)
{
	bool gpt = string_equal(table, "gpt");
	int64_t start = blkid_partition_get_start(from), length = blkid_partition_get_size(from);
	unsigned long long flags = blkid_partition_get_flags(from);

	out->number = blkid_partition_get_partno(from);
	if (start < 0 || length < 0 || start > INT64_MAX / SECTOR || length > INT64_MAX / SECTOR)
		return error_set(err, "%s: partition %d lies outside of any disk", file->name,
				 out->number);
	out->start = (uint64_t)start * SECTOR;
	out->length = (uint64_t)length * SECTOR;
	out->type = partition_type(table, from);
	out->name = copy_printable(blkid_partition_get_name(from));
	out->partuuid = copy_or_null(blkid_partition_get_uuid(from));
	out->bootable = gpt ? (flags & GPT_LEGACY_BOOT) != 0 : flags == MBR_ACTIVE;
	out->is_esp = gpt ? string_equal(out->type, ESP_GUID)
			  : blkid_partition_get_type(from) == MBR_TYPE_ESP;
	out->is_bios_boot = gpt && string_equal(out->type, BIOS_BOOT_GUID);
	out->is_extended = !gpt && blkid_partition_is_extended(from);
	out->is_logical = !gpt && blkid_partition_is_logical(from);
	return 0;
}

static char *probe_value(blkid_probe probe, const char *name)
{
	const char *value = NULL;

	if (blkid_probe_lookup_value(probe, name, &value, NULL) < 0)
		return NULL;
	return copy_printable(value);
}

static blkid_probe probe_new(const struct disk_file *file, uint64_t start, uint64_t length)
{
	_cleanup_probe_ blkid_probe probe = blkid_new_probe();

	if (!probe)
		return NULL;
	if (blkid_probe_set_device(probe, file->fd, (blkid_loff_t)start, (blkid_loff_t)length) < 0)
		return NULL;
	if (blkid_probe_set_sectorsize(probe, file->sector_size) < 0)
		return NULL;
	return steal(&probe);
}

/* What cannot be told (nothing there, two signatures, unreadable) stays NULL. */
static void find_filesystem(const struct disk_file *file, struct partition *partition)
{
	_cleanup_probe_ blkid_probe probe = NULL;

	if (partition->start >= file->size || partition->length > file->size - partition->start ||
	    partition->length == 0)
		return;
	probe = probe_new(file, partition->start, partition->length);
	if (!probe)
		return;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID |
							 BLKID_SUBLKS_LABEL);
	if (blkid_do_safeprobe(probe) != 0)
		return;
	partition->filesystem = probe_value(probe, "TYPE");
	partition->uuid = probe_value(probe, "UUID");
	partition->label = probe_value(probe, "LABEL");
}

static struct partition *layout_add(struct layout *layout)
{
	layout->partition =
		reallocarray(layout->partition, layout->count + 1, sizeof(*layout->partition));
	if (!layout->partition)
		abort();
	layout->partition[layout->count] = (struct partition){0};
	return &layout->partition[layout->count++];
}

/* Tables within partitions (BSD, Minix) have a parent; what they list is not the disk's. */
static bool is_nested(blkid_partition partition)
{
	blkid_parttable table = blkid_partition_get_table(partition);

	return table && blkid_parttable_get_parent(table);
}

static int fill_partitions(const struct disk_file *file, blkid_partlist list, struct layout *out,
			   struct error *err)
{
	int count = blkid_partlist_numof_partitions(list);

	for (int i = 0; i < count; i++) {
		blkid_partition from = blkid_partlist_get_partition(list, i);
		struct partition *partition;

		if (!from || is_nested(from))
			continue;
		if (out->count == LAYOUT_PARTITIONS)
			return error_set(err, "%s has more than %d partitions", file->name,
					 LAYOUT_PARTITIONS);
		partition = layout_add(out);
		if (partition_fill(file, out->table, from, partition, err) < 0)
			return -1;
		if (!partition->is_extended)
			find_filesystem(file, partition);
	}
	return 0;
}

static int read_table(const struct disk_file *file, struct layout *out, struct error *err)
{
	_cleanup_probe_ blkid_probe probe = probe_new(file, 0, file->size);
	blkid_partlist list;
	blkid_parttable table;
	const char *type;

	if (!probe)
		return error_set(err, "%s: libblkid cannot read it", file->name);
	blkid_probe_enable_superblocks(probe, 0);
	blkid_probe_enable_partitions(probe, 1);
	list = blkid_probe_get_partitions(probe);
	table = list ? blkid_partlist_get_table(list) : NULL;
	if (!table)
		return 0;
	type = blkid_parttable_get_type(table);
	out->table = copy_or_null(string_equal(type, "dos") ? "msdos" : type);
	out->disk_id = copy_or_null(blkid_parttable_get_id(table));
	return fill_partitions(file, list, out, err);
}

/* A protective MBR whose GPT libblkid did not accept. */
static int check_protective(const struct disk_file *file, const struct layout *layout,
			    struct error *err)
{
	uint8_t mbr[SECTOR];
	bool protective = false;

	if (string_equal(layout->table, "gpt") || file->size < sizeof(mbr))
		return 0;
	if (read_exactly(file->fd, file->name, mbr, sizeof(mbr), 0, err) < 0)
		return -1;
	for (size_t i = 0; i < 4; i++)
		protective = protective || mbr[446 + 16 * i + 4] == MBR_TYPE_PROTECTIVE;
	if (mbr[510] != 0x55 || mbr[511] != 0xaa || !protective)
		return 0;
	return error_set(err,
			 "%s: its protective MBR announces a GPT, but neither the primary nor the "
			 "backup GPT is intact",
			 file->name);
}

/* Without a table the disk as a whole may hold a file system. */
static void read_whole(const struct disk_file *file, struct layout *out)
{
	struct partition whole = {.length = file->size};

	find_filesystem(file, &whole);
	if (whole.filesystem)
		*layout_add(out) = whole;
}

int layout_read_fd(int fd, const char *name, uint64_t size, uint32_t sector_size,
		   struct layout *out, struct error *err)
{
	struct disk_file file = {.fd = fd, .name = name, .size = size, .sector_size = sector_size};
	_cleanup_layout_ struct layout layout = {.disk_size = size};

	*out = (struct layout){0};
	if (!file.sector_size)
		file.sector_size = guess_sector_size(&file);
	layout.sector_size = file.sector_size;
	if (size > INT64_MAX)
		return error_set(err, "%s is larger than any disk", name);
	if (size < file.sector_size * 2ULL) {
		*out = layout;
		return 0;
	}
	if (check_gpt_bounds(&file, err) < 0 || read_table(&file, &layout, err) < 0 ||
	    check_protective(&file, &layout, err) < 0)
		return -1;
	if (!layout.table)
		read_whole(&file, &layout);
	*out = layout;
	layout = (struct layout){0};
	return 0;
}

static int block_geometry(int fd, const char *path, uint64_t *size, uint32_t *sector_size,
			  struct error *err)
{
	int logical;

	if (ioctl(fd, BLKGETSIZE64, size) < 0)
		return error_sys(err, errno, "ask %s for its size", path);
	if (ioctl(fd, BLKSSZGET, &logical) < 0 || logical <= 0)
		return error_sys(err, errno, "ask %s for its sector size", path);
	*sector_size = (uint32_t)logical;
	return 0;
}

int layout_read(const char *path, struct layout *out, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t sector_size = 0;
	struct stat status;
	uint64_t size;

	*out = (struct layout){0};
	if (fd < 0)
		return error_sys(err, errno, "open %s", path);
	if (fstat(fd, &status) < 0)
		return error_sys(err, errno, "look at %s", path);
	size = (uint64_t)status.st_size;
	if (S_ISBLK(status.st_mode) && block_geometry(fd, path, &size, &sector_size, err) < 0)
		return -1;
	if (layout_read_fd(fd, path, size, sector_size, out, err) < 0)
		return error_in(err, "read the partition table");
	return 0;
}

const struct partition *layout_find(const struct layout *layout, int number)
{
	for (size_t i = 0; i < layout->count; i++)
		if (layout->partition[i].number == number)
			return &layout->partition[i];
	return NULL;
}

static void add_text(json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_string_or_null(value));
}

static void add_if(json_object *object, const char *key, bool value)
{
	if (value)
		json_object_object_add(object, key, json_object_new_boolean(true));
}

static json_object *partition_json(const struct partition *partition)
{
	json_object *out = json_object_new_object();

	json_object_object_add(out, "number", json_object_new_int(partition->number));
	json_object_object_add(out, "start", json_object_new_uint64(partition->start));
	json_object_object_add(out, "length", json_object_new_uint64(partition->length));
	add_text(out, "type", partition->type);
	add_text(out, "name", partition->name);
	add_text(out, "partuuid", partition->partuuid);
	add_text(out, "filesystem", partition->filesystem);
	add_text(out, "uuid", partition->uuid);
	add_text(out, "label", partition->label);
	add_if(out, "bootable", partition->bootable);
	add_if(out, "esp", partition->is_esp);
	add_if(out, "bios-boot", partition->is_bios_boot);
	add_if(out, "extended", partition->is_extended);
	add_if(out, "logical", partition->is_logical);
	return out;
}

json_object *layout_json(const struct layout *layout)
{
	json_object *out = json_object_new_object(), *list = json_object_new_array();

	add_text(out, "table", layout->table);
	add_text(out, "disk-id", layout->disk_id);
	json_object_object_add(out, "size", json_object_new_uint64(layout->disk_size));
	json_object_object_add(out, "sector-size", json_object_new_int64(layout->sector_size));
	for (size_t i = 0; i < layout->count; i++)
		json_object_array_add(list, partition_json(&layout->partition[i]));
	json_object_object_add(out, "partitions", list);
	return out;
}

void layout_release(struct layout *layout)
{
	if (!layout)
		return;
	for (size_t i = 0; i < layout->count; i++) {
		struct partition *partition = &layout->partition[i];

		free(partition->type);
		free(partition->name);
		free(partition->partuuid);
		free(partition->filesystem);
		free(partition->uuid);
		free(partition->label);
	}
	free(layout->partition);
	free(layout->table);
	free(layout->disk_id);
	*layout = (struct layout){0};
}
