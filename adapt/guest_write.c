// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "adapt/guest_private.h"
#include "base/file.h"
#include "base/scope.h"

#define STATE_DIRECTORY "/var/lib/v2p"
#define CREATED_LIST STATE_DIRECTORY "/created"

enum { XATTR_LIMIT = 65536 }; /* XATTR_LIST_MAX and XATTR_SIZE_MAX of the kernel */

static int fd_path(int fd, char path[PATH_MAX])
{
	char self[64];
	ssize_t length;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	length = readlink(self, path, PATH_MAX - 1);
	if (length < 0)
		return -1;
	path[length] = '\0';
	return 0;
}

/* The file's own place as a path in the guest, every link resolved; heap, NULL when unknown. */
static char *canonical_path(const struct guest *guest, const struct guest_place *place)
{
	char root[PATH_MAX], directory[PATH_MAX];
	const char *below;

	if (fd_path(guest->root_fd, root) < 0 || fd_path(place->directory, directory) < 0)
		return NULL;
	if (strcmp(root, "/") == 0)
		root[0] = '\0';
	if (!has_prefix(directory, root))
		return NULL;
	below = directory + strlen(root);
	if (strcmp(below, "/") == 0)
		below = "";
	return string_format("%s/%s", below, place->name);
}

static int copy_xattr(int from, int to, const char *name)
{
	_cleanup_free_ char *value = malloc(XATTR_LIMIT);
	ssize_t length = value ? fgetxattr(from, name, value, XATTR_LIMIT) : -1;

	return length < 0 ? -1 : fsetxattr(to, name, value, (size_t)length, 0);
}

static int copy_xattrs(int from, int to, const char *path, struct error *err)
{
	_cleanup_free_ char *names = malloc(XATTR_LIMIT);
	ssize_t length = names ? flistxattr(from, names, XATTR_LIMIT) : -1;

	if (length < 0 && errno == ENOTSUP)
		return 0;
	if (length < 0)
		return error_sys(err, errno, "list the extended attributes of %s", path);
	for (const char *name = names; name < names + length; name += strlen(name) + 1)
		if (copy_xattr(from, to, name) < 0)
			return error_sys(err, errno, "keep the extended attribute %s of %s", name,
					 path);
	return 0;
}

/* Owner before mode: chown() clears the set-user-ID bit. */
static int copy_attributes(int from, const struct stat *st, int to, const char *path,
			   struct error *err)
{
	if (fchown(to, st->st_uid, st->st_gid) < 0)
		return error_sys(err, errno, "keep the owner of %s in the guest", path);
	if (fchmod(to, st->st_mode & 07777) < 0)
		return error_sys(err, errno, "keep the mode of %s in the guest", path);
	return copy_xattrs(from, to, path, err);
}

