// SPDX-License-Identifier: GPL-3.0-or-later
#include <dirent.h>

#include "tests/adapt/drivers-db.h"
#include "tests/adapt/scratch.h"

#include "base/process.h"

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
	const char *const copy[] = {"cp", "-r", FOLDER, root, NULL};
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
	setenv("V2P_DRIVERS_DB", FOLDER, 1);
	assert_int_equal(drivers_db_load(NULL, &db, NULL), 0);
}

static void every_file_of_the_folder_is_a_known_table(void **state)
{
	DIR *dir = opendir(FOLDER);
	const struct dirent *entry;
	size_t count = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += has_suffix(entry->d_name, ".table");
	closedir(dir);
	assert_int_equal(count, array_length(drivers_formats));
}

static void every_row_says_why_it_is_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(drivers_formats); i++) {
		struct table table = {0};

		assert_int_equal(table_load(FOLDER, &drivers_formats[i], &table, NULL), 0);
		assert_true(table.count > 0);
		for (size_t row = 0; row < table.count; row++)
			if (!table.row[row].comment || strlen(table.row[row].comment) < 3)
				fail_msg("%s:%zu says no reason", table.format->file,
					 table.row[row].line);
		table_release(&table);
	}
}

static void a_module_brings_those_that_it_needs_at_boot(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	_cleanup_strings_ struct strings touch = {0}, keyboard = {0}, none = {0};

	(void)state;
	drivers_db_preloads(db, "i2c-hid-acpi", &touch);
	assert_true(strings_has(&touch, "i2c_designware_platform"));
	assert_true(strings_has(&touch, "intel_lpss_pci"));
	assert_true(strings_has(&touch, "idma64")); /* of intel_lpss_pci */
	assert_true(strings_has(&touch, "pinctrl_tigerlake"));
	assert_false(strings_has(&touch, "i2c_hid_acpi"));
	drivers_db_preloads(db, "usbhid", &keyboard);
	assert_true(strings_has(&keyboard, "xhci_pci"));
	assert_true(strings_has(&keyboard, "hid_generic"));
	drivers_db_preloads(db, "nobody", &none);
	assert_int_equal(none.count, 0);
}

static void an_sd_card_brings_the_pins_of_its_slot(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	_cleanup_strings_ struct strings modules = {0};

	(void)state;
	drivers_db_preloads(db, "sdhci_pci", &modules);
	assert_true(strings_has(&modules, "pinctrl_alderlake"));
	drivers_db_preloads(db, "dwc3_pci", &modules);
	assert_true(strings_has(&modules, "phy_tusb1210"));
}

static void a_module_is_known_by_its_older_and_newer_names(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	_cleanup_strings_ struct strings new = {0}, old = {0}, none = {0};

	(void)state;
	drivers_db_aliases_of(db, "mpt2sas", &new);
	assert_int_equal(new.count, 1);
	assert_string_equal(new.item[0], "mpt3sas");
	drivers_db_aliases_of(db, "mpt3sas", &old);
	assert_string_equal(old.item[0], "mpt2sas");
	drivers_db_aliases_of(db, "ahci", &none);
	assert_int_equal(none.count, 0);
}

