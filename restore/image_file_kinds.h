// SPDX-License-Identifier: GPL-3.0-or-later
/* image_file_kinds: what image_file.c chooses from. */
#pragma once

#include "restore/image_file.h"

/* Files and block devices. */
extern const struct image_file_ops image_file_local_ops;
int image_file_local_open(const char *path, struct error *err); /* returns the descriptor */
/* Sets size, is_seekable and is_block_device from fd. Other kinds of files, and empty ones, are
 * refused. */
int image_file_local_measure(struct image_file *file, struct error *err);

/* A new file of this kind that is not open yet: no descriptor, size 0. name is copied. */
struct image_file *image_file_new(const char *name, const struct image_file_ops *ops);

/* HTTP and HTTPS. Seekable where the server knows ranges: blocks are cached and read ahead, over
 * several connections. */
int image_file_http_open(const char *url, const struct image_file_options *options,
			 struct image_file **out, struct error *err);
/* Standard input. Sets fd and size, and what image_file_local_measure() sets where it is a file. */
extern const struct image_file_ops image_file_stdin_ops;
int image_file_stdin_open(struct image_file *file, struct error *err);
