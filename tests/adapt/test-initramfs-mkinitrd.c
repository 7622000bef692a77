// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/initramfs-tool.h"

static const struct guest_kernel kernel = {.release = (char *)"3.0.101-63-default",
					   .image = (char *)"/boot/vmlinuz-3.0.101-63-default"};

static void modules_join_those_of_the_guest(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/sysconfig/kernel",
		  "## Path: System/Kernel\nINITRD_MODULES=\"virtio_blk sd_mod ext3\"\nX=\"y\"\n");
	tool_apply(f, &initramfs_mkinitrd);
	assert_tree_file("/etc/sysconfig/kernel",
			 "## Path: System/Kernel\n"
			 "INITRD_MODULES=\"virtio_blk sd_mod ext3 ahci\"\nX=\"y\"\n");
}

static void the_variable_is_added_where_it_is_missing(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/sysconfig/kernel", "X=\"y\"");
	tool_apply(f, &initramfs_mkinitrd);
	assert_tree_file("/etc/sysconfig/kernel", "X=\"y\"\nINITRD_MODULES=\"ahci sd_mod\"\n");
}

static void a_module_that_is_kept_out_is_found_and_let_in(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/sysconfig/kernel", "INITRD_MODULES=\"-ahci -floppy\"\n");
	tool_find(f, &initramfs_mkinitrd);
	assert_int_equal(f->exclude.count, 1);
	assert_found(&f->exclude, 0,
		     "INITRD_MODULES=-ahci in /etc/sysconfig/kernel leaves out a driver of this "
		     "machine");
	tool_apply(f, &initramfs_mkinitrd);
	assert_tree_file("/etc/sysconfig/kernel", "INITRD_MODULES=\"-floppy ahci sd_mod\"\n");
}

static void the_root_is_named_to_the_command(void **state)
{
	struct tool_fixture *f = *state;
	struct guest_mount mount = {.device = (char *)"/dev/sda2", .where = (char *)"/"};

	tool_open(f);
	f->guest.mount = &mount;
	f->guest.mount_count = 1;
	assert_command(f, &initramfs_mkinitrd, &kernel, INITRAMFS_MOST,
		       "env TMPDIR=/var/tmp mkinitrd -B -d /dev/sda2 -k "
		       "/boot/vmlinuz-3.0.101-63-default -i /var/lib/v2p/built");
	f->guest.mount = NULL;
	f->guest.mount_count = 0;
}

static void another_distributions_mkinitrd_is_refused(void **state)
{
	struct tool_fixture *f = *state;
	_cleanup_free_ char *red_hat = NULL, *tree_only = NULL;

	tool_open(f);
	red_hat = initramfs_mkinitrd.refuses(&f->guest);
	assert_string_equal(red_hat, "this mkinitrd is not SUSE's");
	tree_directory("/lib/mkinitrd");
	tree_only = initramfs_mkinitrd.refuses(&f->guest);
	assert_string_equal(tree_only,
			    "mkinitrd looks for the root on its disk, and a directory has none");
}

static void a_wrapper_of_dracut_is_dracut(void **state)
{
	struct tool_fixture *f = *state;

	tree_program("/sbin/mkinitrd", "");
	tool_open(f);
	assert_ptr_equal(initramfs_ops_find(&f->guest), &initramfs_mkinitrd);
	guest_release(&f->guest);
	tree_program("/usr/bin/dracut", "");
	assert_int_equal(guest_open_root(tree, &f->guest, NULL), 0);
	assert_ptr_equal(initramfs_ops_find(&f->guest), &initramfs_dracut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tool_test(modules_join_those_of_the_guest),
		tool_test(the_variable_is_added_where_it_is_missing),
		tool_test(a_module_that_is_kept_out_is_found_and_let_in),
		tool_test(the_root_is_named_to_the_command),
		tool_test(another_distributions_mkinitrd_is_refused),
		tool_test(a_wrapper_of_dracut_is_dracut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
