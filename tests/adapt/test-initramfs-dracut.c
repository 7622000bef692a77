// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/initramfs-tool.h"

static const struct guest_kernel kernel = {.release = (char *)"6.1.0",
					   .image = (char *)"/boot/vmlinuz-6.1.0"};

/* As dracut does: dracut.conf, then conf.d in order. */
#define READ "for f in $1/etc/dracut.conf $1/etc/dracut.conf.d/*.conf; do . $f; done; "

static void the_image_is_for_no_host_and_has_the_drivers(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/dracut.conf", "hostonly=yes\nno_kernel=yes\ndrivers=\" virtio_blk \"\n");
	tree_file("/etc/dracut.conf.d/10.conf", "add_drivers+=\" mine \"\nhostonly=\"yes\"\n");
	tool_apply(f, &initramfs_dracut);
	assert_bash(READ "echo \"$hostonly,$no_kernel,$drivers,\"$add_drivers",
		    "no,no,, mine ahci sd_mod\n");
}

static void what_is_needed_is_taken_out_of_lists_of_what_to_omit(void **state)
{
	struct tool_fixture *f = *state;

	f->needs.has_lvm = true;
	tree_file("/etc/dracut.conf", "omit_drivers+=\" nouveau libahci sd-mod \"\n");
	tree_file("/etc/dracut.conf.d/10.conf", "omit_drivers+=\" .*ahci floppy \"\n"
						"omit_dracutmodules+=\" plymouth lvm \"\n");
	tool_apply(f, &initramfs_dracut);
	assert_bash(READ "echo $omit_drivers, $omit_dracutmodules", "nouveau floppy , plymouth\n");
}

static void settings_that_undo_the_work_are_found(void **state)
{
	struct tool_fixture *f = *state;

	f->needs.has_crypt = true;
	tree_file("/usr/lib/dracut/dracut.conf.d/01-dist.conf", "hostonly=\"yes\"\n");
	tree_file("/etc/dracut.conf", "omit_drivers+=\" nouveau ahci \"\nkernel_only=no\n");
	tree_file("/etc/dracut.conf.d/x.conf",
		  "omit_dracutmodules+=\" network crypt \"\ndrivers=\" virtio_blk xfs \"\n");
	tool_find(f, &initramfs_dracut);
	assert_int_equal(f->narrow.count, 1);
	assert_found(&f->narrow, 0,
		     "hostonly=yes in /usr/lib/dracut/dracut.conf.d/01-dist.conf takes what the "
		     "machine has that builds the image");
	assert_int_equal(f->exclude.count, 3);
	assert_found(&f->exclude, 0,
		     "omit_drivers=ahci in /etc/dracut.conf leaves out a driver of this machine");
	assert_found(&f->exclude, 1,
		     "omit_dracutmodules=crypt in /etc/dracut.conf.d/x.conf leaves out what the "
		     "root needs");
	assert_found(&f->exclude, 2,
		     "drivers=virtio_blk in /etc/dracut.conf.d/x.conf admits no other drivers");
}

static void settings_of_v2p_are_not_found(void **state)
{
	struct tool_fixture *f = *state;

	tool_apply(f, &initramfs_dracut);
	tool_find(f, &initramfs_dracut);
	assert_int_equal(f->narrow.count + f->exclude.count, 0);
}

static void volumes_are_named_since_a_general_image_leaves_them_alone(void **state)
{
	struct tool_fixture *f = *state;

	f->needs.has_lvm = true;
	strings_add(&f->needs.words, "rd.lvm.lv=vg0/root");
	tool_apply(f, &initramfs_dracut);
	assert_bash(READ "echo $lvmconf $kernel_cmdline", "yes rd.lvm.lv=vg0/root\n");
}

static void an_array_that_nobody_names_is_looked_for(void **state)
{
	struct tool_fixture *f = *state;

	f->needs.has_raid = true;
	strings_add(&f->needs.words, "rd.lvm.lv=vg0/root");
	tool_apply(f, &initramfs_dracut);
	assert_bash(READ "echo $mdadmconf $kernel_cmdline", "yes rd.lvm.lv=vg0/root rd.auto=1\n");
}

