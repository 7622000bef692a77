// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * guest: the restored Linux system, as a directory tree that is not trusted.
 *
 * Every path here is absolute *in the guest*. It is resolved with openat2(RESOLVE_IN_ROOT |
 * RESOLVE_NO_MAGICLINKS) from the guest's root, so that no symbolic link in an image reaches a file
 * of the system that v2p runs on. File systems of an image are mounted nodev and nosuid, in a mount
 * namespace of our own. Programs of the guest run in its root, in namespaces of their own (see
 * guest_run()).
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/report.h"
#include "base/text.h"
#include "restore/layout.h"

enum {
	GUEST_FILE_LIMIT = 8 << 20, /* configuration files larger than this are refused */
	GUEST_NAMES_LIMIT = 65536,  /* as are directories with more names */
};

struct guest_kernel {
	char *release;   /* 6.1.0-37-amd64: the directory below /lib/modules */
	char *image;     /* /boot/vmlinuz-…, or NULL: modules without a kernel */
	char *initramfs; /* /boot/initrd.img-…, or NULL: none found */
};

enum initramfs_tool {
	INITRAMFS_NONE,
	INITRAMFS_TOOLS,
	INITRAMFS_DRACUT,
	INITRAMFS_MKINITCPIO,
};

/* A file system of the guest, as it is mounted now. */
struct guest_mount {
	char *device;     /* /dev/sda2, /dev/mapper/vg-root, /dev/loop3; NULL for --root */
	char *volume;     /* vg/root: of a logical volume, or NULL */
	char *where;      /* "/", "/boot", "/boot/efi" */
	char *filesystem; /* ext4 */
	char *uuid;       /* of the file system, or NULL */
	int partition;    /* number on the disk; 0: not directly on one (LVM) */
};

struct guest {
	int root_fd;          /* opened for reading, a directory */
	char *root;           /* where the tree is, for messages and for entering it */
	char *disk;           /* /dev/sda; a file for an image; NULL for --root */
	struct layout layout; /* of disk; empty for --root */
	struct guest_mount *mount;
	size_t mount_count;
	struct strings unmounted;     /* why file systems of its fstab are not mounted: sentences */
	struct strings volume_groups; /* activated by us, deactivated on close; an image's */
	struct guest_image *image;    /* of guest_open_image(), or NULL */
	char *os_id, *os_id_like, *os_version, *os_name; /* /etc/os-release; "" when absent */
	char *hostname;
	char *architecture;          /* of /bin/sh's ELF header: x86_64 …; "" unknown */
	struct guest_kernel *kernel; /* newest first */
	size_t kernel_count;
	enum initramfs_tool initramfs_tool;
	/* Undoes what the opening mounted and activated; NULL for --root. */
	int (*detach)(struct guest *guest, struct error *err);
};

/* A tree that is there already (--root DIR). It is not Linux: an error that says so. */
int guest_open_root(const char *directory, struct guest *out, struct error *err);
/*
 * The system on a disk (a symbolic link to one is resolved: out->disk is the kernel's name; a
 * kernel whose partitions begin elsewhere than the table says is an error): activates its volume
 * groups (only those whose volumes all lie on this disk), finds the root file system, mounts it and
 * what its fstab names below /boot and /usr, /var, /boot/efi … read-write (or read-only) in a
 * private mount namespace. More than one root, or none, is an error that lists what was found.
 */
enum guest_mode { GUEST_READ_ONLY, GUEST_READ_WRITE };
int guest_open_disk(const char *disk, enum guest_mode mode, struct guest *out, struct error *err);
/*
 * Syncs, unmounts, deactivates; an error here means that the disk may not be consistent, or that
 * not all of an image could be read: what was found out about its guest may be wrong.
 */
int guest_close(struct guest *guest, struct error *err);
/* As guest_close() for scopes that end by an earlier error. */
void guest_release(struct guest *guest);
/* "initramfs-tools", "dracut" …, "none". */
const char *guest_initramfs_tool_name(enum initramfs_tool tool);
/* { "os", "kernels", "mounts", "initramfs", "architecture", … } */
json_object *guest_json(const struct guest *guest);

/* 1 and the content appended, 0 when there is no such file, -1 on error. */
int guest_read(const struct guest *guest, const char *path, struct text *out, struct error *err);
/* Opens for reading (O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags), regular files and directories
 * only; -1 with errno in err->number. */
int guest_open_file(const struct guest *guest, const char *path, int flags, struct error *err);
bool guest_has(const struct guest *guest, const char *path);
/* follow: 0 looks at a symbolic link itself. 0, or -1 (errno is set). */
int guest_stat(const struct guest *guest, const char *path, int follow, struct stat *st);
/* Names in a directory, sorted, without . and ..; a missing directory gives none. More than
 * GUEST_NAMES_LIMIT is an error. */
int guest_list(const struct guest *guest, const char *directory, struct strings *names,
	       struct error *err);
/* Paths that match the shell pattern in their last component ("/etc/netplan/" + "*.yaml"), sorted.
 */
int guest_glob(const struct guest *guest, const char *directory, const char *pattern,
	       struct strings *paths, struct error *err);

/* Where a symbolic link points: 1 and the text, 0 when path is absent or no link, -1 on error. */
int guest_read_link(const struct guest *guest, const char *path, struct text *out,
		    struct error *err);

/*
 * Replaces (or creates, mode 0644, owner root) a file: temporary file beside it, fsync, rename;
 * owner, mode and extended attributes of the old one are kept. A symbolic link is followed inside
 * the root. The first time, the original is kept under /var/lib/v2p/original/PATH, where PATH is
 * the file's own place, symbolic links resolved; a file that was not there before is listed in
 * /var/lib/v2p/created instead. Missing directories are created. On error the old file is intact.
 */
int guest_write(struct guest *guest, const char *path, const void *data, size_t length,
		struct error *err);
/* Removes a file or a symbolic link (which is not followed); its original is kept as above. That
 * there is none is no error. */
int guest_remove(struct guest *guest, const char *path, struct error *err);
/* Renames within the guest, both paths in one file system; `to` is replaced. Nothing is kept. */
int guest_rename(struct guest *guest, const char *from, const char *to, struct error *err);
/* Free bytes of the file system that holds path. */
int guest_free_space(const struct guest *guest, const char *path, uint64_t *bytes,
		     struct error *err);

/* What a program of the guest may do beyond reading and writing the guest's files. */
enum guest_permission {
	GUEST_RUN_FILES, /* nothing: no device but null, zero, full, random, urandom, tty */
	GUEST_RUN_DISKS, /* the disk the guest is on, its partitions and volumes (grub-install,
			    grub-probe) */
};

/*
 * Runs a program of the guest in its root: own PID, mount, IPC and network namespace (no network at
 * all), the capabilities it needs and no others, no_new_privs, a fresh /proc, read-only /sys
 * without /sys/firmware, a /dev with the devices that permission names, small tmpfs on /run and
 * /tmp; no descriptor of ours but the three standard ones; the first to be killed when memory ends;
 * killed after timeout_ms (0: ten minutes). Status not 0 is an error that names the program and the
 * end of its output. out may be NULL.
 */
int guest_run(struct guest *guest, enum guest_permission permission, const char *const *argv,
	      const char *input, int timeout_ms, struct text *out, struct error *err);
/* Is there such a program (in the guest's /usr/sbin, /usr/bin, /sbin, /bin)? */
bool guest_has_program(const struct guest *guest, const char *name);
