// SPDX-License-Identifier: GPL-3.0-or-later
/* The one file that uses libkmod. */
#include "adapt/module_index_child.h"

#include <ctype.h>
#include <libkmod.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"

enum { MODULE_LIMIT = 20000 }; /* a distribution's kernel has about 5000 */

struct asker {
	struct kmod_ctx *kmod;
	const char *directory; /* as libkmod was given it */
	json_object *modules;
	struct error *err;
};

static void be_quiet(void *data, int priority, const char *file, int line, const char *function,
		     const char *format, va_list args)
{
	(void)data;
	(void)priority;
	(void)file;
	(void)line;
	(void)function;
	(void)format;
	(void)args;
}

static void release_list(struct kmod_list **list)
{
	kmod_module_unref_list(*list);
}
#define _cleanup_modules_ _cleanup_(release_list)

static bool is_builtin(struct asker *asker, const struct kmod_list *list, const char *name)
{
	_cleanup_modules_ struct kmod_list *others = NULL;
	struct kmod_list *entry;

	kmod_module_apply_filter(asker->kmod, KMOD_FILTER_BUILTIN, list, &others);
	kmod_list_foreach (entry, others) {
		struct kmod_module *module = kmod_module_get_module(entry);
		bool is_this = strcmp(kmod_module_get_name(module), name) == 0;

		kmod_module_unref(module);
		if (is_this)
			return false;
	}
	return true;
}

/* Names and files end up in configuration files of the guest and on the screen. */
static bool is_made_of(const char *string, const char *others)
{
	for (; *string; string++)
		if (!isalnum((unsigned char)*string) && *string != '_' && !strchr(others, *string))
			return false;
	return true;
}

/* "kernel/drivers/ata/ahci.ko" of "DIRECTORY/kernel/drivers/ata/ahci.ko.xz". */
static int relative_file(struct asker *asker, const char *path, char **out)
{
	static const char *const suffixes[] = {".xz", ".gz", ".zst"};
	size_t length = strlen(asker->directory);
	char *file;

	if (strncmp(path, asker->directory, length) != 0 || path[length] != '/' ||
	    strstr(path, "/../") || !is_made_of(path, "/.+-"))
		return error_set(asker->err, "its module index names a file elsewhere");
	file = string_copy(path + length + 1);
	for (size_t i = 0; i < array_length(suffixes); i++)
		if (has_suffix(file, suffixes[i]))
			file[strlen(file) - strlen(suffixes[i])] = '\0';
	*out = file;
	return 0;
}

static int add_module(struct asker *asker, struct kmod_module *module, bool builtin);

/* Adds what the list holds, and its names to the array. */
static int add_list(struct asker *asker, const struct kmod_list *list, json_object *names)
{
	const struct kmod_list *entry;

	kmod_list_foreach (entry, list) {
		struct kmod_module *module = kmod_module_get_module(entry);
		const char *name = kmod_module_get_name(module);
		int result = add_module(asker, module, is_builtin(asker, list, name));

		json_object_array_add(names, json_object_new_string(name));
		kmod_module_unref(module);
		if (result < 0)
			return -1;
	}
	return 0;
}

static int add_needs(struct asker *asker, struct kmod_module *module, json_object *needs)
{
	_cleanup_modules_ struct kmod_list *dependencies = kmod_module_get_dependencies(module);
	_cleanup_modules_ struct kmod_list *before = NULL;
	_cleanup_modules_ struct kmod_list *after = NULL;

	kmod_module_get_softdeps(module, &before, &after);
	if (add_list(asker, dependencies, needs) < 0)
		return -1;
	return add_list(asker, before, needs);
}

/* A module that is there already ends the walk, so that soft dependencies in a circle end. */
static int add_module(struct asker *asker, struct kmod_module *module, bool builtin)
{
	_cleanup_free_ char *file = NULL;
	const char *name = kmod_module_get_name(module);
	const char *path = kmod_module_get_path(module);
	json_object *fact, *needs;

	if (json_object_object_get_ex(asker->modules, name, NULL))
		return 0;
	if (json_object_object_length(asker->modules) >= MODULE_LIMIT)
		return error_set(asker->err, "its module index has no end");
	if (!is_made_of(name, "-.+"))
		return error_set(asker->err, "its module index holds a name that no module has");
	if (path && !builtin && relative_file(asker, path, &file) < 0)
		return -1;
	fact = json_object_new_object();
	needs = json_object_new_array();
	json_object_object_add(asker->modules, name, fact);
	json_object_object_add(fact, "file", json_object_new_string(file ? file : ""));
	json_object_object_add(fact, "builtin", json_object_new_boolean(builtin));
	json_object_object_add(fact, "needs", needs);
	return builtin ? 0 : add_needs(asker, module, needs);
}

static int ask(struct asker *asker, const char *question, json_object *answers)
{
	_cleanup_modules_ struct kmod_list *list = NULL;
	json_object *names = json_object_new_array();

	json_object_object_add(answers, question, names);
	/* An alias that libkmod cannot parse matches nothing; the indexes themselves are open. */
	if (kmod_module_new_from_lookup(asker->kmod, question, &list) < 0)
		return 0;
	return add_list(asker, list, names);
}

static int ask_all(struct asker *asker, const struct strings *questions, json_object *answers)
{
	int error = kmod_load_resources(asker->kmod);

	if (error < 0)
		return error_sys(asker->err, -error, "open its module index");
	for (size_t i = 0; i < questions->count; i++)
		if (ask(asker, questions->item[i], answers) < 0)
			return -1;
	return 0;
}

/* An old depmod writes no alias index, and a new one writes an empty one for an old kernel. */
static bool knows_builtin_aliases(int directory)
{
	return faccessat(directory, "modules.builtin.alias.bin", F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	       faccessat(directory, "modules.builtin.modinfo", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int module_index_answer(int directory_fd, const struct strings *questions, json_object **out,
			struct error *err)
{
	/* Not NULL, which would mean the configuration of the system that runs. */
	static const char *const no_configuration[] = {NULL};
	_cleanup_free_ char *directory = string_format("/proc/self/fd/%d", directory_fd);
	json_object *document = json_object_new_object();
	json_object *answers = json_object_new_object();
	struct asker asker = {.directory = directory, .err = err};
	int result;

	asker.kmod = kmod_new(directory, no_configuration);
	asker.modules = json_object_new_object();
	json_object_object_add(document, "answers", answers);
	json_object_object_add(document, "modules", asker.modules);
	json_object_object_add(document, "builtin-aliases",
			       json_object_new_boolean(knows_builtin_aliases(directory_fd)));
	if (!asker.kmod) {
		json_object_put(document);
		return error_set(err, "start libkmod");
	}
	kmod_set_log_fn(asker.kmod, be_quiet, NULL);
	result = ask_all(&asker, questions, answers);
	kmod_unref(asker.kmod);
	*out = result == 0 ? document : NULL;
	if (result < 0)
		json_object_put(document);
	return result;
}