static int fill(int fd, int old, const struct stat *st, const char *path, const void *data,
		size_t length, mode_t mode, struct error *err)
{
	if (write_exactly(fd, path, data, length, 0, err) < 0)
		return -1;
	if (old < 0 && fchmod(fd, mode) < 0)
		return error_sys(err, errno, "set the mode of %s in the guest", path);
	if (old >= 0 && copy_attributes(old, st, fd, path, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return error_sys(err, errno, "sync %s in the guest", path);
	return 0;
}

static int sync_directory(int directory, const char *path, struct error *err)
{
	_cleanup_close_ int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return error_sys(err, errno, "sync the directory of %s in the guest", path);
	return 0;
}

/* Puts data in place of the file; old is the file that was there, or -1. */
static int replace(const struct guest_place *place, int old, const struct stat *st,
		   const char *path, const void *data, size_t length, mode_t mode,
		   struct error *err)
{
	_cleanup_free_ char *temporary = string_format(".v2p-new-%ld", (long)getpid());
	_cleanup_close_ int fd = -1;

	unlinkat(place->directory, temporary, 0);
	fd = openat(place->directory, temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_sys(err, errno, "create a new %s in the guest", path);
	if (fill(fd, old, st, path, data, length, mode, err) < 0) {
		unlinkat(place->directory, temporary, 0);
		return -1;
	}
	if (renameat(place->directory, temporary, place->directory, place->name) < 0) {
		error_sys(err, errno, "replace %s in the guest", path);
		unlinkat(place->directory, temporary, 0);
		return -1;
	}
	return sync_directory(place->directory, path, err);
}

/* Opens what is at place now: 1 and *fd, 0 when nothing is, -1 when it cannot be replaced. */
static int open_old(const struct guest_place *place, const char *path, int *fd, struct stat *st,
		    struct error *err)
{
	if (fstatat(place->directory, place->name, st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return error_sys(err, errno, "look at %s in the guest", path);
	}
	if (!S_ISREG(st->st_mode))
		return error_set(err, "%s in the guest is not a regular file", path);
	*fd = openat(place->directory, place->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0)
		return error_sys(err, errno, "open %s in the guest", path);
	return 1;
}

static bool is_own_state(const char *canonical)
{
	return has_prefix(canonical, STATE_DIRECTORY "/");
}

static bool was_created(const struct guest *guest, const char *canonical)
{
	_cleanup_text_ struct text list = {0};
	_cleanup_strings_ struct strings lines = {0};

	if (guest_read(guest, CREATED_LIST, &list, NULL) <= 0)
		return false;
	strings_split(&lines, text_string(&list), "\n");
	return strings_has(&lines, canonical);
}

static int write_private(const struct guest *guest, const char *path, const struct text *content,
			 struct error *err)
{
	_cleanup_place_ struct guest_place place = {.directory = -1};

	if (guest_place_find(guest, path, GUEST_NOFOLLOW, 0700, &place, err) < 0)
		return -1;
	return replace(&place, -1, NULL, path, text_string(content), content->length, 0600, err);
}

static int note_created(const struct guest *guest, const char *canonical, struct error *err)
{
	_cleanup_text_ struct text list = {0};

	if (was_created(guest, canonical))
		return 0;
	if (guest_read(guest, CREATED_LIST, &list, err) < 0)
		return -1;
	text_addf(&list, "%s\n", canonical);
	return write_private(guest, CREATED_LIST, &list, err);
}

/* The directory /var/lib/v2p/original is private, whatever modes the originals had. */
static int keep_link(const struct guest *guest, const char *path, const struct guest_place *place,
		     struct error *err)
{
	_cleanup_place_ struct guest_place kept = {.directory = -1};
	char target[PATH_MAX];
	ssize_t length = readlinkat(place->directory, place->name, target, sizeof(target) - 1);

	if (length < 0)
		return error_sys(err, errno, "read the symbolic link %s", path);
	target[length] = '\0';
	if (guest_place_find(guest, path, GUEST_NOFOLLOW, 0700, &kept, err) < 0)
		return -1;
	if (symlinkat(target, kept.directory, kept.name) < 0 && errno != EEXIST)
		return error_sys(err, errno, "keep %s in the guest", path);
	return 0;
}

static int keep_file(const struct guest *guest, const char *path, int fd, struct error *err)
{
	_cleanup_text_ struct text content = {0};

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, errno, "read %s", path);
	if (file_read_fd(fd, path, GUEST_FILE_LIMIT, &content, err) < 0)
		return -1;
	return write_private(guest, path, &content, err);
}

/* fd < 0: place is a symbolic link. */
static int keep_original(const struct guest *guest, const struct guest_place *place,
			 const char *canonical, int fd, struct error *err)
{
	_cleanup_free_ char *kept = NULL;
	struct stat st;
	int r;

	if (is_own_state(canonical) || was_created(guest, canonical))
		return 0;
	kept = string_format("%s/original%s", STATE_DIRECTORY, canonical);
	if (guest_stat(guest, kept, 0, &st) == 0)
		return 0;
	r = fd < 0 ? keep_link(guest, kept, place, err) : keep_file(guest, kept, fd, err);
	return r < 0 ? error_in(err, "keep the original of %s", canonical) : 0;
}

int guest_write(struct guest *guest, const char *path, const void *data, size_t length,
		struct error *err)
{
	_cleanup_place_ struct guest_place place = {.directory = -1};
	_cleanup_free_ char *canonical = NULL;
	_cleanup_close_ int old = -1;
	struct stat st;
	int found;

	if (guest_place_find(guest, path, GUEST_FOLLOW, 0755, &place, err) < 0)
		return error_in(err, "write %s", path);
	found = open_old(&place, path, &old, &st, err);
	if (found < 0)
		return error_in(err, "write %s", path);
	canonical = canonical_path(guest, &place);
	if (!canonical)
		canonical = string_copy(path);
	if (found && keep_original(guest, &place, canonical, old, err) < 0)
		return -1;
	if (!found && !is_own_state(canonical) && note_created(guest, canonical, err) < 0)
		return -1;
	return replace(&place, old, &st, path, data, length, 0644, err);
}

int guest_remove(struct guest *guest, const char *path, struct error *err)
{
	_cleanup_place_ struct guest_place place = {.directory = -1};
	_cleanup_free_ char *canonical = NULL;
	_cleanup_close_ int old = -1;
	struct stat st;

	if (guest_stat(guest, path, 0, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (guest_place_find(guest, path, GUEST_NOFOLLOW, 0, &place, err) < 0)
		return error_in(err, "remove %s", path);
	if (fstatat(place.directory, place.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, errno, "remove %s in the guest", path);
	if (!S_ISLNK(st.st_mode) && open_old(&place, path, &old, &st, err) < 0)
		return error_in(err, "remove %s", path);
	canonical = canonical_path(guest, &place);
	if (!canonical)
		canonical = string_copy(path);
	if (keep_original(guest, &place, canonical, old, err) < 0)
		return -1;
	if (unlinkat(place.directory, place.name, 0) < 0)
		return error_sys(err, errno, "remove %s in the guest", path);
	return sync_directory(place.directory, path, err);
}

int guest_rename(struct guest *guest, const char *from, const char *to, struct error *err)
{
	_cleanup_place_ struct guest_place a = {.directory = -1}, b = {.directory = -1};

	if (guest_place_find(guest, from, GUEST_NOFOLLOW, 0, &a, err) < 0 ||
	    guest_place_find(guest, to, GUEST_NOFOLLOW, 0, &b, err) < 0)
		return error_in(err, "rename %s to %s", from, to);
	if (renameat(a.directory, a.name, b.directory, b.name) < 0)
		return error_sys(err, errno, "rename %s to %s in the guest", from, to);
	return sync_directory(b.directory, to, err);
}
