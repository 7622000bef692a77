// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * qemu_nbd: a program that reads an image for us, started where it can do no harm.
 *
 *   v2p ── monitor ── the program (PID 1 of its namespace)
 *
 * It parses hostile data with a lot of code, so it has: nothing of the file system but its own
 * binary, the libraries and the image's files, all of it read-only; no network; no process to see;
 * no capability; a user of its own where the image's permissions allow (the owner of the image
 * where they do not); bounded memory; and no system call that could change any of this. It is
 * reached over sockets that are connected before it starts. It ends with the last connection, with
 * qemu_nbd_stop(), and when v2p ends, however it does.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

enum { QEMU_NBD_CONNECTIONS = 4 };

/* A file that the program may read, as /image/NAME. */
struct qemu_nbd_file {
	char *path; /* absolute, without symbolic links */
	char *name; /* what it was opened as, without its directory */
	dev_t device;
	ino_t inode; /* what was opened and looked at is what it gets */
	mode_t mode;
	uid_t owner;
};

struct qemu_nbd_files {
	struct qemu_nbd_file *item;
	size_t count;
};

/* The file that fd has open under path. Names must be different. */
int qemu_nbd_files_add(struct qemu_nbd_files *files, int fd, const char *path, struct error *err);
void qemu_nbd_files_release(struct qemu_nbd_files *files);
#define _cleanup_qemu_nbd_files_ __attribute__((cleanup(qemu_nbd_files_release)))

struct qemu_nbd {
	pid_t monitor;
	int lifeline;                     /* the program lives as long as this is open */
	int errors;                       /* what it wrote to stderr */
	int socket[QEMU_NBD_CONNECTIONS]; /* connected; -1 when taken */
};

/* program: absolute path. argv as for exec; files are in /image. It finds its listening socket as
 * descriptor 3, in the way of systemd's socket activation. */
int qemu_nbd_start(const char *program, const char *const *argv, const struct qemu_nbd_files *files,
		   struct qemu_nbd *out, struct error *err);
/* Also of a half-started one; twice is fine. */
void qemu_nbd_stop(struct qemu_nbd *qemu);
/* The first line that it wrote to stderr; heap, NULL when there is none. */
char *qemu_nbd_complaint(const struct qemu_nbd *qemu);
