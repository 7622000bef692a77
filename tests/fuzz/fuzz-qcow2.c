// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * An image of any content: open, describe, check, extents, reads; then the same of its snapshot 1.
 * The input is up to three files with SEPARATOR between them: the image, then those that it may
 * name "b" and "c". Reads are bounded, as an image of a few bytes may claim a disk of exabytes.
 */
#include "base/scope.h"
#include "restore/source.h"
#include "tests/fuzz/read-some.h"
#include "tests/memory-file.h"

#define FILES 3

static const char separator[8] = {'N', 'E', 'X', 'T', 'F', 'I', 'L', 'E'};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct memory_file *files, const char *snapshot)
{
	const struct source_options options = {.snapshot = snapshot};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	if (source_open_ops("image", &source_qcow2_ops, memory_file_open(files, &files[0]),
			    &options, &source, &err) < 0)
		return;
	source_check(source, &err);
	fuzz_read_some(source);
}

/* Each file has memory of its own, so that reading past its end is noticed. */
static void split(const uint8_t *data, size_t size, struct memory_file *files, uint8_t **copies)
{
	for (int i = 0; i < FILES; i++) {
		const uint8_t *end = i + 1 < FILES ? memmem(data, size, separator, 8) : NULL;
		size_t length = end ? (size_t)(end - data) : size;

		copies[i] = malloc(length + 1);
		if (!copies[i])
			abort();
		memcpy(copies[i], data, length);
		files[i].bytes = copies[i];
		files[i].length = length;
		data += end ? length + 8 : length;
		size -= end ? length + 8 : length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory_file files[FILES + 1] = {{.name = "image"}, {.name = "b"}, {.name = "c"}};
	uint8_t *copies[FILES];

	if (size == 0)
		return 0;
	split(data, size, files, copies);
	if (files[0].length > 0) {
		use(files, NULL);
		use(files, "1");
	}
	for (int i = 0; i < FILES; i++)
		free(copies[i]);
	return 0;
}
