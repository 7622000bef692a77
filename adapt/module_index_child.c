// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/module_index_child.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "adapt/module_kmod.h"
#include "base/scope.h"

enum { MODULE_LIMIT = 20000 }; /* a distribution's kernel has about 5000 */

struct asker {
	struct module_kmod kmod;
	json_object *modules;
	struct error *err;
};

static void release_list(struct kmod_list **list)
{
	kmod_module_unref_list(*list);
}
#define _cleanup_modules_ _cleanup_(release_list)

static bool is_builtin(struct asker *asker, const struct kmod_list *list, const char *name)
{
	_cleanup_modules_ struct kmod_list *others = NULL;
	struct kmod_list *entry;

	kmod_module_apply_filter(asker->kmod.context, KMOD_FILTER_BUILTIN, list, &others);
	kmod_list_foreach (entry, others) {
		struct kmod_module *module = kmod_module_get_module(entry);
		bool is_this = strcmp(kmod_module_get_name(module), name) == 0;

		kmod_module_unref(module);
		if (is_this)
			return false;
	}
	return true;
}

static void without_compression(char *file)
{
	static const char *const suffixes[] = {".xz", ".gz", ".zst"};

	for (size_t i = 0; i < array_length(suffixes); i++)
		if (has_suffix(file, suffixes[i]))
			file[strlen(file) - strlen(suffixes[i])] = '\0';
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
	if (!module_is_name(name))
		return error_set(asker->err, "its module index holds a name that no module has");
	if (path && !builtin) {
		file = module_kmod_file(&asker->kmod, path);
		if (!file)
			return error_set(asker->err, "its module index names a file elsewhere");
		without_compression(file);
	}
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
	if (kmod_module_new_from_lookup(asker->kmod.context, question, &list) < 0)
		return 0;
	return add_list(asker, list, names);
}

static int ask_all(struct asker *asker, const struct strings *questions, json_object *answers)
{
	int error = kmod_load_resources(asker->kmod.context);

	if (error < 0)
		return error_sys(asker->err, -error, "open its module index");
	for (size_t i = 0; i < questions->count; i++)
		if (ask(asker, questions->item[i], answers) < 0)
			return -1;
	return 0;
}

int module_index_answer(const struct module_question *question, json_object **out,
			struct error *err)
{
	json_object *document = json_object_new_object();
	json_object *answers = json_object_new_object();
	struct asker asker = {.modules = json_object_new_object(), .err = err};
	int result = module_kmod_open(question->directory, &asker.kmod, err);

	json_object_object_add(document, "answers", answers);
	json_object_object_add(document, "modules", asker.modules);
	if (result == 0)
		result = ask_all(&asker, question->names, answers);
	module_kmod_close(&asker.kmod);
	*out = result == 0 ? document : NULL;
	if (result < 0)
		json_object_put(document);
	return result;
}
