// SPDX-License-Identifier: GPL-3.0-or-later
/* qemu_nbd_sandbox: the part of qemu_nbd that runs between fork and exec. */
#pragma once

#include "base/error.h"
#include "restore/qemu_nbd.h"

struct qemu_nbd_sandbox {
	const char *program;
	const char *directory; /* an empty one, which the sandbox's root is mounted on */
	const struct qemu_nbd_files *files;
};

/* In the monitor: the namespaces that its next child lives in. */
int qemu_nbd_sandbox_unshare(struct error *err);
/* In that child: the program is /program then. */
int qemu_nbd_sandbox_enter(const struct qemu_nbd_sandbox *sandbox, struct error *err);
