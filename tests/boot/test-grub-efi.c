// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/esp.h"
#include "boot/loader.h"
#include "tests/boot/machine.h"

#define GLOBAL "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

static const char good_config[] = "menuentry 'Debian' {\n"
				  "\tlinux /vmlinuz-6.1 root=/dev/mapper/vg-root ro\n"
				  "\tinitrd /initrd.img-6.1\n}\n";

static char variables[] = "/tmp/v2p-efivars-XXXXXX";

static void esp_file(const char *path, const char *content)
{
	_cleanup_free_ char *full = string_format("/boot/efi/EFI/%s", path);

	tree_file(full, content);
}

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	esp_file("debian/shimx64.efi", "shim");
	esp_file("debian/grubx64.efi", "grub, at home in /EFI/debian");
	esp_file("debian/mmx64.efi", "mok manager");
	esp_file("debian/fbx64.efi", "fallback");
	esp_file("debian/grub.cfg", "search.fs_uuid " BOOT_UUID " root hd0,gpt2 \n"
				    "set prefix=($root)'/grub'\n"
				    "configfile $prefix/grub.cfg\n");
	tree_file("/boot/grub/grub.cfg", good_config);
	tree_file("/boot/vmlinuz-6.1", "");
	tree_file("/boot/initrd.img-6.1", "");
	return 0;
}

static void remove_variable(const char *name)
{
	_cleanup_free_ char *path = string_format("%s/%s" GLOBAL, variables, name);

	unlink(path);
}

static int teardown(void **state)
{
	remove_variable("Boot0000");
	remove_variable("Boot0001");
	remove_variable("BootOrder");
	return tree_teardown(state);
}

static int plan(struct machine *machine, struct error *err)
{
	return loader_grub_efi.plan(&machine->adaptation, &machine->changes, err);
}

