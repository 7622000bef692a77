// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/loader.h"
#include "tests/boot/machine.h"

static const char good_config[] = "menuentry 'Debian' {\n"
				  "\tlinux /boot/vmlinuz-6.1 root=UUID=" ROOT_UUID " ro\n"
				  "\tinitrd /boot/initrd.img-6.1\n}\n";

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	tree_file("/boot/grub/i386-pc/normal.mod", "");
	tree_program("/usr/sbin/grub-install", "");
	tree_program("/usr/bin/debconf-set-selections", "");
	tree_file("/boot/grub/grub.cfg", good_config);
	tree_file("/boot/vmlinuz-6.1", "");
	tree_file("/boot/initrd.img-6.1", "");
	return 0;
}

static int plan(struct machine *machine, struct error *err)
{
	return loader_grub_bios.plan(&machine->adaptation, &machine->changes, err);
}

static void grub_on_the_disk_is_left_as_it_is(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init(&machine);
	machine_grub_boot_code(&machine);
	assert_int_equal(loader_grub_bios.detect(&machine.adaptation, NULL), 1);
	assert_int_equal(plan(&machine, NULL), 0);
	assert_int_equal(machine.changes.count, 0);
	assert_int_equal(loader_grub_bios.verify(&machine.adaptation, NULL), 0);
	assert_false(report_has_failed_check(&machine.report));
}

static void a_disk_without_grub_gets_it_from_the_guest(void **state)
{
	_cleanup_machine_ struct machine machine;
	const struct change *change;

	(void)state;
	machine_init(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	change = machine_change(&machine, "boot code");
	assert_non_null(change);
	assert_int_equal(change->kind, CHANGE_RUN);
	assert_int_equal(change->permission, GUEST_RUN_DISKS);
	assert_string_equal(change->argv.item[0], "grub-install");
	assert_string_equal(change->argv.item[1], "--target=i386-pc");
	assert_string_equal(change->argv.item[2], machine.disk_path);
	assert_string_equal(change->why, "the first sector of the disk is not GRUB's");
	assert_int_equal(loader_grub_bios.verify(&machine.adaptation, NULL), 0);
	assert_true(report_has_failed_check(&machine.report));
}

static void a_boot_sector_without_its_core_image_is_not_enough(void **state)
{
	_cleanup_machine_ struct machine machine;
	uint8_t head[512] = {0};

	(void)state;
	machine_init(&machine);
	memcpy(head + 0x180, "GRUB ", 5);
	head[0x5c] = 1;
	head[510] = 0x55;
	head[511] = 0xaa;
	machine_disk(&machine, head, sizeof(head));
	assert_int_equal(plan(&machine, NULL), 0);
	assert_contains(machine_change(&machine, "boot code")->why,
			"no GRUB core image at sector 1");
}

static void a_core_image_beyond_the_disk_is_not_looked_for(void **state)
{
	_cleanup_machine_ struct machine machine;
	uint8_t head[512] = {0};

	(void)state;
	machine_init(&machine);
	memcpy(head + 0x180, "GRUB ", 5);
	memset(head + 0x5c, 0xff, 8);
	head[510] = 0x55;
	head[511] = 0xaa;
	machine_disk(&machine, head, sizeof(head));
	assert_int_equal(plan(&machine, NULL), 0);
	assert_contains(machine_change(&machine, "boot code")->why,
			"names sector 18446744073709551615, which is not on the disk");
}

static void gpt_without_a_bios_boot_partition_is_refused(void **state)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init(&machine);
	machine.guest.layout.table = (char *)"gpt";
	assert_int_equal(plan(&machine, &err), -1);
	assert_contains(error_text(&err), "it has a GPT without a BIOS boot partition");
	machine.partition[0].is_bios_boot = true;
	assert_int_equal(plan(&machine, NULL), 0);
}

static void a_guest_without_grub_install_is_refused(void **state)
{
	_cleanup_free_ char *program = tree_path("/usr/sbin/grub-install");
	_cleanup_error_ struct error err = {0};
	_cleanup_machine_ struct machine machine;

	(void)state;
	unlink(program);
	machine_init(&machine);
	assert_int_equal(plan(&machine, &err), -1);
	assert_contains(error_text(&err), "the guest has no grub-install to put it there");
}

static void the_package_learns_the_name_of_the_new_disk(void **state)
{
	_cleanup_machine_ struct machine machine;
	const struct change *change;

	(void)state;
	tree_file("/var/cache/debconf/config.dat",
		  "Name: grub-pc/install_devices\nTemplate: grub-pc/install_devices\n"
		  "Value: /dev/vda\nOwners: grub-pc\n\nName: x\nValue: y\n");
	machine_init(&machine);
	machine_grub_boot_code(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	change = machine_change(&machine, "grub-pc/install_devices");
	assert_non_null(change);
	assert_string_equal(change->argv.item[0], "debconf-set-selections");
	assert_string_equal(change->input, "grub-pc grub-pc/install_devices multiselect "
					   "/dev/disk/by-id/ata-NEW_1\n");
}

static void a_package_that_knows_the_disk_or_no_disk_is_left_alone(void **state)
{
	static const char *const databases[] = {
		"Name: grub-pc/install_devices\nValue: /dev/disk/by-id/ata-NEW_1\n\n",
		"Name: grub-pc/install_devices\nOwners: grub-pc\n\nName: x\nValue: /dev/vda\n",
		"Name: grub-pc/install_devices_empty\nValue: true\n",
		"",
	};

	(void)state;
	for (size_t i = 0; i < array_length(databases); i++) {
		_cleanup_machine_ struct machine machine;

		tree_file("/var/cache/debconf/config.dat", databases[i]);
		machine_init(&machine);
		machine_grub_boot_code(&machine);
		assert_int_equal(plan(&machine, NULL), 0);
		assert_int_equal(machine.changes.count, 0);
	}
}

static void a_disk_without_a_stable_name_is_a_warning(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	tree_file("/var/cache/debconf/config.dat",
		  "Name: grub-pc/install_devices\nValue: /dev/vda\n");
	machine_init(&machine);
	machine_grub_boot_code(&machine);
	machine.disk.by_id = NULL;
	assert_int_equal(plan(&machine, NULL), 0);
	assert_report(&machine, "run dpkg-reconfigure grub-pc there");
}

static void a_device_map_of_the_virtual_machine_goes(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	tree_file("/boot/grub/device.map", "(hd0)\t/dev/vda\n");
	machine_init(&machine);
	machine_grub_boot_code(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	assert_int_equal(machine_change(&machine, "/boot/grub/device.map")->kind, CHANGE_REMOVE);
}

static void large_sectors_are_a_warning(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init(&machine);
	machine_grub_boot_code(&machine);
	machine.guest.layout.sector_size = 4096;
	assert_int_equal(plan(&machine, NULL), 0);
	assert_report(&machine, "has sectors of 4096 bytes");
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(grub_on_the_disk_is_left_as_it_is),
		test(a_disk_without_grub_gets_it_from_the_guest),
		test(a_boot_sector_without_its_core_image_is_not_enough),
		test(a_core_image_beyond_the_disk_is_not_looked_for),
		test(gpt_without_a_bios_boot_partition_is_refused),
		test(a_guest_without_grub_install_is_refused),
		test(the_package_learns_the_name_of_the_new_disk),
		test(a_package_that_knows_the_disk_or_no_disk_is_left_alone),
		test(a_disk_without_a_stable_name_is_a_warning),
		test(a_device_map_of_the_virtual_machine_goes),
		test(large_sectors_are_a_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
