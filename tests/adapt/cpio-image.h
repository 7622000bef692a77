// SPDX-License-Identifier: GPL-3.0-or-later
/* cpio-image: an initramfs made up by a test, in its tree. */
#pragma once

#include "tests/adapt/tree.h"

static inline void cpio_add(struct text *out, const char *name, const char *content)
{
	size_t length = strlen(content);

	text_addf(out, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1U, 0100644U,
		  0U, 0U, 1U, 0U, length, 0U, 0U, 0U, 0U, strlen(name) + 1, 0U);
	text_add_bytes(out, name, strlen(name) + 1);
	while (out->length % 4)
		text_add_bytes(out, "", 1);
	text_add_bytes(out, content, length);
	while (out->length % 4)
		text_add_bytes(out, "", 1);
}

/* A cpio archive with one file. */
static inline void tree_image(const char *path, const char *name, const char *content)
{
	_cleanup_text_ struct text image = {0};

	cpio_add(&image, name, content);
	cpio_add(&image, "TRAILER!!!", "");
	tree_file_bytes(path, text_string(&image), image.length, 0600);
}
