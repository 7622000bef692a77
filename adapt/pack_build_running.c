// SPDX-License-Identifier: GPL-3.0-or-later
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "adapt/guest.h"
#include "adapt/module_index.h"
#include "adapt/pack_build.h"
#include "adapt/pack_modinfo.h"
#include "base/file.h"
#include "base/scope.h"

enum { LOADED_LIMIT = 1 << 20 };

/* The system whose modules are taken. */
struct system {
	struct pack_build *build;
	struct guest guest;
	const char *release;
	struct module_index index;
};

static void system_release(struct system *system)
{
	module_index_release(&system->index);
	guest_release(&system->guest);
}

/* First names of the lines of /proc/modules. */
static int list_loaded(struct strings *out, struct error *err)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_strings_ struct strings lines = {0};

	if (file_read("/proc/modules", LOADED_LIMIT, &content, err) < 0)
		return error_in(err, "modules that are loaded");
	strings_split(&lines, text_string(&content), "\n");
	for (size_t i = 0; i < lines.count; i++) {
		lines.item[i][strcspn(lines.item[i], " ")] = '\0';
		strings_add(out, lines.item[i]);
	}
	if (out->count == 0)
		return error_set(err, "no module is loaded here: name some with --module");
	return 0;
}

/* The file of a fact, with the suffix that it has; heap, NULL when it is not there. */
static char *find_module_file(const struct system *system, const char *file)
{
	static const char *const suffixes[] = {"", ".xz", ".zst", ".gz"};

	for (size_t i = 0; i < array_length(suffixes); i++) {
		_cleanup_free_ char *path =
			string_format("%s/lib/modules/%s/%s%s", system->guest.root, system->release,
				      file, suffixes[i]);
		struct stat st;

		if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
			return steal(&path);
	}
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int read_modinfo(const char *path, struct strings *out, struct error *err)
{
	_cleanup_text_ struct text content = {0};

	if (file_read(path, PACK_MEMORY_FILE_LIMIT, &content, err) < 0)
		return -1;
	if (pack_modinfo_read_file(text_string(&content), content.length, out, err) < 0)
		return error_in(err, "module %s", path);
	return 0;
}

/* The module and what it needs; their wishes for firmware are gathered. */
static int add_file(struct system *system, struct pack_entry *entry, const struct module_fact *fact,
		    bool with_aliases, struct error *err)
{
	_cleanup_free_ char *source = find_module_file(system, fact->file), *path = NULL;
	_cleanup_strings_ struct strings modinfo = {0};
	size_t aliases = entry->modaliases.count;

	if (!source)
		return error_set(err, "module %s has no file below /lib/modules/%s", fact->name,
				 system->release);
	if (read_modinfo(source, &modinfo, err) < 0)
		return -1;
	path = string_format("modules/%s/%s", system->release, base_name(source));
	pack_build_add_modinfo(entry, fact->name, &modinfo);
	/* What only is needed has devices of its own, and entries of its own. */
	while (!with_aliases && entry->modaliases.count > aliases) {
		struct pack_pair *last = &entry->modaliases.item[--entry->modaliases.count];

		free(last->first);
		free(last->second);
	}
	return pack_build_add_file(system->build, entry, path, source, err);
}

/* Breadth first, each once: soft dependencies may form a circle. */
static int add_needs(struct system *system, struct pack_entry *entry, const char *name,
		     struct error *err)
{
	_cleanup_strings_ struct strings queue = {0};

	strings_add(&queue, name);
	for (size_t i = 0; i < queue.count; i++) {
		const struct module_fact *fact = module_index_fact(&system->index, queue.item[i]);

		if (!fact || fact->is_builtin || !*fact->file)
			continue;
		if (add_file(system, entry, fact, i == 0, err) < 0)
			return -1;
		for (size_t j = 0; j < fact->needs.count; j++)
			strings_add_once(&queue, fact->needs.item[j]);
	}
	return 0;
}

/* The wanted files that are there, as an entry of their own. */
static int add_firmware(struct system *system, size_t module, struct error *err)
{
	const struct pack_pairs *wants = &system->build->index.entry[module].wants;
	_cleanup_free_ char *label =
		string_format("firmware %s", system->build->index.entry[module].label);
	static const char *const suffixes[] = {"", ".xz", ".zst"};
	_cleanup_strings_ struct strings paths = {0}, sources = {0};
	struct pack_entry *entry;

	for (size_t i = 0; i < wants->count * array_length(suffixes); i++) {
		_cleanup_free_ char *path = string_format(
			"firmware/%s%s", wants->item[i / array_length(suffixes)].second,
			suffixes[i % array_length(suffixes)]);
		_cleanup_free_ char *source = string_format("%s/lib/%s", system->guest.root, path);
		struct stat st;

		if (stat(source, &st) < 0 || !S_ISREG(st.st_mode) || strings_has(&paths, path))
			continue;
		strings_add(&paths, path);
		strings_add(&sources, source);
	}
	if (paths.count == 0)
		return 0;
	entry = pack_build_add_entry(system->build, label, PACK_FIRMWARE);
	for (size_t i = 0; i < paths.count; i++)
		if (pack_build_add_file(system->build, entry, paths.item[i], sources.item[i], err) <
		    0)
			return -1;
	return 0;
}

static int add_module(struct system *system, const char *name, struct error *err)
{
	const struct module_fact *fact = module_index_fact(&system->index, name);
	size_t at = system->build->index.count;
	struct pack_entry *entry;

	if (!fact)
		return error_set(err, "kernel %s has no module %s", system->release, name);
	if (fact->is_builtin || !*fact->file) {
		strings_addf(&system->build->warnings,
			     "%s is part of kernel %s itself: a pack cannot hold it", name,
			     system->release);
		return 0;
	}
	entry = pack_build_add_entry(system->build, name, PACK_MODULES);
	if (*system->guest.architecture)
		entry->architecture = string_copy(system->guest.architecture);
	strings_add(&entry->kernels, system->release);
	if (add_needs(system, entry, fact->name, err) < 0)
		return -1;
	return add_firmware(system, at, err);
}

static int add_modules(struct system *system, const struct strings *names, struct error *err)
{
	if (module_index_ask(&system->guest, system->release, names, &system->index, err) < 0)
		return error_in(err, "modules of kernel %s", system->release);
	for (size_t i = 0; i < names->count; i++) {
		const struct strings *found = module_index_find(&system->index, names->item[i]);

		if (!found || found->count == 0)
			return error_set(err, "kernel %s has no module %s", system->release,
					 names->item[i]);
		for (size_t j = 0; j < found->count; j++)
			if (add_module(system, found->item[j], err) < 0)
				return -1;
	}
	return 0;
}

int pack_build_running(struct pack_build *build, const char *root, const struct strings *modules,
		       struct error *err)
{
	_cleanup_(system_release) struct system system = {.build = build, .guest = {.root_fd = -1}};
	_cleanup_strings_ struct strings loaded = {0};
	struct utsname name;

	if (guest_open_root(root, &system.guest, err) < 0)
		return -1;
	uname(&name);
	system.release = name.release;
	if (strcmp(root, "/") != 0) {
		if (system.guest.kernel_count == 0)
			return error_set(err, "%s has no kernel below /lib/modules", root);
		system.release = system.guest.kernel[0].release;
	}
	if (modules->count == 0 && list_loaded(&loaded, err) < 0)
		return -1;
	return add_modules(&system, modules->count ? modules : &loaded, err);
}
