// SPDX-License-Identifier: GPL-3.0-or-later
/* guest_disk: the places of a disk that can hold a file system. Part of guest_open_disk(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "adapt/guest.h"
#include "base/error.h"

/* A partition or a logical volume. */
struct volume {
	char *device;     /* /dev/sda2, /dev/mapper/vg-root, or a loop device over a partition */
	char *filesystem; /* libblkid's TYPE, or NULL */
	char *uuid, *label, *partuuid, *partlabel; /* or NULL */
	char *group, *name;                        /* of a logical volume, else NULL */
	int partition;                             /* 0: a logical volume, or no table */
	int loop_fd; /* keeps a loop device until a mount does; -1: none */
};

struct volumes {
	struct volume *item;
	size_t count;
	/* Why the first place that may hold the root cannot be looked into. */
	struct error damage;
};

struct volume *volumes_add(struct volumes *volumes);
void volumes_release(struct volumes *volumes);
#define _cleanup_volumes_ __attribute__((cleanup(volumes_release)))

/* A file of this machine; gets a loop device when it holds a file system that v2p mounts. The
 * caller says in the volume what it is. */
int volumes_add_file(const char *path, enum guest_mode mode, struct volumes *volumes,
		     struct volume **out, struct error *err);
/* Finds out which file system it holds: sets filesystem, uuid and label. */
void volume_probe(struct volume *volume);
/* What messages call the volume: "partition 2", "the volume vg/root", /dev/sda2. Heap, the caller
 * frees. */
char *volume_describe(const struct volume *volume);
/* What messages call the guest's disk. */
const char *guest_disk_name(const struct guest *guest);

/* Adds the partitions. Those that the kernel shows no device for (a regular file, a loop device)
 * get loop devices of their own. */
int volumes_add_partitions(const struct guest *guest, enum guest_mode mode, struct volumes *volumes,
			   struct error *err);

/* Activates the volume groups on the disk, adds their volumes, and notes in guest->volume_groups
 * those that were not active before. */
int volumes_add_logical(struct guest *guest, enum guest_mode mode, struct volumes *volumes,
			struct error *err);
/* Deactivates guest->volume_groups. */
int volumes_deactivate(const struct guest *guest, struct error *err);

/* Can v2p mount this file system; can it hold a root? */
bool filesystem_is_supported(const char *filesystem);
bool filesystem_can_be_root(const char *filesystem);
/*
 * Mounts nodev and nosuid. MOUNT_LOOK is read-only and replays no journal; subvolume may be NULL.
 * where is a path of this machine (/proc/self/fd/N for a place inside the guest).
 */
enum mount_mode { MOUNT_LOOK, MOUNT_READ_ONLY, MOUNT_READ_WRITE };
int volume_mount(const struct volume *volume, const char *where, enum mount_mode mode,
		 const char *subvolume, struct error *err);

/* How a guest that is opened so is mounted. */
enum mount_mode guest_mount_mode(const struct guest *guest, enum guest_mode mode);
/* From here on mounts neither spread to the rest of the system, nor outlive v2p. */
int guest_isolate(struct error *err);
/* Finds the root among the volumes, mounts it and what its fstab names, and reads what it is. The
 * root is mounted on guest->root; NULL: on a new directory, which guest_unmount() removes. */
int guest_open_volumes(struct guest *guest, struct volumes *volumes, enum guest_mode mode,
		       struct error *err);
/* Undoes the mounts of guest_open_volumes(), whatever of them was made. */
int guest_unmount(struct guest *guest, struct error *err);
/* What a read of a guest's file failed with; of a guest in an image, why the image cannot be read
 * in place of the EIO that became of it. Returns -1. */
int guest_explain(const struct guest *guest, struct error *err);

/* Mounts what the guest's fstab names and the adaptation needs; guest->mount[0] is the root. */
int guest_mount_fstab(struct guest *guest, const struct volumes *volumes, enum guest_mode mode,
		      struct error *err);
void guest_add_mount(struct guest *guest, const struct volume *volume, const char *where);
/* The volume that an fstab source names, or NULL; root_source as in fstab's line for /, or NULL. */
const struct volume *volumes_find(const struct volumes *volumes, const char *source,
				  const char *root_source);
