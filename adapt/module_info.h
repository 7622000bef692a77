// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * module_info: what the files of modules say of themselves, through libkmod, in any compression.
 * In a child process, as the index is read (see module_index.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "adapt/guest.h"
#include "base/error.h"
#include "base/text.h"

struct module_info {
	char *name;
	struct strings firmware; /* as the module names them */
	bool is_read;            /* false: its file could not be read, and nothing is known */
	char *signer;            /* who signed it; NULL: it has no signature */
};

struct module_infos {
	struct module_info *item; /* sorted by name */
	size_t count;
};

/* names as module_index_fact() gives them; what is built in is asked in modules.builtin.modinfo. */
int module_info_ask(const struct guest *guest, const char *release, const struct strings *names,
		    struct module_infos *out, struct error *err);
/* NULL when it was not asked. Borrowed. */
const struct module_info *module_info_find(const struct module_infos *infos, const char *name);
void module_infos_release(struct module_infos *infos);
#define _cleanup_module_infos_ __attribute__((cleanup(module_infos_release)))
