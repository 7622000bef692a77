// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/guest_seccomp.h"

#include <sys/syscall.h>

#include "base/confine.h"
#include "base/scope.h"

/* A devtmpfs of its own would give the program every disk of the machine. */
static const unsigned int refused[] = {
	SYS_mount,         SYS_umount2,         SYS_pivot_root, SYS_chroot,        SYS_move_mount,
	SYS_open_tree,     SYS_fsopen,          SYS_fsconfig,   SYS_fsmount,       SYS_fspick,
	SYS_mount_setattr, SYS_setns,           SYS_unshare,    SYS_swapon,        SYS_swapoff,
	SYS_bpf,           SYS_perf_event_open, SYS_quotactl,   SYS_fanotify_init, SYS_mknod,
	SYS_mknodat,
};

int seccomp_confine(struct error *err)
{
	return confine_system_calls(refused, array_length(refused), err);
}
