// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/tree.h"

#include "adapt/blacklist.h"
#include "adapt/boot_arguments.h"

#define RELEASE "6.1.0-37-amd64"
#define OTHER "6.1.0-37-cloud-amd64"
#define AHCI "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01"

static struct guest guest(void)
{
	struct guest guest = {0};

	tree_directory("/lib/modules/" RELEASE);
	tree_directory("/lib/modules/" OTHER);
	tree_file("/boot/vmlinuz-" RELEASE, "");
	tree_file("/boot/vmlinuz-" OTHER, "");
	assert_int_equal(guest_open_root(tree, &guest, NULL), 0);
	return guest;
}

/* Who keeps the module out, "-" for nobody. name: with "!" in front, one that is built in. */
static char *find(const char *name, enum blacklisting *how)
{
	struct guest system = guest();
	_cleanup_blacklist_ struct blacklist blacklist = {0};
	_cleanup_error_ struct error err = {0};
	const char *by = "-";
	char *answer;

	if (blacklist_read(&system, RELEASE, &blacklist, &err) < 0)
		fail_msg("%s", error_text(&err));
	*how = *name == '!' ? blacklist_find_builtin(&blacklist, name + 1, &by)
			    : blacklist_find(&blacklist, name, AHCI, &by);
	answer = string_copy(by);
	guest_release(&system);
	return answer;
}

static void assert_blacklisted(const char *name, enum blacklisting wanted, const char *by)
{
	enum blacklisting how;
	_cleanup_free_ char *found = find(name, &how);

	assert_string_equal(found, by);
	assert_int_equal(how, wanted);
}

static void modprobe_d_is_obeyed(void **state)
{
	(void)state;
	tree_file("/etc/modprobe.d/a.conf", "# blacklist e1000e\n"
					    "blacklist nouveau\n"
					    "install usb-storage /bin/true\n"
					    "install snd_hda_intel /sbin/modprobe -i $CMDLINE_OPTS "
					    "snd_hda_intel\n"
					    "alias pci:v00008086d*bc01sc06i* off\n"
					    "alias sd_mod off\n"
					    "options ahci marvell_enable=1\n");
	assert_blacklisted("nouveau", BLACKLIST_AUTOMATIC, "/etc/modprobe.d/a.conf line 2");
	assert_blacklisted("usb_storage", BLACKLIST_ALWAYS, "/etc/modprobe.d/a.conf line 3");
	assert_blacklisted("sd_mod", BLACKLIST_ALWAYS, "/etc/modprobe.d/a.conf line 6");
	/* By the alias of the device alone. */
	assert_blacklisted("ahci", BLACKLIST_AUTOMATIC, "/etc/modprobe.d/a.conf line 5");
}

static void what_is_a_comment_or_loads_after_all_is_no_blacklist(void **state)
{
	(void)state;
	tree_file("/etc/modprobe.d/a.conf", "# blacklist e1000e\n"
					    "install snd-hda-intel modprobe -i snd-hda-intel\n"
					    "blacklist\n"
					    "blacklisted ahci\n");
	assert_blacklisted("e1000e", BLACKLIST_NONE, "-");
	assert_blacklisted("snd_hda_intel", BLACKLIST_NONE, "-");
	assert_blacklisted("ahci", BLACKLIST_NONE, "-");
}

static void a_line_goes_on_behind_a_backslash(void **state)
{
	(void)state;
	tree_file("/etc/modprobe.d/a.conf", "blacklist \\\n  ahci\nblacklist nvme");
	assert_blacklisted("ahci", BLACKLIST_AUTOMATIC, "/etc/modprobe.d/a.conf line 1");
	assert_blacklisted("nvme", BLACKLIST_AUTOMATIC, "/etc/modprobe.d/a.conf line 3");
}

static void a_file_in_etc_hides_its_namesake_in_lib(void **state)
{
	(void)state;
	tree_file("/lib/modprobe.d/fb.conf", "blacklist ahci\n");
	tree_file("/lib/modprobe.d/other.conf", "blacklist nvme\n");
	tree_file("/lib/modprobe.d/README", "blacklist sd_mod\n");
	tree_file("/etc/modprobe.d/fb.conf", "");
	assert_blacklisted("ahci", BLACKLIST_NONE, "-");
	assert_blacklisted("nvme", BLACKLIST_AUTOMATIC, "/lib/modprobe.d/other.conf line 1");
	assert_blacklisted("sd_mod", BLACKLIST_NONE, "-");
}

#define GRUB(arguments)                                                                            \
	"menuentry 'Debian' {\n"                                                                   \
	"\tlinux /boot/vmlinuz-" RELEASE " root=UUID=1 ro " arguments "\n"                         \
	"\tinitrd /boot/initrd.img-" RELEASE "\n}\n"

