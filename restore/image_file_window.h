// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * image_file_window: a range of an image_file as an image_file of its own, such as a member of an
 * archive. It is seekable where the other one is; offsets within it begin at 0.
 */
#pragma once

#include "restore/image_file.h"

struct image_file_watcher {
	/* Sees every byte that image_file_next() of the window reads, once and in order. */
	void (*seen)(void *context, const void *data, size_t length);
	void *context;
};

/*
 * length bytes (not 0) from offset of parent, which is borrowed and must outlive the window. Of a
 * parent that is not seekable, offset must be what comes next; while the window is read, nobody
 * else reads the parent. watcher: borrowed, or NULL.
 */
int image_file_window_open(struct image_file *parent, const char *name, uint64_t offset,
			   uint64_t length, const struct image_file_watcher *watcher,
			   struct image_file **out, struct error *err);
