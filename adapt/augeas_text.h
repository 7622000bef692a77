// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * augeas_text: a configuration file as an augeas tree: text in, edits, text out. What is not edited
 * (comments, spaces, order) comes out byte for byte. augeas itself never opens a file of the guest
 * or of the machine, its own lenses excepted.
 *
 * Line ends of CR LF throughout, a missing newline at the end and an empty file are taken and given
 * back as they were; the lenses know none of them.
 *
 *	_cleanup_augeas_text_ struct augeas_text tree = {0};
 *	if (augeas_text_parse(&tree, "Fstab.lns", content, err))
 *		return -1;
 *	augeas_text_set(&tree, "UUID=…", "%s/spec", entry);
 *	return augeas_text_print(&tree, &out, err);
 *
 * Paths are augeas path expressions below the tree's root, or one that augeas_text_match() gave.
 * An edit that cannot be made is remembered: augeas_text_print() returns it as its error.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

/*
 * Larger files, or ones with longer lines, are refused: the lenses' regular expressions take
 * quadratic time on hostile input. Lenses that are recursive (Shellvars) take cubic time on a few
 * kilobytes; they have no business here.
 */
enum { AUGEAS_TEXT_LIMIT = 64 << 10, AUGEAS_TEXT_LINE_LIMIT = 4 << 10 };

struct augeas;

struct augeas_text {
	struct augeas *augeas;
	const char *lens; /* borrowed */
	bool has_crlf, lacks_newline;
	bool is_edited;
	struct error failure; /* of the first edit that could not be made */
};

/* lens: "Fstab.lns", from the augeas-lenses package. An error names line and column. */
int augeas_text_parse(struct augeas_text *tree, const char *lens, const struct text *content,
		      struct error *err);
/* Appends the text with all edits. */
int augeas_text_print(struct augeas_text *tree, struct text *out, struct error *err);
void augeas_text_release(struct augeas_text *tree);
#define _cleanup_augeas_text_ __attribute__((cleanup(augeas_text_release)))

/* Appends the paths of all nodes that match, in the file's order. */
void augeas_text_match(const struct augeas_text *tree, struct strings *paths, const char *path, ...)
	__attribute__((format(printf, 3, 4)));
/* Value of the one node; NULL when there is none, when there are several, or it has no value.
 * Borrowed, until the next edit. */
const char *augeas_text_get(const struct augeas_text *tree, const char *path, ...)
	__attribute__((format(printf, 2, 3)));
bool augeas_text_has(const struct augeas_text *tree, const char *path, ...)
	__attribute__((format(printf, 2, 3)));
/* Sets the value of a node, which is made (as the last child) if there is none. */
void augeas_text_set(struct augeas_text *tree, const char *value, const char *path, ...)
	__attribute__((format(printf, 3, 4)));
/* Makes an empty node of this label right behind the node at path. */
void augeas_text_insert(struct augeas_text *tree, const char *label, const char *path, ...)
	__attribute__((format(printf, 3, 4)));
/* Removes all nodes that match, with what is below them. */
void augeas_text_remove(struct augeas_text *tree, const char *path, ...)
	__attribute__((format(printf, 2, 3)));
