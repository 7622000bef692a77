// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/guest_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapt/guest_seccomp.h"
#include "base/confine.h"
#include "base/scope.h"

#define BIT(capability) CONFINE_CAPABILITY(capability)

/*
 * What maintainer scripts and initramfs tools need to handle files of any owner. No SYS_CHROOT (the
 * way out of a chroot), no SYS_PTRACE (init's descriptors), no SYS_MODULE, no SYS_RAWIO. MKNOD is
 * harmless: every file system that can be written is mounted nodev.
 */
static const uint64_t file_capabilities = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) |
					  BIT(CAP_FSETID) | BIT(CAP_MKNOD) | BIT(CAP_SETUID) |
					  BIT(CAP_SETGID) | BIT(CAP_SETFCAP) | BIT(CAP_KILL);
/* The device mapper's ioctls ask for SYS_ADMIN even to list; what else it opens is closed again by
 * guest_seccomp. */
static const uint64_t volume_capabilities = BIT(CAP_SYS_ADMIN);

static const struct confine_limit limits[] = {
	{RLIMIT_CORE, 0},
	{RLIMIT_NOFILE, 4096},
	{RLIMIT_FSIZE, 4ULL << 30}, /* no initramfs is larger; a runaway log would be */
	{RLIMIT_MEMLOCK, 64 << 20},
};

static const struct {
	const char *where, *type, *options;
	unsigned long flags;
} mounts[] = {
	/* Read-only: /proc/sys and /proc/sysrq-trigger belong to the whole machine. */
	{"/proc", "proc", NULL, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"/sys", "sysfs", NULL, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"/sys/firmware", "tmpfs", "size=4k", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"/dev", "tmpfs", "mode=755,size=1m", MS_NOSUID | MS_NOEXEC},
	/* Together they leave memory to the rescue system, which may live in it as a whole. */
	{"/run", "tmpfs", "mode=755,size=10%", MS_NOSUID | MS_NODEV},
	{"/tmp", "tmpfs", "mode=1777,size=20%", MS_NOSUID | MS_NODEV},
};

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Inside the guest's root already: a symbolic link in its place leads nowhere else. A directory
 * that the tree does not have is left out. */
static int mount_all(struct error *err)
{
	for (size_t i = 0; i < array_length(mounts); i++) {
		if (!is_directory(mounts[i].where))
			continue;
		if (mount("v2p", mounts[i].where, mounts[i].type, mounts[i].flags,
			  mounts[i].options) < 0)
			return error_sys(err, errno, "mount %s on %s in the sandbox",
					 mounts[i].type, mounts[i].where);
	}
	return 0;
}

