// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *grown(void *pointer, size_t size)
{
	void *p = realloc(pointer, size);

	if (!p)
		abort();
	return p;
}

char *text_reserve(struct text *text, size_t extra)
{
	size_t need = text->length + extra + 1;

	if (need < extra)
		abort();
	if (need > text->capacity) {
		size_t capacity = text->capacity ? text->capacity : 64;

		while (capacity < need)
			capacity += capacity / 2 + 64;
		text->data = grown(text->data, capacity);
		text->capacity = capacity;
	}
	return text->data + text->length;
}

void text_add_bytes(struct text *text, const void *bytes, size_t length)
{
	char *end = text_reserve(text, length);

	if (length)
		memcpy(end, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

void text_add(struct text *text, const char *string)
{
	text_add_bytes(text, string, strlen(string));
}

void text_vaddf(struct text *text, const char *format, va_list args)
{
	char *string = NULL;

	if (vasprintf(&string, format, args) < 0)
		abort();
	text_add(text, string);
	free(string);
}

void text_addf(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vaddf(text, format, args);
	va_end(args);
}

void text_truncate(struct text *text, size_t length)
{
	if (length >= text->length)
		return;
	text->length = length;
	text->data[length] = '\0';
}

const char *text_string(const struct text *text)
{
	return text->data ? text->data : "";
}

char *text_take(struct text *text)
{
	char *data = text->data ? text->data : string_copy("");

	*text = (struct text){0};
	return data;
}

void text_release(struct text *text)
{
	if (!text)
		return;
	free(text->data);
	*text = (struct text){0};
}

void strings_add(struct strings *list, const char *string)
{
	list->item = grown(list->item, (list->count + 2) * sizeof(*list->item));
	list->item[list->count++] = string_copy(string);
	list->item[list->count] = NULL;
}

void strings_addf(struct strings *list, const char *format, ...)
{
	struct text text = {0};
	va_list args;

	va_start(args, format);
	text_vaddf(&text, format, args);
	va_end(args);
	strings_add(list, text_string(&text));
	text_release(&text);
}

bool strings_has(const struct strings *list, const char *string)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->item[i], string) == 0)
			return true;
	return false;
}

void strings_add_once(struct strings *list, const char *string)
{
	if (!strings_has(list, string))
		strings_add(list, string);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *list)
{
	if (list->count > 1)
		qsort(list->item, list->count, sizeof(*list->item), compare_strings);
}

void strings_split(struct strings *list, const char *string, const char *separators)
{
	while (*string) {
		size_t length = strcspn(string, separators);

		if (length)
			strings_addf(list, "%.*s", (int)length, string);
		string += length;
		string += strspn(string, separators);
	}
}

char *strings_join(const struct strings *list, const char *between)
{
	struct text text = {0};

	for (size_t i = 0; i < list->count; i++) {
		if (i)
			text_add(&text, between);
		text_add(&text, list->item[i]);
	}
	return text_take(&text);
}

void strings_release(struct strings *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++)
		free(list->item[i]);
	free(list->item);
	*list = (struct strings){0};
}

char *string_copy(const char *string)
{
	char *copy = strdup(string);

	if (!copy)
		abort();
	return copy;
}

char *string_format(const char *format, ...)
{
	struct text text = {0};
	va_list args;

	va_start(args, format);
	text_vaddf(&text, format, args);
	va_end(args);
	return text_take(&text);
}

bool string_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

const char *string_or_dash(const char *string)
{
	return string && *string ? string : "-";
}

bool has_prefix(const char *string, const char *prefix)
{
	return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool has_suffix(const char *string, const char *suffix)
{
	size_t length = strlen(string), tail = strlen(suffix);

	return length >= tail && strcmp(string + length - tail, suffix) == 0;
}

bool string_matches(const char *pattern, const char *string)
{
	/* Where to go on when what follows the last '*' does not fit: that star takes one more. */
	const char *after_star = NULL, *retry = NULL;

	while (*string) {
		if (*pattern == '*') {
			after_star = ++pattern;
			retry = string;
		} else if (*pattern && (*pattern == '?' || *pattern == *string)) {
			pattern++;
			string++;
		} else if (after_star) {
			pattern = after_star;
			string = ++retry;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

char *string_printable(const char *string)
{
	char *copy = string_copy(string);

	for (char *c = copy; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return copy;
}

char *string_trim(char *string)
{
	char *end;

	while (isspace((unsigned char)*string))
		string++;
	end = string + strlen(string);
	while (end > string && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return string;
}

static const char size_units[] = "BKMGTPE";

char *size_format(uint64_t bytes)
{
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && size_units[unit + 1]) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		return string_format("%llu B", (unsigned long long)bytes);
	return string_format("%.*f %ciB", value < 100 && floor(value) != value, value,
			     size_units[unit]);
}

int size_parse(const char *string, uint64_t *bytes)
{
	unsigned long long value;
	const char *unit;
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*string))
		return -1;
	errno = 0;
	value = strtoull(string, &end, 10);
	if (errno)
		return -1;
	if (*end) {
		unit = strchr(size_units, toupper((unsigned char)*end));
		if (!unit)
			return -1;
		shift = (unsigned int)(unit - size_units) * 10;
		end++;
		if (shift && strcasecmp(end, "iB") != 0 && strcasecmp(end, "B") != 0 && *end)
			return -1;
		if (!shift && *end)
			return -1;
	}
	if (shift && value > UINT64_MAX >> shift)
		return -1;
	*bytes = (uint64_t)value << shift;
	return 0;
}
