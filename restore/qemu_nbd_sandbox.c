// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/qemu_nbd_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/scope.h"
#include "base/text.h"

enum {
	NOBODY = 65534,
	NAMESPACES = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
};

static const struct confine_limit limits[] = {
	{RLIMIT_CORE, 0},
	{RLIMIT_NOFILE, 8192},   /* a VMDK image may have a file for every 2 GiB */
	{RLIMIT_FSIZE, 1 << 20}, /* what it may complain */
	{RLIMIT_MEMLOCK, 0},
	{RLIMIT_AS, 2ULL << 30},
};

/* What the dynamic linker wants. A symbolic link stays one. */
static const char *const library_places[] = {
	"/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache",
};

/*
 * Sockets, because not every family knows network namespaces (vsock) and because none is needed:
 * the one that connections arrive at is open already. The rest is what the namespaces could be left
 * with, other programs be reached with, and the parts of the kernel that have had most holes.
 */
static const unsigned int refused[] = {
	SYS_socket,
	SYS_socketpair,
	SYS_connect,
	SYS_bind,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_move_mount,
	SYS_open_tree,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_mount_setattr,
	SYS_setns,
	SYS_unshare,
	SYS_swapon,
	SYS_swapoff,
	SYS_open_by_handle_at,
	SYS_bpf,
	SYS_ptrace,
	SYS_kcmp,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_pidfd_getfd,
	SYS_userfaultfd,
	SYS_perf_event_open,
	SYS_quotactl,
	SYS_fanotify_init,
	SYS_mknod,
	SYS_mknodat,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_kexec_file_load,
	SYS_reboot,
	SYS_acct,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_adjtimex,
	SYS_personality,
	SYS_syslog,
	SYS_iopl,
	SYS_ioperm,
};

static int write_text(const char *path, const char *text, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return error_sys(err, errno, "write %s", path);
	return 0;
}

/* Who is not root is what he was in a namespace of his own. */
static int map_user(uid_t user, gid_t group, struct error *err)
{
	_cleanup_free_ char *users = string_format("%u %u 1", user, user);
	_cleanup_free_ char *groups = string_format("%u %u 1", group, group);

	if (write_text("/proc/self/setgroups", "deny", err) < 0 ||
	    write_text("/proc/self/uid_map", users, err) < 0)
		return -1;
	return write_text("/proc/self/gid_map", groups, err);
}

int qemu_nbd_sandbox_unshare(struct error *err)
{
	uid_t user = geteuid();
	gid_t group = getegid();

	if (unshare(NAMESPACES) == 0)
		return 0;
	if (errno == EPERM && unshare(NAMESPACES | CLONE_NEWUSER) == 0)
		return map_user(user, group, err);
	return error_sys(err, errno,
			 "it is read by a program that must be confined, which this user may not "
			 "do: run v2p as root, or convert the image with `qemu-img convert -O "
			 "qcow2`");
}

static int make_parents(const char *path, struct error *err)
{
	_cleanup_free_ char *copy = string_copy(path);

	for (char *p = copy; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return error_sys(err, errno, "make %s in the sandbox", copy);
	}
	return 0;
}

/* A thing to put the mount on. */
static int make_place(const char *path, bool is_directory, struct error *err)
{
	_cleanup_close_ int fd = -1;

	if (make_parents(path, err) < 0)
		return -1;
	if (is_directory ? mkdir(path, 0755) == 0 || errno == EEXIST
			 : (fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) >= 0)
		return 0;
	return error_sys(err, errno, "make %s in the sandbox", path);
}

/* Shows path as place, which is relative to the new root; st gets what is there. */
static int show(const char *path, const char *place, uint64_t flags, struct stat *st,
		struct error *err)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | flags};
	_cleanup_close_ int tree =
		open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (tree < 0 || fstat(tree, st) < 0)
		return error_sys(err, errno, "show %s in the sandbox", path);
	if (make_place(place, S_ISDIR(st->st_mode), err) < 0)
		return -1;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof(attributes)) <
		    0 ||
	    move_mount(tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_sys(err, errno, "show %s in the sandbox", path);
	return 0;
}

