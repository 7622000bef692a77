// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/initramfs-tool.h"

static const struct guest_kernel kernel = {.release = (char *)"6.9.1-arch1-1",
					   .image = (char *)"/boot/vmlinuz-linux",
					   .initramfs = (char *)"/boot/initramfs-linux.img"};

#define CONFIGURATION                                                                              \
	"MODULES=(ext4)\nHOOKS=(base udev autodetect modconf block filesystems fsck)\n"
#define SHOW "echo ${MODULES[@]}; echo ${HOOKS[@]}"
#define RESULT "ext4 ahci? sd_mod?\nbase udev modconf block filesystems fsck\n"

static void the_hook_autodetect_goes_and_the_drivers_come(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/mkinitcpio.conf", CONFIGURATION);
	tool_apply(f, &initramfs_mkinitcpio);
	assert_bash(". $1/etc/mkinitcpio.conf; " SHOW, RESULT);
	assert_false(guest_has(&f->guest, "/etc/mkinitcpio.conf.d"));
}

static void strings_of_old_versions_are_understood(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/mkinitcpio.conf",
		  "MODULES=\"ext4\"\nHOOKS=\"base udev autodetect block\"\n");
	tool_apply(f, &initramfs_mkinitcpio);
	assert_bash(". $1/etc/mkinitcpio.conf; " SHOW, "ext4 ahci? sd_mod?\nbase udev block\n");
}

static void drop_ins_that_come_later_do_not_undo_it(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/mkinitcpio.conf", CONFIGURATION);
	tree_file("/etc/mkinitcpio.conf.d/hooks.conf", "HOOKS=(base systemd autodetect block)\n");
	tool_apply(f, &initramfs_mkinitcpio);
	assert_bash("cat $1/etc/mkinitcpio.conf $1/etc/mkinitcpio.conf.d/*.conf > $1/all; "
		    ". $1/all; " SHOW,
		    "ext4 ahci? sd_mod? ahci? sd_mod?\nbase systemd block\n");
}

static void configurations_of_presets_are_told_as_well(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/mkinitcpio.conf", CONFIGURATION);
	tree_file("/etc/own.conf", CONFIGURATION);
	tree_file("/etc/mkinitcpio.d/linux.preset", "ALL_kver='/boot/vmlinuz-linux'\n"
						    "default_config=\"/etc/own.conf\"\n"
						    "fallback_config=\"/etc/none.conf\"\n");
	tool_apply(f, &initramfs_mkinitcpio);
	assert_bash(". $1/etc/own.conf; " SHOW, RESULT);
	assert_command(f, &initramfs_mkinitcpio, &kernel, INITRAMFS_MOST,
		       "env TMPDIR=/var/tmp mkinitcpio --nocolor -S autodetect -c /etc/own.conf "
		       "-k 6.9.1-arch1-1 -g /var/lib/v2p/built");
}

static void the_hook_autodetect_is_found(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/mkinitcpio.conf", CONFIGURATION);
	tool_find(f, &initramfs_mkinitcpio);
	assert_int_equal(f->narrow.count, 1);
	assert_found(&f->narrow, 0,
		     "the hook autodetect in /etc/mkinitcpio.conf takes what the machine has that "
		     "builds the image");
	assert_int_equal(f->exclude.count, 0);
}

static void unified_kernel_images_are_refused(void **state)
{
	struct tool_fixture *f = *state;
	_cleanup_free_ char *reason = NULL, *none = NULL;

	tool_open(f);
	none = initramfs_mkinitcpio.refuses(&f->guest);
	assert_null(none);
	tree_file("/etc/mkinitcpio.d/linux.preset",
		  "#default_uki=no\ndefault_uki=\"/efi/x.efi\"\n");
	reason = initramfs_mkinitcpio.refuses(&f->guest);
	assert_string_equal(reason, "default_uki in /etc/mkinitcpio.d/linux.preset: unified kernel "
				    "images are not supported yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tool_test(the_hook_autodetect_goes_and_the_drivers_come),
		tool_test(strings_of_old_versions_are_understood),
		tool_test(drop_ins_that_come_later_do_not_undo_it),
		tool_test(configurations_of_presets_are_told_as_well),
		tool_test(the_hook_autodetect_is_found),
		tool_test(unified_kernel_images_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
