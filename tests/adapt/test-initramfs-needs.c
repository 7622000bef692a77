// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/tree.h"

#include "adapt/initramfs_needs.h"

struct fixture {
	struct guest guest;
	struct changes changes;
	struct initramfs_needs needs;
	struct initramfs_content old;
};

static struct fixture fixture;

static int setup(void **state)
{
	fixture = (struct fixture){0};
	*state = &fixture;
	return tree_setup(NULL);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	initramfs_needs_release(&f->needs);
	initramfs_content_release(&f->old);
	layout_release(&f->guest.layout);
	guest_release(&f->guest);
	return tree_teardown(NULL);
}

static void open_guest(struct fixture *f, const char *fstab, const char *crypttab)
{
	tree_file("/etc/fstab", fstab);
	if (crypttab)
		tree_file("/etc/crypttab", crypttab);
	assert_int_equal(guest_open_root(tree, &f->guest, NULL), 0);
}

static void old_setting(struct fixture *f, const char *name, const char *text)
{
	strings_add(&f->old.names, name);
	strings_add(&f->old.settings, name);
	strings_add(&f->old.texts, text);
}

static void find(struct fixture *f)
{
	initramfs_needs_find(&f->guest, &f->changes, f->old.names.count ? &f->old : NULL,
			     &f->needs);
}

static void assert_crypt(const struct fixture *f, const char *names)
{
	_cleanup_free_ char *joined = strings_join(&f->needs.crypt, " ");

	assert_string_equal(joined, names);
	assert_int_equal(f->needs.has_crypt, *names != '\0');
}

static void assert_words(const struct fixture *f, const char *words)
{
	_cleanup_free_ char *joined = strings_join(&f->needs.words, " ");

	assert_string_equal(joined, words);
}

static void a_root_on_a_partition_needs_nothing(void **state)
{
	struct fixture *f = *state;

	open_guest(f, "UUID=1 / ext4 defaults 0 1\n", NULL);
	find(f);
	assert_false(f->needs.has_lvm || f->needs.has_crypt || f->needs.has_raid);
	assert_words(f, "");
}

static void a_volume_is_named_by_its_group(void **state)
{
	struct fixture *f = *state;

	open_guest(f, "# root\n/dev/mapper/my--vg-root--fs / ext4 defaults 0 1\n", NULL);
	find(f);
	assert_true(f->needs.has_lvm);
	assert_words(f, "rd.lvm.lv=my-vg/root-fs");
	assert_crypt(f, "");
}

static void other_device_names_are_no_volumes(void **state)
{
	struct fixture *f = *state;

	open_guest(f,
		   "/dev/disk/by-uuid/1 / ext4 defaults 0 1\n"
		   "/dev/mapper/mpatha /usr ext4 defaults 0 1\n",
		   NULL);
	find(f);
	assert_false(f->needs.has_lvm || f->needs.has_crypt || f->needs.has_raid);
}

static void a_mounted_volume_is_named_whatever_its_device_is_called(void **state)
{
	struct fixture *f = *state;
	struct guest_mount mount = {.device = (char *)"/dev/loop3",
				    .volume = (char *)"vg0/root",
				    .where = (char *)"/",
				    .filesystem = (char *)"ext4"};

	open_guest(f, "UUID=1 / ext4 defaults 0 1\n", NULL);
	f->guest.mount = &mount;
	f->guest.mount_count = 1;
	find(f);
	f->guest.mount_count = 0;
	f->guest.mount = NULL;
	assert_words(f, "rd.lvm.lv=vg0/root");
}

static void the_encrypted_root_itself_is_found(void **state)
{
	struct fixture *f = *state;

	open_guest(
		f, "/dev/mapper/luks-1 / xfs defaults 0 0\n",
		"luks-1 UUID=1 none\ndata UUID=2 /etc/key luks\nswap UUID=3 /dev/urandom swap\n");
	find(f);
	assert_crypt(f, "luks-1");
	assert_false(f->needs.has_lvm);
}