static void apply(struct machine *machine)
{
	_cleanup_error_ struct error err = {0};

	if (plan(machine, &err) < 0 ||
	    changes_apply(&machine->changes, &machine->adaptation, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void assert_nothing_to_do(struct machine *machine)
{
	changes_release(&machine->changes);
	assert_int_equal(plan(machine, NULL), 0);
	assert_int_equal(machine->changes.count, 0);
}

static bool has_file(const char *path)
{
	_cleanup_free_ char *full = tree_path(path);

	return access(full, F_OK) == 0;
}

static void the_removable_path_and_the_entry_are_made_once(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init_uefi(&machine);
	assert_int_equal(loader_grub_efi.detect(&machine.adaptation, NULL), 1);
	apply(&machine);
	assert_non_null(machine_change(&machine, "/boot/efi/EFI/BOOT"));
	assert_non_null(machine_change(&machine, "firmware entry Boot0000 debian"));
	assert_int_equal(machine.changes.count, 2);
	assert_tree_file("/boot/efi/EFI/BOOT/BOOTX64.EFI", "shim");
	assert_tree_file("/boot/efi/EFI/BOOT/grubx64.efi", "grub, at home in /EFI/debian");
	assert_tree_file("/boot/efi/EFI/BOOT/mmx64.efi", "mok manager");
	assert_false(has_file("/boot/efi/EFI/BOOT/fbx64.efi"));
	assert_false(has_file("/boot/efi/EFI/BOOT/grub.cfg"));
	assert_nothing_to_do(&machine);
	assert_int_equal(loader_grub_efi.verify(&machine.adaptation, NULL), 0);
	assert_false(report_has_failed_check(&machine.report));
	assert_report(&machine,
		      "firmware entry Boot0000 debian \\EFI\\debian\\shimx64.efi is first");
}

static void grub_alone_is_the_removable_loader_without_a_shim(void **state)
{
	_cleanup_free_ char *shim = tree_path("/boot/efi/EFI/debian/shimx64.efi");
	_cleanup_machine_ struct machine machine;

	(void)state;
	unlink(shim);
	machine_init_uefi(&machine);
	machine.hardware.has_secure_boot = true;
	apply(&machine);
	assert_tree_file("/boot/efi/EFI/BOOT/BOOTX64.EFI", "grub, at home in /EFI/debian");
	assert_false(has_file("/boot/efi/EFI/BOOT/grubx64.efi"));
	assert_nothing_to_do(&machine);
	assert_int_equal(loader_grub_efi.verify(&machine.adaptation, NULL), 0);
	assert_report(&machine, "there is no shim in the image: switch Secure Boot off");
}

static void a_grub_without_a_home_gets_its_configuration_beside_it(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	esp_file("debian/grubx64.efi", "grub");
	machine_init_uefi(&machine);
	apply(&machine);
	assert_true(has_file("/boot/efi/EFI/BOOT/grub.cfg"));
	assert_nothing_to_do(&machine);
}

static void a_removable_loader_of_someone_else_is_left_alone(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	esp_file("BOOT/BOOTX64.EFI", "other");
	machine_init_uefi(&machine);
	apply(&machine);
	assert_null(machine_change(&machine, "/boot/efi/EFI/BOOT"));
	assert_tree_file("/boot/efi/EFI/BOOT/BOOTX64.EFI", "other");
}

static void a_shim_without_its_grub_is_completed(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	esp_file("BOOT/BOOTX64.EFI", "shim");
	machine_init_uefi(&machine);
	apply(&machine);
	assert_true(has_file("/boot/efi/EFI/BOOT/grubx64.efi"));
	assert_nothing_to_do(&machine);
}

static void a_shim_with_its_fallback_program_is_complete(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	esp_file("BOOT/BOOTX64.EFI", "shim");
	esp_file("BOOT/fbx64.efi", "fallback");
	machine_init_uefi(&machine);
	apply(&machine);
	assert_false(has_file("/boot/efi/EFI/BOOT/grubx64.efi"));
}

static void a_search_for_another_disk_is_corrected(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	esp_file("debian/grub.cfg", "search.fs_uuid dead root hd0,gpt2 \nx\n");
	machine_init_uefi(&machine);
	apply(&machine);
	assert_tree_file("/boot/efi/EFI/debian/grub.cfg",
			 "search.fs_uuid " BOOT_UUID " root hd0,gpt2 \nx\n");
	assert_nothing_to_do(&machine);
}

static void another_machine_gets_no_firmware_entry(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init_uefi(&machine);
	machine.hardware.is_live = false;
	apply(&machine);
	assert_int_equal(machine.changes.count, 1);
	assert_report(&machine, "none is made: the hardware is not this machine's");
}

static void a_disk_in_a_file_gets_no_firmware_entry(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init_uefi(&machine);
	machine.hardware.disks.count = 0;
	apply(&machine);
	assert_int_equal(machine.changes.count, 1);
	assert_report(&machine, "which this machine does not start from");
}

static void an_entry_that_is_lost_fails_the_check(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init_uefi(&machine);
	apply(&machine);
	remove_variable("Boot0000");
	assert_int_equal(loader_grub_efi.verify(&machine.adaptation, NULL), 0);
	assert_true(report_has_failed_check(&machine.report));
	assert_report(&machine, "the firmware did not keep what was written");
}

static void an_esp_outside_the_disk_has_no_entry_but_a_warning(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init_uefi(&machine);
	machine.mount[2].partition = 0;
	apply(&machine);
	assert_report(&machine, "no entry in the firmware's boot menu: /boot/efi is not on a "
				"partition of");
	assert_int_equal(loader_grub_efi.verify(&machine.adaptation, NULL), 0);
	assert_true(report_has_failed_check(&machine.report));
}

static void an_esp_without_loader_gets_one_from_the_package(void **state)
{
	_cleanup_free_ char *shim = tree_path("/boot/efi/EFI/debian/shimx64.efi");
	_cleanup_free_ char *grub = tree_path("/boot/efi/EFI/debian/grubx64.efi");
	_cleanup_machine_ struct machine machine;
	_cleanup_error_ struct error err = {0};
	const struct change *change;

	(void)state;
	unlink(shim);
	unlink(grub);
	machine_init_uefi(&machine);
	assert_int_equal(loader_grub_efi.detect(&machine.adaptation, NULL), 0);
	tree_file("/usr/lib/grub/x86_64-efi/normal.mod", "");
	assert_int_equal(loader_grub_efi.detect(&machine.adaptation, NULL), 1);
	assert_int_equal(plan(&machine, &err), -1);
	assert_string_equal(error_text(&err), "/boot/efi holds no boot loader, and the guest has "
					      "no grub-install to put one there");
	tree_program("/usr/sbin/grub-install", "");
	assert_int_equal(plan(&machine, NULL), 0);
	change = machine_change(&machine, "/boot/efi");
	assert_non_null(change);
	assert_string_equal(change->argv.item[1], "--target=x86_64-efi");
	assert_string_equal(change->argv.item[2], "--efi-directory=/boot/efi");
	assert_string_equal(change->argv.item[3], "--no-nvram");
}

static void an_esp_that_fstab_forgets_is_an_error(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_error_ struct error err = {0};

	(void)state;
	tree_file("/usr/lib/grub/x86_64-efi/normal.mod", "");
	machine_init_uefi(&machine);
	machine.guest.mount_count = 2;
	assert_int_equal(loader_grub_efi.detect(&machine.adaptation, &err), -1);
	assert_contains(error_text(&err), "partition 1 is an EFI system partition, but nothing in "
					  "the guest's /etc/fstab mounts it");
}

static void several_systems_are_told_apart_by_the_guest_name(void **state)
{
	_cleanup_machine_ struct machine machine;
	_cleanup_esp_ struct esp esp = {0};
	_cleanup_esp_ struct esp none = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	esp_file("ubuntu/shimx64.efi", "other");
	esp_file("Microsoft/Boot/bootmgfw.efi", "other");
	machine_init_uefi(&machine);
	assert_int_equal(esp_find(&machine.guest, &esp, NULL), 1);
	assert_string_equal(esp.vendor, "debian");
	assert_string_equal(esp.file, "\\EFI\\debian\\shimx64.efi");
	free(machine.guest.os_id);
	machine.guest.os_id = string_copy("arch");
	assert_int_equal(esp_find(&machine.guest, &none, &err), -1);
	assert_contains(error_text(&err), "the boot loaders of several systems (debian, ubuntu)");
}

static void a_program_of_absurd_size_is_not_copied(void **state)
{
	_cleanup_free_ char *shim = tree_path("/boot/efi/EFI/debian/shimx64.efi");
	_cleanup_machine_ struct machine machine;
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(truncate(shim, 1LL << 40), 0);
	machine_init_uefi(&machine);
	assert_int_equal(plan(&machine, NULL), 0);
	assert_int_equal(changes_apply(&machine.changes, &machine.adaptation, &err), -1);
	assert_contains(error_text(&err), "larger than the 8388608 bytes that are allowed");
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int run_group(void)
{
	const struct CMUnitTest tests[] = {
		test(the_removable_path_and_the_entry_are_made_once),
		test(grub_alone_is_the_removable_loader_without_a_shim),
		test(a_grub_without_a_home_gets_its_configuration_beside_it),
		test(a_removable_loader_of_someone_else_is_left_alone),
		test(a_shim_without_its_grub_is_completed),
		test(a_shim_with_its_fallback_program_is_complete),
		test(a_search_for_another_disk_is_corrected),
		test(another_machine_gets_no_firmware_entry),
		test(a_disk_in_a_file_gets_no_firmware_entry),
		test(an_entry_that_is_lost_fails_the_check),
		test(an_esp_outside_the_disk_has_no_entry_but_a_warning),
		test(an_esp_without_loader_gets_one_from_the_package),
		test(an_esp_that_fstab_forgets_is_an_error),
		test(several_systems_are_told_apart_by_the_guest_name),
		test(a_program_of_absurd_size_is_not_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* libefivar looks for its variables before main(): start again with a directory in their place. */
int main(int argc, char **argv)
{
	const char *place = getenv("EFIVARFS_PATH");
	_cleanup_free_ char *path = NULL;
	int failed;

	(void)argc;
	if (!place) {
		if (!mkdtemp(variables))
			return 1;
		path = string_format("%s/", variables);
		setenv("EFIVARFS_PATH", path, 1);
		setenv("LIBEFIVAR_OPS", "efivarfs", 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	snprintf(variables, sizeof(variables), "%.*s", (int)strlen(place) - 1, place);
	failed = run_group();
	rmdir(variables);
	return failed;
}
