// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * image_file: where the bytes of an image come from: a file or block device of this machine, a
 * resource of an HTTP server, standard input, a part of another image_file.
 *
 * Two ways of reading. image_file_read() reaches every place, from any thread, where is_seekable.
 * image_file_next() goes through all of it once, in order, one thread at a time, and is there for
 * every kind. image_file.c alone calls through the table and checks every range.
 *
 * Offsets and lengths are bytes of the file, not of the virtual disk in it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/image_digest.h"

#define IMAGE_FILE_SIZE_UNKNOWN UINT64_MAX

enum { IMAGE_FILE_HEAD = 64 << 10 }; /* what image_file_peek() reaches */

struct image_file {
	const struct image_file_ops *ops;
	char *name;    /* path, URL without password, "standard input": for messages */
	int fd;        /* of a file or device of this machine; -1: there is none */
	uint64_t size; /* IMAGE_FILE_SIZE_UNKNOWN where it shows at the end only; never 0 */
	bool is_seekable;
	bool is_block_device;
	uint64_t position; /* of image_file_next() */
	/* Of what image_file_next() has given so far, or NULL. Owned. */
	struct image_digest *digest;
	uint8_t *head; /* kept for image_file_peek() where the file is not seekable */
	size_t head_length;
	void *state; /* the kind's own */
};

struct http_timing;

struct image_file_options {
	unsigned int digests; /* a set of what image_file_next() keeps up, see image_digest.h */
	const char *ca_file; /* PEM certificates to trust for https instead of the system's; NULL */
	const struct http_timing *http_timing; /* patience with servers; NULL: the usual */
};

struct image_file_ops {
	/* Exactly length bytes at offset; the range is within size. what names them in errors.
	 * Missing where no file of this kind is seekable. */
	int (*read)(const struct image_file *file, const char *what, void *data, size_t length,
		    uint64_t offset, struct error *err);
	/* 1 to capacity bytes from position on; *got is 0 at the end only. The caller moves
	 * position. Missing: read() serves. */
	int (*next)(struct image_file *file, void *data, size_t capacity, size_t *got,
		    struct error *err);
	/* The file called name beside this one. name is a plain relative name that was checked.
	 * Missing: there is no such place. */
	int (*open_sibling)(const struct image_file *file, const char *name,
			    struct image_file **out, struct error *err);
	/* Releases state; called for half-opened files, too. Optional. */
	void (*close)(struct image_file *file);
};

/* name: a path, an http:// or https:// URL, or "-" for standard input. options may be NULL. Errors
 * do not name the file: the caller says what it opens. */
int image_file_open(const char *name, const struct image_file_options *options,
		    struct image_file **out, struct error *err);
/* The name as messages show it, a URL without user name and password: heap, the caller frees. */
char *image_file_label(const char *name);
/* A regular file or block device of this machine. fd becomes the file's own, after an error, too.
 */
int image_file_open_fd(int fd, const char *name, struct image_file **out, struct error *err);
/*
 * A file that an image names: its backing file, its data file, an extent. An image is hostile, so
 * only files in the image's own directory are opened: name is a relative path without "..", or an
 * absolute one that leads into that very directory. Symbolic links are not followed out of it.
 */
int image_file_open_sibling(const struct image_file *file, const char *name,
			    struct image_file **out, struct error *err);
void image_file_close(struct image_file *file);
static inline void image_file_closep(struct image_file **file)
{
	image_file_close(*file);
}
#define _cleanup_image_file_ __attribute__((cleanup(image_file_closep)))

/* Is the range within the file? If not, the error says that the image is truncated. what names the
 * thing that should be there ("L2 table"). */
int image_file_has(const struct image_file *file, const char *what, uint64_t offset,
		   uint64_t length, struct error *err);
/* image_file_has(), then reads exactly length bytes. From any thread. Seekable files only. */
int image_file_read(const struct image_file *file, const char *what, void *data, size_t length,
		    uint64_t offset, struct error *err);
/* The next 1 to capacity bytes in order; *got is 0 at the end. */
int image_file_next(struct image_file *file, void *data, size_t capacity, size_t *got,
		    struct error *err);
/* The first bytes, at most IMAGE_FILE_HEAD of them, without taking them off the stream; *got is
 * less than length only where the file ends. Before the first image_file_next(). */
int image_file_peek(struct image_file *file, void *data, size_t length, size_t *got,
		    struct error *err);
