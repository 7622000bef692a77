// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/step-fixture.h"

static const char mask[] = "/etc/systemd/system/qemu-guest-agent.service";

static struct fixture *open_with_agent(void)
{
	tree_file("/usr/lib/systemd/system/qemu-guest-agent.service", "[Service]\n");
	tree_directory("/etc/systemd/system");
	tree_file("/var/lib/dpkg/status", "Package: bash\nStatus: install ok installed\n\n"
					  "Package: open-vm-tools\n"
					  "Status: deinstall ok config-files\n\n"
					  "Package: qemu-guest-agent\n"
					  "Status: install ok installed\nPriority: optional\n");
	return fixture_open();
}

static void assert_masked(void)
{
	_cleanup_free_ char *full = tree_path(mask);
	char target[64] = "";

	assert_int_equal(readlink(full, target, sizeof(target) - 1), strlen("/dev/null"));
	assert_string_equal(target, "/dev/null");
}

static void units_of_guest_tools_are_masked(void **state)
{
	struct fixture *f = open_with_agent();

	(void)state;
	fixture_plan(f, &step_tools);
	assert_int_equal(f->changes.count, 1);
	assert_string_equal(f->changes.item[0].path, mask);
	assert_false(tree_has(mask));
	fixture_run(f, &step_tools);
	assert_masked();
	fixture_close(f);
}

static void installed_packages_are_reported(void **state)
{
	struct fixture *f = open_with_agent();
	json_object *facts, *tools;

	(void)state;
	fixture_plan(f, &step_tools);
	json_object_object_get_ex(f->report.document, "facts", &facts);
	assert_true(json_object_object_get_ex(facts, "guest_tools", &tools));
	assert_string_equal(json_object_to_json_string_ext(tools, JSON_C_TO_STRING_PLAIN),
			    "[\"qemu-guest-agent\"]");
	fixture_close(f);
}

static void a_unit_in_the_way_is_kept_aside(void **state)
{
	struct fixture *f = open_with_agent();

	(void)state;
	tree_file(mask, "[Service]\nExecStart=/mine\n");
	fixture_run(f, &step_tools);
	assert_masked();
	assert_tree_file("/var/lib/v2p/original/etc/systemd/system/qemu-guest-agent.service",
			 "[Service]\nExecStart=/mine\n");
	fixture_close(f);
}

static void a_guest_without_tools_is_not_changed(void **state)
{
	struct fixture *f = fixture_open();

	(void)state;
	tree_directory("/etc/systemd/system");
	fixture_run(f, &step_tools);
	assert_false(tree_has(mask));
	fixture_close(f);
}

static void a_long_line_in_the_status_file_is_no_matter(void **state)
{
	struct fixture *f = open_with_agent();
	_cleanup_text_ struct text status = {0};

	(void)state;
	text_add(&status, "Package: x\nDepends: ");
	for (int i = 0; i < 100000; i++)
		text_add(&status, "y, ");
	text_add(&status, "\n\nPackage: qemu-guest-agent\nStatus: install ok installed");
	tree_file("/var/lib/dpkg/status", text_string(&status));
	fixture_run(f, &step_tools);
	assert_masked();
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		step_test(units_of_guest_tools_are_masked),
		step_test(installed_packages_are_reported),
		step_test(a_unit_in_the_way_is_kept_aside),
		step_test(a_guest_without_tools_is_not_changed),
		step_test(a_long_line_in_the_status_file_is_no_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
