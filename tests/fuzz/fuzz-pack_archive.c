// SPDX-License-Identifier: GPL-3.0-or-later
/* A driver pack in an archive: its index is found and read, and a file of it is proven. */
#include <sys/mman.h>
#include <unistd.h>

#include "adapt/packs.h"
#include "base/file.h"
#include "base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct packs_options options = {0};
	_cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC);
	_cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
	_cleanup_strings_ struct strings places = {0};
	_cleanup_packs_ struct packs *packs = NULL;
	_cleanup_error_ struct error err = {0};

	if (fd < 0 || out < 0 || write_exactly(fd, "memory", data, size, 0, NULL) < 0)
		return 0;
	strings_addf(&places, "/proc/self/fd/%d", fd);
	if (packs_open(&places, &options, &packs, &err) == 0 &&
	    packs_get(packs, 0)->index.count > 0)
		pack_copy(packs_get(packs, 0), &packs_get(packs, 0)->index.entry[0].file[0], out,
			  &err);
	return 0;
}
