// SPDX-License-Identifier: GPL-3.0-or-later
/* The folders are the data flow: a file includes its own folder and those before it, never later
 * ones. */
#include "tests/test.h"

#include <dirent.h>

#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"

static const char *const folders[] = {"base", "restore", "adapt", "boot", "cli"};

/* The position of the folder that a quoted include names; -1 when it names none. */
static int folder_of(const char *path)
{
	for (size_t i = 0; i < array_length(folders); i++)
		if (has_prefix(path, folders[i]) && path[strlen(folders[i])] == '/')
			return (int)i;
	return -1;
}

static void check_file(const char *path, int own)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_strings_ struct strings lines = {0};

	assert_int_equal(file_read(path, 1 << 20, &content, NULL), 0);
	strings_split(&lines, text_string(&content), "\n");
	for (size_t i = 0; i < lines.count; i++) {
		const char *prefix = "#include \"";
		int named;

		if (!has_prefix(lines.item[i], prefix))
			continue;
		named = folder_of(lines.item[i] + strlen(prefix));
		if (named < 0 || named > own)
			fail_msg("%s breaks the include rule: %s", path, lines.item[i]);
	}
}

static size_t check_folder(int own)
{
	_cleanup_free_ char *directory = string_format(V2P_SOURCE_DIR "/%s", folders[own]);
	_cleanup_closedir_ DIR *dir = opendir(directory);
	const struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		_cleanup_free_ char *path = string_format("%s/%s", directory, entry->d_name);

		if (!has_suffix(path, ".c") && !has_suffix(path, ".h"))
			continue;
		check_file(path, own);
		count++;
	}
	return count;
}

static void a_folder_includes_only_itself_and_earlier_ones(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(folders); i++)
		assert_true(check_folder((int)i) > 0);
}

static void only_the_command_line_prints_and_exits(void **state)
{
	(void)state;
	for (size_t f = 0; f + 1 < array_length(folders); f++) {
		_cleanup_free_ char *directory = string_format(V2P_SOURCE_DIR "/%s", folders[f]);
		_cleanup_closedir_ DIR *dir = opendir(directory);
		const struct dirent *entry;

		assert_non_null(dir);
		while ((entry = readdir(dir))) {
			_cleanup_free_ char *path =
				string_format("%s/%s", directory, entry->d_name);
			_cleanup_text_ struct text content = {0};

			if (!has_suffix(path, ".c"))
				continue;
			assert_int_equal(file_read(path, 1 << 20, &content, NULL), 0);
			if (strstr(text_string(&content), "\tprintf(") ||
			    strstr(text_string(&content), "fprintf(stderr") ||
			    strstr(text_string(&content), "\texit("))
				fail_msg("%s prints or exits by itself", path);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_includes_only_itself_and_earlier_ones),
		cmocka_unit_test(only_the_command_line_prints_and_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
