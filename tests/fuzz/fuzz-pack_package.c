// SPDX-License-Identifier: GPL-3.0-or-later
/* A .deb, an .rpm and a kernel module: what they say of themselves, and what is in them. */
#include <sys/mman.h>
#include <unistd.h>

#include "adapt/pack_modinfo.h"
#include "adapt/pack_package.h"
#include "base/file.h"
#include "base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int visit(void *context, struct pack_archive *archive, struct error *err)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_strings_ struct strings modinfo = {0};

	(void)context;
	if (pack_archive_text(archive, 1 << 20, &content, err) < 0)
		return -1;
	pack_modinfo_read_file(text_string(&content), content.length, &modinfo, NULL);
	return 0;
}

static void look(int fd, const char *name)
{
	_cleanup_pack_index_ struct pack_index index = {0};
	_cleanup_error_ struct error err = {0};

	pack_package_describe(fd, name, pack_index_add(&index, "x"), &err);
	pack_package_walk(fd, name, visit, NULL, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("package", MFD_CLOEXEC);
	_cleanup_strings_ struct strings modinfo = {0};

	if (fd < 0 || write_exactly(fd, "memory", data, size, 0, NULL) < 0)
		return 0;
	look(fd, "x.deb");
	look(fd, "x.rpm");
	pack_modinfo_read_file(data, size, &modinfo, NULL);
	return 0;
}