static int show_libraries(const char *path, struct error *err)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	struct stat st;

	if (length < 0 && errno == ENOENT)
		return 0;
	if (length < 0)
		return show(path, path + 1, MOUNT_ATTR_NODEV, &st, err);
	target[length] = '\0';
	if (make_parents(path + 1, err) < 0)
		return -1;
	if (symlink(target, path + 1) < 0)
		return error_sys(err, errno, "make %s in the sandbox", path);
	return 0;
}

static int show_image(const struct qemu_nbd_file *file, struct error *err)
{
	_cleanup_free_ char *place = string_format("image/%s", file->name);
	struct stat st;

	if (show(file->path, place, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, &st, err) < 0)
		return -1;
	if (st.st_dev != file->device || st.st_ino != file->inode)
		return error_set(err, "%s was replaced by another file meanwhile", file->path);
	return 0;
}

static int build(const struct qemu_nbd_sandbox *sandbox, struct error *err)
{
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
						   MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	struct stat st;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("v2p", sandbox->directory, "tmpfs", 0, "mode=755,size=1m") < 0 ||
	    chdir(sandbox->directory) < 0)
		return error_sys(err, errno, "mount the sandbox's root");
	for (size_t i = 0; i < array_length(library_places); i++)
		if (show_libraries(library_places[i], err) < 0)
			return -1;
	for (size_t i = 0; i < sandbox->files->count; i++)
		if (show_image(&sandbox->files->item[i], err) < 0)
			return -1;
	/* QEMU asks /dev/null whether locks work. */
	if (show("/dev/null", "dev/null", MOUNT_ATTR_NOEXEC, &st, err) < 0 ||
	    show(sandbox->program, "program", MOUNT_ATTR_NODEV, &st, err) < 0)
		return -1;
	if (mount_setattr(AT_FDCWD, ".", 0, &read_only, sizeof(read_only)) < 0)
		return error_sys(err, errno, "make the sandbox's root read-only");
	return confine_root(err);
}

/* Who may read all of the files, with as few rights besides as possible. */
static int choose_user(const struct qemu_nbd_files *files, uid_t *user, struct error *err)
{
	bool has_owner = false;

	*user = NOBODY;
	for (size_t i = 0; i < files->count; i++) {
		const struct qemu_nbd_file *file = &files->item[i];

		if (file->mode & S_IROTH)
			continue;
		if (!(file->mode & S_IRUSR) || (has_owner && file->owner != *user))
			return error_set(err,
					 "%s: the program that reads this format runs without "
					 "root's rights: `chmod a+r` the image, or give all of "
					 "its files to one user",
					 file->path);
		has_owner = true;
		*user = file->owner;
	}
	return 0;
}

/* In a user namespace of its own there is no other user. */
static int change_user(const struct qemu_nbd_files *files, struct error *err)
{
	uid_t user;

	if (choose_user(files, &user, err) < 0)
		return -1;
	if (setgroups(0, NULL) < 0)
		return errno == EPERM ? 0 : error_sys(err, errno, "leave all groups");
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(user, user, user) < 0)
		return error_sys(err, errno, "become user %u", user);
	return 0;
}

int qemu_nbd_sandbox_enter(const struct qemu_nbd_sandbox *sandbox, struct error *err)
{
	umask(022);
	if (build(sandbox, err) < 0 || confine_limits(limits, array_length(limits), err) < 0 ||
	    confine_bounding_set(0, err) < 0 || change_user(sandbox->files, err) < 0 ||
	    confine_capabilities(0, err) < 0)
		return -1;
	/* After the change of user, which takes it back. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return confine_system_calls(refused, array_length(refused), err);
}
