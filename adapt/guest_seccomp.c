// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/guest_seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/scope.h"

/* A devtmpfs of its own would give the program every disk of the machine. */
static const unsigned int refused[] = {
	SYS_mount,         SYS_umount2,         SYS_pivot_root, SYS_chroot,        SYS_move_mount,
	SYS_open_tree,     SYS_fsopen,          SYS_fsconfig,   SYS_fsmount,       SYS_fspick,
	SYS_mount_setattr, SYS_setns,           SYS_unshare,    SYS_swapon,        SYS_swapoff,
	SYS_bpf,           SYS_perf_event_open, SYS_quotactl,   SYS_fanotify_init, SYS_mknod,
	SYS_mknodat,
};

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define X32_BIT 0x40000000U

int seccomp_confine(struct error *err)
{
	struct sock_filter filter[8 + 2 * array_length(refused)] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		ANSWER(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		/* The x32 numbers of the same calls. */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
		ANSWER(SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {.len = 6, .filter = filter};

	for (size_t i = 0; i < array_length(refused); i++) {
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
