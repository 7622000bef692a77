// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/deb_control.h"
#include "base/scope.h"
#include "tests/adapt/tree.h"

static const char status[] =
	"Package: kmod\nStatus: install ok installed\nVersion: 30-1\nArchitecture: amd64\n"
	"Description: x\n .\n Package: not-one\n"
	"\n"
	"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n"
	"\n"
	"package: Half\nStatus: install ok half-configured\nVersion: 1\nArchitecture: all\n"
	"\n"
	"Package: initramfs-tools\nStatus: hold ok installed\nVersion: 0.142\nArchitecture: all\n"
	"Provides: linux-initramfs-tool,\n other (= 3)\n"
	"\n"
	"Package: man-db\nStatus: install ok triggers-pending\nVersion: 1:2\nArchitecture: all\n"
	"\n"
	"Package: broken\nStatus: install ok installed\n";

static bool satisfies(const struct deb_installed *installed, const char *clause)
{
	_cleanup_deb_relations_ struct deb_relations relations = {0};

	deb_relations_parse(clause, &relations);
	return deb_installed_satisfies(installed, &relations.item[0]);
}

static void what_dpkg_lists_as_installed_satisfies(void **state)
{
	_cleanup_deb_installed_ struct deb_installed installed = {0};
	struct guest guest;

	(void)state;
	tree_file("/var/lib/dpkg/status", status);
	assert_int_equal(guest_open_root(tree, &guest, NULL), 0);
	assert_int_equal(deb_installed_read(&guest, &installed, NULL), 1);
	assert_int_equal(installed.count, 3);
	assert_true(satisfies(&installed, "kmod"));
	assert_true(satisfies(&installed, "kmod (>= 30)"));
	assert_false(satisfies(&installed, "kmod (>= 31)"));
	assert_true(satisfies(&installed, "man-db (>> 1:1)"));
	assert_true(satisfies(&installed, "linux-initramfs-tool"));
	assert_false(satisfies(&installed, "linux-initramfs-tool (>= 1)"));
	assert_true(satisfies(&installed, "other (>= 2)"));
	assert_false(satisfies(&installed, "gone"));
	assert_false(satisfies(&installed, "Half"));
	assert_false(satisfies(&installed, "not-one"));
	assert_null(deb_installed_find(&installed, "broken"));
	guest_release(&guest);
}

static void a_guest_without_dpkg_says_so(void **state)
{
	_cleanup_deb_installed_ struct deb_installed installed = {0};
	struct guest guest;

	(void)state;
	assert_int_equal(guest_open_root(tree, &guest, NULL), 0);
	assert_int_equal(deb_installed_read(&guest, &installed, NULL), 0);
	assert_null(deb_installed_find(&installed, "kmod"));
	guest_release(&guest);
}

static void a_stanza_without_a_version_is_no_package(void **state)
{
	_cleanup_deb_package_ struct deb_package package = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(deb_package_parse("Package: x\nArchitecture: all\n", &package, &err), -1);
	assert_string_equal(error_text(&err), "it has no Package, Version and Architecture");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_dpkg_lists_as_installed_satisfies, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(a_guest_without_dpkg_says_so, tree_setup,
						tree_teardown),
		cmocka_unit_test(a_stanza_without_a_version_is_no_package),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
