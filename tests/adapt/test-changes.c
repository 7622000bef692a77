// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/tree.h"

#include "adapt/step.h"

struct fixture {
	struct guest guest;
	struct changes changes;
	struct report report;
	struct adaptation adaptation;
};

static struct fixture *setup(void **state)
{
	static struct fixture fixture;

	(void)state;
	fixture = (struct fixture){0};
	assert_int_equal(guest_open_root(tree, &fixture.guest, NULL), 0);
	report_init(&fixture.report);
	fixture.adaptation.guest = &fixture.guest;
	fixture.adaptation.report = &fixture.report;
	return &fixture;
}

static void release(struct fixture *fixture)
{
	changes_release(&fixture->changes);
	report_release(&fixture->report);
	guest_release(&fixture->guest);
}

static int add(struct fixture *f, const char *path, const char *content, const char *why)
{
	return changes_write(&f->changes, &f->guest, "test", path, content, why, NULL);
}

static void the_same_content_is_no_change(void **state)
{
	struct fixture *f = setup(state);

	assert_int_equal(add(f, "/etc/fstab", "UUID=1 / ext4 defaults 0 1\n", "why"), 0);
	assert_int_equal(f->changes.count, 0);
	release(f);
}

static void a_change_shows_its_diff(void **state)
{
	struct fixture *f = setup(state);

	assert_int_equal(add(f, "/etc/fstab", "UUID=2 / ext4 defaults 0 1\n", "why"), 0);
	assert_int_equal(f->changes.count, 1);
	assert_string_equal(f->changes.item[0].diff,
			    "--- /etc/fstab\n+++ /etc/fstab\n@@ -1,1 +1,1 @@\n"
			    "-UUID=1 / ext4 defaults 0 1\n+UUID=2 / ext4 defaults 0 1\n");
	release(f);
}

static void a_second_write_replaces_the_first(void **state)
{
	struct fixture *f = setup(state);
	_cleanup_text_ struct text text = {0};

	add(f, "/etc/fstab", "one\n", "first");
	add(f, "/etc/fstab", "two\n", "second");
	add(f, "/etc/fstab", "two\n", "third");
	assert_int_equal(f->changes.count, 1);
	assert_string_equal(f->changes.item[0].why, "first; second");
	assert_non_null(strstr(f->changes.item[0].diff, "-UUID=1"));
	assert_int_equal(changes_read(&f->changes, &f->guest, "/etc/fstab", &text, NULL), 1);
	assert_string_equal(text_string(&text), "two\n");
	release(f);
}

static void a_write_back_to_what_is_there_drops_the_change(void **state)
{
	struct fixture *f = setup(state);

	add(f, "/etc/other", "x\n", "why");
	add(f, "/etc/fstab", "one\n", "first");
	add(f, "/etc/fstab", "UUID=1 / ext4 defaults 0 1\n", "second");
	assert_int_equal(f->changes.count, 1);
	assert_string_equal(f->changes.item[0].path, "/etc/other");
	release(f);
}

static void a_removed_file_is_read_as_absent(void **state)
{
	struct fixture *f = setup(state);
	_cleanup_text_ struct text text = {0};

	assert_int_equal(changes_remove(&f->changes, &f->guest, "test", "/etc/fstab", "why", NULL),
			 0);
	assert_int_equal(changes_remove(&f->changes, &f->guest, "test", "/etc/none", "why", NULL),
			 0);
	assert_int_equal(f->changes.count, 1);
	assert_int_equal(changes_read(&f->changes, &f->guest, "/etc/fstab", &text, NULL), 0);
	assert_non_null(strstr(f->changes.item[0].diff, "-UUID=1"));
	release(f);
}

static void a_file_with_a_nul_is_not_text(void **state)
{
	struct fixture *f = setup(state);
	_cleanup_error_ struct error err = {0};

	tree_file_bytes("/etc/binary", "a\0b", 3, 0644);
	assert_int_equal(
		changes_write(&f->changes, &f->guest, "test", "/etc/binary", "x", "why", &err), -1);
	assert_string_equal(error_text(&err), "/etc/binary in the guest is not a text file");
	release(f);
}

static int call_marker(struct adaptation *adaptation, const struct change *change,
		       struct error *err)
{
	return guest_write(adaptation->guest, change->path, "called", 6, err);
}

static int call_failing(struct adaptation *adaptation, const struct change *change,
			struct error *err)
{
	(void)adaptation;
	return error_set(err, "%s is broken", change->path);
}

static void what_was_planned_is_carried_out_and_reported(void **state)
{
	struct fixture *f = setup(state);

	add(f, "/etc/fstab", "one\n", "why");
	tree_file("/etc/old", "x");
	changes_remove(&f->changes, &f->guest, "test", "/etc/old", "why", NULL);
	changes_call(&f->changes, "test", "/etc/called", "why", call_marker);
	assert_int_equal(changes_apply(&f->changes, &f->adaptation, NULL), 0);
	assert_tree_file("/etc/fstab", "one\n");
	assert_tree_file("/etc/called", "called");
	assert_false(guest_has(&f->guest, "/etc/old"));
	assert_int_equal(report_count(&f->report, "changes"), 3);
	release(f);
}

static void the_first_error_stops_and_names_the_step(void **state)
{
	struct fixture *f = setup(state);
	_cleanup_error_ struct error err = {0};

	changes_call(&f->changes, "test", "it", "why", call_failing);
	add(f, "/etc/fstab", "one\n", "why");
	assert_int_equal(changes_apply(&f->changes, &f->adaptation, &err), -1);
	assert_string_equal(error_text(&err), "test: it is broken");
	assert_int_equal(report_count(&f->report, "changes"), 0);
	assert_tree_file("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n");
	release(f);
}

static void a_run_keeps_its_arguments(void **state)
{
	struct fixture *f = setup(state);
	const char *argv[] = {"true", "--x", NULL};
	struct change *change = changes_run(&f->changes, "test", "true", "why", argv);

	change->permission = GUEST_RUN_DISKS;
	assert_int_equal(f->changes.item[0].kind, CHANGE_RUN);
	assert_string_equal(f->changes.item[0].argv.item[1], "--x");
	assert_null(f->changes.item[0].argv.item[2]);
	release(f);
}

#define tree_test(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

static void a_stop_keeps_what_is_not_begun_from_happening(void **state)
{
	struct fixture *f = setup(state);
	_cleanup_error_ struct error err = {0};
	const atomic_bool stop = true;

	assert_int_equal(add(f, "/etc/new", "x\n", "why"), 0);
	f->adaptation.stop = &stop;
	assert_int_equal(changes_apply(&f->changes, &f->adaptation, &err), -1);
	assert_non_null(strstr(error_text(&err), "stopped as asked, before "));
	assert_false(guest_has(&f->guest, "/etc/new"));
	release(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(the_same_content_is_no_change),
		tree_test(a_change_shows_its_diff),
		tree_test(a_second_write_replaces_the_first),
		tree_test(a_write_back_to_what_is_there_drops_the_change),
		tree_test(a_removed_file_is_read_as_absent),
		tree_test(a_file_with_a_nul_is_not_text),
		tree_test(what_was_planned_is_carried_out_and_reported),
		tree_test(the_first_error_stops_and_names_the_step),
		tree_test(a_run_keeps_its_arguments),
		tree_test(a_stop_keeps_what_is_not_begun_from_happening),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
