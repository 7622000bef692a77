// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/used_ntfs.h"

#include <stdlib.h>

#include "base/scope.h"
#include "restore/used_bytes.h"

enum {
	BOOT_SECTOR = 512,
	WINDOW = 32 << 10, /* bytes of the bitmap */
	CLUSTER_MOST = 2 << 20,
	VOLUME_DIRTY = 1,
	VOLUME_CHECKED = 0x4000, /* chkdsk was at work */
	LOG_HEAD = 64 << 10,     /* of the log: both restart pages are in there */
	LOG_PAGE = 4096,
	LOG_NO_CLIENT = 0xffff,
	LOG_IS_CLEAN = 2,
	INDEX_LIMIT = 16 << 20, /* bytes of the root directory that are searched */
	INDEX_MOST = 64 << 10,  /* bytes of one block of it */
};

static int damaged(struct error *err, const char *what)
{
	return used_decline(err, "its %s is damaged", what);
}

static int unclean(struct error *err)
{
	return used_decline(err, "it was not unmounted cleanly");
}

/* A number of units, or, when negative, the logarithm of a number of bytes. */
static uint64_t size_of(uint8_t code, uint64_t unit)
{
	if (code < 0x80)
		return code * unit;
	return 256U - code < 32 ? 1ULL << (256U - code) : 0;
}

static int read_geometry(struct used_ntfs *ntfs, const uint8_t *boot, struct error *err)
{
	uint64_t sector = le16_at(boot + 11), sectors = le64_at(boot + 40);
	/* Beyond 128 sectors the code is the logarithm of their number. */
	uint64_t per_cluster = boot[13] <= 0x80 ? boot[13] : size_of(boot[13], 0);
	uint64_t cluster = sector * per_cluster, table = le64_at(boot + 48);

	if (memcmp(boot + 3, "NTFS    ", 8) != 0 || sector < 256 || sector > 4096 ||
	    cluster < 512 || cluster > CLUSTER_MOST || cluster & (cluster - 1))
		return damaged(err, "boot sector");
	if (sectors > ntfs->region->length / sector)
		return used_decline(err, "it is larger than its partition");
	ntfs->cluster_size = (uint32_t)cluster;
	ntfs->clusters = sectors / per_cluster;
	if (table >= ntfs->clusters)
		return damaged(err, "boot sector");
	ntfs->table = table * cluster;
	ntfs->record_size = (uint32_t)size_of(boot[64], cluster);
	if (ntfs->record_size != 1024 && ntfs->record_size != 4096)
		return damaged(err, "boot sector");
	return USED_KNOWN;
}

/* Of a record in full; a list says that it goes on in other records. */
static int open_stream(struct used_ntfs *ntfs, uint32_t number, uint32_t type,
		       struct used_ntfs_stream *out, struct error *err)
{
	const uint8_t *attribute;
	uint32_t length;
	int r = used_ntfs_read_record(ntfs, number, err);

	if (r != USED_KNOWN)
		return r;
	if (used_ntfs_attribute(ntfs, USED_NTFS_ATTRIBUTE_LIST, &length))
		return used_decline(err, "its system files are too fragmented");
	attribute = used_ntfs_attribute(ntfs, type, &length);
	if (!attribute)
		return damaged(err, "master file table");
	return used_ntfs_stream(ntfs, attribute, length, out, err);
}

static int check_volume(struct used_ntfs *ntfs, struct error *err)
{
	const uint8_t *attribute, *value = NULL;
	uint32_t length, value_length = 0;
	int r = used_ntfs_read_record(ntfs, USED_NTFS_VOLUME, err);

	if (r != USED_KNOWN)
		return r;
	attribute = used_ntfs_attribute(ntfs, USED_NTFS_VOLUME_INFORMATION, &length);
	if (attribute)
		value = used_ntfs_value(attribute, length, &value_length);
	if (!value || value_length < 12)
		return damaged(err, "master file table");
	return le16_at(value + 10) & (VOLUME_DIRTY | VOLUME_CHECKED) ? unclean(err) : USED_KNOWN;
}

/* Does the restart page say that nothing is to be replayed? -1: it is none. */
static int page_is_clean(const uint8_t *page, uint64_t *age)
{
	size_t area = le16_at(page + 24);

	if (memcmp(page, "RSTR", 4) != 0 || area > BOOT_SECTOR - 2 - 16)
		return -1;
	*age = le64_at(page + area);
	return le16_at(page + area + 12) == LOG_NO_CLIENT ||
	       le16_at(page + area + 14) & LOG_IS_CLEAN;
}

static bool is_blank(const uint8_t *data, size_t length)
{
	return data[0] == 0xff && memcmp(data, data + 1, length - 1) == 0;
}

/* The newer of the two restart pages is in force. What ntfs-3g leaves is blank. */
static int check_log(struct used_ntfs *ntfs, struct error *err)
{
	_cleanup_free_ uint8_t *head = malloc(LOG_HEAD);
	uint64_t first_age = 0, second_age = 0;
	int first, second;
	int r = open_stream(ntfs, USED_NTFS_LOGFILE, USED_NTFS_DATA, &ntfs->other, err);

	if (!head)
		abort();
	if (r == USED_KNOWN)
		r = used_ntfs_read(ntfs, &ntfs->other, head, LOG_HEAD, 0, err);
	if (r != USED_KNOWN)
		return r;
	if (is_blank(head, LOG_HEAD))
		return USED_KNOWN;
	first = page_is_clean(head, &first_age);
	second = page_is_clean(head + LOG_PAGE, &second_age);
	if (first < 0 || (second >= 0 && second_age > first_age))
		first = second;
	return first == 1 ? USED_KNOWN : unclean(err);
}

