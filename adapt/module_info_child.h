// SPDX-License-Identifier: GPL-3.0-or-later
/* module_info_child: the half of module_info that touches libkmod and may crash. */
#pragma once

#include "adapt/module_process.h"

/* Answers { NAME: { "read": bool, "firmware": [FILE…], "signer": "…" } }. */
int module_info_answer(const struct module_question *question, json_object **out,
		       struct error *err);
