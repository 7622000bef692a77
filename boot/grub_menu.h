// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * grub_menu: what a grub.cfg says, as far as starting Linux depends on it: the kernels, their
 * command lines and initramfs files, and the file systems that are searched for.
 *
 * grub.cfg is a program; this reads the lines that grub-mkconfig writes, and does not evaluate.
 * Words that hold a variable are left alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "adapt/step.h"
#include "base/error.h"
#include "base/text.h"

struct grub_entry {
	char *kernel; /* as written: "/vmlinuz-6.1.0-37-amd64" */
	struct strings arguments;
	struct strings initramfs;
};

struct grub_menu {
	struct grub_entry *item;
	size_t count;
	struct strings searched; /* UUIDs of `search --fs-uuid` and `search.fs_uuid`, once each */
	bool has_boot_loader_entries; /* blscfg: kernels stand in /boot/loader/entries */
};

void grub_menu_parse(const char *text, struct grub_menu *out);
void grub_menu_release(struct grub_menu *menu);
#define _cleanup_grub_menu_ __attribute__((cleanup(grub_menu_release)))

/* The names that this disk answers to. */
struct grub_names {
	const struct guest *guest; /* borrowed */
	char *root;                /* what root= is to say; NULL: not known */
	char *resume;              /* the disk's only swap partition; NULL: none or several */
	char *root_partuuid, *root_label; /* more names of the root partition, or NULL */
	struct strings uuids;             /* of file systems and swap */
	bool has_volumes; /* LVM: there are file systems whose UUIDs are not known here */
};

/* changes: /etc/fstab is read through them when the tree is not on a disk. */
int grub_names_make(const struct guest *guest, const struct changes *changes,
		    struct grub_names *out, struct error *err);
void grub_names_release(struct grub_names *names);
#define _cleanup_grub_names_ __attribute__((cleanup(grub_names_release)))

/* The kernel's own name of a disk or partition (/dev/vda2, /dev/sda1, /dev/nvme0n1p1): it changes
 * with the hardware. */
bool is_kernel_disk_name(const char *device);
/* Does root=SPEC lead to the root file system? */
bool grub_names_has_root(const struct grub_names *names, const char *spec);
bool grub_names_has_resume(const struct grub_names *names, const char *spec);
/* Where the file is in the guest: GRUB's paths begin at the file system that holds them. Heap, the
 * caller frees; NULL: there is no such file. */
char *grub_names_find_file(const struct grub_names *names, const char *path);

/* Adds a sentence for everything in the menu that does not fit the disk. */
void grub_menu_problems(const struct grub_menu *menu, const struct grub_names *names,
			struct strings *problems);
/*
 * Appends text with root= and resume= corrected where they do not resolve (resume= is dropped when
 * there is no swap to name), and a sentence for each kind of correction.
 */
void grub_menu_correct(const char *text, const struct grub_names *names, struct text *out,
		       struct strings *corrections);