/* Looks for the name in an index, in any case of letters. */
static bool has_hiberfil(const uint8_t *data, size_t length)
{
	static const char name[] = "hiberfil.sys";
	const size_t bytes = 2 * (sizeof(name) - 1);

	for (size_t at = 0; at + bytes <= length; at++) {
		size_t i = 0;

		while (i < bytes &&
		       (i % 2 ? data[at + i] == 0 : (data[at + i] | 0x20) == (name[i / 2] | 0x20)))
			i++;
		if (i == bytes)
			return true;
	}
	return false;
}

static int hibernated(struct error *err)
{
	return used_decline(err, "Windows may be hibernated in it (hiberfil.sys): run `powercfg /h "
				 "off` and shut it down");
}

static int search_blocks(struct used_ntfs *ntfs, uint32_t block, struct error *err)
{
	_cleanup_free_ uint8_t *data = malloc(INDEX_MOST);
	const struct used_ntfs_stream *index = &ntfs->other;

	if (!data)
		abort();
	if (index->length > INDEX_LIMIT)
		return used_decline(err,
				    "its root directory is too large to look for hiberfil.sys");
	for (uint64_t at = 0; at + block <= index->length; at += block) {
		int r = used_ntfs_read(ntfs, index, data, block, at, err);

		if (r != USED_KNOWN)
			return r;
		if (memcmp(data, "INDX", 4) != 0)
			continue;
		if (!used_ntfs_fix(data, block))
			return damaged(err, "root directory");
		if (has_hiberfil(data, block))
			return hibernated(err);
	}
	return USED_KNOWN;
}

/* A hibernated Windows keeps its own idea of what is free. */
static int check_hibernation(struct used_ntfs *ntfs, struct error *err)
{
	const uint8_t *attribute, *value = NULL;
	uint32_t length, value_length = 0, block;
	int r = used_ntfs_read_record(ntfs, USED_NTFS_ROOT, err);

	if (r != USED_KNOWN)
		return r;
	attribute = used_ntfs_attribute(ntfs, USED_NTFS_INDEX_ROOT, &length);
	if (attribute)
		value = used_ntfs_value(attribute, length, &value_length);
	if (!value || value_length < 16)
		return damaged(err, "root directory");
	if (has_hiberfil(value, value_length))
		return hibernated(err);
	block = le32_at(value + 8);
	if (block < 512 || block > INDEX_MOST || block & (block - 1))
		return damaged(err, "root directory");
	if (!used_ntfs_attribute(ntfs, USED_NTFS_INDEX_ALLOCATION, &length) &&
	    !used_ntfs_attribute(ntfs, USED_NTFS_ATTRIBUTE_LIST, &length))
		return USED_KNOWN;
	r = open_stream(ntfs, USED_NTFS_ROOT, USED_NTFS_INDEX_ALLOCATION, &ntfs->other, err);
	return r == USED_KNOWN ? search_blocks(ntfs, block, err) : r;
}

static int ntfs_begin(struct used_ntfs *ntfs, struct error *err)
{
	uint8_t boot[BOOT_SECTOR];
	int r = used_region_read(ntfs->region, boot, sizeof(boot), 0, err);

	if (r == USED_KNOWN)
		r = read_geometry(ntfs, boot, err);
	if (r == USED_KNOWN)
		r = check_volume(ntfs, err);
	if (r == USED_KNOWN)
		r = check_log(ntfs, err);
	if (r == USED_KNOWN)
		r = check_hibernation(ntfs, err);
	if (r == USED_KNOWN)
		r = open_stream(ntfs, USED_NTFS_BITMAP, USED_NTFS_DATA, &ntfs->bitmap, err);
	if (r == USED_KNOWN && ntfs->bitmap.length < (ntfs->clusters + 7) / 8)
		r = damaged(err, "bitmap");
	return r;
}

static void ntfs_close(void *state)
{
	struct used_ntfs *ntfs = state;

	free(ntfs->window);
	free(ntfs);
}

static int ntfs_open(const struct used_region *region, void **state, struct error *err)
{
	struct used_ntfs *ntfs = calloc(1, sizeof(*ntfs));
	int r;

	if (!ntfs)
		abort();
	ntfs->region = region;
	ntfs->window = malloc(WINDOW);
	if (!ntfs->window)
		abort();
	r = used_cache_reserve(region->cache, sizeof(*ntfs) + WINDOW, err);
	if (r == USED_KNOWN)
		r = ntfs_begin(ntfs, err);
	if (r != USED_KNOWN)
		ntfs_close(ntfs);
	else
		*state = ntfs;
	return r;
}

static int ntfs_window(void *state, uint64_t offset, struct used_window *window, struct error *err)
{
	struct used_ntfs *ntfs = state;
	uint64_t cluster = offset / ntfs->cluster_size, first, count;
	int r;

	/* The copy of the boot sector is behind the last cluster. */
	if (cluster >= ntfs->clusters) {
		window->start = ntfs->clusters * ntfs->cluster_size;
		return USED_KNOWN;
	}
	first = cluster / (WINDOW * 8) * (WINDOW * 8);
	count = ntfs->clusters - first < WINDOW * 8 ? ntfs->clusters - first : WINDOW * 8;
	window->start = first * ntfs->cluster_size;
	window->end = window->start + count * ntfs->cluster_size;
	r = used_ntfs_read(ntfs, &ntfs->bitmap, ntfs->window, (count + 7) / 8, first / 8, err);
	if (r == USED_KNOWN)
		used_window_add_bitmap(window, ntfs->window, count, ntfs->cluster_size,
				       window->start);
	return r;
}

static const char *const names[] = {"ntfs", NULL};

const struct used_ops used_ntfs_ops = {
	.names = names,
	.open = ntfs_open,
	.window = ntfs_window,
	.close = ntfs_close,
};
