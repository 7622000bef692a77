// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A guest with one kernel whose module index the real depmod made: empty modules with the aliases
 * and dependencies of a real kernel's (tests/data/modules-6.1).
 */
#pragma once

#include "base/process.h"
#include "tests/adapt/scratch.h"

#ifndef MODULE_DATA
#define MODULE_DATA V2P_SOURCE_DIR "/tests/data/modules-6.1/"
#endif
#define MODULE_RELEASE "6.1.0-test"
#define MODULE_DIRECTORY "usr/lib/modules/" MODULE_RELEASE

struct module_tree {
	char *root;                                /* of the guest */
	const struct strings *builtin;             /* these modules are part of the kernel */
	bool has_no_builtin_aliases;               /* as of a kernel before 5.2 */
	struct text alias, softdep, dep, firmware; /* the data */
	struct text builtin_list, builtin_modinfo;
	char *objects; /* where the assembler works */
};

/* "crc32c_intel" of "kernel/arch/x86/crypto/crc32c-intel.ko". */
static inline char *module_name(const char *file)
{
	_cleanup_free_ char *copy = string_copy(file);
	char *name = string_copy(basename(copy));

	name[strcspn(name, ".")] = '\0';
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

static inline void module_add_info(struct text *out, const char *data, const char *keyword,
				   const char *module, bool module_first)
{
	_cleanup_strings_ struct strings lines = {0};

	strings_split(&lines, data, "\n");
	for (size_t i = 0; i < lines.count; i++) {
		char first[256], second[256], third[256];
		int count =
			sscanf(lines.item[i], "%*s %255s %255s %255[^\n]", first, second, third);

		if (module_first && count == 3 && strcmp(first, module) == 0)
			text_addf(out, "\t.asciz \"%s=%s %s\"\n", keyword, second, third);
		if (!module_first && count >= 2 && strcmp(second, module) == 0)
			text_addf(out, "\t.asciz \"%s=%s\"\n", keyword, first);
	}
}

/* An object in which depmod finds all that it looks for. */
static inline void module_write_source(struct module_tree *tree, const char *name,
				       const struct strings *needs)
{
	_cleanup_text_ struct text source = {0};
	_cleanup_free_ char *file = string_format("%s.s", name);

	text_addf(&source, "\t.section .modinfo,\"a\"\n\t.asciz \"name=%s\"\n", name);
	module_add_info(&source, text_string(&tree->alias), "alias", name, false);
	module_add_info(&source, text_string(&tree->softdep), "softdep", name, true);
	module_add_info(&source, text_string(&tree->firmware), "firmware", name, false);
	text_addf(&source, "\t.section __ksymtab_strings,\"a\"\n\t.asciz \"symbol_%s\"\n\t.data\n",
		  name);
	for (size_t i = 1; i < needs->count; i++) {
		_cleanup_free_ char *need = module_name(needs->item[i]);

		if (!strings_has(tree->builtin, need))
			text_addf(&source, "\t.long symbol_%s\n", need);
	}
	tree_text(tree->objects, file, text_string(&source));
}

/* needs[0] is the file itself. */
static inline void module_add_builtin(struct module_tree *tree, const char *name,
				      const struct strings *needs)
{
	_cleanup_strings_ struct strings lines = {0};

	text_addf(&tree->builtin_list, "%s\n", needs->item[0]);
	strings_split(&lines, text_string(&tree->alias), "\n");
	for (size_t i = 0; i < lines.count; i++) {
		char pattern[256], module[256];

		if (sscanf(lines.item[i], "%*s %255s %255s", pattern, module) == 2 &&
		    strcmp(module, name) == 0) {
			text_addf(&tree->builtin_modinfo, "%s.alias=%s", name, pattern);
			text_add_bytes(&tree->builtin_modinfo, "", 1);
		}
	}
}

static inline int module_enter(void *context, struct error *err)
{
	return chdir(context) < 0 ? error_sys(err, errno, "enter %s", (char *)context) : 0;
}

static inline void module_run(char *place, const struct strings *argv)
{
	_cleanup_process_result_ struct process_result result = {0};
	_cleanup_error_ struct error err = {0};
	struct process process = {
		.argv = (const char *const *)argv->item, .prepare = module_enter, .context = place};

	if (process_run(&process, &result, &err) < 0)
		fail_msg("%s", error_text(&err));
	if (result.status != 0)
		fail_msg("%s: %s", argv->item[0], text_string(&result.errors));
}

static inline void module_install(struct module_tree *tree, const char *name, const char *file)
{
	_cleanup_free_ char *object = string_format("%s/%s.o", tree->objects, name);
	_cleanup_free_ char *path = string_format("%s/" MODULE_DIRECTORY "/%s", tree->root, file);
	_cleanup_free_ char *copy = string_copy(path);

	tree_make_directory(dirname(copy));
	assert_int_equal(rename(object, path), 0);
}

static inline void module_run_depmod(struct module_tree *tree)
{
	_cleanup_strings_ struct strings argv = {0};

	tree_text(tree->root, MODULE_DIRECTORY "/modules.builtin",
		  text_string(&tree->builtin_list));
	tree_text(tree->root, MODULE_DIRECTORY "/modules.order", "");
	if (!tree->has_no_builtin_aliases)
		tree_write(tree->root, MODULE_DIRECTORY "/modules.builtin.modinfo",
			   tree->builtin_modinfo.data, tree->builtin_modinfo.length);
	tree_link(tree->root, "lib", "usr/lib");
	strings_split(&argv, "depmod -b", " ");
	strings_add(&argv, tree->root);
	strings_add(&argv, MODULE_RELEASE);
	module_run(tree->root, &argv);
}

static inline void module_assemble(struct module_tree *tree)
{
	_cleanup_strings_ struct strings lines = {0}, argv = {0}, files = {0};

	strings_split(&argv, "cc -c", " ");
	strings_split(&lines, text_string(&tree->dep), "\n");
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_strings_ struct strings needs = {0};
		_cleanup_free_ char *name = NULL;

		strings_split(&needs, lines.item[i], ": ");
		name = module_name(needs.item[0]);
		if (strings_has(tree->builtin, name)) {
			module_add_builtin(tree, name, &needs);
			continue;
		}
		module_write_source(tree, name, &needs);
		strings_add(&files, needs.item[0]);
		strings_addf(&argv, "%s.s", name);
	}
	module_run(tree->objects, &argv);
	for (size_t i = 0; i < files.count; i++) {
		_cleanup_free_ char *name = module_name(files.item[i]);

		module_install(tree, name, files.item[i]);
	}
}

