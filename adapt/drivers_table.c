// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/drivers_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/scope.h"

enum { TABLE_LIMIT = 4 << 20 };

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

static int check_unique(const struct table *table, const struct table_row *row, struct error *err)
{
	const size_t *key = table->format->key;

	for (size_t i = 0; i < table->count; i++) {
		const struct table_row *other = &table->row[i];

		if (strcmp(other->column.item[key[0]], row->column.item[key[0]]) == 0 &&
		    strcmp(other->column.item[key[1]], row->column.item[key[1]]) == 0)
			return error_set(err, "\"%s\" has a row already, in line %zu",
					 row->column.item[key[0]], other->line);
	}
	return 0;
}

/* Takes the row over, also when it is refused. */
static int add_row(struct table *table, struct table_row row, struct error *err)
{
	if (check_words(&row, table->format, err) < 0 || check_unique(table, &row, err) < 0) {
		strings_release(&row.column);
		return -1;
	}
	table->row = realloc(table->row, (table->count + 1) * sizeof(*table->row));
	if (!table->row)
		abort();
	table->row[table->count++] = row;
	return 0;
}

/* The words of a line up to the first that begins with '#'. */
static void split_line(char *line, struct strings *words)
{
	char *rest = NULL;

	for (char *word = strtok_r(line, " \t\r", &rest); word && *word != '#';
	     word = strtok_r(NULL, " \t\r", &rest))
		strings_add(words, word);
}

static int parse_table(char *text, struct table *table, const char *path, struct error *err)
{
	char *next = text;

	for (size_t number = 1; next; number++) {
		struct table_row row = {.line = number};
		char *line = strsep(&next, "\n");

		split_line(line, &row.column);
		if (row.column.count > 0 && add_row(table, row, err) < 0)
			return error_in(err, "%s:%zu", path, number);
	}
	return 0;
}

int table_load(const char *directory, const struct table_format *format, struct table *table,
	       struct error *err)
{
	_cleanup_free_ char *path = string_format("%s/%s", directory, format->file);
	_cleanup_text_ struct text text = {0};

	table->format = format;
	if (file_read(path, TABLE_LIMIT, &text, err) < 0)
		return -1;
	return text.length ? parse_table(text.data, table, path, err) : 0;
}

void table_release(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		strings_release(&table->row[i].column);
	free(table->row);
	*table = (struct table){0};
}
