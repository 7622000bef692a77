// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/step-fixture.h"

#define SWAP "a0000000-0000-4000-8000-0000000000a1"
#define ROOT "a0000000-0000-4000-8000-0000000000b2"

/* Swap first, root last, as golden image A has it. */
static struct fixture *open_with_disk(void)
{
	struct fixture *f = fixture_open();

	fixture_partition(f, 1, "swap", SWAP, "a0a0a0a0-01");
	fixture_partition(f, 2, "ext4", ROOT, "a0a0a0a0-02");
	return f;
}

static void device_names_become_uuids(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab",
		     "# /etc/fstab: static file system information.\n#\n"
		     "# <file system> <mount point> <type> <options> <dump> <pass>\n"
		     "/dev/vda2\t/\text4\terrors=remount-ro\t0\t1\n"
		     "/dev/vda1\tnone\tswap\tsw\t0\t0\n",
		     "# /etc/fstab: static file system information.\n#\n"
		     "# <file system> <mount point> <type> <options> <dump> <pass>\n"
		     "UUID=" ROOT "\t/\text4\terrors=remount-ro\t0\t1\n"
		     "UUID=" SWAP "\tnone\tswap\tsw\t0\t0\n");
	assert_false(fixture_warned(f, ""));
	fixture_close(f);
}

static void all_kinds_of_hardware_names_are_known(void **state)
{
	static const char *const names[] = {"/dev/sda2",
					    "/dev/hda2",
					    "/dev/xvda2",
					    "/dev/nvme0n1p2",
					    "/dev/mmcblk0p2",
					    "/dev/cciss/c0d0p2",
					    "/dev/disk/by-path/pci-0000:04:00.0-part2",
					    "/dev/disk/by-id/ata-QEMU_HARDDISK_QM00001-part2"};
	(void)state;
	for (size_t i = 0; i < array_length(names); i++) {
		struct fixture *f = open_with_disk();
		_cleanup_free_ char *line = string_format("%s / ext4 defaults 0 1\n", names[i]);

		fixture_file(f, &step_fstab, "/etc/fstab", line,
			     "UUID=" ROOT " / ext4 defaults 0 1\n");
		fixture_close(f);
	}
}

static void names_that_last_stay(void **state)
{
	static const char fstab[] = "/dev/mapper/vg0-root / ext4 defaults 0 1\n"
				    "/dev/vg0/home /home ext4 defaults 0 2\n"
				    "/dev/md0 /srv xfs defaults 0 2\n"
				    "/dev/disk/by-uuid/" ROOT " /mnt ext4 defaults 0 2\n"
				    "tmpfs /tmp tmpfs defaults 0 0\n"
				    "server:/x /x nfs _netdev 0 0\n"
				    "/var/tmp /x none bind 0 0\n";
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab", fstab, fstab);
	assert_false(fixture_warned(f, ""));
	fixture_close(f);
}

static void uuids_of_volumes_stay(void **state)
{
	static const char fstab[] =
		"UUID=b0000000-0000-4000-8000-0000000000a1\t/\text4\terrors=remount-ro\t0\t1\n"
		"UUID=" ROOT "\t/boot\text4\tdefaults\t0\t2\n"
		"UUID=B2B0-0E5F\t/boot/efi\tvfat\tumask=0077\t0\t1\n"
		"UUID=b0000000-0000-4000-8000-0000000000c3\tnone\tswap\tsw\t0\t0\n";
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_partition(f, 3, "LVM2_member", "lAAAAA-bbbb", NULL);
	fixture_file(f, &step_fstab, "/etc/fstab", fstab, fstab);
	assert_false(fixture_warned(f, ""));
	fixture_close(f);
}

static void crlf_and_a_missing_newline_are_kept(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab",
		     "/dev/vda2 / ext4 defaults 0 1\r\n/dev/vda1 none swap sw 0 0",
		     "UUID=" ROOT " / ext4 defaults 0 1\r\nUUID=" SWAP " none swap sw 0 0");
	fixture_close(f);
}

