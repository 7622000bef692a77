// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A VMDK image of any content. The first byte says how it is read: even as a file, odd as a
 * stream. Work is bounded for each input, as an image of a few bytes may claim a disk of exabytes.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/file.h"
#include "base/scope.h"
#include "tests/fuzz/read-some.h"
#include "tests/source-fd.h"
#include "tests/stream-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_file(const uint8_t *data, size_t size)
{
	_cleanup_source_ struct source *source = NULL;
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write_exactly(fd, "image", data, size, 0, NULL) < 0)
		abort();
	if (source_open_fd(fd, "image", &source_vmdk_ops, &source, NULL) == 0)
		fuzz_read_some(source);
}

static void fuzz_stream(const uint8_t *data, size_t size)
{
	_cleanup_source_ struct source *source = NULL;
	struct stream_file stream = {data, size};

	if (source_open_ops("image", &source_vmdk_ops, stream_file_open(&stream, "image"), NULL,
			    &source, NULL) == 0)
		fuzz_read_some(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] % 2)
		fuzz_stream(data + 1, size - 1);
	else
		fuzz_file(data + 1, size - 1);
	return 0;
}
