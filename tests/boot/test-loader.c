// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/loader.h"
#include "tests/boot/machine.h"

static void make_bios_guest(void)
{
	tree_file("/boot/grub/i386-pc/normal.mod", "");
	tree_file("/boot/grub/grub.cfg", "linux /boot/vmlinuz-6.1 root=UUID=" ROOT_UUID "\n"
					 "initrd /boot/initrd.img-6.1\n");
	tree_file("/boot/vmlinuz-6.1", "");
	tree_file("/boot/initrd.img-6.1", "");
}

static void make_uefi_guest(void)
{
	tree_file("/boot/efi/EFI/debian/shimx64.efi", "shim");
	tree_file("/boot/efi/EFI/debian/grubx64.efi", "grub of /EFI/debian");
	tree_file("/boot/grub/grub.cfg", "linux /vmlinuz-6.1 root=/dev/mapper/vg-root\n"
					 "initrd /initrd.img-6.1\n");
	tree_file("/boot/vmlinuz-6.1", "");
	tree_file("/boot/initrd.img-6.1", "");
}

static int plan(struct machine *machine, struct error *err)
{
	return loader_plan(&machine->adaptation, &machine->changes, err);
}

static void bios_machines_start_by_grub_for_bios(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	make_bios_guest();
	machine_init(&machine);
	machine_grub_boot_code(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	assert_report(&machine, "grub-bios");
	assert_int_equal(loader_verify(&machine.adaptation, NULL), 0);
	assert_false(report_has_failed_check(&machine.report));
}

static void uefi_machines_start_by_grub_for_uefi(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	make_bios_guest();
	make_uefi_guest();
	machine_init_uefi(&machine);
	machine.hardware.is_live = false;
	assert_int_equal(plan(&machine, NULL), 0);
	assert_report(&machine, "grub-efi");
	assert_int_equal(changes_apply(&machine.changes, &machine.adaptation, NULL), 0);
	assert_int_equal(loader_verify(&machine.adaptation, NULL), 0);
	assert_false(report_has_failed_check(&machine.report));
}

static void a_bios_guest_on_a_uefi_machine_is_refused(void **state)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_machine_ struct machine machine;

	(void)state;
	make_bios_guest();
	machine_init(&machine);
	machine.hardware.is_uefi = true;
	assert_int_equal(plan(&machine, &err), -1);
	assert_string_equal(
		error_text(&err),
		"the image was installed for BIOS (grub-bios), and this machine starts by UEFI: "
		"set the machine's firmware to legacy BIOS (CSM) and start the rescue medium that "
		"way, or install grub-efi and an EFI system partition in the image");
}

static void a_uefi_guest_on_a_bios_machine_is_refused(void **state)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_machine_ struct machine machine;

	(void)state;
	make_uefi_guest();
	machine_init_uefi(&machine);
	machine.hardware.is_uefi = false;
	assert_int_equal(plan(&machine, &err), -1);
	assert_string_equal(
		error_text(&err),
		"the image was installed for UEFI (grub-efi), and this machine starts by BIOS: "
		"start the rescue medium by UEFI if the machine can do that, or install grub-pc in "
		"the image");
}

static void a_guest_without_boot_loader_is_refused(void **state)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init(&machine);
	assert_int_equal(plan(&machine, &err), -1);
	assert_contains(error_text(&err), "the guest has no boot loader that v2p knows");
}

static void a_tree_gets_configuration_changes_only(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	make_bios_guest();
	tree_file("/boot/grub/grub.cfg", "linux /boot/vmlinuz-6.1 root=/dev/vda2\n"
					 "initrd /boot/initrd.img-6.1\n");
	machine_init(&machine);
	machine.guest.disk = NULL;
	machine.guest.mount_count = 0;
	assert_int_equal(plan(&machine, NULL), 0);
	assert_int_equal(machine.changes.count, 1);
	assert_int_equal(machine.changes.item[0].kind, CHANGE_WRITE);
	assert_report(&machine, "configuration only: there is no disk");
	assert_int_equal(changes_apply(&machine.changes, &machine.adaptation, NULL), 0);
	assert_int_equal(loader_verify(&machine.adaptation, NULL), 0);
	assert_false(report_has_failed_check(&machine.report));
}

#define test(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(bios_machines_start_by_grub_for_bios),
		test(uefi_machines_start_by_grub_for_uefi),
		test(a_bios_guest_on_a_uefi_machine_is_refused),
		test(a_uefi_guest_on_a_bios_machine_is_refused),
		test(a_guest_without_boot_loader_is_refused),
		test(a_tree_gets_configuration_changes_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