static void an_entry_whose_disk_is_gone_does_not_stop_the_boot(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab",
		     "/dev/vda2 / ext4 defaults 0 1\n"
		     "/dev/vdb1 /data xfs noatime 0 2\n"
		     "/dev/vda7 /more ext4\n"
		     "UUID=dead-beef /usb vfat defaults,nofail 0 0\n"
		     "/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n",
		     "UUID=" ROOT " / ext4 defaults 0 1\n"
		     "/dev/vdb1 /data xfs noatime,nofail,x-systemd.device-timeout=10s 0 2\n"
		     "/dev/vda7 /more ext4\tnofail,x-systemd.device-timeout=10s\n"
		     "UUID=dead-beef /usb vfat defaults,nofail,x-systemd.device-timeout=10s 0 0\n"
		     "/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n");
	assert_true(fixture_warned(f, "/etc/fstab: /dev/vdb1 for /data is not on the restored "
				      "disk; the boot goes on without it"));
	fixture_close(f);
}

static void a_link_to_a_second_disk_is_not_taken_for_the_restored_one(void **state)
{
	static const struct {
		const char *root, *data;
	} cases[] = {
		/* Partition 2 is the root already. */
		{"UUID=" ROOT, "/dev/disk/by-path/pci-0000:00:08.0-part2"},
		/* Two links, two disks: which one this is cannot be told. */
		{"/dev/disk/by-path/pci-0000:00:07.0-part2",
		 "/dev/disk/by-path/pci-0000:00:08.0-part2"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct fixture *f = open_with_disk();
		_cleanup_free_ char *before = string_format("%s / ext4 defaults 0 1\n"
							    "%s /data ext4 defaults 0 2\n",
							    cases[i].root, cases[i].data);
		_cleanup_free_ char *after = string_format(
			"UUID=" ROOT " / ext4 defaults 0 1\n"
			"%s /data ext4 defaults,nofail,x-systemd.device-timeout=10s 0 2\n",
			cases[i].data);

		fixture_file(f, &step_fstab, "/etc/fstab", before, after);
		fixture_close(f);
	}
}

static void a_partition_of_another_type_is_not_taken(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab", "/dev/vda1 /data xfs defaults 0 2\n",
		     "/dev/vda1 /data xfs defaults,nofail,x-systemd.device-timeout=10s 0 2\n");
	fixture_close(f);
}

static void a_root_that_is_gone_is_left_for_a_person(void **state)
{
	static const char fstab[] = "/dev/vda9 / ext4 defaults 0 1\n/dev/vda8 /usr ext4 ro 0 0\n";
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab", fstab, fstab);
	assert_true(fixture_warned(f, "/dev/vda9 for / is not on the restored disk; the entry is "
				      "left as it is, and the boot may stop there"));
	fixture_close(f);
}

static void root_tells_which_disk_was_restored(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab",
		     "/dev/sdb2 / ext4 defaults 0 1\n/dev/sda1 none swap sw 0 0\n",
		     "UUID=" ROOT " / ext4 defaults 0 1\n"
		     "/dev/sda1 none swap sw,nofail,x-systemd.device-timeout=10s 0 0\n");
	fixture_close(f);
}

static void a_shared_uuid_gives_way_to_the_partition_uuid(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_partition(f, 3, "ext4", ROOT, "a0a0a0a0-03");
	fixture_file(f, &step_fstab, "/etc/fstab", "/dev/vda2 / ext4 defaults 0 1\n",
		     "PARTUUID=a0a0a0a0-02 / ext4 defaults 0 1\n");
	assert_true(fixture_warned(f, "two partitions have the UUID " ROOT));
	fixture_close(f);
}

static void a_uuid_that_a_shell_would_read_is_not_used(void **state)
{
	struct fixture *f = fixture_open();

	(void)state;
	fixture_partition(f, 1, "ext4", "$(reboot)", "a0a0a0a0-01");
	fixture_file(f, &step_fstab, "/etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n",
		     "PARTUUID=a0a0a0a0-01 / ext4 defaults 0 1\n");
	fixture_close(f);
}

