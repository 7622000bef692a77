// SPDX-License-Identifier: GPL-3.0-or-later
/* A compressed file or an archive of any content, and the table in its disk. Work is bounded: an
 * input of a few bytes may hold exabytes of zeroes. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "restore/layout.h"
#include "tests/source-fd.h"

enum { PIECE = 1 << 20, PIECES = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buffer[PIECE];
	_cleanup_source_ struct source *source = NULL;
	_cleanup_layout_ struct layout layout = {0};
	_cleanup_error_ struct error err = {0};
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct extent extent = {.length = 1};
	uint64_t at = 0;

	if (fd < 0 || write_exactly(fd, "image", data, size, 0, NULL) < 0)
		abort();
	if (source_open_fd(fd, "image", &source_archive_ops, &source, &err) < 0)
		return 0;
	json_object_put(source_describe(source));
	layout_read_source(source, &layout, NULL);
	for (int i = 0; i < PIECES && extent.length > 0; i++) {
		if (source_next(source, buffer, PIECE, &extent, &err) < 0)
			return 0;
		if (extent.offset != at)
			abort();
		at += extent.length;
	}
	if (extent.length == 0 && (source->size != at || source_finish(source, &err) < 0))
		abort();
	return 0;
}
