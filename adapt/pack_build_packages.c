// SPDX-License-Identifier: GPL-3.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapt/pack_build.h"
#include "adapt/pack_modinfo.h"
#include "adapt/pack_package.h"
#include "base/scope.h"

enum { BUILTIN_LIMIT = 16 << 20 };

/* A package that is looked through. */
struct visit {
	struct pack_build *build;
	struct pack_entry *entry;
	char *release; /* of the modules in it */
	bool has_image;
};

/* "6.1.0-9-amd64" of "lib/modules/6.1.0-9-amd64/kernel/x.ko", and *rest "kernel/x.ko"; heap. */
static char *release_of(const char *path, const char **rest)
{
	static const char *const places[] = {"lib/modules/", "usr/lib/modules/"};

	for (size_t i = 0; i < array_length(places); i++) {
		const char *release = path + strlen(places[i]), *slash;

		if (!has_prefix(path, places[i]) || !(slash = strchr(release, '/')))
			continue;
		*rest = slash + 1;
		return string_format("%.*s", (int)(slash - release), release);
	}
	return NULL;
}

static bool is_module(const char *path)
{
	static const char *const suffixes[] = {".ko", ".ko.xz", ".ko.zst", ".ko.gz"};

	for (size_t i = 0; i < array_length(suffixes); i++)
		if (has_suffix(path, suffixes[i]))
			return true;
	return false;
}

static void add_module(struct visit *visit, const char *path, const struct strings *modinfo)
{
	const char *name = pack_modinfo_value(modinfo, "name");
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *from_file =
		string_format("%.*s", (int)strcspn(slash + 1, "."), slash + 1);

	strings_add(&visit->entry->modules, name ? name : from_file);
	pack_build_add_modinfo(visit->entry, name ? name : from_file, modinfo);
}

/* A module that cannot be read drives nothing; the package may still be of use. */
static int visit_module(struct visit *visit, struct pack_archive *archive, struct error *err)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_strings_ struct strings modinfo = {0};
	_cleanup_error_ struct error why = {0};

	if (pack_archive_text(archive, PACK_MODULE_LIMIT, &content, err) < 0)
		return -1;
	if (pack_modinfo_read_file(text_string(&content), content.length, &modinfo, &why) < 0)
		strings_addf(&visit->build->warnings, "%s: %s", archive->name, error_text(&why));
	else
		add_module(visit, archive->name, &modinfo);
	return 0;
}

/* modules.builtin.modinfo: "ahci.alias=pci:…", each ended by a NUL. */
static int visit_builtin(struct visit *visit, struct pack_archive *archive, struct error *err)
{
	_cleanup_text_ struct text content = {0};
	const char *at, *end;

	if (pack_archive_text(archive, BUILTIN_LIMIT, &content, err) < 0)
		return -1;
	at = text_string(&content);
	for (end = at + content.length; at < end; at += strlen(at) + 1) {
		_cleanup_free_ char *name = string_format("%.*s", (int)strcspn(at, ".="), at);
		_cleanup_strings_ struct strings line = {0};

		if (at[strlen(name)] != '.')
			continue;
		strings_add(&line, at + strlen(name) + 1);
		pack_build_add_modinfo(visit->entry, name, &line);
		if (has_prefix(line.item[0], "license=") || has_prefix(line.item[0], "file="))
			strings_add_once(&visit->entry->modules, name);
	}
	return 0;
}

static int visit_kernel_file(struct visit *visit, struct pack_archive *archive, char *release,
			     const char *rest, struct error *err)
{
	free(visit->release);
	visit->release = release;
	if (strcmp(rest, "vmlinuz") == 0)
		visit->has_image = true;
	if (strcmp(rest, "modules.builtin.modinfo") == 0)
		return visit_builtin(visit, archive, err);
	return is_module(rest) ? visit_module(visit, archive, err) : 0;
}

/* "rtl_nic/x.fw" of "lib/firmware/rtl_nic/x.fw"; NULL for anything else. */
static const char *firmware_of(const char *path)
{
	static const char *const places[] = {"lib/firmware/", "usr/lib/firmware/"};

	for (size_t i = 0; i < array_length(places); i++)
		if (has_prefix(path, places[i]) && pack_is_path(path + strlen(places[i])))
			return path + strlen(places[i]);
	return NULL;
}

static int visit_file(void *context, struct pack_archive *archive, struct error *err)
{
	struct visit *visit = context;
	const char *rest, *firmware = firmware_of(archive->name);
	char *release = release_of(archive->name, &rest);

	if (release)
		return visit_kernel_file(visit, archive, release, rest, err);
	if (firmware)
		strings_add(&visit->entry->firmware, firmware);
	if (has_prefix(archive->name, "boot/vmlinuz-")) {
		visit->has_image = true;
		free(visit->release);
		visit->release = string_copy(archive->name + strlen("boot/vmlinuz-"));
	}
	return 0;
}

static void take_release(struct visit *visit)
{
	if (!visit->release)
		return;
	if (visit->has_image)
		visit->entry->release = steal(&visit->release);
	else
		strings_add(&visit->entry->kernels, visit->release);
}

static int look_through(struct pack_build *build, struct pack_entry *entry, const char *path,
			struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct visit visit = {.build = build, .entry = entry};
	int r;

	if (fd < 0)
		return error_sys(err, errno, "open %s", path);
	if (pack_package_describe(fd, path, entry, err) < 0)
		return -1;
	r = pack_package_walk(fd, path, visit_file, &visit, err);
	if (r == 0)
		take_release(&visit);
	free(visit.release);
	return r;
}

static int add_package(struct pack_build *build, const char *directory, const char *name,
		       const char *distribution, struct error *err)
{
	_cleanup_free_ char *path = string_format("%s/%s", directory, name);
	_cleanup_free_ char *label = string_format("%.*s", (int)strcspn(name, "_"), name);
	struct pack_entry *entry = pack_build_add_entry(build, label, PACK_PACKAGE);

	if (distribution)
		strings_add(&entry->distributions, distribution);
	if (look_through(build, entry, path, err) < 0)
		return -1;
	return pack_build_add_file(build, entry, name, path, err);
}

static int list_packages(const char *directory, struct strings *names, struct error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(directory);
	const struct dirent *entry;

	if (!dir)
		return error_sys(err, errno, "read packages in %s", directory);
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.' &&
		    (has_suffix(entry->d_name, ".deb") || has_suffix(entry->d_name, ".rpm")))
			strings_add(names, entry->d_name);
	if (names->count == 0)
		return error_set(err, "%s has no .deb or .rpm packages", directory);
	strings_sort(names);
	return 0;
}

int pack_build_packages(struct pack_build *build, const char *directory, const char *distribution,
			struct error *err)
{
	_cleanup_strings_ struct strings names = {0};

	if (list_packages(directory, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (add_package(build, directory, names.item[i], distribution, err) < 0)
			return -1;
	return 0;
}
