// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/kernel_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

static const char *const keys[] = {"root", "resume"};

/* The key at word, if a word of ours begins there. before: the character in front of it. */
static const char *key_at(const char *word, const char *line, const char *content)
{
	/* At the start of a line it would be a shell variable of that name, but for the first. */
	if (word == line ? word != content : !strchr(" \t\"'=", word[-1]))
		return NULL;
	for (size_t i = 0; i < array_length(keys); i++) {
		if (has_prefix(word, keys[i]) && word[strlen(keys[i])] == '=')
			return keys[i];
	}
	return NULL;
}

/* Takes out one of the spaces around a word that is dropped. Returns how much follows it. */
static size_t drop_space(struct text *out, const char *rest)
{
	char last = out->length ? out->data[out->length - 1] : '\n';

	if (*rest == ' ' || *rest == '\t')
		return 1;
	if (last == ' ' || last == '\t')
		text_truncate(out, out->length - 1);
	return 0;
}

/* Edits the word at `word`, appending what takes its place; returns its length in the input. */
static size_t edit_word(const char *word, const char *key, kernel_word_edit *edit, void *data,
			struct text *out, int *edits)
{
	const char *value = word + strlen(key) + 1;
	size_t length = strcspn(value, " \t\r\n\"'\\;`$");
	_cleanup_free_ char *old = string_format("%.*s", (int)length, value);
	_cleanup_free_ char *new = edit(data, key, old);
	size_t whole = strlen(key) + 1 + length;

	/* A value that goes on in a substitution or an escape is not ours to judge. */
	if (!new || strcmp(new, old) == 0 || (value[length] && strchr("\\`$", value[length]))) {
		text_add_bytes(out, word, whole);
		return whole;
	}
	++*edits;
	if (!*new)
		return whole + drop_space(out, value + length);
	text_addf(out, "%s=%s", key, new);
	return whole;
}

int kernel_words_edit(const char *content, kernel_word_edit *edit, void *data, struct text *out)
{
	int edits = 0;

	for (const char *line = content; *line;) {
		const char *end = line + strcspn(line, "\n");
		const char *at = line;

		if (line[strspn(line, " \t")] == '#') {
			text_add_bytes(out, line, (size_t)(end - line));
			at = end;
		}
		while (at < end) {
			const char *key = key_at(at, line, content);

			if (key) {
				at += edit_word(at, key, edit, data, out, &edits);
				continue;
			}
			text_add_bytes(out, at++, 1);
		}
		text_add(out, *end ? "\n" : "");
		line = end + (*end == '\n');
	}
	return edits;
}

/* Where the value begins in "  NAME=value", or NULL. */
static const char *assignment(const char *line, const char *name)
{
	line += strspn(line, " \t");
	if (has_prefix(line, "export "))
		line += strlen("export ");
	if (!has_prefix(line, name) || line[strlen(name)] != '=')
		return NULL;
	return line + strlen(name) + 1;
}

int shell_variable_edit(const char *content, const char *name, kernel_word_edit *edit, void *data,
			struct text *out)
{
	int edits = 0;

	for (const char *line = content; *line;) {
		const char *end = line + strcspn(line, "\n");
		const char *value = assignment(line, name);
		const char *quote = value && *value && strchr("\"'", *value) ? value : NULL;
		size_t length = !value  ? 0
				: quote ? strcspn(value + 1, "\"'\n")
					: strcspn(value, " \t\r\n#;");
		_cleanup_free_ char *old =
			value ? string_format("%.*s", (int)length, value + !!quote) : NULL;
		_cleanup_free_ char *new = value ? edit(data, name, old) : NULL;

		if (new &&strcmp(new, old) != 0) {
			edits++;
			text_add_bytes(out, line, (size_t)(value + !!quote - line));
			text_add(out, new);
			line = value + !!quote + length;
		}
		text_add_bytes(out, line, (size_t)(end - line));
		text_add(out, *end ? "\n" : "");
		line = end + (*end == '\n');
	}
	return edits;
}

char *kernel_word_unquote(const char *word)
{
	char *copy = string_copy(word), *to = copy;

	for (const char *from = word; *from; from++)
		if (*from != '\'' && *from != '"')
			*to++ = *from;
	*to = '\0';
	return copy;
}

void kernel_line_split(const char *line, size_t length, struct strings *words)
{
	_cleanup_free_ char *copy = strndup(line, length);
	_cleanup_strings_ struct strings raw = {0};

	if (!copy)
		abort();
	strings_split(&raw, copy, " \t\r\n");
	for (size_t i = 0; i < raw.count; i++) {
		_cleanup_free_ char *word = kernel_word_unquote(raw.item[i]);

		strings_add(words, word);
	}
}
