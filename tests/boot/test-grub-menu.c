// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/grub_menu.h"
#include "tests/boot/machine.h"

static void assert_problem(struct machine *machine, const char *config, const char *wanted)
{
	_cleanup_grub_names_ struct grub_names names = {0};
	_cleanup_grub_menu_ struct grub_menu menu = {0};
	_cleanup_strings_ struct strings problems = {0};
	_cleanup_free_ char *all = NULL;

	assert_int_equal(grub_names_make(&machine->guest, &machine->changes, &names, NULL), 0);
	grub_menu_parse(config, &menu);
	grub_menu_problems(&menu, &names, &problems);
	all = strings_join(&problems, "; ");
	assert_string_equal(problems.count ? all : "", wanted);
}

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	tree_file("/boot/vmlinuz-6.1", "");
	tree_file("/boot/initrd.img-6.1", "");
	return 0;
}

static void kernels_are_read_as_grub_mkconfig_writes_them(void **state)
{
	_cleanup_grub_menu_ struct grub_menu menu = {0};

	(void)state;
	grub_menu_parse(
		"# linux /commented\n"
		"  search --no-floppy --fs-uuid --set=root --hint-bios=hd0,msdos1 " ROOT_UUID "\n"
		"\tlinux\t/vmlinuz-6.1 root='UUID=1' ro  quiet\n"
		"\tinitrd\t/initrd.img-6.1 /more.img\n"
		"linuxefi /b\n",
		&menu);
	assert_int_equal(menu.count, 2);
	assert_string_equal(menu.item[0].kernel, "/vmlinuz-6.1");
	assert_int_equal(menu.item[0].arguments.count, 3);
	assert_string_equal(menu.item[0].arguments.item[0], "root=UUID=1");
	assert_int_equal(menu.item[0].initramfs.count, 2);
	assert_string_equal(menu.item[1].kernel, "/b");
	assert_int_equal(menu.searched.count, 1);
	assert_string_equal(menu.searched.item[0], ROOT_UUID);
}

static void a_menu_without_end_is_cut_off(void **state)
{
	_cleanup_grub_menu_ struct grub_menu menu = {0};
	_cleanup_text_ struct text text = {0};

	(void)state;
	for (int i = 0; i < 20000; i++)
		text_add(&text, "linux a\n");
	grub_menu_parse(text_string(&text), &menu);
	assert_int_equal(menu.count, 1024);
}

static void names_of_disks_are_told_from_volumes(void **state)
{
	(void)state;
	assert_true(is_kernel_disk_name("/dev/vda2"));
	assert_true(is_kernel_disk_name("/dev/sda"));
	assert_true(is_kernel_disk_name("/dev/nvme0n1p1"));
	assert_true(is_kernel_disk_name("/dev/cciss/c0d0p1"));
	assert_false(is_kernel_disk_name("/dev/mapper/vg-root"));
	assert_false(is_kernel_disk_name("/dev/vda-vg/root"));
	assert_false(is_kernel_disk_name("/dev/disk/by-uuid/1"));
	assert_false(is_kernel_disk_name("UUID=1"));
}

static void what_fits_the_disk_is_no_problem(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init(&machine);
	assert_problem(&machine,
		       "search.fs_uuid " ROOT_UUID " root hd0,msdos2\n"
		       "linux /boot/vmlinuz-6.1 root=UUID=" ROOT_UUID " resume=UUID=" SWAP_UUID "\n"
		       "initrd /boot/initrd.img-6.1\n"
		       "linux ($root)/boot/vmlinuz-6.1 root=$device\n",
		       "");
}

static void names_of_the_virtual_machine_are_problems(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init(&machine);
	assert_problem(&machine, "linux /boot/vmlinuz-6.1 root=/dev/vda2 resume=/dev/vda1\n",
		       "root=/dev/vda2 is not the root file system of this disk; "
		       "resume=/dev/vda1 is not on this disk");
	assert_problem(&machine, "linux /boot/vmlinuz-6.1 root=UUID=dead resume=UUID=beef\n",
		       "root=UUID=dead is not the root file system of this disk; "
		       "resume=UUID=beef is not on this disk");
	assert_problem(&machine, "search --fs-uuid --set=root dead\n",
		       "the file system dead is not on this disk");
}

