// SPDX-License-Identifier: GPL-3.0-or-later
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "restore/used_lvm.h"

bool used_lvm_word_is(const struct used_lvm_word *word, const char *string)
{
	return word->length == strlen(string) && memcmp(word->start, string, word->length) == 0;
}

bool used_lvm_word_number(const struct used_lvm_word *word, uint64_t *out)
{
	uint64_t number = 0;

	/* Fewer digits than 64 bits have: no sum below overflows. */
	if (word->length == 0 || word->length > 18)
		return false;
	for (size_t i = 0; i < word->length; i++) {
		if (!isdigit((unsigned char)word->start[i]))
			return false;
		number = number * 10 + (uint64_t)(word->start[i] - '0');
	}
	*out = number;
	return true;
}

static int malformed(struct error *err)
{
	return used_decline(err, "its metadata is not written as LVM writes it");
}

static const char *skip_blank(const char *at)
{
	for (;;) {
		at += strspn(at, " \t\r\n");
		if (*at != '#')
			return at;
		at += strcspn(at, "\n");
	}
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_-.+/", c));
}

/* A string without its quotes, or a bare word. LVM escapes quotes and backslashes only; what is
 * escaped stays so: it is compared with nothing. Returns what follows, or NULL. */
static const char *read_word(const char *at, struct used_lvm_word *out)
{
	const char *end;

	if (*at != '"') {
		for (end = at; is_word(*end);)
			end++;
		*out = (struct used_lvm_word){.start = at, .length = (size_t)(end - at)};
		return end > at ? end : NULL;
	}
	for (end = ++at; *end && *end != '"'; end++)
		if (*end == '\\' && end[1])
			end++;
	*out = (struct used_lvm_word){.start = at, .length = (size_t)(end - at)};
	return *end == '"' ? end + 1 : NULL;
}

static const char *read_list(const char *at, struct used_lvm_setting *setting)
{
	struct used_lvm_word word;

	for (at = skip_blank(at); *at != ']'; at = skip_blank(at)) {
		at = read_word(at, &word);
		if (!at)
			return NULL;
		if (setting->values < USED_LVM_VALUES)
			setting->value[setting->values] = word;
		setting->values++;
		at = skip_blank(at);
		if (*at == ',')
			at++;
		else if (*at != ']')
			return NULL;
	}
	return at + 1;
}

static const char *read_value(const char *at, struct used_lvm_setting *setting)
{
	setting->values = 0;
	at = skip_blank(at);
	if (*at == '[')
		return read_list(at + 1, setting);
	setting->values = 1;
	return read_word(at, &setting->value[0]);
}

struct walk {
	const struct used_lvm_reader *reader;
	const char *at;
	struct used_lvm_word section[USED_LVM_DEPTH];
	struct used_lvm_setting setting;
};

static int end_section(struct walk *walk, struct error *err)
{
	int r;

	if (walk->setting.depth == 0)
		return malformed(err);
	walk->at++;
	r = walk->reader->end(walk->reader->context, &walk->setting, err);
	walk->setting.depth--;
	return r;
}

static int begin_section(struct walk *walk, struct error *err)
{
	if (walk->setting.depth == USED_LVM_DEPTH)
		return malformed(err);
	walk->section[walk->setting.depth++] = walk->setting.name;
	walk->at++;
	return walk->reader->begin(walk->reader->context, &walk->setting, err);
}

static int read_setting(struct walk *walk, struct error *err)
{
	walk->at = read_word(walk->at, &walk->setting.name);
	if (!walk->at)
		return malformed(err);
	walk->at = skip_blank(walk->at);
	if (*walk->at == '{')
		return begin_section(walk, err);
	if (*walk->at != '=')
		return malformed(err);
	walk->at = read_value(walk->at + 1, &walk->setting);
	if (!walk->at)
		return malformed(err);
	return walk->reader->set(walk->reader->context, &walk->setting, err);
}

int used_lvm_text_read(const char *text, const struct used_lvm_reader *reader, struct error *err)
{
	struct walk walk = {.reader = reader, .at = text};

	walk.setting.section = walk.section;
	for (walk.at = skip_blank(walk.at); *walk.at; walk.at = skip_blank(walk.at)) {
		int r = *walk.at == '}' ? end_section(&walk, err) : read_setting(&walk, err);

		if (r != USED_KNOWN)
			return r;
	}
	return walk.setting.depth == 0 ? USED_KNOWN : malformed(err);
}
