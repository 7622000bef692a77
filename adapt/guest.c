// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adapt/guest_disk.h"
#include "adapt/guest_private.h"
#include "base/file.h"
#include "base/scope.h"

enum {
	RESOLVE_TRIES = 64, /* openat2() says EAGAIN while something is renamed beside it */
	LINK_LIMIT = 40,    /* as the kernel's MAXSYMLINKS */
};

int guest_resolve(const struct guest *guest, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < RESOLVE_TRIES; i++) {
		fd = syscall(SYS_openat2, guest->root_fd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return (int)fd;
}

/* The file is looked at before it is opened: opening a device of the rescue system (a tape, a
 * watchdog) that a hostile tree names can have effects. */
int guest_open_file(const struct guest *guest, const char *path, int flags, struct error *err)
{
	_cleanup_close_ int place = guest_resolve(guest, path, O_PATH | (flags & O_NOFOLLOW));
	char self[64];
	struct stat st;
	int fd;

	if (place < 0 || fstat(place, &st) < 0) {
		int number = errno;

		error_sys(err, number, "open %s in the guest", path);
		errno = number;
		return -1;
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		if (err)
			err->number = EINVAL;
		return error_set(err, "open %s in the guest: it is not a regular file", path);
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (flags & ~O_NOFOLLOW));
	if (fd < 0)
		return error_sys(err, errno, "open %s in the guest", path);
	return fd;
}

int guest_read(const struct guest *guest, const char *path, struct text *out, struct error *err)
{
	_cleanup_error_ struct error why = {0};
	_cleanup_close_ int fd = guest_open_file(guest, path, 0, &why);

	if (fd < 0 && (why.number == ENOENT || why.number == ENOTDIR))
		return 0;
	if (fd < 0) {
		if (err)
			error_move(err, &why);
		return guest_explain(guest, err);
	}
	if (file_read_fd(fd, path, GUEST_FILE_LIMIT, out, err) < 0)
		return guest_explain(guest, err);
	return 1;
}

bool guest_has(const struct guest *guest, const char *path)
{
	_cleanup_close_ int fd = guest_resolve(guest, path, O_PATH);

	return fd >= 0;
}

int guest_stat(const struct guest *guest, const char *path, int follow, struct stat *st)
{
	int fd = guest_resolve(guest, path, O_PATH | (follow ? 0 : O_NOFOLLOW));
	int r, number;

	if (fd < 0)
		return -1;
	r = fstat(fd, st);
	number = errno;
	close(fd);
	errno = number;
	return r;
}

static int read_link_at(int directory, const char *name, struct text *out)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(directory, name, target, sizeof(target));

	if (length < 0)
		return -1;
	text_add_bytes(out, target, (size_t)length);
	return 0;
}

int guest_read_link(const struct guest *guest, const char *path, struct text *out,
		    struct error *err)
{
	_cleanup_close_ int fd = guest_resolve(guest, path, O_PATH | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, errno, "look at %s in the guest", path);
	if (!S_ISLNK(st.st_mode))
		return 0;
	if (read_link_at(fd, "", out) < 0)
		return error_sys(err, errno, "read the symbolic link %s in the guest", path);
	return 1;
}

static int list_names(DIR *dir, const char *directory, const char *pattern, struct strings *names,
		      struct error *err)
{
	const struct dirent *entry;
	size_t seen = 0;

	while ((errno = 0, entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (++seen > GUEST_NAMES_LIMIT)
			return error_set(err, "list %s in the guest: it holds more than %d names",
					 directory, GUEST_NAMES_LIMIT);
		if (!pattern || fnmatch(pattern, entry->d_name, FNM_PERIOD) == 0)
			strings_add(names, entry->d_name);
	}
	if (errno)
		return error_sys(err, errno, "list %s in the guest", directory);
	strings_sort(names);
	return 0;
}

static int list_matching(const struct guest *guest, const char *directory, const char *pattern,
			 struct strings *names, struct error *err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = guest_resolve(guest, directory, O_RDONLY | O_DIRECTORY);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return error_sys(err, errno, "list %s in the guest", directory);
	dir = fdopendir(fd);
	if (!dir) {
		error_sys(err, errno, "list %s in the guest", directory);
		close(fd);
		return -1;
	}
	return list_names(dir, directory, pattern, names, err);
}

int guest_list(const struct guest *guest, const char *directory, struct strings *names,
	       struct error *err)
{
	_cleanup_strings_ struct strings found = {0};

	if (list_matching(guest, directory, NULL, &found, err) < 0)
		return guest_explain(guest, err);
	for (size_t i = 0; i < found.count; i++)
		strings_add(names, found.item[i]);
	return 0;
}

int guest_glob(const struct guest *guest, const char *directory, const char *pattern,
	       struct strings *paths, struct error *err)
{
	_cleanup_strings_ struct strings found = {0};
	const char *slash = has_suffix(directory, "/") ? "" : "/";

	if (list_matching(guest, directory, pattern, &found, err) < 0)
		return guest_explain(guest, err);
	for (size_t i = 0; i < found.count; i++)
		strings_addf(paths, "%s%s%s", directory, slash, found.item[i]);
	return 0;
}

int guest_free_space(const struct guest *guest, const char *path, uint64_t *bytes,
		     struct error *err)
{
	_cleanup_close_ int fd = guest_resolve(guest, path, O_PATH);
	struct statvfs fs;

