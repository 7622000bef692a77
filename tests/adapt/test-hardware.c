// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/hardware-tree.h"

static void sysfs_tells_the_pci_devices(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);
	const struct device *ahci = find(&hardware, "0000:00:1f.2");

	(void)state;
	assert_string_equal(ahci->bus, "pci");
	assert_string_equal(ahci->modalias,
			    "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01");
	assert_string_equal(ahci->driver, "some_driver");
	assert_int_equal(ahci->class, 0x010601);
	assert_int_equal(ahci->vendor, 0x8086);
	assert_int_equal(ahci->device, 0x2922);
	assert_non_null(ahci->name);
	assert_false(hardware.is_live);
}

static void sysfs_tells_the_devices_of_other_buses(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);
	const struct device *stick = find(&hardware, "1-1:1.0");

	(void)state;
	assert_string_equal(stick->bus, "usb");
	assert_string_equal(stick->driver, "usb-storage");
	/* What a device calls itself cannot steer a terminal. */
	assert_string_equal(stick->name, "Acme Stick ?[31m");
	assert_int_equal(stick->vendor, 0x0781);
	assert_int_equal(stick->device, 0x5581);
}

static void the_buses_of_a_tablet_are_listed_once(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);
	const struct device *radio = find(&hardware, "mmc1:0001:1");

	(void)state;
	/* PCI: 4; acpi, which platform does not list: 2; platform, mmc, sdio, scsi, usb, nvme: 6.
	 */
	assert_int_equal(hardware.device_count, 12);
	assert_string_equal(find(&hardware, "80860F14:00")->bus, "platform");
	assert_string_equal(find(&hardware, "LNXPWRBN:00")->modalias, "acpi:LNXPWRBN:");
	assert_string_equal(find(&hardware, "mmc0:0001")->modalias, "mmc:block");
	assert_string_equal(find(&hardware, "mmc0:0001")->name, "MMC DF4032");
	assert_string_equal(find(&hardware, "0:0:0:0")->name, "ATA Disk 3");
	assert_string_equal(find(&hardware, "nvme0")->bus, "nvme");
	assert_string_equal(find(&hardware, "nvme0")->modalias, "nvme");
	assert_string_equal(find(&hardware, "nvme0")->name, "Acme 970");
	assert_string_equal(radio->bus, "sdio");
	assert_int_equal(radio->vendor, 0x02d0);
	assert_int_equal(radio->device, 0x4324);
}

static void sysfs_tells_the_screens(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);

	(void)state;
	assert_int_equal(hardware.display_count, 2);
	assert_string_equal(hardware.display[0].name, "DP-1");
	assert_false(hardware.display[0].is_connected);
	assert_null(hardware.display[0].monitor);
	assert_null(hardware.display[0].mode);
	assert_string_equal(hardware.display[1].name, "HDMI-A-1");
	assert_string_equal(hardware.display[1].slot, "0000:01:00.0");
	assert_true(hardware.display[1].is_connected);
	assert_string_equal(hardware.display[1].mode, "1920x1200");
	/* What a screen calls itself cannot steer a terminal either. */
	assert_string_equal(hardware.display[1].monitor, "DEL Wide? 24");
}

static void sysfs_tells_the_network_interfaces(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);

	(void)state;
	assert_int_equal(hardware.nic_count, 1);
	assert_string_equal(hardware.nic[0].name, "enp1s0");
	assert_string_equal(hardware.nic[0].mac, "52:54:00:12:34:56");
	assert_string_equal(hardware.nic[0].slot, "0000:01:00.0");
	assert_string_equal(hardware.nic[0].driver, "some_driver");
	assert_true(hardware.nic[0].has_link);
	assert_false(hardware.nic[0].is_wireless);
}

