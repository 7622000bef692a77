// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * module_process: a question to libkmod about a kernel of the guest, asked in a child process that
 * is bounded in time and memory and may crash: libkmod trusts what it maps. Call from one thread.
 */
#pragma once

#include <json-c/json.h>

#include "adapt/guest.h"
#include "base/error.h"
#include "base/text.h"

struct module_question;
/* Runs in the child. The caller owns the document. */
typedef int module_answer_function(const struct module_question *question, json_object **out,
				   struct error *err);

struct module_question {
	const struct guest *guest;
	const char *release;
	int directory; /* of the release, open */
	const struct strings *names;
	module_answer_function *answer;
};

/* A kernel without an index, or with one that is not made of regular files, is an error. The caller
 * owns the document. */
int module_process_ask(const struct guest *guest, const char *release, const struct strings *names,
		       module_answer_function *answer, json_object **out, struct error *err);
