// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/initramfs_install.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "adapt/guest_private.h"
#include "base/file.h"
#include "base/scope.h"

enum {
	COPY_BLOCK = 1 << 20,
	SLACK = 1 << 20, /* for the file system's own blocks */
};

int initramfs_prepare(struct guest *guest, const char *path, struct error *err)
{
	_cleanup_place_ struct guest_place place = {.directory = -1};

	if (guest_place_find(guest, path, GUEST_NOFOLLOW, 0700, &place, err) < 0)
		return -1;
	if (unlinkat(place.directory, place.name, 0) < 0 && errno != ENOENT)
		return error_sys(err, errno, "remove %s in the guest", path);
	return 0;
}

void initramfs_discard(struct guest *guest, const char *path)
{
	_cleanup_place_ struct guest_place place = {.directory = -1};

	if (guest_place_find(guest, path, GUEST_NOFOLLOW, 0, &place, NULL) == 0)
		unlinkat(place.directory, place.name, 0);
}

int initramfs_check_space(const struct guest *guest, const char *path, enum initramfs_need need,
			  uint64_t size, struct error *err)
{
	_cleanup_free_ char *directory = string_copy(path);
	_cleanup_free_ char *needs = NULL, *has = NULL;
	uint64_t available;
	struct stat st;

	*strrchr(directory, '/') = '\0';
	if (need == INITRAMFS_AT_LEAST && guest_stat(guest, path, 1, &st) == 0)
		size = (uint64_t)st.st_size;
	if (guest_free_space(guest, directory, &available, err) < 0)
		return -1;
	if (available >= size + SLACK)
		return 0;
	needs = size_format(size + SLACK);
	has = size_format(available);
	return error_set(err,
			 "%s is too full: the new initramfs needs %s%s (%llu bytes) beside the old "
			 "one, and %s (%llu bytes) are free; remove old kernels from the image",
			 directory, need == INITRAMFS_AT_LEAST ? "at least " : "", needs,
			 (unsigned long long)(size + SLACK), has, (unsigned long long)available);
}

static int copy_content(int from, int to, const char *path, uint64_t size, struct error *err)
{
	_cleanup_free_ char *block = malloc(COPY_BLOCK);

	if (!block)
		abort();
	for (uint64_t done = 0; done < size;) {
		size_t part = size - done < COPY_BLOCK ? (size_t)(size - done) : COPY_BLOCK;

		if (read_exactly(from, "the new initramfs", block, part, done, err) < 0 ||
		    write_exactly(to, path, block, part, done, err) < 0)
			return -1;
		done += part;
	}
	if (fsync(to) < 0)
		return error_sys(err, errno, "sync %s in the guest", path);
	return 0;
}

int initramfs_copy(struct guest *guest, const char *from, const char *to, struct error *err)
{
	_cleanup_place_ struct guest_place place = {.directory = -1};
	_cleanup_close_ int in = guest_open_file(guest, from, 0, err);
	_cleanup_close_ int out = -1;
	struct stat st;

	if (in < 0)
		return -1;
	if (fstat(in, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, "%s in the guest is not a regular file", from);
	if (initramfs_prepare(guest, to, err) < 0 ||
	    initramfs_check_space(guest, to, INITRAMFS_EXACTLY, (uint64_t)st.st_size, err) < 0 ||
	    guest_place_find(guest, to, GUEST_NOFOLLOW, 0, &place, err) < 0)
		return -1;
	out = openat(place.directory, place.name,
		     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, st.st_mode & 0777);
	if (out < 0)
		return error_sys(err, errno, "create %s in the guest", to);
	if (copy_content(in, out, to, (uint64_t)st.st_size, err) < 0) {
		unlinkat(place.directory, place.name, 0);
		return -1;
	}
	return 0;
}
