// SPDX-License-Identifier: GPL-3.0-or-later
/* module_index_child: the half of module_index that touches libkmod and may crash. */
#pragma once

#include "adapt/module_process.h"

/*
 * Answers { "answers": { QUESTION: [NAME…] },
 *   "modules": { NAME: { "file", "builtin", "needs": [NAME…] } } }.
 */
int module_index_answer(const struct module_question *question, json_object **out,
			struct error *err);
