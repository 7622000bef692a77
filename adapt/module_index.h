// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * module_index: questions to a guest kernel's own module index, through libkmod.
 *
 * libkmod trusts the .bin files that it maps, and those of an image may be made to crash it or to
 * lead it in circles. So it runs in a child process, bounded in time and memory, and what comes
 * back is a value. Neither the rescue system's modprobe configuration nor the guest's is applied:
 * what binds a device at boot is the index.
 *
 * Call from one thread (it forks).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "adapt/guest.h"
#include "base/error.h"
#include "base/text.h"

/* A module of the kernel; needs are names of other facts. */
struct module_fact {
	char *name; /* with underscores */
	char *file; /* below /lib/modules/RELEASE/, no compression suffix; "" when built in */
	bool is_builtin;
	struct strings needs; /* to be loaded before: dependencies and soft pre-dependencies */
};

struct module_answer {
	char *question;
	struct strings modules; /* each has a fact; empty: nothing matches */
};

struct module_index {
	struct module_answer *answer; /* sorted by question */
	size_t answer_count;
	struct module_fact *fact; /* sorted by name */
	size_t fact_count;
};

/*
 * questions are modaliases and module names, mixed. A kernel without an index (depmod has not run),
 * or with one that is damaged or leads outside its directory, is an error.
 */
int module_index_ask(const struct guest *guest, const char *release,
		     const struct strings *questions, struct module_index *out, struct error *err);
/* NULL when it was not asked. Borrowed. */
const struct strings *module_index_find(const struct module_index *index, const char *question);
/* NULL when there is no such module. Borrowed. */
const struct module_fact *module_index_fact(const struct module_index *index, const char *name);
void module_index_release(struct module_index *index);
#define _cleanup_module_index_ __attribute__((cleanup(module_index_release)))