static void a_preference_settles_who_binds(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	struct device device = {.bus = (char *)"pci"};
	static const char *const first_second[][2] = {
		{"nvidia", "nouveau"},
		{"mpt3sas", "mpt2sas"},
		{"ata_piix", "ata_generic"},
		{"ata_generic", "pata_acpi"},
		{"ahci", "pata_acpi"},
		{"ahci", "ata_piix"},
		{"hpsa", "cciss"},
		{"radeon", "amdgpu"},
		{"i915", "xe"},
		{"wl", "b43"},
		{"r8168", "r8169"},
		{"usbhid", "usbkbd"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(first_second); i++)
		assert_true(drivers_db_rank(db, first_second[i][0], &device) <
			    drivers_db_rank(db, first_second[i][1], &device));
	assert_true(drivers_db_rank(db, "pata_acpi", &device) >= RANK_FALLBACK);
}

static void a_class_may_need_no_driver(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	struct device host = {.bus = (char *)"pci", .class = 0x060000, .modalias = (char *)""};
	struct device memory = {.bus = (char *)"pci", .class = 0x050000, .modalias = (char *)""};
	struct device ahci = {.bus = (char *)"pci", .class = 0x010601, .modalias = (char *)""};
	struct device unknown = {.bus = (char *)"new", .modalias = (char *)"new:device"};

	(void)state;
	assert_true(drivers_db_needs_no_driver(db, &host));
	assert_true(drivers_db_needs_no_driver(db, &memory));
	assert_false(drivers_db_needs_no_driver(db, &ahci));
	assert_false(drivers_db_needs_no_driver(db, &unknown));
}

/* A folder of local tables with one file in it, named by the environment. */
struct local {
	char *root;
};

static void local_release(struct local *local)
{
	setenv("V2P_DRIVERS_DB_LOCAL", "", 1);
	tree_remove(&local->root);
}
#define _cleanup_local_ _cleanup_(local_release)

static struct local local_make(const char *file, const char *rows)
{
	struct local local = {tree_make()};

	tree_text(local.root, file, rows);
	setenv("V2P_DRIVERS_DB_LOCAL", local.root, 1);
	return local;
}

static void local_rows_win_over_shipped_ones(void **state)
{
	_cleanup_local_ struct local local =
		local_make("preferences.table", "xe 30 * # ours\nmine 20 *\n");
	_cleanup_(release_db) struct drivers_db *db = load();
	struct device device = {.bus = (char *)"pci"};

	(void)state;
	assert_non_null(local.root);
	assert_int_equal(drivers_db_rank(db, "xe", &device), 30);
	assert_int_equal(drivers_db_rank(db, "mine", &device), 20);
	assert_int_equal(drivers_db_rank(db, "ata_generic", &device), 90);
}

static void a_local_row_is_asked_before_shipped_ones(void **state)
{
	_cleanup_local_ struct local local = local_make(
		"firmware-packages.table", "debian * iwlwifi-7265* our-firmware # our mirror\n");
	_cleanup_(release_db) struct drivers_db *db = load();

	(void)state;
	assert_non_null(local.root);
	assert_string_equal(package(db, "debian", "", "12", "iwlwifi-7265D-29.ucode"),
			    "our-firmware");
	assert_string_equal(package(db, "debian", "", "12", "iwlwifi-8000C-36.ucode"),
			    "firmware-iwlwifi");
}

static void a_local_table_takes_rows_out(void **state)
{
	_cleanup_local_ struct local local = local_make(
		"quirks.table",
		"! pci:2646:2263 argument nvme_core.default_ps_max_latency_us=0 # fixed SSD\n"
		"\"dmi:vendor=Acme, Inc.,product=Box*\" * blacklist beeper \"it beeps all the "
		"time\"\n");
	_cleanup_(release_db) struct drivers_db *db = load();
	struct device device = {.bus = (char *)"pci", .vendor = 0x2646, .device = 0x2263};
	struct hardware hardware = {.device = &device,
				    .device_count = 1,
				    .dmi_vendor = (char *)"Acme, Inc.",
				    .dmi_product = (char *)"Box 3"};
	_cleanup_free_ char *found = quirks(db, &hardware);

	(void)state;
	assert_non_null(local.root);
	assert_string_equal(found, "beeper");
}

static void no_local_folder_is_no_error(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = NULL;

	(void)state;
	setenv("V2P_DRIVERS_DB_LOCAL", "/nobody/has/this", 1);
	db = load();
	setenv("V2P_DRIVERS_DB_LOCAL", "", 1);
	assert_non_null(db);
}

static void assert_local_refused(const char *file, const char *rows, const char *message)
{
	_cleanup_local_ struct local local = local_make(file, rows);
	_cleanup_error_ struct error err = {0};
	struct drivers_db *db = NULL;

	assert_non_null(local.root);
	assert_int_equal(drivers_db_load(FOLDER, &db, &err), -1);
	if (!strstr(error_text(&err), message))
		fail_msg("\"%s\" is not in \"%s\"", message, error_text(&err));
}

static void a_bad_local_table_is_refused_with_file_and_line(void **state)
{
	(void)state;
	assert_local_refused("clases.table", "",
			     "/clases.table: there is no such table; the tables "
			     "are classes.table, controller-modes.table");
	assert_local_refused("preferences.table", "xe 30 *\nxe 40 *\n",
			     "/preferences.table:2: \"xe\" has a row already, in line 1");
	assert_local_refused("preferences.table", "xe high *\n",
			     "/preferences.table:1: \"high\" is not known in column 2");
	assert_local_refused("preferences.table", "! nobody *\n",
			     "/preferences.table:1: there is no row \"nobody\" to take out");
	assert_local_refused("preferences.table", "! xe\n",
			     "/preferences.table:1: a row is taken out by \"!\" and the 2 words "
			     "that name it");
	assert_local_refused("quirks.table", "dmi:color=red * argument quiet \"it is too red\"\n",
			     "/quirks.table:1: \"dmi:color=red\" is not known in column 1");
	assert_local_refused("quirks.table", "pci:8086:2922 * option ahci \"it is the reason\"\n",
			     "/quirks.table:1: \"ahci\" is not MODULE OPTION=VALUE");
	assert_local_refused("quirks.table", "pci:8086:2922 * blacklist a-b \"it is a reason\"\n",
			     "/quirks.table:1: \"a-b\" is no module to be blacklisted");
	assert_local_refused("quirks.table",
			     "pci:8086:2922 * argument \"a b\" \"this is the reason\"\n",
			     "/quirks.table:1: \"a b\" is more than one kernel argument");
	assert_local_refused(
		"quirks.table", "pci:8086:2922 * argument a=$(b) \"this is the reason\"\n",
		"/quirks.table:1: \"a=$(b)\" holds a character that a shell would take "
		"apart");
	assert_local_refused("quirks.table", "pci:8086:2922 * argument a=b \"this ends.\"\n",
			     "/quirks.table:1: \"this ends.\" is not known in column 5");
	assert_local_refused("kernel-flavours.table", "debian *-x - package \"no end\n",
			     "/kernel-flavours.table:1: a quotation mark has no partner");
	assert_local_refused("kernel-flavours.table", "debian \"*-x\"- - package \"a reason\"\n",
			     "/kernel-flavours.table:1: \"*-x\" is followed by no blank");
	assert_local_refused("renamed-modules.table", "a a 5.1\n",
			     "/renamed-modules.table:1: \"a\" is renamed to itself");
	assert_local_refused("device-since.table", "*nothing 5.1 a\n",
			     "/device-since.table:1: \"*nothing\" is not known in column 1");
}

static void a_local_table_with_a_nul_byte_is_refused(void **state)
{
	_cleanup_local_ struct local local = local_make("preferences.table", "");
	_cleanup_error_ struct error err = {0};
	struct drivers_db *db = NULL;

	(void)state;
	tree_write(local.root, "preferences.table", "xe 30 *\0\n", 9);
	assert_int_equal(drivers_db_load(FOLDER, &db, &err), -1);
	assert_non_null(strstr(error_text(&err), "/preferences.table holds a NUL byte"));
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
		cmocka_unit_test(every_file_of_the_folder_is_a_known_table),
		cmocka_unit_test(every_row_says_why_it_is_there),
		cmocka_unit_test(a_module_brings_those_that_it_needs_at_boot),
		cmocka_unit_test(an_sd_card_brings_the_pins_of_its_slot),
		cmocka_unit_test(a_module_is_known_by_its_older_and_newer_names),
		cmocka_unit_test(a_preference_settles_who_binds),
		cmocka_unit_test(a_class_may_need_no_driver),
		cmocka_unit_test(local_rows_win_over_shipped_ones),
		cmocka_unit_test(a_local_row_is_asked_before_shipped_ones),
		cmocka_unit_test(a_local_table_takes_rows_out),
		cmocka_unit_test(no_local_folder_is_no_error),
		cmocka_unit_test(a_bad_local_table_is_refused_with_file_and_line),
		cmocka_unit_test(a_local_table_with_a_nul_byte_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
