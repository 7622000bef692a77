// SPDX-License-Identifier: GPL-3.0-or-later
/* initramfs-tool: one tool's settings planned on a throw-away guest. */
#pragma once

#include "adapt/initramfs_tool.h"
#include "tests/adapt/tree.h"

struct tool_fixture {
	struct guest guest;
	struct adaptation adaptation;
	struct changes changes;
	struct strings listed, required, narrow, exclude;
	struct initramfs_needs needs;
	struct initramfs_work work;
};

static struct tool_fixture tool_fixture;

/* This machine's disk hangs on ahci, which needs libahci. */
static inline int tool_setup(void **state)
{
	struct tool_fixture *f = &tool_fixture;

	*f = (struct tool_fixture){.guest = {.root_fd = -1}};
	f->adaptation = (struct adaptation){.guest = &f->guest};
	f->work = (struct initramfs_work){.adaptation = &f->adaptation,
					  .listed = &f->listed,
					  .required = &f->required,
					  .needs = &f->needs};
	strings_add(&f->listed, "ahci");
	strings_add(&f->listed, "sd_mod");
	strings_add(&f->required, "ahci");
	strings_add(&f->required, "libahci");
	strings_add(&f->required, "sd_mod");
	*state = f;
	return tree_setup(NULL);
}

static inline int tool_teardown(void **state)
{
	struct tool_fixture *f = *state;

	changes_release(&f->changes);
	strings_release(&f->listed);
	strings_release(&f->required);
	strings_release(&f->narrow);
	strings_release(&f->exclude);
	initramfs_needs_release(&f->needs);
	guest_release(&f->guest);
	return tree_teardown(NULL);
}

static inline void tool_open(struct tool_fixture *f)
{
	if (f->guest.root_fd < 0)
		assert_int_equal(guest_open_root(tree, &f->guest, NULL), 0);
}

static inline void tool_plan(struct tool_fixture *f, const struct initramfs_ops *ops)
{
	_cleanup_error_ struct error err = {0};

	tool_open(f);
	changes_release(&f->changes);
	if (ops->plan_settings(&f->work, &f->changes, "why", &err) < 0)
		fail_msg("%s", error_text(&err));
}

/* Carries the settings out, and sees that they are then as they should be. */
static inline void tool_apply(struct tool_fixture *f, const struct initramfs_ops *ops)
{
	_cleanup_error_ struct error err = {0};
	struct report report;

	tool_plan(f, ops);
	report_init(&report);
	f->adaptation.report = &report;
	if (changes_apply(&f->changes, &f->adaptation, &err) < 0)
		fail_msg("%s", error_text(&err));
	report_release(&report);
	tool_plan(f, ops);
	assert_int_equal(f->changes.count, 0);
}

static inline void tool_find(struct tool_fixture *f, const struct initramfs_ops *ops)
{
	const struct changes none = {0};

	tool_open(f);
	strings_release(&f->narrow);
	strings_release(&f->exclude);
	assert_int_equal(ops->find_settings(&f->work, &none, &f->narrow, &f->exclude, NULL), 0);
}

static inline void assert_found(const struct strings *found, size_t index, const char *text)
{
	assert_true(found->count > index);
	assert_string_equal(found->item[index], text);
}

/* What bash prints for script, with $1 the tree: as the tool itself would read its settings. */
static inline void assert_bash(const char *script, const char *output)
{
	const char *argv[] = {"bash", "-c", script, "bash", tree, NULL};
	_cleanup_text_ struct text out = {0};
	_cleanup_error_ struct error err = {0};

	if (access("/bin/bash", X_OK) < 0)
		skip();
	if (process_check(argv, &out, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(text_string(&out), output);
}

static inline void assert_command(struct tool_fixture *f, const struct initramfs_ops *ops,
				  const struct guest_kernel *kernel, enum initramfs_modules modules,
				  const char *command)
{
	_cleanup_strings_ struct strings argv = {0};
	_cleanup_free_ char *joined = NULL;

	tool_open(f);
	ops->build(&f->guest, kernel, modules, "/var/lib/v2p/built", &argv);
	joined = strings_join(&argv, " ");
	assert_string_equal(joined, command);
}

#define tool_test(name) cmocka_unit_test_setup_teardown(name, tool_setup, tool_teardown)
