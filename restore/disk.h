// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * disk: the disks of this machine, what identifies them, and the rule by which one is chosen.
 *
 * Facts come from sysfs and the udev database. Sizes are bytes.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct disk {
	char *path;  /* /dev/nvme0n1, or the path of a regular file */
	char *name;  /* nvme0n1; for a file its path */
	char *model; /* these five: NULL when the disk does not say */
	char *serial;
	char *wwn;
	char *transport; /* sata, nvme, usb, scsi, mmc, virtio, file … */
	char *by_id;     /* /dev/disk/by-id/… that names it best */
	char *by_path;   /* /dev/disk/by-path/… that names its port, or NULL */
	char *hangs_on; /* slot of the device that carries it (adapt/hardware.h); NULL: not known */
	char *sysfs;    /* /sys/devices/…/block/nvme0n1; NULL for a file */
	dev_t device;   /* 0 for a file */
	uint64_t size;
	uint32_t logical_sector, physical_sector;
	bool rotational, removable, read_only;
	bool is_file;
};

struct disks {
	struct disk *item;
	size_t count;
};

/* Whole disks that could be restored to: no partitions, loop without backing file, ram, zram, dm,
 * md, CD drives. */
int disks_list(struct disks *out, struct error *err);
/* One disk by path: a block device (whole disk or loop) or a regular file. A link is followed: the
 * path in out is the kernel's own name. A partition is refused by name. */
int disk_describe(const char *path, struct disk *out, struct error *err);
/* { "path", "model", "serial", "wwn", "size", "rotational", "transport", "logical-sector", … } */
json_object *disk_json(const struct disk *disk);
void disk_copy(const struct disk *disk, struct disk *out);
/*
 * Is it one disk, at two moments? A name such as /dev/sdb goes to another disk when this one is
 * unplugged: place, device number, size, and what the disk says of itself must agree.
 */
bool disk_is_same(const struct disk *a, const struct disk *b);
/* "/dev/sda (500 GiB, ATA QEMU HARDDISK, serial QM00001)": heap, the caller frees. */
char *disk_label(const struct disk *disk);
/* Where the kernel puts a partition of a disk: /dev/sda1, /dev/nvme0n1p1: heap, the caller frees.
 */
char *disk_partition_path(const char *path, int number);
void disk_release(struct disk *disk);
void disks_release(struct disks *disks);
#define _cleanup_disk_ __attribute__((cleanup(disk_release)))
#define _cleanup_disks_ __attribute__((cleanup(disks_release)))

/*
 * Chooses the disk that rule names. rule is a path (begins with '/' or '.'), or comma-separated
 * conditions that must all hold: serial=GLOB wwn=GLOB model=GLOB transport=GLOB by-id=GLOB
 * rotational=0|1 removable=0|1 size>=N size<=N size=N (N with K M G T), and at most one of
 * `smallest`, `largest`, applied to what is left. Exactly one disk must remain: none or two (also
 * two equally small ones) is an error that lists the candidates and says what tells them apart.
 * Removable, USB and loop disks match only a rule that has one of the keys serial, wwn, model,
 * transport, by-id or removable: size and kind alone would find the stick that was left plugged in.
 * Disks that cannot be written (read-only, or in use: see target.h) do match, so that the refusal
 * says why.
 */
int disk_choose(const struct disks *disks, const char *rule, struct disk *out, struct error *err);
/* Is rule well formed? Nothing is looked for; a path is not a rule. */
int disk_rule_check(const char *rule, struct error *err);
/* Is string a rule (and not a path)? A file whose name looks like a rule is written ./NAME. */
bool disk_is_rule(const char *string);
