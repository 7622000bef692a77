// SPDX-License-Identifier: GPL-3.0-or-later
/* A directory tree that a test makes under /tmp and removes. */
#pragma once

#include <ftw.h>
#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "tests/test.h"

static inline int tree_remove_entry(const char *path, const struct stat *st, int type,
				    struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void tree_remove(char **root)
{
	if (*root)
		nftw(*root, tree_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(*root);
}
#define _cleanup_tree_ _cleanup_(tree_remove)

static inline char *tree_make(void)
{
	char *root = string_copy("/tmp/v2p-tree-XXXXXX");

	assert_non_null(mkdtemp(root));
	return root;
}

static inline void tree_make_directory(const char *path)
{
	_cleanup_free_ char *copy = string_copy(path);

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0755);
		*slash = '/';
	}
	mkdir(copy, 0755);
}

/* Writes root/path and the directories above it. */
static inline void tree_write(const char *root, const char *path, const void *data, size_t length)
{
	_cleanup_free_ char *file = string_format("%s/%s", root, path);
	_cleanup_free_ char *copy = string_copy(file);
	FILE *stream;

	tree_make_directory(dirname(copy));
	stream = fopen(file, "we");
	assert_non_null(stream);
	assert_int_equal(fwrite(data, 1, length, stream), length);
	assert_int_equal(fclose(stream), 0);
}

static inline void tree_text(const char *root, const char *path, const char *text)
{
	tree_write(root, path, text, strlen(text));
}

static inline void tree_link(const char *root, const char *path, const char *target)
{
	_cleanup_free_ char *file = string_format("%s/%s", root, path);
	_cleanup_free_ char *copy = string_copy(file);

	tree_make_directory(dirname(copy));
	assert_int_equal(symlink(target, file), 0);
}
