// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/scratch.h"
#include "tests/test.h"

#include "adapt/drivers_db.h"
#include "base/error.h"
#include "base/process.h"

#define TABLES V2P_SOURCE_DIR "/drivers-db"

static void release_db(struct drivers_db **db)
{
	drivers_db_free(*db);
}

static struct drivers_db *load(void)
{
	_cleanup_error_ struct error err = {0};
	struct drivers_db *db = NULL;

	if (drivers_db_load(TABLES, &db, &err) < 0)
		fail_msg("%s", error_text(&err));
	return db;
}

static const char *role(const struct drivers_db *db, const char *bus, uint32_t class,
			const char *modalias)
{
	struct device device = {.bus = (char *)bus, .class = class, .modalias = (char *)modalias};

	return drivers_db_role(db, &device);
}

static void every_row_of_the_tables_is_well_formed(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	size_t count;

	(void)state;
	drivers_db_guest_tools(db, &count);
	assert_true(count > 10);
	drivers_db_disk_modules(db, &count);
	assert_true(count > 5);
}

static void a_class_names_the_role(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();

	(void)state;
	assert_string_equal(role(db, "pci", 0x010601, ""), "storage");
	assert_string_equal(role(db, "pci", 0x010802, ""), "storage");
	assert_string_equal(role(db, "pci", 0x018000, ""), "storage");
	assert_string_equal(role(db, "pci", 0x010200, ""), "other");
	assert_string_equal(role(db, "pci", 0x020000, ""), "network");
	assert_string_equal(role(db, "pci", 0x030000, ""), "display");
	assert_string_equal(role(db, "pci", 0x060400, ""), "bridge");
	assert_string_equal(role(db, "pci", 0x0c0330, ""), "usb");
	assert_string_equal(role(db, "pci", 0x0c0500, ""), "other");
	assert_string_equal(role(db, "virtio", 0, "virtio:d00000002v00001AF4"), "storage");
	assert_string_equal(role(db, "usb", 0, "usb:v1p1d1dc00dsc00dp00ic08isc06ip50in00"), "disk");
	assert_string_equal(role(db, "mmc", 0, "mmc:block"), "disk");
	assert_string_equal(role(db, "nobody", 0, "nobody:knows"), "other");
}

static void the_longest_class_wins(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	struct device ahci = {.bus = (char *)"pci", .class = 0x010601, .modalias = (char *)""};
	struct device sata = {.bus = (char *)"pci", .class = 0x010600, .modalias = (char *)""};

	(void)state;
	assert_string_equal(drivers_db_class(db, &ahci)->usual, "ahci");
	assert_string_equal(drivers_db_class(db, &sata)->usual, "");
	assert_string_equal(drivers_db_class(db, &sata)->transport, "ata");
}

static void modules_of_hypervisors_are_known_by_both_spellings(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();

	(void)state;
	assert_true(drivers_db_is_virtual_module(db, "virtio_blk"));
	assert_true(drivers_db_is_virtual_module(db, "virtio-blk"));
	assert_true(drivers_db_is_virtual_module(db, "vmw_pvscsi"));
	assert_false(drivers_db_is_virtual_module(db, "virtio_bl"));
	assert_false(drivers_db_is_virtual_module(db, "ahci"));
}

static void virtual_x_drivers_are_known(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();

	(void)state;
	assert_true(drivers_db_is_virtual_xorg_driver(db, "qxl"));
	assert_true(drivers_db_is_virtual_xorg_driver(db, "VMware"));
	assert_false(drivers_db_is_virtual_xorg_driver(db, "modesetting"));
}

static void guest_tools_name_their_units(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	bool found = false;
	size_t count;
	const struct guest_tool *tools = drivers_db_guest_tools(db, &count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_string_not_equal(tools[i].unit, "-");
		found = found || (strcmp(tools[i].package, "qemu-guest-agent") == 0 &&
				  strcmp(tools[i].unit, "qemu-guest-agent.service") == 0);
	}
	assert_true(found);
}

