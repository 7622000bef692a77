// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_install.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adapt/pack_modinfo.h"
#include "base/file.h"
#include "base/scope.h"

#define MODULES_DIRECTORY "/lib/modules/%s/updates/v2p/%s"
#define FIRMWARE_DIRECTORY "/lib/firmware/updates/%s"

enum { DEPMOD_TIMEOUT_MS = 10 * 60000 };

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The proven content. */
static int load(const struct pack *pack, const struct pack_file *file, struct text *out,
		struct error *err)
{
	_cleanup_close_ int fd = memfd_create("pack", MFD_CLOEXEC);

	if (fd < 0)
		return error_sys(err, errno, "hold %s in memory", file->path);
	if (pack_copy(pack, file, fd, err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, errno, "read %s", file->path);
	return file_read_fd(fd, file->path, PACK_MEMORY_FILE_LIMIT, out, err);
}

/* The kernel refuses a module that was built for another one, and then the disk is not found. */
static int check_module(const char *path, const struct text *content, const char *release,
			struct error *err)
{
	_cleanup_strings_ struct strings modinfo = {0};
	const char *magic;

	if (pack_modinfo_read_file(text_string(content), content->length, &modinfo, err) < 0)
		return error_in(err, "module %s", path);
	magic = pack_modinfo_value(&modinfo, "vermagic");
	if (!magic || strncmp(magic, release, strlen(release)) != 0 ||
	    magic[strlen(release)] != ' ')
		return error_set(err, "module %s was built for kernel %.*s, and the guest has %s",
				 path, magic ? (int)strcspn(magic, " ") : 1, magic ? magic : "?",
				 release);
	return 0;
}

static char *place_of(const struct pack_entry *entry, const struct pack_file *file,
		      const char *release)
{
	if (entry->kind == PACK_MODULES)
		return string_format(MODULES_DIRECTORY, release, base_name(file->path));
	return string_format(FIRMWARE_DIRECTORY, file->path + strlen("firmware/"));
}

int pack_install_files(struct guest *guest, const char *release, const struct pack_pick *pick,
		       struct strings *paths, struct error *err)
{
	const struct pack_entry *entry = pick->entry;

	for (size_t i = 0; i < entry->file_count; i++) {
		const struct pack_file *file = &entry->file[i];
		_cleanup_free_ char *path = place_of(entry, file, release);
		_cleanup_text_ struct text content = {0};

		if (load(pick->pack, file, &content, err) < 0 ||
		    (entry->kind == PACK_MODULES &&
		     check_module(file->path, &content, release, err) < 0) ||
		    guest_write(guest, path, text_string(&content), content.length, err) < 0)
			return -1;
		strings_add(paths, path);
	}
	return 0;
}

int pack_install_index(struct guest *guest, const char *release, struct error *err)
{
	const char *const argv[] = {"depmod", release, NULL};

	return guest_run(guest, GUEST_RUN_FILES, argv, NULL, DEPMOD_TIMEOUT_MS, NULL, err);
}
