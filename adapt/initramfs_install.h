// SPDX-License-Identifier: GPL-3.0-or-later
/* initramfs_install: getting a new initramfs into /boot without losing the old one. */
#pragma once

#include "adapt/guest.h"
#include "base/error.h"

/* Makes the directory of a file that a program of the guest will write, and removes a left-over. */
int initramfs_prepare(struct guest *guest, const char *path, struct error *err);

/*
 * Is there room for a second image beside path? EXACTLY: of size bytes; AT_LEAST: size is not
 * known yet, and that of the present image (when there is one) is the least that is needed.
 */
enum initramfs_need { INITRAMFS_AT_LEAST, INITRAMFS_EXACTLY };
int initramfs_check_space(const struct guest *guest, const char *path, enum initramfs_need need,
			  uint64_t size, struct error *err);

/* Copies an image, synced, with its mode; a copy that fails is removed. */
int initramfs_copy(struct guest *guest, const char *from, const char *to, struct error *err);
/* Removes a file of ours; keeps nothing. */
void initramfs_discard(struct guest *guest, const char *path);