static void shares_of_the_hypervisor_are_not_mounted(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab",
		     "host0 /mnt 9p trans=virtio,version=9p2000.L 0 0\n",
		     "host0 /mnt 9p trans=virtio,version=9p2000.L,noauto 0 0\n");
	fixture_close(f);
}

static void a_tree_without_a_disk_is_left_alone(void **state)
{
	static const char fstab[] = "/dev/vda2 / ext4 defaults 0 1\n";
	struct fixture *f = fixture_open();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab", fstab, fstab);
	assert_true(fixture_warned(f, "without the disk its UUID is not known"));
	fixture_close(f);
}

static void an_fstab_that_is_not_understood_is_left_alone(void **state)
{
	static const char fstab[] = "/dev/vda2 / ext4 defaults 0 1\nwhat is\n";
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab", fstab, fstab);
	assert_true(fixture_warned(f, "/etc/fstab is left as it is: line 2, column "));
	fixture_close(f);
}

static void an_empty_fstab_is_no_matter(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab", "", "");
	assert_false(fixture_warned(f, ""));
	fixture_close(f);
}

static void an_fstab_that_leads_out_of_the_guest_is_not_followed(void **state)
{
	struct fixture *f = open_with_disk();
	_cleanup_free_ char *outside = string_format("%s-outside", tree);
	_cleanup_free_ char *path = tree_path("/etc/fstab");
	_cleanup_text_ struct text text = {0};

	(void)state;
	assert_int_equal(file_replace(outside, "/dev/vda2 / ext4 defaults 0 1\n", 30, 0644, NULL),
			 0);
	unlink(path);
	tree_link(outside, "/etc/fstab");
	fixture_run(f, &step_fstab);
	assert_true(fixture_warned(f, "/etc/fstab is left as it is: it is a symbolic link that "
				      "leads out of the guest, or to nothing in it"));
	assert_int_equal(file_read(outside, 4096, &text, NULL), 0);
	assert_string_equal(text_string(&text), "/dev/vda2 / ext4 defaults 0 1\n");
	assert_int_equal(step_fstab.verify(&f->adaptation, NULL), 0);
	assert_true(report_has_failed_check(&f->report));
	unlink(outside);
	fixture_close(f);
}

static void verify_resolves_fstab_against_the_disk(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/fstab", "/dev/vda2 / ext4 defaults 0 1\n",
		     "UUID=" ROOT " / ext4 defaults 0 1\n");
	assert_int_equal(step_fstab.verify(&f->adaptation, NULL), 0);
	assert_int_equal(report_count(&f->report, "checks"), 1);
	assert_false(report_has_failed_check(&f->report));
	tree_file("/etc/fstab", "UUID=12345678 / ext4 defaults 0 1\n");
	assert_int_equal(step_fstab.verify(&f->adaptation, NULL), 0);
	assert_true(report_has_failed_check(&f->report));
	fixture_close(f);
}

static void crypttab_is_renamed(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_partition(f, 3, "crypto_LUKS", "c0000000-0000-4000-8000-0000000000c3", NULL);
	fixture_partition(f, 4, NULL, NULL, "a0a0a0a0-04");
	fixture_file(f, &step_fstab, "/etc/crypttab",
		     "# name\tdevice\nroot\t/dev/vda3\tnone\tluks,discard\n"
		     "swap /dev/vda4 /dev/urandom swap,cipher=aes-xts-plain64:sha256,size=512\n"
		     "vm2 /dev/vdb1 none luks\n",
		     "# name\tdevice\n"
		     "root\tUUID=c0000000-0000-4000-8000-0000000000c3\tnone\tluks,discard\n"
		     "swap /dev/disk/by-partuuid/a0a0a0a0-04 /dev/urandom "
		     "swap,cipher=aes-xts-plain64:sha256,size=512\n"
		     "vm2 /dev/vdb1 none luks\n");
	assert_true(fixture_warned(f, "vm2 is on /dev/vdb1, which is not on the restored disk"));
	fixture_close(f);
}