static void missing_files_are_problems(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init(&machine);
	assert_problem(&machine, "linux /boot/vmlinuz-5 ro\ninitrd /boot/initrd.img-5\n",
		       "the kernel /boot/vmlinuz-5 does not exist; "
		       "the initramfs /boot/initrd.img-5 does not exist");
}

static void a_kernel_of_the_guest_without_initramfs_is_a_problem(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	tree_program("/usr/sbin/mkinitramfs", "");
	tree_file("/lib/modules/6.1/modules.dep", "");
	machine_init(&machine);
	assert_problem(&machine, "linux /boot/vmlinuz-6.1 ro\n",
		       "the kernel /boot/vmlinuz-6.1 has no initramfs");
}

static void another_system_on_the_disk_is_its_own_affair(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init(&machine);
	machine.partition[0].filesystem = (char *)"ext4";
	assert_problem(&machine, "linux /boot/vmlinuz-other root=UUID=" SWAP_UUID "\n", "");
}

static void paths_begin_at_the_boot_file_system(void **state)
{
	_cleanup_machine_ struct machine machine;

	(void)state;
	machine_init_uefi(&machine);
	assert_problem(&machine,
		       "linux /vmlinuz-6.1 root=/dev/mapper/vg-root\ninitrd /initrd.img-6.1\n", "");
	assert_problem(&machine, "linux /vmlinuz-6.1 root=/dev/vg/root\n", "");
	assert_problem(&machine, "linux /vmlinuz-6.1 root=/dev/mapper/other-root\n",
		       "root=/dev/mapper/other-root is not the root file system of this disk");
	/* As an image has it: a loop device stands for the volume. */
	machine.mount[0].device = (char *)"/dev/loop7";
	machine.mount[0].volume = (char *)"v-g/root";
	assert_problem(&machine,
		       "linux /vmlinuz-6.1 root=/dev/mapper/v--g-root\ninitrd /initrd.img-6.1\n",
		       "");
}

static void wrong_names_are_corrected_and_nothing_else(void **state)
{
	_cleanup_grub_names_ struct grub_names names = {0};
	_cleanup_strings_ struct strings corrections = {0};
	_cleanup_machine_ struct machine machine;
	_cleanup_text_ struct text out = {0};

	(void)state;
	machine_init(&machine);
	assert_int_equal(grub_names_make(&machine.guest, &machine.changes, &names, NULL), 0);
	grub_menu_correct("set root=/dev/vda2\n"
			  "\tlinux\t/boot/vmlinuz-6.1  root=/dev/vda2 ro resume=/dev/vda1 \n"
			  "\tinitrd\t/boot/initrd.img-6.1",
			  &names, &out, &corrections);
	assert_string_equal(text_string(&out), "set root=/dev/vda2\n"
					       "\tlinux\t/boot/vmlinuz-6.1  root=UUID=" ROOT_UUID
					       " ro resume=UUID=" SWAP_UUID " \n"
					       "\tinitrd\t/boot/initrd.img-6.1");
	assert_int_equal(corrections.count, 2);
	assert_string_equal(corrections.item[0], "root=/dev/vda2 is now root=UUID=" ROOT_UUID);
}

static void resume_is_left_out_when_there_is_no_swap(void **state)
{
	_cleanup_grub_names_ struct grub_names names = {0};
	_cleanup_strings_ struct strings corrections = {0};
	_cleanup_machine_ struct machine machine;
	_cleanup_text_ struct text out = {0};

	(void)state;
	machine_init(&machine);
	machine.partition[0].filesystem = NULL;
	assert_int_equal(grub_names_make(&machine.guest, &machine.changes, &names, NULL), 0);
	grub_menu_correct("linux /v resume=/dev/vda1 quiet\n", &names, &out, &corrections);
	assert_string_equal(text_string(&out), "linux /v quiet\n");
	assert_string_equal(corrections.item[0],
			    "resume=/dev/vda1 is left out: there is no such swap");
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(kernels_are_read_as_grub_mkconfig_writes_them),
		test(a_menu_without_end_is_cut_off),
		test(names_of_disks_are_told_from_volumes),
		test(what_fits_the_disk_is_no_problem),
		test(names_of_the_virtual_machine_are_problems),
		test(missing_files_are_problems),
		test(a_kernel_of_the_guest_without_initramfs_is_a_problem),
		test(another_system_on_the_disk_is_its_own_affair),
		test(paths_begin_at_the_boot_file_system),
		test(wrong_names_are_corrected_and_nothing_else),
		test(resume_is_left_out_when_there_is_no_swap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
