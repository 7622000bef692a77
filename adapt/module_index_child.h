// SPDX-License-Identifier: GPL-3.0-or-later
/* module_index_child: the half of module_index that touches libkmod and may crash. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "base/text.h"

/*
 * Asks the index in the directory that is open as directory_fd. Answers
 * { "builtin-aliases": bool, "answers": { QUESTION: [NAME…] },
 *   "modules": { NAME: { "file", "builtin", "needs": [NAME…] } } }; the caller owns it.
 */
int module_index_answer(int directory_fd, const struct strings *questions, json_object **out,
			struct error *err);
