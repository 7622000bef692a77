// SPDX-License-Identifier: GPL-3.0-or-later
/* drivers_table: one text table of drivers-db/: words in columns, checked as its format says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

typedef bool word_check(const char *word);

struct table_format {
	const char *file;
	size_t columns;
	size_t key[2]; /* the columns that name a row; twice the same when one is enough */
	struct {
		size_t column; /* from 0 */
		word_check *is_known;
	} check[3]; /* unused ones have no is_known */
	/* What columns say together, or NULL. */
	int (*check_row)(char *const *column, struct error *err);
};

struct table {
	const struct table_format *format;
	struct table_row {
		struct strings column;
		size_t line;
	} * row;
	size_t count;
};

/* Reads directory/format->file. Errors name file and line; the caller releases table either way. */
int table_load(const char *directory, const struct table_format *format, struct table *table,
	       struct error *err);
void table_release(struct table *table);
