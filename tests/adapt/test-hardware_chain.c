// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/hardware-tree.h"

static void devices_name_what_is_above_them(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);

	(void)state;
	assert_string_equal(find(&hardware, "nvme0")->parent, "10000:e1:00.0");
	assert_string_equal(find(&hardware, "10000:e1:00.0")->parent, "0000:00:0e.0");
	assert_null(find(&hardware, "0000:00:0e.0")->parent);
	assert_string_equal(find(&hardware, "mmc0:0001")->parent, "80860F14:00");
	assert_string_equal(find(&hardware, "0:0:0:0")->parent, "0000:00:1f.2");
	assert_ptr_equal(hardware_device(&hardware, "nvme0"), find(&hardware, "nvme0"));
	assert_null(hardware_device(&hardware, "nvme7"));
	assert_null(hardware_device(&hardware, NULL));
	assert_ptr_equal(hardware_parent(&hardware, find(&hardware, "nvme0")),
			 find(&hardware, "10000:e1:00.0"));
}

static void disks_hang_on_the_nearest_device(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);

	(void)state;
	add_disk(&hardware);
	free(steal(&hardware.disks.item[0].hangs_on));
	hardware.disks.item[0].sysfs = string_format("%s/" EMMC "/block/mmcblk0", root);
	hardware_find_parents(&hardware);
	assert_string_equal(hardware.disks.item[0].hangs_on, "mmc0:0001");
}

/* The second of two names is never meant: a parent that seems its own is the other one. */
static void two_devices_of_one_name_are_no_circle(void **state)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_hardware_ struct hardware hardware =
		read_json(root, "{\"hardware-version\": 2, \"devices\": ["
				"{\"bus\": \"acpi\", \"slot\": \"A\", \"modalias\": \"x\"},"
				"{\"bus\": \"platform\", \"slot\": \"A\", "
				"\"modalias\": \"x\", \"parent\": \"A\"}]}");

	(void)state;
	assert_ptr_equal(hardware_parent(&hardware, &hardware.device[1]), &hardware.device[0]);
}

static void the_way_to_a_disk_is_marked(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);
	_cleanup_free_ char *on_stick =
		string_format("%s/" STICK "/1-1:1.0/host0/target0:0:0/0:0:0:0/block/sda", root);
	_cleanup_free_ char *on_ahci =
		string_format("%s/" AHCI "/ata1/host1/target1:0:0/1:0:0:0/block/sdb", root);
	struct disk stick = {.path = (char *)"/dev/sda", .sysfs = on_stick};
	struct disk sata = {.path = (char *)"/dev/sdb", .sysfs = on_ahci};

	(void)state;
	hardware.is_live = true;
	assert_int_equal(hardware_follow_disk(&hardware, &stick, NULL), 0);
	assert_true(find(&hardware, "1-1:1.0")->for_root);
	assert_false(find(&hardware, "0000:00:1f.2")->for_root);
	assert_int_equal(hardware_follow_disk(&hardware, &sata, NULL), 0);
	assert_false(find(&hardware, "1-1:1.0")->for_root);
	assert_true(find(&hardware, "0000:00:1f.2")->for_root);
	assert_false(find(&hardware, "0000:01:00.0")->for_root);
}

static void an_nvme_namespace_leads_to_its_controllers(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);
	_cleanup_free_ char *sysfs =
		string_format("%s/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1", root);
	_cleanup_free_ char *controller = string_format("%s/" AHCI "/nvme/nvme0", root);
	struct disk disk = {.path = (char *)"/dev/nvme0n1", .sysfs = sysfs};

	(void)state;
	tree_text(root, AHCI "/nvme/nvme0/x", "");
	tree_link(root, "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0", controller);
	tree_text(root, "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/size", "1");
	hardware.is_live = true;
	assert_int_equal(hardware_follow_disk(&hardware, &disk, NULL), 0);
	assert_true(find(&hardware, "0000:00:1f.2")->for_root);
}

static void the_way_to_a_disk_of_a_saved_machine_is_followed(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root), again = {0};
	_cleanup_disk_ struct disk copy = {0};
	_cleanup_free_ char *path = NULL;

	(void)state;
	add_disk(&hardware);
	path = save(&hardware, root);
	assert_int_equal(hardware_read_json(path, &again, NULL), 0);
	disk_copy(&again.disks.item[0], &copy);
	assert_int_equal(hardware_follow_disk(&again, &copy, NULL), 0);
	assert_true(find(&again, "0:0:0:0")->for_root);
	assert_true(find(&again, "0000:00:1f.2")->for_root);
	assert_false(find(&again, "0000:00:0e.0")->for_root);
	assert_false(find(&again, "mmc0:0001")->for_root);
}

static void the_way_to_a_disk_of_another_machine_is_not_known(void **state)
{
	_cleanup_hardware_ struct hardware hardware = {0};
	_cleanup_error_ struct error err = {0};
	struct disk disk = {.path = (char *)"/dev/sda", .sysfs = (char *)"/sys/devices/x"};
	struct disk file = {.path = (char *)"/a.img", .is_file = true};

	(void)state;
	assert_int_equal(hardware_read_pci_dump(DUMP("q35-nvme"), &hardware, NULL), 0);
	assert_int_equal(hardware_follow_disk(&hardware, &disk, &err), -1);
	assert_string_equal(
		error_text(&err),
		"the way to /dev/sda is known on its own machine only, and the hardware "
		"was read from " DUMP("q35-nvme"));
	assert_int_equal(hardware_follow_disk(&hardware, &file, NULL), 0);
	hardware.is_live = true;
	disk.sysfs = NULL;
	assert_int_equal(hardware_follow_disk(&hardware, &disk, &err), -1);
	assert_string_equal(error_text(&err), "/dev/sda has no place in sysfs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_name_what_is_above_them),
		cmocka_unit_test(disks_hang_on_the_nearest_device),
		cmocka_unit_test(two_devices_of_one_name_are_no_circle),
		cmocka_unit_test(the_way_to_a_disk_is_marked),
		cmocka_unit_test(an_nvme_namespace_leads_to_its_controllers),
		cmocka_unit_test(the_way_to_a_disk_of_a_saved_machine_is_followed),
		cmocka_unit_test(the_way_to_a_disk_of_another_machine_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