/* The root of the guest: the caller removes it. NULL when depmod or an assembler is missing. */
static inline char *module_tree_make(const struct strings *builtin, bool has_no_builtin_aliases)
{
	_cleanup_tree_ char *objects = tree_make();
	struct module_tree tree = {.root = tree_make(),
				   .builtin = builtin,
				   .has_no_builtin_aliases = has_no_builtin_aliases,
				   .objects = objects};

	assert_int_equal(file_read(MODULE_DATA "modules.alias", 1 << 20, &tree.alias, NULL), 0);
	assert_int_equal(file_read(MODULE_DATA "modules.softdep", 1 << 20, &tree.softdep, NULL), 0);
	/* Not every set of rows has these. */
	file_read(MODULE_DATA "modules.firmware", 1 << 20, &tree.firmware, NULL);
	assert_int_equal(file_read(MODULE_DATA "modules.dep", 1 << 20, &tree.dep, NULL), 0);
	assert_int_equal(
		file_read(MODULE_DATA "modules.builtin", 1 << 20, &tree.builtin_list, NULL), 0);
	text_add(&tree.builtin_modinfo, "processor.alias=processor");
	text_add_bytes(&tree.builtin_modinfo, "", 1);
	module_assemble(&tree);
	module_run_depmod(&tree);
	text_release(&tree.alias);
	text_release(&tree.softdep);
	text_release(&tree.dep);
	text_release(&tree.firmware);
	text_release(&tree.builtin_list);
	text_release(&tree.builtin_modinfo);
	return tree.root;
}
