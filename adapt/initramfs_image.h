// SPDX-License-Identifier: GPL-3.0-or-later
/* initramfs_image: one kernel's image: what it must hold on this machine, and what it lacks. */
#pragma once

#include "adapt/initramfs_proof.h"
#include "adapt/step.h"

struct initramfs_image {
	const struct guest_kernel *kernel; /* borrowed */
	char *path;                        /* where it is, or will be */
	struct driver_set set;
	struct strings firmware; /* of its modules, as far as the guest has it */
	struct initramfs_needs needs;
	struct initramfs_content content;
	char *why_not;          /* why it could not be read; NULL: it was */
	struct strings missing; /* what it lacks, for people */
};

/*
 * Looks at the image that is there now. An image that is not there, or cannot be read, lacks
 * everything; that is no error, but a kernel whose modules cannot be looked up is. The caller
 * releases out in any case. changes: as planned so far, or empty.
 */
int initramfs_image_examine(const struct adaptation *adaptation, const struct changes *changes,
			    const struct guest_kernel *kernel, struct initramfs_image *out,
			    struct error *err);
void initramfs_image_release(struct initramfs_image *image);
#define _cleanup_initramfs_image_ __attribute__((cleanup(initramfs_image_release)))

/* Is the file at path what the image must be? Otherwise an error says what it lacks. */
int initramfs_image_check(const struct guest *guest, const struct initramfs_image *image,
			  const char *path, struct error *err);
/* At most `most` names, and how many more; heap. */
char *initramfs_names(const struct strings *names, size_t most);
