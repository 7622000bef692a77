// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * text: growing strings, lists of strings, and the few string questions that the program asks
 * everywhere.
 *
 * A `struct text` may hold any bytes; it is always terminated by a NUL that length does not
 * count, so text_string() is safe for text. Running out of memory ends the program (abort):
 * everything large is bounded before it is read, so this means that the machine is beyond help.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *data; /* NULL when nothing was ever added */
	size_t length;
	size_t capacity;
};

void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *bytes, size_t length);
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vaddf(struct text *text, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
/* Grows so that at least `extra` bytes can be written behind length; returns where. */
char *text_reserve(struct text *text, size_t extra);
void text_truncate(struct text *text, size_t length);
/* The content; "" when empty. Borrowed. */
const char *text_string(const struct text *text);
/* The content as a heap string that the caller frees; the text is empty afterwards. */
char *text_take(struct text *text);
void text_release(struct text *text);
#define _cleanup_text_ __attribute__((cleanup(text_release)))

/* A list of heap strings that the list owns. */
struct strings {
	char **item; /* NULL-terminated when count > 0 */
	size_t count;
};

void strings_add(struct strings *list, const char *string);
void strings_addf(struct strings *list, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Adds the string unless the list holds it already. */
void strings_add_once(struct strings *list, const char *string);
bool strings_has(const struct strings *list, const char *string);
void strings_sort(struct strings *list);
/* Splits at any of the separator characters; empty parts are left out. */
void strings_split(struct strings *list, const char *string, const char *separators);
/* All items with `between` between them; heap, the caller frees. */
char *strings_join(const struct strings *list, const char *between);
void strings_release(struct strings *list);
#define _cleanup_strings_ __attribute__((cleanup(strings_release)))

/* strdup()/asprintf() that do not return NULL. */
char *string_copy(const char *string);
char *string_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool string_equal(const char *a, const char *b); /* NULL equals NULL only */
const char *string_or_dash(const char *string);  /* "-" for NULL and "": for columns */
bool has_prefix(const char *string, const char *prefix);
bool has_suffix(const char *string, const char *suffix);
/*
 * A shell pattern of '*' and '?' alone, against the whole string. For patterns that come from an
 * image: fnmatch(3) takes exponential time on some.
 */
bool string_matches(const char *pattern, const char *string);
/* A copy in which every byte that is not printable ASCII is '?': for what comes from an image and
 * goes to a terminal; heap, the caller frees. */
char *string_printable(const char *string);
/* Removes white space at both ends, in place; returns the first character that stays. */
char *string_trim(char *string);

/* "1.5 GiB", "512 B": heap, the caller frees. */
char *size_format(uint64_t bytes);
/* "512", "200G" (powers of 1024: K M G T P, with an optional iB or B). 0, or -1 if malformed. */
int size_parse(const char *string, uint64_t *bytes);
