// SPDX-License-Identifier: GPL-3.0-or-later
/* What would be changed is planned on a system that is still inside its image. */
#include "tests/restore/used-image.h"

#include "adapt/guest_image.h"
#include "cli/adaptation.h"
#include "tests/adapt/module-tree.h"

#define TREE                                                                                       \
	"mkdir -p tree/etc/default tree/etc/initramfs-tools/conf.d tree/etc/X11 tree/boot/grub "   \
	"tree/usr/sbin tree/usr/bin tree/var/lib tree/usr/lib/grub/i386-pc "                       \
	"tree/boot/grub/i386-pc tree/etc/network tree/bin; "                                       \
	"printf 'ID=debian\\nPRETTY_NAME=Tiny\\n' >tree/etc/os-release; echo t "                   \
	">tree/etc/hostname; "                                                                     \
	"printf '/dev/vda1 / ext4 defaults 0 1\\n' >tree/etc/fstab; "                              \
	"printf 'auto ens3\\niface ens3 inet dhcp\\n' >tree/etc/network/interfaces; "              \
	"echo 'GRUB_CMDLINE_LINUX=\"root=/dev/vda1\"' >tree/etc/default/grub; "                    \
	"printf 'Section \"Device\"\\n\\tIdentifier \"a\"\\n\\tDriver \"qxl\"\\nEndSection\\n' "   \
	">tree/etc/X11/xorg.conf; "                                                                \
	"for p in mkinitramfs update-initramfs grub-install grub-mkconfig; do "                    \
	"echo '#!/bin/sh' >tree/usr/sbin/$p; chmod 755 tree/usr/sbin/$p; done; "                   \
	"ln -s usr/lib tree/lib; "                                                                 \
	": >tree/boot/vmlinuz-" MODULE_RELEASE "; : >tree/boot/grub/i386-pc/normal.mod; "          \
	"printf 'linux /boot/vmlinuz-" MODULE_RELEASE " root=/dev/vda1\\n"                         \
	"initrd /boot/initrd.img-" MODULE_RELEASE "\\n' >tree/boot/grub/grub.cfg; "

static void make_image_of_tree(void)
{
	const struct strings none = {0};
	_cleanup_tree_ char *root = NULL;
	_cleanup_free_ char *copy = NULL;

	if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) < 0 ||
	    access("/dev/loop-control", R_OK | W_OK) < 0) {
		print_message("mounting an image needs root, /dev/fuse and loop devices\n");
		skip();
	}
	root = module_tree_make(&none, false);
	copy = string_format("mkdir -p tree && cp -a %s/. tree", root);
	run("cp", copy);
	run("mke2fs", TREE "truncate -s 64M part && mke2fs -q -F -t ext4 -d tree part");
	run("sfdisk", "truncate -s 66M image && "
		      "echo 'start=2048, type=83, bootable' | sfdisk -q image && "
		      "dd if=part of=image bs=1M seek=1 conv=notrunc,sparse status=none");
	run("qemu-img", "qemu-img convert -f raw -O qcow2 image disk.qcow2 && "
			"sha256sum disk.qcow2 >before");
}

static void plan(struct guest *guest, struct report *report)
{
	_cleanup_hardware_ struct hardware hardware = {0};
	const struct adaptation_request request = {.dry_run = true};
	struct output output = {.json = true};
	_cleanup_error_ struct error err = {0};

	if (hardware_read_pci_dump(V2P_SOURCE_DIR "/tests/data/pci-q35-ahci.lspci", &hardware,
				   &err) < 0 ||
	    adaptation_run(guest, &hardware, &request, report, &output, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void assert_plans(const char *text, const char *step, const char *path)
{
	_cleanup_free_ char *want =
		string_format("\"step\": \"%s\",\n      \"file\": \"%s\"", step, path);

	if (!strstr(text, want))
		fail_msg("no change of %s by %s in %s", path, step, text);
}

static void every_step_plans_on_a_system_inside_an_image(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	_cleanup_text_ struct text text = {0};
	struct report report;
	struct guest guest;

	(void)state;
	make_image_of_tree();
	assert_int_equal(source_open("disk.qcow2", NULL, &source, NULL), 0);
	if (guest_open_image(source, &guest, &err) < 0)
		fail_msg("%s", error_text(&err));
	report_init(&report);
	plan(&guest, &report);
	if (guest_close(&guest, &err) < 0)
		fail_msg("%s", error_text(&err));
	report_json(&report, &text);
	report_release(&report);
	assert_plans(text_string(&text), "fstab", "/etc/fstab");
	assert_plans(text_string(&text), "fstab", "/etc/default/grub");
	assert_plans(text_string(&text), "xorg", "/etc/X11/xorg.conf");
	assert_plans(text_string(&text), "initramfs", "/etc/initramfs-tools/modules");
	assert_plans(text_string(&text), "initramfs", "initramfs of " MODULE_RELEASE);
	assert_plans(text_string(&text), "grub-bios", "/boot/grub/grub.cfg");
	run("sha256sum", "sha256sum --status --check before");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(every_step_plans_on_a_system_inside_an_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
