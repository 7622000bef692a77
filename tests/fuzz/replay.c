// SPDX-License-Identifier: GPL-3.0-or-later
/* Feeds every file of the directories named to a fuzz target: a corpus as a test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

#include "base/file.h"
#include "base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *directory, size_t *count)
{
	_cleanup_closedir_ DIR *dir = opendir(directory);
	const struct dirent *entry;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		_cleanup_free_ char *path = string_format("%s/%s", directory, entry->d_name);
		_cleanup_text_ struct text content = {0};

		if (entry->d_name[0] == '.')
			continue;
		if (file_read(path, 64 << 20, &content, NULL) < 0)
			return -1;
		LLVMFuzzerTestOneInput((const uint8_t *)text_string(&content), content.length);
		(*count)++;
	}
	return 0;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	for (int i = 1; i < argc; i++) {
		if (replay(argv[i], &count) < 0) {
			fprintf(stderr, "%s: cannot be replayed\n", argv[i]);
			return 1;
		}
	}
	printf("%zu inputs replayed\n", count);
	return count == 0;
}
