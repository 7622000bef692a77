// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/deb_version.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

/* "~" sorts before the end, the end before letters, letters before everything else. */
static int weight(char c)
{
	if (c == '~')
		return -1;
	if (isdigit((unsigned char)c) || c == '\0')
		return 0;
	return isalpha((unsigned char)c) ? (unsigned char)c : (unsigned char)c + 256;
}

static bool is_digit(char c)
{
	return isdigit((unsigned char)c);
}

static int compare_words(const char **a, const char **b)
{
	while ((**a && !is_digit(**a)) || (**b && !is_digit(**b))) {
		int difference = weight(**a) - weight(**b);

		if (difference)
			return difference;
		*a += **a != '\0';
		*b += **b != '\0';
	}
	return 0;
}

/* Numbers may be longer than any type. */
static int compare_numbers(const char **a, const char **b)
{
	int first = 0;

	while (**a == '0')
		(*a)++;
	while (**b == '0')
		(*b)++;
	for (; is_digit(**a) && is_digit(**b); (*a)++, (*b)++)
		first = first ? first : **a - **b;
	if (is_digit(**a))
		return 1;
	if (is_digit(**b))
		return -1;
	return first;
}

static int compare_part(const char *a, const char *b)
{
	while (*a || *b) {
		int difference = compare_words(&a, &b);

		if (difference == 0)
			difference = compare_numbers(&a, &b);
		if (difference)
			return difference;
	}
	return 0;
}

struct parts {
	char *text;
	const char *epoch, *upstream, *revision;
};

static struct parts split(const char *version)
{
	struct parts parts = {.text = string_copy(version), .epoch = "0", .revision = "0"};
	char *colon = strchr(parts.text, ':'), *dash = strrchr(parts.text, '-');

	parts.upstream = parts.text;
	if (dash) {
		*dash = '\0';
		parts.revision = dash + 1;
	}
	if (colon && (!dash || colon < dash)) {
		*colon = '\0';
		parts.epoch = parts.text;
		parts.upstream = colon + 1;
	}
	return parts;
}

int deb_version_compare(const char *a, const char *b)
{
	struct parts x = split(a), y = split(b);
	int difference = compare_part(x.epoch, y.epoch);

	if (difference == 0)
		difference = compare_part(x.upstream, y.upstream);
	if (difference == 0)
		difference = compare_part(x.revision, y.revision);
	free(x.text);
	free(y.text);
	return difference;
}

/* "name:any (>= 1.2)". Architecture qualifiers are left out: one guest has one architecture. */
static void parse_relation(char *text, struct deb_relation *out)
{
	char *open = strchr(text, '('), *close = open ? strchr(open, ')') : NULL;
	size_t length;

	if (close) {
		char *inside = open + 1;

		*close = *open = '\0';
		inside += strspn(inside, " ");
		length = strspn(inside, "<>=");
		out->operator= string_format("%.*s", (int)length, inside);
		out->version = string_copy(string_trim(inside + length));
	}
	text = string_trim(text);
	text[strcspn(text, ": \t[")] = '\0';
	out->package = string_copy(text);
}

void deb_relations_parse(const char *clause, struct deb_relations *out)
{
	_cleanup_strings_ struct strings alternatives = {0};

	strings_split(&alternatives, clause, "|");
	*out = (struct deb_relations){0};
	out->item = calloc(alternatives.count + 1, sizeof(*out->item));
	if (!out->item)
		abort();
	for (; out->count < alternatives.count; out->count++)
		parse_relation(alternatives.item[out->count], &out->item[out->count]);
}

void deb_relations_release(struct deb_relations *relations)
{
	for (size_t i = 0; i < relations->count; i++) {
		free(relations->item[i].package);
		free(relations->item[i].operator);
		free(relations->item[i].version);
	}
	free(relations->item);
	*relations = (struct deb_relations){0};
}

bool deb_relation_accepts(const struct deb_relation *relation, const char *version)
{
	static const struct {
		const char *name;
		bool less, equal, greater;
	} operators[] = {
		{"<<", true, false, false}, {"<=", true, true, false},  {"=", false, true, false},
		{">=", false, true, true},  {">>", false, false, true},
	};
	int difference;

	if (!relation->operator)
		return true;
	if (!version)
		return false;
	difference = deb_version_compare(version, relation->version);
	for (size_t i = 0; i < array_length(operators); i++)
		if (strcmp(operators[i].name, relation->operator) == 0)
			return difference < 0   ? operators[i].less
			       : difference > 0 ? operators[i].greater
						: operators[i].equal;
	return false;
}
