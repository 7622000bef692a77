// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/drivers_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/scope.h"

enum { TABLE_LIMIT = 4 << 20, ROWS_LIMIT = 16384 };

static const char blanks[] = " \t\r";
static const char removal[] = "!";

static void row_release(struct table_row *row)
{
	strings_release(&row->column);
	free(row->comment);
	*row = (struct table_row){0};
}

static void table_append(struct table *table, struct table_row row)
{
	table->row = realloc(table->row, (table->count + 1) * sizeof(*table->row));
	if (!table->row)
		abort();
	table->row[table->count++] = row;
}

static int check_words(const struct table_row *row, const struct table_format *format,
		       struct error *err)
{
	if (row->column.count != format->columns)
		return error_set(err, "%zu columns, and the table has %zu", row->column.count,
				 format->columns);
	for (size_t i = 0; i < array_length(format->check); i++) {
		const char *word = row->column.item[format->check[i].column];

		if (format->check[i].is_known && !format->check[i].is_known(word))
			return error_set(err, "\"%s\" is not known in column %zu", word,
					 format->check[i].column + 1);
	}
	return format->check_row ? format->check_row(row->column.item, err) : 0;
}

/* The words that name a row, in the order of its key. */
static void key_of(const struct table_row *row, const struct table_format *format,
		   const char **words)
{
	for (size_t i = 0; i < format->key.count; i++)
		words[i] = row->column.item[format->key.column[i]];
}

static struct table_row *find_row(const struct table *table, const char *const *key)
{
	const char *words[array_length(table->format->key.column)];

	for (size_t i = 0; i < table->count; i++) {
		size_t same = 0;

		key_of(&table->row[i], table->format, words);
		while (same < table->format->key.count && strcmp(words[same], key[same]) == 0)
			same++;
		if (same == table->format->key.count)
			return &table->row[i];
	}
	return NULL;
}

static int check_row(const struct table *table, const struct table_row *row, struct error *err)
{
	const char *key[array_length(table->format->key.column)];
	const struct table_row *other;

	if (check_words(row, table->format, err) < 0)
		return -1;
	key_of(row, table->format, key);
	other = find_row(table, key);
	if (other)
		return error_set(err, "\"%s\" has a row already, in line %zu", key[0], other->line);
	if (table->count >= ROWS_LIMIT)
		return error_set(err, "more than %d rows", ROWS_LIMIT);
	return 0;
}

/* One word from *next on, in quotation marks or not; *next comes to stand behind it. */
static int take_word(char **next, struct strings *words, struct error *err)
{
	bool is_quoted = **next == '"';
	char *word = *next + is_quoted;
	size_t length = strcspn(word, is_quoted ? "\"" : blanks);
	char *end = word + length;
	_cleanup_free_ char *copy = string_format("%.*s", (int)length, word);

	if (is_quoted && *end != '"')
		return error_set(err, "a quotation mark has no partner");
	end += is_quoted;
	if (*end && !strchr(blanks, *end))
		return error_set(err, "\"%s\" is followed by no blank", copy);
	strings_add(words, copy);
	*next = end;
	return 0;
}

/* The words of a line up to the first that begins with '#', and what that says. */
static int split_line(char *line, struct table_row *row, struct error *err)
{
	for (;;) {
		line += strspn(line, blanks);
		if (*line == '#')
			row->comment = string_copy(string_trim(line + 1));
		if (!*line || *line == '#')
			return 0;
		if (take_word(&line, &row->column, err) < 0)
			return -1;
	}
}

static int parse_line(char *line, size_t number, struct table *table, struct error *err)
{
	_cleanup_(row_release) struct table_row row = {.line = number};

	if (split_line(line, &row, err) < 0)
		return -1;
	if (row.column.count == 0)
		return 0;
	if (check_row(table, &row, err) < 0)
		return -1;
	table_append(table, row);
	row = (struct table_row){0};
	return 0;
}

/* Local tables only: "! KEY…" in a line. 1: it was one, and the row is gone from shipped. */
static int parse_removal(const char *line, struct table *shipped, struct error *err)
{
	_cleanup_free_ char *copy = string_copy(line);
	_cleanup_(row_release) struct table_row words = {0};
	struct table_row *row;

	if (!has_prefix(line + strspn(line, blanks), removal))
		return 0;
	if (split_line(copy, &words, err) < 0)
		return -1;
	if (strcmp(words.column.item[0], removal) != 0 ||
	    words.column.count != shipped->format->key.count + 1)
		return error_set(err, "a row is taken out by \"%s\" and the %zu words that name it",
				 removal, shipped->format->key.count);
	row = find_row(shipped, (const char *const *)words.column.item + 1);
	if (!row)
		return error_set(err, "there is no row \"%s\" to take out", words.column.item[1]);
	row_release(row);
	shipped->count--;
	memmove(row, row + 1, (size_t)(shipped->row + shipped->count - row) * sizeof(*row));
	return 1;
}

/* shipped: the table that lines of removal are about, or NULL where there are none. */
static int parse_table(const char *path, struct table *table, struct table *shipped,
		       struct error *err)
{
	_cleanup_text_ struct text text = {0};
	char *next;

	if (file_read(path, TABLE_LIMIT, &text, err) < 0)
		return -1;
	if (strlen(text_string(&text)) != text.length)
		return error_set(err, "%s holds a NUL byte: it is no table", path);
	next = text.data;
	for (size_t number = 1; next; number++) {
		char *line = strsep(&next, "\n");
		int r = shipped ? parse_removal(line, shipped, err) : 0;

		if (r == 0)
			r = parse_line(line, number, table, err);
		if (r < 0)
			return error_in(err, "%s:%zu", path, number);
	}
	return 0;
}

int table_load(const char *directory, const struct table_format *format, struct table *table,
	       struct error *err)
{
	_cleanup_free_ char *path = string_format("%s/%s", directory, format->file);

	table->format = format;
	return parse_table(path, table, NULL, err);
}

/* Moves the rows of shipped that local has no row for behind those of local. */
static void join_tables(struct table *local, struct table *shipped)
{
	size_t local_count = local->count;

	for (size_t i = 0; i < shipped->count; i++) {
		const char *key[array_length(local->format->key.column)];
		struct table head = {local->format, local->row, local_count};

		key_of(&shipped->row[i], shipped->format, key);
		if (find_row(&head, key))
			row_release(&shipped->row[i]);
		else
			table_append(local, shipped->row[i]);
	}
	shipped->count = 0;
}

int table_add_local(const char *path, struct table *table, struct error *err)
{
	struct table local = {.format = table->format};

	if (parse_table(path, &local, table, err) < 0) {
		table_release(&local);
		return -1;
	}
	join_tables(&local, table);
	table_release(table);
	*table = local;
	return 0;
}

void table_release(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		row_release(&table->row[i]);
	free(table->row);
	*table = (struct table){0};
}
