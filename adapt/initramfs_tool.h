// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * initramfs_tool: the program of the guest that builds its initramfs. One ops table per program;
 * which kernels get a new image, and whether it is good, is decided the same for all of them, in
 * adapt/step_initramfs.c.
 *
 * A tool is told in two places. Settings are files of the guest: they make the images of later
 * kernel updates fit as well, and are written so that the guest's own come before them. The command
 * builds the one image of now.
 */
#pragma once

#include "adapt/initramfs_needs.h"
#include "adapt/step.h"

/* What a tool is to be told. All of it is borrowed. */
struct initramfs_work {
	const struct adaptation *adaptation;
	const struct strings *listed;        /* modules to name, of all kernels together */
	const struct strings *required;      /* names of these and of what they need */
	const struct initramfs_needs *needs; /* programs and settings besides modules */
};

struct initramfs_ops {
	enum initramfs_tool tool;
	const char *new_image; /* where the image of a kernel goes that has none: "/boot/initrd-" */
	const char *suffix;    /* and what follows its release: ".img", "" */
	enum guest_permission permission; /* of the command */
	/* Files of which an image carries copies, by how their paths begin; ends in NULL. */
	const char *const *copied;
	/* Why it cannot build here: a clause, heap; NULL when it can. Optional. */
	char *(*refuses)(const struct guest *guest);
	/*
	 * What the guest's settings would do to the work: sentences. narrow: images that fit only
	 * the machine that builds them; harmless while v2p's own image is in place. exclude: one of
	 * the modules is left out everywhere. Settings of v2p itself do not count.
	 */
	int (*find_settings)(const struct initramfs_work *work, const struct changes *changes,
			     struct strings *narrow, struct strings *exclude, struct error *err);
	/* Adds the settings, also against those found. why: a clause for the first of them. */
	int (*plan_settings)(const struct initramfs_work *work, struct changes *changes,
			     const char *why, struct error *err);
	/* It also fails over what the image may do without: the proof decides on what it made. */
	bool fails_lightly;
	bool can_list; /* can it build from a list of modules alone (INITRAMFS_LIST)? */
	/* The command that writes the image of kernel to the file built. */
	void (*build)(const struct guest *guest, const struct guest_kernel *kernel,
		      enum initramfs_modules modules, const char *built, struct strings *argv);
};

/* NULL: this guest has no tool that v2p knows. */
const struct initramfs_ops *initramfs_ops_find(const struct guest *guest);
/* "most", "list". */
const char *initramfs_modules_name(enum initramfs_modules modules);
/* The image of a kernel, or where its first one goes; heap. */
char *initramfs_path(const struct guest *guest, const struct guest_kernel *kernel);

extern const struct initramfs_ops initramfs_tools, initramfs_dracut, initramfs_mkinitcpio,
	initramfs_mkinitrd;