static void a_preference_may_depend_on_the_revision(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	struct device old = {.bus = (char *)"pci", .revision = 0x10};
	struct device new = {.bus = (char *)"pci", .revision = 0x20};

	(void)state;
	assert_true(drivers_db_rank(db, "8139too", &old) < drivers_db_rank(db, "8139cp", &old));
	assert_true(drivers_db_rank(db, "8139cp", &new) < drivers_db_rank(db, "8139too", &new));
	assert_int_equal(drivers_db_rank(db, "ata_generic", &old), RANK_FALLBACK);
	assert_int_equal(drivers_db_rank(db, "e1000", &old), RANK_DEFAULT);
}

/* A copy of the tables with one row more must be refused with this message. */
static void assert_row_refused(const char *table, const char *row, const char *message)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_free_ char *path = string_format("%s/drivers-db/%s", root, table);
	_cleanup_error_ struct error err = {0};
	const char *const copy[] = {"cp", "-r", TABLES, root, NULL};
	_cleanup_free_ char *directory = string_format("%s/drivers-db", root);
	struct drivers_db *db = NULL;
	FILE *file;

	assert_int_equal(process_check(copy, NULL, NULL), 0);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "# a comment\n\n%s", row);
	fclose(file);
	assert_int_equal(drivers_db_load(directory, &db, &err), -1);
	if (!strstr(error_text(&err), message))
		fail_msg("\"%s\" is not in \"%s\"", message, error_text(&err));
}

static void a_bad_row_is_refused_with_file_and_line(void **state)
{
	(void)state;
	assert_row_refused("classes.table", "pci 01 storage required scsi",
			   "classes.table:3: 5 columns, and the table has 6");
	assert_row_refused("classes.table", "pci 01 storage required scsi - more",
			   "classes.table:3: 7 columns, and the table has 6");
	assert_row_refused("classes.table", "pci 01 store required scsi -",
			   "classes.table:3: \"store\" is not known in column 3");
	assert_row_refused("classes.table", "pci 01 storage urgent scsi -",
			   "classes.table:3: \"urgent\" is not known in column 4");
	assert_row_refused("classes.table", "pci 0x storage required scsi -",
			   "classes.table:3: \"0x\" is not the beginning of a PCI class");
	assert_row_refused("preferences.table", "ahci first *",
			   "preferences.table:3: \"first\" is not known in column 2");
	assert_row_refused("preferences.table", "ahci 10 rev>2",
			   "preferences.table:3: \"rev>2\" is not known in column 3");
	assert_row_refused("virtual-modules.table", "virtio-blk KVM",
			   "virtual-modules.table:3: \"virtio-blk\" is not known in column 1");
}

static void a_second_row_of_a_key_is_refused(void **state)
{
	(void)state;
	assert_row_refused("xorg-drivers.table", "qxl KVM # one\nqxl KVM\n",
			   "xorg-drivers.table:4: \"qxl\" has a row already, in line 3");
	assert_row_refused("guest-tools.table", "a KVM -\na KVM b.service\na KVM -\n",
			   "guest-tools.table:5: \"a\" has a row already, in line 3");
}

static void a_missing_table_is_an_error(void **state)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_error_ struct error err = {0};
	struct drivers_db *db = NULL;

	(void)state;
	assert_int_equal(drivers_db_load(root, &db, &err), -1);
	assert_non_null(strstr(error_text(&err), "load the driver tables: open "));
	assert_non_null(strstr(error_text(&err), "/classes.table: No such file or directory"));
}

static void the_environment_names_the_directory(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = NULL;

	(void)state;
	setenv("V2P_DRIVERS_DB", TABLES, 1);
	assert_int_equal(drivers_db_load(NULL, &db, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_tables_is_well_formed),
		cmocka_unit_test(a_class_names_the_role),
		cmocka_unit_test(the_longest_class_wins),
		cmocka_unit_test(modules_of_hypervisors_are_known_by_both_spellings),
		cmocka_unit_test(virtual_x_drivers_are_known),
		cmocka_unit_test(guest_tools_name_their_units),
		cmocka_unit_test(a_preference_may_depend_on_the_revision),
		cmocka_unit_test(a_bad_row_is_refused_with_file_and_line),
		cmocka_unit_test(a_second_row_of_a_key_is_refused),
		cmocka_unit_test(a_missing_table_is_an_error),
		cmocka_unit_test(the_environment_names_the_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
