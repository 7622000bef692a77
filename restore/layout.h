// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * layout: partition tables and what the partitions hold, and the changes that a disk of another
 * size asks for. Reading is libblkid's (it only reads, and is made for hostile input), writing is
 * libparted's.
 *
 * Specifications: UEFI 2.10 section 5 (GPT), the MBR as libparted understands it. Numbers are as
 * the kernel counts partitions; start and length are bytes.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"

struct partition {
	int number; /* 0: the file system fills the disk, there is no table */
	uint64_t start, length;
	char *type;         /* GPT: type GUID, lower case; MBR: "0x83" */
	char *name;         /* GPT partition name or NULL */
	char *partuuid;     /* as in /dev/disk/by-partuuid, or NULL */
	char *filesystem;   /* libblkid's TYPE: ext4, vfat, swap, LVM2_member … or NULL */
	char *uuid, *label; /* of the file system, or NULL */
	bool bootable;      /* MBR active flag, GPT legacy boot */
	bool is_esp, is_bios_boot, is_extended, is_logical;
};

enum { LAYOUT_PARTITIONS = 128 };

struct layout {
	char *table;   /* "gpt", "msdos", or NULL: none */
	char *disk_id; /* GPT GUID or MBR signature, as libblkid prints PTUUID */
	uint64_t disk_size;
	uint32_t sector_size;
	/* Of a stream: of some partitions nothing could be seen yet; their file systems, and
	 * logical partitions, are missing here. */
	bool is_partial;
	struct partition *partition;
	size_t count;
};

/*
 * Of a disk, or of a regular file that holds one. A table that is announced but broken (GPT without
 * an intact header, more than LAYOUT_PARTITIONS partitions) is an error.
 */
int layout_read(const char *path, struct layout *out, struct error *err);
/* As layout_read(), of an open file; name is for messages, sector_size 0: found by content. */
int layout_read_fd(int fd, const char *name, uint64_t size, uint32_t sector_size,
		   struct layout *out, struct error *err);
/*
 * Of an image that was not written yet: copies the few places that identify it (both ends, the head
 * and the end of each partition) into a sparse file in memory and reads that. Of a stream, its head
 * is all there is: see is_partial.
 */
int layout_read_source(struct source *source, struct layout *out, struct error *err);
json_object *layout_json(const struct layout *layout);
void layout_release(struct layout *layout);
#define _cleanup_layout_ __attribute__((cleanup(layout_release)))

/* The partition of that number, or NULL. */
const struct partition *layout_find(const struct layout *layout, int number);

/*
 * Does the image fit and can the disk boot it? Refuses an image larger than the disk (says both
 * sizes and what to do), a table that cannot work on the disk's logical sectors (0: any), a table
 * whose partitions overlap or end past the image.
 */
int layout_check(const struct layout *image, uint64_t disk_size, uint32_t logical_sector,
		 struct error *err);

/* What will be done to use the whole disk: a value that `plan` prints and layout_grow() carries
 * out. */
struct growth {
	bool moves_backup_gpt;
	int partition; /* number of the last partition that grows, 0: none */
	int container; /* number of the extended partition around it, 0: none */
	uint64_t partition_from, partition_to; /* lengths */
	char *filesystem; /* ext2, ext3, ext4 or LVM2_member: what is grown inside, NULL: nothing */
	char *why_not; /* why nothing grows (last partition is swap, xfs …), or not to the end of
			* the disk (2 TiB limit of MBR); NULL when all is used */
};

int layout_plan_growth(const struct layout *image, uint64_t disk_size, struct growth *out,
		       struct error *err);
/*
 * Edits the table on disk (path) as planned: backup GPT to the end, last partition to the end.
 * Starts, numbers, GUIDs, names, flags, boot code and disk signature stay; what was written is read
 * again and compared. The last MiB of the space that the partition gained is zeroed. libparted runs
 * in a child process: it ends the program where it meets a contradiction.
 */
int layout_grow(const char *path, const struct growth *growth, struct error *err);
json_object *growth_json(const struct growth *growth);
void growth_release(struct growth *growth);
#define _cleanup_growth_ __attribute__((cleanup(growth_release)))
