// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * source_mount: an image as files of this machine, so that the kernel's file systems can
 * read it where it lies: a FUSE file system that threads of this process serve.
 *
 *   new, add …, start, (path, check) …, close
 *
 * The whole image is one file, and stretches of it (the logical volumes of LVM) may be others.
 * What is written to them, by the replay of a journal, is kept in memory (source_overlay.h) and
 * forgotten at the end: the image is only read. The mount is made in the mount namespace of the
 * thread that calls start, which has to be private: nobody else sees the files. A process that is
 * killed leaves nothing behind, see source_mount_keeper.h.
 *
 * The threads that serve never touch the mount, nor wait for somebody who does. Whoever reads the
 * files must not hold a lock that reading the source takes.
 */
#pragma once

#include "base/error.h"
#include "restore/source.h"
#include "restore/used_blocks_kinds.h"

/* What source_mount_path() calls the whole image. */
#define SOURCE_MOUNT_DISK "disk"

struct source_mount;

/* source is borrowed, random access, and stays open until close; never NULL. */
struct source_mount *source_mount_new(struct source *source);
/* A file of the segments, one after the other; each lies within the image. Before start only. */
void source_mount_add(struct source_mount *mount, const char *name,
		      const struct used_segment *segment, size_t segments);
int source_mount_start(struct source_mount *mount, struct error *err);
/* Where a file is: heap, the caller frees. After start only. */
char *source_mount_path(const struct source_mount *mount, const char *name);
/* An empty directory to mount on what the files hold. It goes away with the mount, and with a
 * process that is killed. After start only. */
const char *source_mount_room(const struct source_mount *mount);
/*
 * Could all that was read be read? Whoever read a file was only told EIO; this says the source's
 * own reason, of the first read that went wrong.
 */
int source_mount_check(struct source_mount *mount, struct error *err);
/* Whoever still uses the files (a loop device that another program holds) gets errors from then on.
 * Accepts NULL and what was not started. */
void source_mount_close(struct source_mount *mount);
static inline void source_mount_closep(struct source_mount **mount)
{
	source_mount_close(*mount);
}
#define _cleanup_source_mount_ __attribute__((cleanup(source_mount_closep)))
