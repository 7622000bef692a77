// SPDX-License-Identifier: GPL-3.0-or-later
/* tree: a throw-away directory that looks like the root of a Debian system. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "tests/test.h"

static char tree[64];

static inline char *tree_path(const char *path)
{
	return string_format("%s%s", tree, path);
}

static inline void tree_directory(const char *path)
{
	_cleanup_free_ char *full = tree_path(path);

	for (char *p = full + strlen(tree); *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
	mkdir(full, 0755);
}

static inline void tree_file_bytes(const char *path, const void *data, size_t length, mode_t mode)
{
	_cleanup_free_ char *full = tree_path(path), *directory = string_copy(path);
	int fd;

	*strrchr(directory, '/') = '\0';
	tree_directory(directory);
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write_exactly(fd, full, data, length, 0, NULL), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static inline void tree_file(const char *path, const char *content)
{
	tree_file_bytes(path, content, strlen(content), 0644);
}

static inline void tree_program(const char *path, const char *content)
{
	tree_file_bytes(path, content, strlen(content), 0755);
}

static inline void tree_link(const char *target, const char *path)
{
	_cleanup_free_ char *full = tree_path(path);

	assert_int_equal(symlink(target, full), 0);
}

static inline void assert_tree_file(const char *path, const char *content)
{
	_cleanup_free_ char *full = tree_path(path);
	_cleanup_text_ struct text text = {0};

	assert_int_equal(file_read(full, 64 << 20, &text, NULL), 0);
	assert_string_equal(text_string(&text), content);
}

static inline void tree_copy_file(const char *path)
{
	_cleanup_text_ struct text content = {0};

	assert_int_equal(file_read(path, 64 << 20, &content, NULL), 0);
	tree_file_bytes(path, text_string(&content), content.length, 0755);
}

/* The program and the libraries that ldd lists, at the same places. */
static inline void tree_copy_program(const char *path)
{
	const char *argv[] = {"ldd", path, NULL};
	_cleanup_text_ struct text listing = {0};
	_cleanup_strings_ struct strings words = {0};

	tree_copy_file(path);
	if (process_check(argv, &listing, NULL) < 0)
		return;
	strings_split(&words, text_string(&listing), " \t\n");
	for (size_t i = 0; i < words.count; i++)
		if (*words.item[i] == '/')
			tree_copy_file(words.item[i]);
}

static inline int tree_setup(void **state)
{
	(void)state;
	strcpy(tree, "/tmp/v2p-test-XXXXXX");
	if (!mkdtemp(tree))
		return -1;
	tree_file("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"
				     "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
	tree_file("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n");
	return 0;
}

static inline int tree_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int tree_teardown(void **state)
{
	(void)state;
	return nftw(tree, tree_unlink, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
