// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * drivers_table: one text table of drivers-db/: words in columns, checked as its format says. A
 * word that holds blanks stands in double quotes; drivers-db/README.md describes the lines.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

typedef bool word_check(const char *word);

struct table_format {
	const char *file;
	size_t columns;
	struct {
		size_t column[3], count; /* the columns that name a row */
	} key;
	struct {
		size_t column; /* from 0 */
		word_check *is_known;
	} check[4]; /* unused ones have no is_known */
	/* What columns say together, or NULL. */
	int (*check_row)(char *const *column, struct error *err);
};

struct table_row {
	struct strings column;
	char *comment; /* without the #, or NULL */
	size_t line;
};

struct table {
	const struct table_format *format;
	struct table_row *row;
	size_t count;
};

/* Reads directory/format->file. Errors name file and line; the caller releases table either way. */
int table_load(const char *directory, const struct table_format *format, struct table *table,
	       struct error *err);
/*
 * Puts the rows of path, which has the same format, before those of table, and in the place of
 * those with the same key. "! KEY…" takes a row out; that there is none is an error.
 */
int table_add_local(const char *path, struct table *table, struct error *err);
void table_release(struct table *table);
