// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/fold.h"

#include "base/scope.h"

static size_t columns(const char *string)
{
	size_t count = 0;

	for (; *string; string++)
		count += ((unsigned char)*string & 0xc0) != 0x80;
	return count;
}

void fold(struct text *out, const char *head, const char *words)
{
	_cleanup_strings_ struct strings list = {0};
	const size_t indent = columns(head);
	size_t column = indent;

	text_add(out, head);
	strings_split(&list, words, " \t\r\n");
	for (size_t i = 0; i < list.count; i++) {
		const size_t width = columns(list.item[i]);

		if (column > indent && column + 1 + width > FOLD_WIDTH) {
			text_addf(out, "\n%*s", (int)indent, "");
			column = indent;
		}
		text_addf(out, "%s%s", column > indent ? " " : "", list.item[i]);
		column += (column > indent) + width;
	}
	text_add(out, "\n");
}
