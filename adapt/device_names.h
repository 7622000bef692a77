// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * device_names: what the VM called its disk, and what of that lasts. A name is resolved by the
 * number of the partition on the restored disk (guest->layout), which is the one thing about it
 * that a restore keeps.
 *
 * Names that hang on hardware: /dev/vda1, sd, xvd, hd, nvme0n1p1, mmcblk0p1, cciss/c0d0p1 and
 * /dev/disk/by-path, by-id. All others (/dev/mapper, /dev/VG/LV, /dev/md, by-uuid, UUID= …) last.
 */
#pragma once

#include "adapt/guest.h"

struct device_names {
	const struct guest *guest;
	char *disk; /* name of the restored disk in the VM ("/dev/vda"); NULL: not known */
	/* What fstab names besides: disks by /dev/disk/by-path or by-id, and tags such as UUID=….
	 */
	struct strings links, tags;
};

enum device_fate {
	DEVICE_LASTS,   /* not a name that hangs on hardware */
	DEVICE_KNOWN,   /* *stable is set */
	DEVICE_ABSENT,  /* on no partition of the restored disk */
	DEVICE_NO_DISK, /* the guest is a directory tree: nothing to resolve against */
};

/*
 * root: what fstab or the kernel command line calls the root file system, or NULL. It tells which
 * of a VM's disks this one is: /dev/sda1 is on another disk when root is /dev/sdb2. The first name
 * that hangs on hardware counts. Begin with { .guest = guest }.
 */
void device_names_learn(struct device_names *names, const char *root);
/*
 * Any other name in fstab. Where it speaks of several disks by links, or names a partition by its
 * UUID already, a link is not taken for the restored disk: it may be the VM's second one.
 */
void device_names_learn_other(struct device_names *names, const char *name);
void device_names_release(struct device_names *names);
#define _cleanup_device_names_ __attribute__((cleanup(device_names_release)))

/*
 * type: as in fstab (ext4, swap, auto …), or NULL. A partition that holds something else is not
 * taken: its number fits by accident, on another disk.
 * *stable: "UUID=…", or "PARTUUID=…" where the file system has no UUID or shares it with another
 * partition of this disk. Heap, the caller frees; set for DEVICE_KNOWN only. *partition, if given:
 * borrowed from the layout.
 */
enum device_fate device_names_resolve(const struct device_names *names, const char *name,
				      const char *type, char **stable,
				      const struct partition **partition);
/*
 * Does UUID=, PARTUUID=, LABEL=, PARTLABEL= (or their /dev/disk/by- links) name something that is
 * certainly not here? Never certain where volumes (LVM, RAID, LUKS) may hold it.
 */
bool device_names_is_gone(const struct device_names *names, const char *tag);
/* File systems of which this disk holds two with the same UUID. */
void device_names_shared_uuids(const struct guest *guest, struct strings *uuids);
