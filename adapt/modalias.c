// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/modalias.h"

#include <stddef.h>

static char normal(char c)
{
	return c == '-' ? '_' : c;
}

/* Is c in the set that begins behind the bracket at set? *end is behind the closing one; NULL when
 * it is never closed. */
static bool is_in_set(const char *set, char c, const char **end)
{
	const char *at = set + 1;
	bool negated = *at == '!' || *at == '^', found = false;

	at += negated;
	for (const char *first = at; *at && (*at != ']' || at == first); at++) {
		char low = *at, high = low;

		if (at[1] == '-' && at[2] && at[2] != ']') {
			high = at[2];
			at += 2;
		}
		found = found || (c >= low && c <= high);
	}
	*end = *at ? at + 1 : NULL;
	return found != negated;
}

/* One element of the pattern, not a star, against one character; moves *pattern behind it. */
static bool matches_one(const char **pattern, char c)
{
	const char *end;
	bool matches;

	if (**pattern == '[') {
		matches = is_in_set(*pattern, c, &end);
		if (end) {
			*pattern = end;
			return matches;
		}
	}
	matches = **pattern == '?' || normal(**pattern) == normal(c);
	(*pattern)++;
	return matches;
}

/* Only the last star is ever gone back to: an earlier one could not match more. */
bool modalias_matches(const char *pattern, const char *modalias)
{
	const char *star = NULL, *resume = NULL;

	while (*modalias) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = modalias;
			continue;
		}
		if (*pattern && matches_one(&pattern, *modalias)) {
			modalias++;
			continue;
		}
		if (!star)
			return false;
		pattern = star;
		modalias = ++resume;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
