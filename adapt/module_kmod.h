// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * module_kmod: libkmod on a directory of the guest: quiet, and without modprobe's configuration,
 * neither the guest's (see blacklist.h) nor the rescue system's. Runs in the child of
 * module_process only.
 */
#pragma once

#include <libkmod.h>
#include <stdbool.h>

#include "base/error.h"

struct module_kmod {
	struct kmod_ctx *context;
	char *directory; /* as libkmod was given it */
};

int module_kmod_open(int directory, struct module_kmod *out, struct error *err);
void module_kmod_close(struct module_kmod *kmod);
/* "kernel/drivers/ata/ahci.ko.xz" of a path that libkmod gave; heap. NULL when it leads elsewhere.
 */
char *module_kmod_file(const struct module_kmod *kmod, const char *path);
/* Names end up in configuration files of the guest and on the screen. */
bool module_is_name(const char *name);
