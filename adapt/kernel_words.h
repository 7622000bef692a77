// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * kernel_words: root= and resume= in texts that hold a kernel command line: /etc/kernel/cmdline,
 * and the assignments of /etc/default/grub, quoted or not. Not through augeas: its lens for shell
 * variables refuses `+=`, which such files use, and takes minutes on a few hostile kilobytes.
 * Everything but the word edited comes out byte for byte.
 */
#pragma once

#include "base/text.h"

/* key: "root", "resume". The new value (heap); "" takes the word out; NULL leaves it. */
typedef char *kernel_word_edit(void *data, const char *key, const char *value);

/* Appends content, edited. Lines that begin with # are passed over. Returns how many edits. */
int kernel_words_edit(const char *content, kernel_word_edit *edit, void *data, struct text *out);

/*
 * The same for the variable NAME of shell assignments (NAME=value, NAME="value", one a line), whose
 * whole value is given to edit with its quotes taken off.
 */
int shell_variable_edit(const char *content, const char *name, kernel_word_edit *edit, void *data,
			struct text *out);

/*
 * The words of one line of a boot loader's configuration or of a kernel command line, quotes taken
 * off as far as grub-mkconfig writes them. length bytes of line; nothing is evaluated.
 */
void kernel_line_split(const char *line, size_t length, struct strings *words);
/* A word without the quotes that grub-mkconfig puts around some; heap, the caller frees. */
char *kernel_word_unquote(const char *word);