	if (fd < 0 || fstatvfs(fd, &fs) < 0)
		return error_sys(err, errno, "free space at %s in the guest", path);
	*bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return 0;
}

/* The directory, with each missing component made; a dangling link on the way stays an error. */
static int make_directory(const struct guest *guest, const char *path, mode_t mode,
			  struct error *err)
{
	_cleanup_free_ char *prefix = string_copy(path);
	int parent = guest_resolve(guest, "/", O_PATH | O_DIRECTORY);

	for (char *p = prefix, *end; parent >= 0 && *p; p = end) {
		char saved;
		int next;

		p += strspn(p, "/");
		end = p + strcspn(p, "/");
		saved = *end;
		*end = '\0';
		next = *p ? guest_resolve(guest, prefix, O_PATH | O_DIRECTORY) : dup(parent);
		if (next < 0 && errno == ENOENT && (mkdirat(parent, p, mode) == 0))
			next = guest_resolve(guest, prefix, O_PATH | O_DIRECTORY);
		if (next < 0)
			error_sys(err, errno, "make directory %s in the guest", prefix);
		*end = saved;
		close(parent);
		parent = next;
	}
	return parent;
}

static int open_directory(const struct guest *guest, const char *path, mode_t make_directories,
			  struct error *err)
{
	int fd = guest_resolve(guest, path, O_PATH | O_DIRECTORY);

	if (fd < 0 && errno == ENOENT && make_directories)
		return make_directory(guest, path, make_directories, err);
	if (fd < 0)
		return error_sys(err, errno, "open directory %s in the guest", path);
	return fd;
}

/* "/a//b/" becomes "/a/" and "b". The rest may hold links and "..": the kernel resolves it. */
static int split_path(const char *path, char **directory, char **name, struct error *err)
{
	size_t length = strlen(path), start;

	while (length > 0 && path[length - 1] == '/')
		length--;
	start = length;
	while (start > 0 && path[start - 1] != '/')
		start--;
	*name = string_format("%.*s", (int)(length - start), path + start);
	*directory = string_format("/%.*s", (int)start, path);
	if (**name && strcmp(*name, ".") != 0 && strcmp(*name, "..") != 0 && length < PATH_MAX)
		return 0;
	return error_set(err, "%s is not the name of a file in the guest", path);
}

int guest_place_find(const struct guest *guest, const char *path, enum guest_follow follow,
		     mode_t make_directories, struct guest_place *out, struct error *err)
{
	_cleanup_free_ char *current = string_copy(path);

	*out = (struct guest_place){.directory = -1};
	for (int i = 0; i < LINK_LIMIT; i++) {
		_cleanup_free_ char *directory = NULL, *name = NULL;
		_cleanup_text_ struct text target = {0};
		_cleanup_close_ int fd = -1;

		if (split_path(current, &directory, &name, err) < 0)
			return -1;
		fd = open_directory(guest, directory, make_directories, err);
		if (fd < 0)
			return -1;
		if (follow == GUEST_NOFOLLOW || read_link_at(fd, name, &target) < 0) {
			out->directory = steal_fd(&fd);
			out->name = steal(&name);
			return 0;
		}
		free(current);
		current = *text_string(&target) == '/'
				  ? text_take(&target)
				  : string_format("%s%s", directory, text_string(&target));
	}
	return error_sys(err, ELOOP, "follow %s in the guest", path);
}

void guest_place_release(struct guest_place *place)
{
	if (place->directory >= 0)
		close(place->directory);
	free(place->name);
	*place = (struct guest_place){.directory = -1};
}

static void release_kernels(struct guest *guest)
{
	for (size_t i = 0; i < guest->kernel_count; i++) {
		free(guest->kernel[i].release);
		free(guest->kernel[i].image);
		free(guest->kernel[i].initramfs);
	}
	free(guest->kernel);
}

static void release_mounts(struct guest *guest)
{
	for (size_t i = 0; i < guest->mount_count; i++) {
		free(guest->mount[i].device);
		free(guest->mount[i].volume);
		free(guest->mount[i].where);
		free(guest->mount[i].filesystem);
		free(guest->mount[i].uuid);
	}
	free(guest->mount);
}

int guest_close(struct guest *guest, struct error *err)
{
	int r = 0;

	if (guest->detach)
		r = guest->detach(guest, err);
	else if (guest->root && syncfs(guest->root_fd) < 0)
		r = error_sys(err, errno, "sync %s", guest->root);
	/* A zeroed guest was never opened: its root_fd of 0 is not ours. */
	if (guest->root && guest->root_fd >= 0)
		close(guest->root_fd);
	release_kernels(guest);
	release_mounts(guest);
	strings_release(&guest->volume_groups);
	strings_release(&guest->unmounted);
	free(guest->root);
	free(guest->disk);
	free(guest->os_id);
	free(guest->os_id_like);
	free(guest->os_version);
	free(guest->os_name);
	free(guest->hostname);
	free(guest->architecture);
	*guest = (struct guest){.root_fd = -1};
	return r;
}

void guest_release(struct guest *guest)
{
	if (guest)
		guest_close(guest, NULL);
}

int guest_open_root(const char *directory, struct guest *out, struct error *err)
{
	*out = (struct guest){.root_fd = -1};
	out->root_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->root_fd < 0)
		return error_sys(err, errno, "open %s", directory);
	out->root = string_copy(directory);
	if (guest_inspect(out, err) < 0) {
		guest_release(out);
		return error_in(err, "%s", directory);
	}
	return 0;
}