static void the_kernel_command_line_is_obeyed(void **state)
{
	(void)state;
	tree_file("/boot/grub/grub.cfg",
		  "# linux /boot/vmlinuz blacklist=xfs\n" GRUB(
			  "module_blacklist=ahci,nvme modprobe.blacklist=e1000e "
			  "\"initcall_blacklist=init_sd,virtio_blk_init\" blacklist=r8169"));
	assert_blacklisted("nvme", BLACKLIST_ALWAYS,
			   "module_blacklist on the kernel command line in /boot/grub/grub.cfg");
	assert_blacklisted("e1000e", BLACKLIST_AUTOMATIC,
			   "modprobe.blacklist on the kernel command line in /boot/grub/grub.cfg");
	assert_blacklisted("r8169", BLACKLIST_AUTOMATIC,
			   "blacklist on the kernel command line in /boot/grub/grub.cfg");
	assert_blacklisted("xfs", BLACKLIST_NONE, "-");
	assert_blacklisted("!sd", BLACKLIST_ALWAYS,
			   "initcall_blacklist on the kernel command line in /boot/grub/grub.cfg");
	assert_blacklisted("!virtio_blk", BLACKLIST_ALWAYS,
			   "initcall_blacklist on the kernel command line in /boot/grub/grub.cfg");
	/* What is built in is there before anybody asks modprobe. */
	assert_blacklisted("!ahci", BLACKLIST_NONE, "-");
}

static void an_entry_of_another_kernel_or_for_recovery_does_not_count(void **state)
{
	(void)state;
	tree_file("/boot/grub/grub.cfg",
		  "linux /boot/vmlinuz-" OTHER " module_blacklist=nvme\n"
		  "linux /boot/vmlinuz-" RELEASE " module_blacklist=ahci\n"
		  "linux /boot/vmlinuz-" RELEASE " single module_blacklist=e1000e\n");
	assert_blacklisted("nvme", BLACKLIST_NONE, "-");
	assert_blacklisted("e1000e", BLACKLIST_NONE, "-");
	assert_blacklisted("ahci", BLACKLIST_ALWAYS,
			   "module_blacklist on the kernel command line in /boot/grub/grub.cfg");
}

static void boot_loader_entries_and_syslinux_are_read(void **state)
{
	(void)state;
	tree_file("/boot/efi/loader/entries/a.conf",
		  "title Debian\nversion " RELEASE "\noptions root=UUID=1\n"
		  "linux /0123456789abcdef/" RELEASE "/linux\noptions module_blacklist=nvme\n");
	tree_file("/boot/efi/loader/entries/b.conf",
		  "linux /0123456789abcdef/" OTHER "/linux\noptions module_blacklist=xhci_pci\n");
	tree_file("/boot/extlinux/extlinux.conf",
		  "LABEL a\n\tKERNEL /boot/vmlinuz-" RELEASE "\n\tAPPEND module_blacklist=ahci\n");
	tree_file("/etc/kernel/cmdline", "root=UUID=1 rd.driver.blacklist=e1000e\n");
	assert_blacklisted("xhci_pci", BLACKLIST_NONE, "-");
	assert_blacklisted("nvme", BLACKLIST_ALWAYS,
			   "module_blacklist on the kernel command line in "
			   "/boot/efi/loader/entries/a.conf");
	assert_blacklisted("ahci", BLACKLIST_ALWAYS,
			   "module_blacklist on the kernel command line in "
			   "/boot/extlinux/extlinux.conf");
	assert_blacklisted("e1000e", BLACKLIST_AUTOMATIC,
			   "rd.driver.blacklist on the kernel command line in /etc/kernel/cmdline");
}

static void names_of_the_guest_cannot_write_to_the_terminal(void **state)
{
	(void)state;
	tree_file("/etc/modprobe.d/\033[2J.conf", "blacklist ahci\n");
	assert_blacklisted("ahci", BLACKLIST_AUTOMATIC, "/etc/modprobe.d/?[2J.conf line 1");
}

static void a_pattern_that_makes_fnmatch_slow_ends_at_once(void **state)
{
	_cleanup_text_ struct text text = {0};

	(void)state;
	text_add(&text, "alias ");
	for (int i = 0; i < 2000; i++)
		text_add(&text, "*0");
	text_add(&text, "*x off\nblacklist nvme\n");
	tree_file("/etc/modprobe.d/a.conf", text_string(&text));
	assert_blacklisted("ahci", BLACKLIST_NONE, "-");
	assert_blacklisted("nvme", BLACKLIST_AUTOMATIC, "/etc/modprobe.d/a.conf line 2");
}

static void what_is_no_file_is_left_out(void **state)
{
	(void)state;
	tree_directory("/etc/modprobe.d/directory.conf");
	tree_link("/dev/zero", "/etc/modprobe.d/device.conf");
	tree_link("loop.conf", "/etc/modprobe.d/loop.conf");
	tree_file("/etc/modprobe.d/z.conf", "blacklist ahci\n");
	assert_blacklisted("ahci", BLACKLIST_AUTOMATIC, "/etc/modprobe.d/z.conf line 1");
}

#define tree_test(function) cmocka_unit_test_setup_teardown(function, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(modprobe_d_is_obeyed),
		tree_test(what_is_a_comment_or_loads_after_all_is_no_blacklist),
		tree_test(a_line_goes_on_behind_a_backslash),
		tree_test(a_file_in_etc_hides_its_namesake_in_lib),
		tree_test(the_kernel_command_line_is_obeyed),
		tree_test(an_entry_of_another_kernel_or_for_recovery_does_not_count),
		tree_test(boot_loader_entries_and_syslinux_are_read),
		tree_test(names_of_the_guest_cannot_write_to_the_terminal),
		tree_test(a_pattern_that_makes_fnmatch_slow_ends_at_once),
		tree_test(what_is_no_file_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
