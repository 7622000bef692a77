// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/diff.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

enum {
	CONTEXT = 3,
	TABLE_LIMIT = 4 << 20, /* cells of the longest-common-subsequence table */
};

struct line {
	const char *start;
	size_t length;
};

struct lines {
	struct line *line;
	size_t count;
};

/* What becomes of one line: kept ' ', taken out '-', put in '+'. */
struct edit {
	char kind;
	struct line line;
	size_t before, after; /* line numbers that come next on each side, from 0 */
};

struct script {
	struct edit *edit;
	size_t count;
};

static struct lines split(const char *text)
{
	struct lines lines = {0};

	while (*text) {
		size_t length = strcspn(text, "\n");

		lines.line = realloc(lines.line, (lines.count + 1) * sizeof(*lines.line));
		if (!lines.line)
			abort();
		lines.line[lines.count++] = (struct line){text, length};
		text += length;
		text += *text == '\n';
	}
	return lines;
}

static int same(const struct line *a, const struct line *b)
{
	return a->length == b->length && memcmp(a->start, b->start, a->length) == 0;
}

static void script_add(struct script *script, char kind, const struct line *line, size_t before,
		       size_t after)
{
	script->edit[script->count++] = (struct edit){kind, *line, before, after};
}

/* Lengths of the longest common subsequence of the tails a[i…] and b[j…], row by row. */
static uint32_t *common_lengths(const struct line *a, size_t n, const struct line *b, size_t m)
{
	uint32_t *table = calloc((n + 1) * (m + 1), sizeof(*table));

	if (!table)
		abort();
	for (size_t i = n; i-- > 0;) {
		for (size_t j = m; j-- > 0;) {
			uint32_t down = table[(i + 1) * (m + 1) + j];
			uint32_t right = table[i * (m + 1) + j + 1];

			if (same(&a[i], &b[j]))
				table[i * (m + 1) + j] = table[(i + 1) * (m + 1) + j + 1] + 1;
			else
				table[i * (m + 1) + j] = down > right ? down : right;
		}
	}
	return table;
}

/* The part between the common head and the common tail. */
static void script_middle(struct script *script, const struct lines *a, const struct lines *b,
			  size_t head, size_t n, size_t m)
{
	_cleanup_free_ uint32_t *table = NULL;
	size_t i = 0, j = 0;

	if ((n + 1) * (m + 1) <= TABLE_LIMIT)
		table = common_lengths(a->line + head, n, b->line + head, m);
	while (i < n || j < m) {
		const struct line *x = &a->line[head + i], *y = &b->line[head + j];

		if (table && i < n && j < m && same(x, y)) {
			script_add(script, ' ', x, head + i++, head + j++);
		} else if (j == m || (i < n && (!table || table[(i + 1) * (m + 1) + j] >=
								  table[i * (m + 1) + j + 1]))) {
			script_add(script, '-', x, head + i, head + j);
			i++;
		} else {
			script_add(script, '+', y, head + i, head + j);
			j++;
		}
	}
}

static struct script compare(const struct lines *a, const struct lines *b)
{
	struct script script = {calloc(a->count + b->count + 1, sizeof(struct edit)), 0};
	size_t head = 0, tail = 0;

	if (!script.edit)
		abort();
	while (head < a->count && head < b->count && same(&a->line[head], &b->line[head]))
		head++;
	while (tail < a->count - head && tail < b->count - head &&
	       same(&a->line[a->count - 1 - tail], &b->line[b->count - 1 - tail]))
		tail++;
	for (size_t i = 0; i < head; i++)
		script_add(&script, ' ', &a->line[i], i, i);
	script_middle(&script, a, b, head, a->count - head - tail, b->count - head - tail);
	for (size_t i = tail; i > 0; i--)
		script_add(&script, ' ', &a->line[a->count - i], a->count - i, b->count - i);
	return script;
}

/* The end of the hunk that starts with the change at first: the last change within reach. */
static size_t hunk_last_change(const struct script *script, size_t first)
{
	size_t last = first;

	for (size_t i = first; i < script->count && i <= last + 2 * CONTEXT; i++)
		if (script->edit[i].kind != ' ')
			last = i;
	return last;
}

static void show_hunk(const struct script *script, size_t from, size_t to, struct text *out)
{
	size_t removed = 0, added = 0;

	for (size_t i = from; i < to; i++) {
		removed += script->edit[i].kind != '+';
		added += script->edit[i].kind != '-';
	}
	text_addf(out, "@@ -%zu,%zu +%zu,%zu @@\n", script->edit[from].before + (removed > 0),
		  removed, script->edit[from].after + (added > 0), added);
	for (size_t i = from; i < to; i++)
		text_addf(out, "%c%.*s\n", script->edit[i].kind, (int)script->edit[i].line.length,
			  script->edit[i].line.start);
}

static void show(const struct script *script, struct text *out)
{
	for (size_t i = 0; i < script->count; i++) {
		size_t from, to;

		if (script->edit[i].kind == ' ')
			continue;
		from = i > CONTEXT ? i - CONTEXT : 0;
		to = hunk_last_change(script, i) + 1 + CONTEXT;
		if (to > script->count)
			to = script->count;
		show_hunk(script, from, to, out);
		i = to - 1;
	}
}

void diff_unified(const char *name, const char *before, const char *after, struct text *out)
{
	struct lines a, b;
	struct script script;

	if (strcmp(before, after) == 0)
		return;
	a = split(before);
	b = split(after);
	script = compare(&a, &b);
	text_addf(out, "--- %s\n+++ %s\n", name, name);
	show(&script, out);
	free(script.edit);
	free(a.line);
	free(b.line);
}