static void sysfs_tells_firmware_and_dmi(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);

	(void)state;
	assert_true(hardware.is_uefi);
	assert_true(hardware.has_secure_boot);
	assert_string_equal(hardware.dmi_vendor, "Acme");
	assert_string_equal(hardware.dmi_product, "Box 3");
	assert_null(hardware.dmi_serial);
	assert_null(hardware.dmi_bios);
	assert_string_equal(hardware.cpu_vendor, "GenuineIntel");
	assert_string_equal(hardware.cpu_model, "Acme 4000");
	assert_int_equal(hardware.secure_boot, SECURE_BOOT_ON);
	assert_int_equal(hardware.efi_bits, 32);
	/* The tree's file system is no efivarfs. */
	assert_int_equal(hardware.efi_variable_space, 0);
}

static void set_variable(const char *root, const char *name, char value)
{
	_cleanup_free_ char *path = string_format(
		"sys/firmware/efi/efivars/%s-8be4df61-93ca-11d2-aa0d-00e098032b8c", name);
	const char data[] = {6, 0, 0, 0, value};

	tree_write(root, path, data, sizeof(data));
}

static void assert_secure_boot(const char *root, enum secure_boot wanted)
{
	_cleanup_hardware_ struct hardware hardware = detect(root);

	assert_int_equal(hardware.secure_boot, wanted);
	assert_int_equal(hardware.has_secure_boot, wanted == SECURE_BOOT_ON);
}

static void the_states_of_secure_boot_are_told_apart(void **state)
{
	_cleanup_tree_ char *root = tree_make();

	(void)state;
	assert_secure_boot(root, SECURE_BOOT_OFF); /* BIOS */
	tree_text(root, "sys/firmware/efi/fw_platform_size", "64\n");
	assert_secure_boot(root, SECURE_BOOT_UNKNOWN); /* efivarfs is not mounted */
	tree_text(root, "sys/firmware/efi/efivars/Boot0000-x", "....");
	assert_secure_boot(root, SECURE_BOOT_OFF); /* firmware without it */
	set_variable(root, "SetupMode", 1);
	set_variable(root, "SecureBoot", 0);
	assert_secure_boot(root, SECURE_BOOT_SETUP);
	set_variable(root, "SetupMode", 0);
	assert_secure_boot(root, SECURE_BOOT_OFF);
	set_variable(root, "SecureBoot", 1);
	assert_secure_boot(root, SECURE_BOOT_ON);
}

static void an_empty_tree_is_a_machine_without_devices(void **state)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_hardware_ struct hardware hardware = detect(root);

	(void)state;
	assert_int_equal(hardware.device_count, 0);
	assert_false(hardware.is_uefi);
}

static void this_machine_can_be_detected(void **state)
{
	_cleanup_hardware_ struct hardware hardware = detect("");

	(void)state;
	assert_true(hardware.is_live);
	assert_string_equal(hardware.source, "this machine");
}

static void a_pci_device_without_identity_is_an_error(void **state)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_error_ struct error err = {0};
	struct hardware hardware;

	(void)state;
	tree_text(root, "sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
	assert_int_equal(hardware_detect_at(root, &hardware, &err), -1);
	assert_non_null(strstr(error_text(&err), "list the PCI devices: "));
	assert_non_null(strstr(error_text(&err), "0000:00:02.0/vendor"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sysfs_tells_the_pci_devices),
		cmocka_unit_test(sysfs_tells_the_devices_of_other_buses),
		cmocka_unit_test(the_buses_of_a_tablet_are_listed_once),
		cmocka_unit_test(sysfs_tells_the_screens),
		cmocka_unit_test(sysfs_tells_the_network_interfaces),
		cmocka_unit_test(sysfs_tells_firmware_and_dmi),
		cmocka_unit_test(the_states_of_secure_boot_are_told_apart),
		cmocka_unit_test(an_empty_tree_is_a_machine_without_devices),
		cmocka_unit_test(this_machine_can_be_detected),
		cmocka_unit_test(a_pci_device_without_identity_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
