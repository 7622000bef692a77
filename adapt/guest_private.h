// SPDX-License-Identifier: GPL-3.0-or-later
/* guest_private: what the files guest*.c share, and nobody else uses. */
#pragma once

#include "adapt/guest.h"

/*
 * openat2() from the guest's root, resolved inside it, no magic links. flags as for open(2) with
 * O_CLOEXEC added; a descriptor, or -1 with errno. Without O_PATH it may open a device or block on
 * a FIFO: only guest_open_file() is for files that the guest chose.
 */
int guest_resolve(const struct guest *guest, const char *path, int flags);

/*
 * The place of a file that may not exist yet: the directory that holds it (a descriptor that the
 * caller closes) and its last name there, final symbolic links followed inside the root. Missing
 * directories are created with mode when it is not 0.
 */
struct guest_place {
	int directory;
	char *name;
};
enum guest_follow { GUEST_NOFOLLOW, GUEST_FOLLOW };
int guest_place_find(const struct guest *guest, const char *path, enum guest_follow follow,
		     mode_t make_directories, struct guest_place *out, struct error *err);
void guest_place_release(struct guest_place *place);
#define _cleanup_place_ __attribute__((cleanup(guest_place_release)))

/* Fills what a tree says about itself (os, kernels …); an error when it is not Linux. */
int guest_inspect(struct guest *guest, struct error *err);
/* Releases guest->kernel. */
void guest_forget_kernels(struct guest *guest);
/* Does the tree look like the root of a Linux system? */
bool guest_is_linux(const struct guest *guest);

/* /dev/sda2, /dev/nvme0n1p2; the disk itself for number 0. Heap, the caller frees. */
char *guest_partition_path(const char *disk, int number);
/* How /dev/mapper names of the group begin: the device mapper writes each '-' of it twice, and one
 * more '-' behind. Heap, the caller frees. */
char *guest_mapper_prefix(const char *volume_group);
