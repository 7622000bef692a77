// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/confine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"

enum { REFUSED_MAX = 128 };

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define X32_BIT 0x40000000U

int confine_limits(const struct confine_limit *limits, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct rlimit limit;

		if (getrlimit(limits[i].resource, &limit) < 0)
			return error_sys(err, errno, "get a resource limit");
		if (limit.rlim_max > limits[i].limit)
			limit.rlim_max = limits[i].limit;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(limits[i].resource, &limit) < 0)
			return error_sys(err, errno, "set a resource limit");
	}
	return 0;
}

int confine_bounding_set(uint64_t kept, struct error *err)
{
	for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
		if ((i > 63 || !(kept & CONFINE_CAPABILITY(i))) && prctl(PR_CAPBSET_DROP, i) < 0)
			return error_sys(err, errno, "drop capability %d", i);
	return 0;
}

int confine_capabilities(uint64_t kept, struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int i = 0; i < 2; i++) {
		data[i].permitted = (uint32_t)(kept >> (32 * i));
		data[i].effective = data[i].permitted;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return error_sys(err, errno, "drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_sys(err, errno, "set no_new_privs");
	return 0;
}

/* pivot_root() refuses to leave an initramfs; there the new root is moved over the old one. */
int confine_root(struct error *err)
{
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (umount2(".", MNT_DETACH) < 0)
			return error_sys(err, errno, "leave the root of the rescue system");
	} else if (errno != EINVAL || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0) {
		return error_sys(err, errno, "enter a root of its own");
	}
	if (chdir("/") < 0)
		return error_sys(err, errno, "enter a root of its own");
	return 0;
}

int confine_system_calls(const unsigned int *refused, size_t count, struct error *err)
{
	struct sock_filter filter[8 + 2 * REFUSED_MAX] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		ANSWER(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		/* The x32 numbers of the same calls. */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
		ANSWER(SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {.len = 6, .filter = filter};

	assert(count <= REFUSED_MAX);
	for (size_t i = 0; i < count; i++) {
		filter[program.len++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i], 0, 1);
		filter[program.len++] =
			(struct sock_filter)ANSWER(SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA));
	}
	filter[program.len++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return error_sys(err, errno, "confine the sandbox's system calls");
	return 0;
}

void confine_prefer_to_be_killed(void)
{
	static const char worst[] = "1000";
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* Without it the program runs as well. */
	if (fd >= 0 && write(fd, worst, strlen(worst)) < 0)
		return;
}