static void entries_of_crypttab_that_open_the_root_are_installed(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/crypttab", "data UUID=1 none\nroot UUID=2 none luks\n");
	f->needs.has_crypt = true;
	strings_add(&f->needs.crypt, "root");
	tool_apply(f, &initramfs_dracut);
	assert_tree_file("/var/lib/v2p/crypttab", "root UUID=2 none luks\n");
	assert_bash(READ "echo $add_dracutmodules; . $1/usr/lib/dracut/modules.d/96v2p/*.sh; "
			 "inst_simple() { echo $*; }; install; depends; check; echo $?",
		    "v2p\n/var/lib/v2p/crypttab /etc/crypttab\ncrypt\n255\n");
}

static void the_command_does_not_ask_the_machine(void **state)
{
	struct tool_fixture *f = *state;

	assert_command(f, &initramfs_dracut, &kernel, INITRAMFS_MOST,
		       "env V2P_MODULES=most dracut --quiet --force --no-hostonly --tmpdir "
		       "/var/tmp /var/lib/v2p/built 6.1.0");
}

static void drivers_are_a_list_only_while_v2p_builds_one(void **state)
{
	struct tool_fixture *f = *state;

	tool_apply(f, &initramfs_dracut);
	assert_bash("V2P_MODULES=list; . $1/etc/dracut.conf.d/*; echo $drivers", "ahci sd_mod\n");
	assert_bash("V2P_MODULES=most; . $1/etc/dracut.conf.d/*; echo $drivers", "\n");
	assert_bash(". $1/etc/dracut.conf.d/*; echo $drivers$compress", "\n");
}

static void the_compression_is_quicker_where_the_guest_has_chosen_none(void **state)
{
	struct tool_fixture *f = *state;

	tool_apply(f, &initramfs_dracut);
	assert_bash("V2P_MODULES=most; PATH=; . $1/etc/dracut.conf.d/*; echo $compress",
		    "gzip -n -6\n");
	assert_bash("V2P_MODULES=most; compress=zstd; . $1/etc/dracut.conf.d/*; echo $compress",
		    "zstd\n");
}

static void unified_kernel_images_are_refused(void **state)
{
	struct tool_fixture *f = *state;
	_cleanup_free_ char *reason = NULL, *none = NULL;

	tool_open(f);
	none = initramfs_dracut.refuses(&f->guest);
	assert_null(none);
	tree_file("/etc/dracut.conf.d/uki.conf", "uefi=\"yes\"\n");
	reason = initramfs_dracut.refuses(&f->guest);
	assert_string_equal(reason, "uefi=yes in /etc/dracut.conf.d/uki.conf: unified kernel "
				    "images are not supported yet");
}

static void a_first_image_is_named_as_the_distribution_does(void **state)
{
	struct tool_fixture *f = *state;
	_cleanup_free_ char *debian = NULL, *fedora = NULL;

	tree_program("/usr/bin/dracut", "");
	tool_open(f);
	debian = initramfs_path(&f->guest, &kernel);
	assert_string_equal(debian, "/boot/initrd.img-6.1.0");
	guest_release(&f->guest);
	tree_file("/etc/os-release", "ID=fedora\n");
	assert_int_equal(guest_open_root(tree, &f->guest, NULL), 0);
	fedora = initramfs_path(&f->guest, &kernel);
	assert_string_equal(fedora, "/boot/initramfs-6.1.0.img");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tool_test(the_image_is_for_no_host_and_has_the_drivers),
		tool_test(what_is_needed_is_taken_out_of_lists_of_what_to_omit),
		tool_test(settings_that_undo_the_work_are_found),
		tool_test(settings_of_v2p_are_not_found),
		tool_test(volumes_are_named_since_a_general_image_leaves_them_alone),
		tool_test(an_array_that_nobody_names_is_looked_for),
		tool_test(entries_of_crypttab_that_open_the_root_are_installed),
		tool_test(the_command_does_not_ask_the_machine),
		tool_test(drivers_are_a_list_only_while_v2p_builds_one),
		tool_test(the_compression_is_quicker_where_the_guest_has_chosen_none),
		tool_test(unified_kernel_images_are_refused),
		tool_test(a_first_image_is_named_as_the_distribution_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