static void a_passphrase_below_volumes_is_asked_for(void **state)
{
	struct fixture *f = *state;

	open_guest(f,
		   "/dev/vg0/root / ext4 defaults 0 1\n/dev/mapper/home /home ext4 defaults 0 2\n",
		   "vda5_crypt UUID=1 none luks,discard\nhome UUID=2 none luks\n");
	find(f);
	assert_crypt(f, "vda5_crypt");
	assert_words(f, "rd.lvm.lv=vg0/root");
}

static void the_image_of_the_vm_knows_better(void **state)
{
	struct fixture *f = *state;

	open_guest(f, "UUID=1 / ext4 defaults 0 1\n",
		   "a UUID=1 none luks\nb UUID=2 none luks\nc UUID=3 none luks,initramfs\n");
	old_setting(f, "cryptroot/crypttab", "b UUID=2 none luks\n");
	find(f);
	assert_crypt(f, "b c");
}

static void a_mounted_partition_has_nothing_below_it(void **state)
{
	struct fixture *f = *state;
	struct guest_mount mount = {.device = (char *)"/dev/sda1",
				    .where = (char *)"/",
				    .filesystem = (char *)"ext4",
				    .partition = 1};

	open_guest(f, "UUID=1 / ext4 defaults 0 1\n", "data UUID=2 none luks\n");
	f->guest.mount = &mount;
	f->guest.mount_count = 1;
	find(f);
	f->guest.mount_count = 0;
	f->guest.mount = NULL;
	assert_crypt(f, "");
}

static void words_of_the_command_line_and_of_the_old_image_are_kept(void **state)
{
	struct fixture *f = *state;

	open_guest(f, "UUID=1 / ext4 defaults 0 1\n", NULL);
	tree_file("/etc/default/grub",
		  "GRUB_CMDLINE_LINUX=\"rd.lvm.lv=rhel/root quiet rd.auto resume=UUID=1\"\n");
	old_setting(f, "etc/cmdline.d/90mdraid.conf", " rd.md.uuid=1:2:3:4\n");
	old_setting(f, "etc/cmdline.d/90crypt.conf", " rd.luks.uuid=luks-1 rd.luks.uuid=$(id)\n");
	old_setting(f, "etc/cmdline.d/95root-dev.conf", " root=/dev/vda2 rd.lvm.conf=0\n");
	find(f);
	assert_words(f, "rd.lvm.lv=rhel/root rd.md.uuid=1:2:3:4 rd.luks.uuid=luks-1");
	assert_true(f->needs.has_lvm && f->needs.has_crypt && f->needs.has_raid);
}

static void an_array_is_found_by_name_and_by_its_member(void **state)
{
	struct fixture *f = *state;

	open_guest(f, "/dev/md0 / ext4 defaults 0 1\n", NULL);
	find(f);
	assert_true(f->needs.has_raid);
}

static void crypttab_is_cut_down_to_what_opens_the_root(void **state)
{
	struct initramfs_needs needs = {0};
	_cleanup_free_ char *text = NULL;

	(void)state;
	strings_add(&needs.crypt, "b");
	text = initramfs_crypttab(&needs,
				  "# a comment\na UUID=1 none\nb\tUUID=2 none luks\n\nb2 x\n");
	assert_string_equal(text, "b\tUUID=2 none luks\n");
	initramfs_needs_release(&needs);
}

#define needs_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		needs_test(a_root_on_a_partition_needs_nothing),
		needs_test(a_volume_is_named_by_its_group),
		needs_test(other_device_names_are_no_volumes),
		needs_test(a_mounted_volume_is_named_whatever_its_device_is_called),
		needs_test(the_encrypted_root_itself_is_found),
		needs_test(a_passphrase_below_volumes_is_asked_for),
		needs_test(the_image_of_the_vm_knows_better),
		needs_test(a_mounted_partition_has_nothing_below_it),
		needs_test(words_of_the_command_line_and_of_the_old_image_are_kept),
		needs_test(an_array_is_found_by_name_and_by_its_member),
		needs_test(crypttab_is_cut_down_to_what_opens_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