static int make_node(const struct sandbox_node *node, struct error *err)
{
	_cleanup_free_ char *path = string_format("/dev/%s", node->path);
	int r;

	for (char *p = path + strlen("/dev/"); (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(path, 0755);
	}
	r = node->target ? symlink(node->target, path) : mknod(path, node->mode, node->device);
	if (r < 0 && errno != EEXIST)
		return error_sys(err, errno, "make %s in the sandbox", path);
	return 0;
}

/* A program that asks for swap devices (to resume from) must not be told the rescue system's. */
static int hide_swap(struct error *err)
{
	static const char swaps[] = "/proc/swaps";

	if (access(swaps, F_OK) < 0 || access("/dev/null", F_OK) < 0 ||
	    mount("/dev/null", swaps, NULL, MS_BIND, NULL) == 0)
		return 0;
	return error_sys(err, errno, "hide %s in the sandbox", swaps);
}

static int fill_dev(const struct sandbox *sandbox, struct error *err)
{
	if (!is_directory("/dev"))
		return 0;
	umask(0);
	for (size_t i = 0; i < sandbox->count; i++)
		if (make_node(&sandbox->node[i], err) < 0)
			return -1;
	umask(022);
	mkdir("/dev/shm", 01777);
	if (mount("v2p", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=10%") < 0 ||
	    mount(NULL, "/dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC,
		  NULL) < 0)
		return error_sys(err, errno, "mount /dev in the sandbox");
	return 0;
}

/* The rescue system's udev database, where grub-probe and lvm look devices up. -1: it has none. */
static int open_udev_database(void)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV |
						    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};
	int fd = open_tree(AT_FDCWD, "/run/udev", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int place_udev_database(int tree, struct error *err)
{
	if (tree < 0 || !is_directory("/run"))
		return 0;
	mkdir("/run/udev", 0755);
	if (move_mount(tree, "", AT_FDCWD, "/run/udev", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_sys(err, errno, "mount /run/udev in the sandbox");
	return 0;
}

/* The working directory is the guest's root. It becomes a mount of its own, without devices. */
static int enter_root(struct error *err)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID};
	_cleanup_close_ int tree =
		open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (tree < 0)
		return error_sys(err, errno, "clone the guest's mounts");
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof(attributes)) <
	    0)
		return error_sys(err, errno, "mount the guest's root without devices");
	if (move_mount(tree, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(tree) < 0)
		return error_sys(err, errno, "mount the guest's root");
	return confine_root(err);
}

static int build(const struct sandbox *sandbox, struct error *err)
{
	_cleanup_close_ int udev = -1;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_sys(err, errno, "make the sandbox's mounts private");
	if (sandbox->permission == GUEST_RUN_DISKS)
		udev = open_udev_database();
	if (enter_root(err) < 0 || mount_all(err) < 0 || fill_dev(sandbox, err) < 0 ||
	    hide_swap(err) < 0)
		return -1;
	return place_udev_database(udev, err);
}

static int set_capabilities(uint64_t kept, struct error *err)
{
	return confine_bounding_set(kept, err) < 0 ? -1 : confine_capabilities(kept, err);
}

static int status_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void __attribute__((noreturn)) monitor_main(pid_t init)
{
	int status;

	/* Among them the write end of the program's own stdin, which would never end. */
	close_range(0, ~0U, 0);
	while (waitpid(init, &status, 0) < 0)
		if (errno != EINTR)
			_exit(126);
	_exit(status_code(status));
}

/*
 * PID 1 shares a user with the program and still holds v2p's descriptors and binary: it must not be
 * opened through /proc/1, so it closes all of them, is not dumpable, and has no capability to lose.
 */
static void __attribute__((noreturn)) init_main(pid_t program)
{
	int status;
	pid_t got;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	close_range(0, ~0U, 0);
	if (set_capabilities(0, NULL) < 0)
		_exit(126);
	for (;;) {
		got = waitpid(-1, &status, 0);
		if (got == program)
			_exit(status_code(status));
		if (got < 0 && errno != EINTR)
			_exit(126);
	}
}

static bool needs_volumes(const struct sandbox *sandbox)
{
	return sandbox->permission == GUEST_RUN_DISKS && sandbox->has_volumes;
}

static int drop_privileges(const struct sandbox *sandbox, struct error *err)
{
	if (!needs_volumes(sandbox))
		return set_capabilities(file_capabilities, err);
	if (set_capabilities((file_capabilities & ~BIT(CAP_MKNOD)) | volume_capabilities, err) < 0)
		return -1;
	return seccomp_confine(err);
}

static int start_init(const struct sandbox *sandbox, struct error *err)
{
	pid_t program;

	/* Before the fork: the program must not see PID 1 dumpable for a moment. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (build(sandbox, err) < 0)
		return -1;
	program = fork();
	if (program < 0)
		return error_sys(err, errno, "start a process in the sandbox");
	if (program > 0)
		init_main(program);
	setsid();
	/* A library of v2p may have opened something that would stay open over exec. */
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return error_sys(err, errno, "close what is not the program's");
	if (confine_limits(limits, array_length(limits), err) < 0)
		return -1;
	return drop_privileges(sandbox, err);
}

int sandbox_enter(void *context, struct error *err)
{
	const struct sandbox *sandbox = context;
	pid_t init;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	confine_prefer_to_be_killed();
	if (fchdir(sandbox->root_fd) < 0)
		return error_sys(err, errno, "enter the guest's root");
	if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		return error_sys(err, errno, "enter namespaces of its own");
	init = fork();
	if (init < 0)
		return error_sys(err, errno, "start a process in the sandbox");
	if (init > 0)
		monitor_main(init);
	return start_init(sandbox, err);
}
