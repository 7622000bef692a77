// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * FAT12, FAT16, FAT32: a cluster whose entry in the first table is 0 is free. From Microsoft's
 * "FAT File System Specification" (version 1.03): the kind follows from the number of clusters; a
 * bit of entry 1 is clear while the volume is mounted, Linux sets one in the boot sector as well.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/scope.h"
#include "restore/used_blocks_kinds.h"
#include "restore/used_bytes.h"

enum {
	BOOT_SECTOR = 512,
	FIRST_CLUSTER = 2,
	FAT12_CLUSTERS = 4085, /* fewer than so many */
	FAT16_CLUSTERS = 65525,
	FAT32_CLUSTERS = 0x0ffffff5,
	MIRROR_OFF = 0x80, /* of the flags of FAT32: only one of the tables is kept */
	BOOT_DIRTY = 1,    /* of the state byte */
	WINDOW = 16 << 10, /* clusters; divides into bytes for each kind */
	ENTRY_MOST = 4,    /* bytes */
};

struct fat {
	const struct used_region *region;
	unsigned int bits; /* of an entry: 12, 16, 32 */
	uint64_t table, table_length;
	uint64_t data; /* where the first cluster is */
	uint64_t cluster_size;
	uint64_t clusters;
	uint8_t entries[WINDOW * ENTRY_MOST];
	uint8_t bitmap[WINDOW / 8];
};

/* Entry i of those in data; the upper four bits of FAT32's are not part of it. */
static uint32_t entry_at(const uint8_t *data, unsigned int bits, size_t i)
{
	if (bits == 32)
		return le32_at(data + 4 * i) & 0x0fffffff;
	if (bits == 16)
		return le16_at(data + 2 * i);
	return (le16_at(data + i * 3 / 2) >> (i % 2 ? 4 : 0)) & 0xfff;
}

static int read_geometry(struct fat *fat, const uint8_t *boot, struct error *err)
{
	uint64_t sector = le16_at(boot + 11), per_cluster = boot[13];
	uint64_t tables = boot[16], root = (uint64_t)le16_at(boot + 17) * 32;
	uint64_t table_16 = le16_at(boot + 22), table_32 = le32_at(boot + 36);
	uint64_t total = le16_at(boot + 19) ? le16_at(boot + 19) : le32_at(boot + 32);
	uint64_t data;

	if (sector < 512 || sector > 4096 || sector & (sector - 1) || per_cluster == 0 ||
	    per_cluster & (per_cluster - 1) || tables == 0 || le16_at(boot + 14) == 0)
		return used_decline(err, "its boot sector is damaged");
	fat->table = le16_at(boot + 14) * sector;
	fat->table_length = (table_16 ? table_16 : table_32) * sector;
	data = le16_at(boot + 14) + tables * (fat->table_length / sector) +
	       (root + sector - 1) / sector;
	if (total <= data || total > fat->region->length / sector)
		return used_decline(err, "it is larger than its partition");
	fat->data = data * sector;
	fat->cluster_size = per_cluster * sector;
	fat->clusters = (total - data) / per_cluster;
	fat->bits = 32;
	if (table_16)
		fat->bits = fat->clusters < FAT12_CLUSTERS ? 12 : 16;
	return USED_KNOWN;
}

static int check_geometry(const struct fat *fat, const uint8_t *boot, struct error *err)
{
	const uint64_t most = fat->bits == 32 ? FAT32_CLUSTERS : FAT16_CLUSTERS - 1;

	if (fat->clusters > most ||
	    fat->clusters + FIRST_CLUSTER > fat->table_length * 8 / fat->bits)
		return used_decline(err, "its table is too short for its size");
	if (fat->bits == 32 && le16_at(boot + 40) & MIRROR_OFF)
		return used_decline(err, "it keeps only one of its tables");
	return USED_KNOWN;
}

static int check_clean(const struct fat *fat, const uint8_t *boot, struct error *err)
{
	uint8_t entries[2 * ENTRY_MOST] = {0};
	uint8_t state = fat->bits == 32 ? boot[65] : boot[37];
	uint32_t clean = fat->bits == 32 ? 0x08000000 : 0x8000;
	int r = used_region_read(fat->region, entries, fat->bits / 4, fat->table, err);

	if (r != USED_KNOWN)
		return r;
	if (state & BOOT_DIRTY || (fat->bits != 12 && !(entry_at(entries, fat->bits, 1) & clean)))
		return used_decline(err, "it was not unmounted cleanly");
	return USED_KNOWN;
}

static int fat_begin(struct fat *fat, struct error *err)
{
	uint8_t boot[BOOT_SECTOR];
	int r = used_region_read(fat->region, boot, sizeof(boot), 0, err);

	if (r == USED_KNOWN)
		r = read_geometry(fat, boot, err);
	if (r == USED_KNOWN)
		r = check_geometry(fat, boot, err);
	if (r == USED_KNOWN)
		r = check_clean(fat, boot, err);
	return r;
}

static int fat_open(const struct used_region *region, void **state, struct error *err)
{
	_cleanup_free_ struct fat *fat = NULL;
	int r = used_cache_reserve(region->cache, sizeof(*fat), err);

	if (r != USED_KNOWN)
		return r;
	fat = calloc(1, sizeof(*fat));
	if (!fat)
		abort();
	fat->region = region;
	r = fat_begin(fat, err);
	if (r == USED_KNOWN)
		*state = steal(&fat);
	return r;
}

static int load(struct fat *fat, uint64_t first, uint64_t count, struct error *err)
{
	/* Clusters are numbered from 2 on, which are 3 bytes of FAT12. */
	uint64_t offset = (first + FIRST_CLUSTER) * fat->bits / 8;
	uint64_t length = (count * fat->bits + 7) / 8;
	int r = used_region_read(fat->region, fat->entries, (size_t)length, fat->table + offset,
				 err);

	if (r != USED_KNOWN)
		return r;
	memset(fat->bitmap, 0, sizeof(fat->bitmap));
	for (size_t i = 0; i < count; i++)
		if (entry_at(fat->entries, fat->bits, i) != 0)
			fat->bitmap[i / 8] |= (uint8_t)(1 << i % 8);
	return USED_KNOWN;
}

static int fat_window(void *state, uint64_t offset, struct used_window *window, struct error *err)
{
	struct fat *fat = state;
	uint64_t first, count;
	int r;

	if (offset < fat->data) {
		window->end = fat->data;
		return USED_KNOWN;
	}
	first = (offset - fat->data) / fat->cluster_size / WINDOW * WINDOW;
	window->start = fat->data + first * fat->cluster_size;
	if ((offset - fat->data) / fat->cluster_size >= fat->clusters) {
		window->start = fat->data + fat->clusters * fat->cluster_size;
		return USED_KNOWN;
	}
	count = fat->clusters - first < WINDOW ? fat->clusters - first : WINDOW;
	window->end = window->start + count * fat->cluster_size;
	r = load(fat, first, count, err);
	if (r == USED_KNOWN)
		used_window_add_bitmap(window, fat->bitmap, count, fat->cluster_size,
				       window->start);
	return r;
}

static const char *const names[] = {"vfat", NULL};

const struct used_ops used_fat_ops = {
	.names = names,
	.open = fat_open,
	.window = fat_window,
	.close = free,
};