static void resume_becomes_the_uuid_of_the_swap(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/initramfs-tools/conf.d/resume", "RESUME=/dev/vda1\n",
		     "RESUME=UUID=" SWAP "\n");
	fixture_file(f, &step_fstab, "/etc/initramfs-tools/conf.d/resume",
		     "# RESUME=/dev/vda1\nRESUME=\"/dev/vda1\" # swap\n",
		     "# RESUME=/dev/vda1\nRESUME=\"UUID=" SWAP "\" # swap\n");
	fixture_close(f);
}

static void resume_from_no_swap_is_none(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/initramfs-tools/conf.d/resume", "RESUME=/dev/vdb1",
		     "RESUME=none");
	fixture_file(f, &step_fstab, "/etc/initramfs-tools/conf.d/resume",
		     "RESUME=UUID=dddddddd-0000-4000-8000-0000000000a1\n", "RESUME=none\n");
	fixture_close(f);
}

static void kernel_parameters_name_uuids(void **state)
{
	struct fixture *f = open_with_disk();

	(void)state;
	fixture_file(f, &step_fstab, "/etc/default/grub",
		     "# resume=/dev/vda1\nGRUB_DEFAULT=0\n"
		     "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n"
		     "GRUB_CMDLINE_LINUX_DEFAULT=\"resume=/dev/vda1\"\n"
		     "GRUB_CMDLINE_LINUX=\"console=tty0 console=ttyS0,115200 mitigations=off\"\n"
		     "GRUB_CMDLINE_LINUX+=' root=/dev/vda2 quiet'\n"
		     "GRUB_DISABLE_LINUX_UUID=true\n",
		     "# resume=/dev/vda1\nGRUB_DEFAULT=0\n"
		     "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n"
		     "GRUB_CMDLINE_LINUX_DEFAULT=\"resume=UUID=" SWAP "\"\n"
		     "GRUB_CMDLINE_LINUX=\"console=tty0 console=ttyS0,115200 mitigations=off\"\n"
		     "GRUB_CMDLINE_LINUX+=' root=UUID=" ROOT " quiet'\n"
		     "GRUB_DISABLE_LINUX_UUID=false\n");
	fixture_file(f, &step_fstab, "/etc/kernel/cmdline", "root=/dev/vda2 ro resume=/dev/vdb1",
		     "root=UUID=" ROOT " ro");
	fixture_file(f, &step_fstab, "/etc/default/grub.d/50-x.cfg",
		     "GRUB_CMDLINE_LINUX=\"a resume=/dev/vdb1 b\"\nroot=/dev/vda2\n",
		     "GRUB_CMDLINE_LINUX=\"a b\"\nroot=/dev/vda2\n");
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		step_test(device_names_become_uuids),
		step_test(all_kinds_of_hardware_names_are_known),
		step_test(names_that_last_stay),
		step_test(uuids_of_volumes_stay),
		step_test(crlf_and_a_missing_newline_are_kept),
		step_test(an_entry_whose_disk_is_gone_does_not_stop_the_boot),
		step_test(a_link_to_a_second_disk_is_not_taken_for_the_restored_one),
		step_test(a_partition_of_another_type_is_not_taken),
		step_test(a_root_that_is_gone_is_left_for_a_person),
		step_test(root_tells_which_disk_was_restored),
		step_test(a_shared_uuid_gives_way_to_the_partition_uuid),
		step_test(a_uuid_that_a_shell_would_read_is_not_used),
		step_test(shares_of_the_hypervisor_are_not_mounted),
		step_test(a_tree_without_a_disk_is_left_alone),
		step_test(an_fstab_that_is_not_understood_is_left_alone),
		step_test(an_empty_fstab_is_no_matter),
		step_test(an_fstab_that_leads_out_of_the_guest_is_not_followed),
		step_test(verify_resolves_fstab_against_the_disk),
		step_test(crypttab_is_renamed),
		step_test(resume_becomes_the_uuid_of_the_swap),
		step_test(resume_from_no_swap_is_none),
		step_test(kernel_parameters_name_uuids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
