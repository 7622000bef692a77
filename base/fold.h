// SPDX-License-Identifier: GPL-3.0-or-later
/* fold: words in lines that a terminal shows whole. */
#pragma once

#include "base/text.h"

enum { FOLD_WIDTH = 79 }; /* a character in the last of 80 columns wraps on some terminals */

/*
 * Appends head and words, white space of any kind being one space, with line feeds so that no line
 * is wider than FOLD_WIDTH unless a single word is; the lines behind the first are indented as far
 * as head is wide. Ends in a line feed. UTF-8; every character counts as one column.
 */
void fold(struct text *out, const char *head, const char *words);
