// SPDX-License-Identifier: GPL-3.0-or-later
/* An image of any content: open, describe, check, extents, reads. Work is bounded for each input,
 * as an image of a few bytes may claim a disk of exabytes. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "tests/source-fd.h"

#define PIECE (1U << 20)
#define CHECK_LIMIT (1ULL << 26)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Some of the disk in steps that the image's own extents give, then its last bytes. */
static void read_some(struct source *source, uint8_t *buffer)
{
	struct extent extent;
	uint64_t at = 0;

	for (int i = 0; i < 48 && at < source->size; i++) {
		size_t length = source->size - at < PIECE ? (size_t)(source->size - at) : PIECE;

		if (source_extent(source, at, source->size, &extent, NULL) < 0) {
			at += source->granule;
			continue;
		}
		if (extent.length < length)
			length = (size_t)extent.length;
		source_read(source, buffer, length, at, NULL);
		source_read(source, buffer, length > 700 ? 700 : length, at, NULL);
		at += extent.length;
	}
	at = source->size < 5000 ? 0 : source->size - 5000;
	source_read(source, buffer, (size_t)(source->size - at), at, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buffer[PIECE];
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write_exactly(fd, "image", data, size, 0, NULL) < 0)
		abort();
	if (source_open_fd(fd, "image", &source_qcow2_ops, &source, &err) < 0)
		return 0;
	json_object_put(source_describe(source));
	if (source->size <= CHECK_LIMIT)
		source_check(source, &err);
	read_some(source, buffer);
	return 0;
}
