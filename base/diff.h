// SPDX-License-Identifier: GPL-3.0-or-later
/* diff: two texts compared line by line, shown as a unified diff with three lines of context. */
#pragma once

#include "base/text.h"

/*
 * Appends the difference to out; nothing when the texts are equal. Texts of more than a few
 * thousand lines in which everything differs are shown as one replacement, so that time and memory
 * stay bounded.
 */
void diff_unified(const char *name, const char *before, const char *after, struct text *out);
