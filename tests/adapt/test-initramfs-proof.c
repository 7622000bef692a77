// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/tree.h"

#include "adapt/initramfs_proof.h"

struct fixture {
	struct initramfs_content content;
	struct initramfs_needs needs;
	struct strings modules, firmware, missing;
	struct guest guest;
	struct drivers_db *db;
};

static struct fixture fixture;

static int setup(void **state)
{
	fixture = (struct fixture){.guest = {.root_fd = -1}};
	*state = &fixture;
	return tree_setup(NULL);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	initramfs_content_release(&f->content);
	initramfs_needs_release(&f->needs);
	strings_release(&f->modules);
	strings_release(&f->firmware);
	strings_release(&f->missing);
	layout_release(&f->guest.layout);
	guest_release(&f->guest);
	drivers_db_free(f->db);
	return tree_teardown(NULL);
}

static void assert_lacks(struct fixture *f, const char *what)
{
	const struct initramfs_requirements required = {.release = "6.1.0",
							.modules = &f->modules,
							.firmware = &f->firmware,
							.needs = &f->needs};
	_cleanup_free_ char *joined = NULL;

	strings_release(&f->missing);
	initramfs_lacks(&f->content, &required, &f->missing);
	joined = strings_join(&f->missing, ", ");
	assert_string_equal(joined, what);
}

static void hold(struct fixture *f, const char *name)
{
	strings_add(&f->content.names, name);
}

static void hold_setting(struct fixture *f, const char *name, const char *text)
{
	hold(f, name);
	strings_add(&f->content.settings, name);
	strings_add(&f->content.texts, text);
}

static void modules_are_named_by_their_files(void **state)
{
	struct fixture *f = *state;

	strings_add(&f->modules, "kernel/drivers/ata/ahci.ko");
	assert_lacks(f, "ahci.ko");
	hold(f, "usr/lib/modules/6.1.0/kernel/drivers/ata/ahci.ko.xz");
	assert_lacks(f, "");
}

static void firmware_counts_in_any_directory_and_compression(void **state)
{
	struct fixture *f = *state;

	strings_add(&f->firmware, "qed/a.bin");
	strings_add(&f->firmware, "b.fw");
	strings_add(&f->firmware, "c.fw");
	strings_add(&f->firmware, "d.fw");
	hold(f, "usr/lib/firmware/qed/a.bin.zst");
	hold(f, "lib/firmware/updates/6.1.0/b.fw");
	hold(f, "lib/firmware/xc.fw");
	hold(f, "lib/firmware/d.fw2");
	hold(f, "etc/d.fw");
	assert_lacks(f, "firmware c.fw, firmware d.fw");
}

static void programs_of_the_root_must_be_there(void **state)
{
	struct fixture *f = *state;

	f->needs.has_lvm = f->needs.has_crypt = f->needs.has_raid = true;
	assert_lacks(f, "lvm, cryptsetup, mdadm");
	hold(f, "usr/sbin/lvm");
	hold(f, "usr/lib/systemd/systemd-cryptsetup");
	hold(f, "sbin/mdadm");
	assert_lacks(f, "");
}

static void each_volume_must_be_in_the_crypttab_of_the_image(void **state)
{
	struct fixture *f = *state;

	f->needs.has_crypt = true;
	strings_add(&f->needs.crypt, "vda5_crypt");
	hold(f, "sbin/cryptsetup");
	assert_lacks(f, "vda5_crypt in its crypttab");
	hold_setting(f, "etc/crypttab", "data UUID=1 none\n");
	assert_lacks(f, "vda5_crypt in its crypttab");
	hold_setting(f, "cryptroot/crypttab", "vda5_crypt UUID=1 none luks\n");
	assert_lacks(f, "");
}

static void a_tool_that_is_told_by_the_command_line_needs_no_crypttab(void **state)
{
	struct fixture *f = *state;

	f->needs.has_crypt = true;
	strings_add(&f->needs.crypt, "root");
	hold(f, "usr/bin/cryptsetup");
	hold(f, "hooks/encrypt");
	assert_lacks(f, "");
}

static void open_guest(struct fixture *f, const char *os_release)
{
	tree_file("/etc/os-release", os_release);
	assert_int_equal(guest_open_root(tree, &f->guest, NULL), 0);
}

static void a_swap_device_that_is_gone_is_named(void **state)
{
	static const char *const settings[] = {"conf/initramfs.conf", "conf/conf.d/resume",
					       "etc/cmdline.d/95resume.conf"};
	struct fixture *f = *state;
	struct layout *layout = &f->guest.layout;
	_cleanup_free_ char *gone = NULL, *none = NULL;

	open_guest(f, "ID=debian\n");
	hold_setting(f, settings[0], "MODULES=most\nRESUME=auto\n");
	assert_null(initramfs_gone_resume(&f->guest, &f->content));
	hold_setting(f, settings[1], "RESUME=\"UUID=5555-6666\"\n");
	assert_null(initramfs_gone_resume(&f->guest, &f->content)); /* no disk to look at */
	layout->partition = calloc(1, sizeof(*layout->partition));
	layout->partition[0] = (struct partition){
		.number = 1, .filesystem = string_copy("swap"), .uuid = string_copy("1111-2222")};
	layout->count = 1;
	gone = initramfs_gone_resume(&f->guest, &f->content);
	assert_string_equal(gone, "UUID=5555-6666");
	hold_setting(f, settings[2], " resume=UUID=1111-2222 \n");
	none = initramfs_gone_resume(&f->guest, &f->content);
	assert_null(none);
}

static void assert_note(struct fixture *f, const char *vendor, const char *words)
{
	_cleanup_free_ char *note = NULL;

	if (!f->db)
		assert_int_equal(drivers_db_load(NULL, &f->db, NULL), 0);
	note = initramfs_microcode_note(f->db, &f->guest, &f->content, vendor);

	if (!words)
		assert_null(note);
	else if (!note || !strstr(note, words))
		fail_msg("\"%s\" instead of \"%s\"", note ? note : "nothing", words);
}

static void missing_microcode_names_the_package(void **state)
{
	struct fixture *f = *state;

	open_guest(f, "ID=devuan\nID_LIKE=debian\n");
	assert_note(f, "GenuineIntel", "the package intel-microcode brings newer");
	assert_note(f, "AuthenticAMD", "the package amd64-microcode brings newer");
	assert_note(f, "CentaurHauls", NULL);
	assert_note(f, NULL, NULL);
	hold(f, "kernel/x86/microcode/GenuineIntel.bin");
	assert_note(f, "GenuineIntel", NULL);
}

static void microcode_that_is_there_but_not_loaded_is_told_apart(void **state)
{
	struct fixture *f = *state;

	tree_file("/lib/firmware/intel-ucode/06-8e-09", "x");
	open_guest(f, "ID=arch\n");
	assert_note(f, "GenuineIntel", "but its initramfs does not load it");
	assert_note(f, "AuthenticAMD", "the package amd-ucode brings newer");
	tree_file("/boot/amd-ucode.img", "x");
	assert_note(f, "AuthenticAMD", NULL);
}

#define proof_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		proof_test(modules_are_named_by_their_files),
		proof_test(firmware_counts_in_any_directory_and_compression),
		proof_test(programs_of_the_root_must_be_there),
		proof_test(each_volume_must_be_in_the_crypttab_of_the_image),
		proof_test(a_tool_that_is_told_by_the_command_line_needs_no_crypttab),
		proof_test(a_swap_device_that_is_gone_is_named),
		proof_test(missing_microcode_names_the_package),
		proof_test(microcode_that_is_there_but_not_loaded_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
