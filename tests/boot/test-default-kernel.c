// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/default_kernel.h"
#include "tests/boot/machine.h"

#define OLD "5.10.0-9-amd64"
#define NEW "6.1.0-37-amd64"

/* As grub-mkconfig of Debian writes them, with what is not asked for cut out. */
static const char grub_entries[] =
	"menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-1' {\n"
	"\tload_video\n"
	"\tlinux\t/boot/vmlinuz-" NEW " root=UUID=1 ro  quiet\n"
	"\tinitrd\t/boot/initrd.img-" NEW "\n"
	"}\n"
	"submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option "
	"'gnulinux-advanced-1' "
	"{\n"
	"\tmenuentry 'Debian, with Linux " NEW "' $menuentry_id_option 'gnulinux-" NEW "-1' {\n"
	"\t\tlinux\t/boot/vmlinuz-" NEW " root=UUID=1 ro\n"
	"\t}\n"
	"\tmenuentry 'Debian, with Linux " OLD "' $menuentry_id_option 'gnulinux-" OLD "-1' {\n"
	"\t\tlinux\t/boot/vmlinuz-" OLD " root=UUID=1 ro\n"
	"\t}\n"
	"}\n"
	"menuentry \"Memory test (memtest86+x64.efi)\" {\n\tlinux /boot/memtest86+x64.bin\n}\n"
	"if [ \"$grub_platform\" = \"efi\" ]; then\n"
	"\tmenuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {\n"
	"\t\tfwsetup\n\t}\nfi\n";

static int setup(void **state)
{
	if (tree_setup(state) < 0)
		return -1;
	for (const char *const *r = (const char *const[]){OLD, NEW, "6.9.0", NULL}; *r; r++) {
		_cleanup_free_ char *modules = string_format("/lib/modules/%s", *r);
		_cleanup_free_ char *image = string_format("/boot/vmlinuz-%s", *r);

		tree_directory(modules);
		/* 6.9.0 has modules and no kernel. */
		if (strcmp(*r, "6.9.0") != 0)
			tree_file(image, *r);
	}
	return 0;
}

static void write_grub(const char *chosen, const char *environment)
{
	_cleanup_free_ char *config =
		string_format("if [ -s $prefix/grubenv ]; then\n  load_env\nfi\n"
			      "if [ \"${next_entry}\" ] ; then\n   set default=\"${next_entry}\"\n"
			      "   set next_entry=\n   set boot_once=true\nelse\n"
			      "   set default=\"%s\"\nfi\n"
			      "function load_video {\n  insmod all_video\n}\n%s",
			      chosen, grub_entries);

	tree_file("/boot/grub/grub.cfg", config);
	if (environment)
		tree_file("/boot/grub/grubenv", environment);
}

static void assert_default(const char *release, bool is_certain, const char *how)
{
	struct guest guest = {.root_fd = -1};
	_cleanup_default_kernel_ struct default_kernel found = {0};
	_cleanup_error_ struct error err = {0};

	assert_int_equal(guest_open_root(tree, &guest, NULL), 0);
	if (default_kernel_find(&guest, &found, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_non_null(found.kernel);
	assert_string_equal(found.kernel->release, release);
	assert_int_equal(found.is_certain, is_certain);
	assert_contains(found.how, how);
	guest_release(&guest);
}

static void each_way_to_name_an_entry_of_grub_is_understood(void **state)
{
	static const struct {
		const char *chosen, *environment, *release;
	} rows[] = {
		{"0", NULL, NEW},
		{"", NULL, NEW},
		{"1", NULL, NEW}, /* a submenu starts its first entry */
		{"1>1", NULL, OLD},
		{"1>0", NULL, NEW},
		{"Debian GNU/Linux", NULL, NEW},
		{"gnulinux-simple-1", NULL, NEW},
		{"gnulinux-advanced-1>gnulinux-" OLD "-1", NULL, OLD},
		{"Advanced options for Debian GNU/Linux>Debian, with Linux " OLD, NULL, OLD},
		{"77", NULL, NEW}, /* GRUB falls back to the first */
		{"no such entry", NULL, NEW},
		{"gnulinux-advanced-1>no such entry", NULL, NEW},
		{"${saved_entry}", "# GRUB Environment Block\nsaved_entry=1>1\n#####", OLD},
		{"${saved_entry}",
		 "# GRUB Environment Block\nsaved_entry=gnulinux-advanced-1>gnulinux-" OLD "-1\n#",
		 OLD},
		{"${saved_entry}", "# GRUB Environment Block\n#####", NEW},
		{"${saved_entry}", "# GRUB Environment Block\nsaved_entry=\n#####", NEW},
		{"0", "# GRUB Environment Block\nnext_entry=1>1\n#####", OLD},
		{"${saved_entry}", "next_entry=0\nsaved_entry=1>1\n", NEW},
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		write_grub(rows[i].chosen, rows[i].environment ? rows[i].environment : "");
		assert_default(rows[i].release, true, "in /boot/grub/grub.cfg");
	}
}

static void what_starts_no_linux_leaves_the_newest(void **state)
{
	(void)state;
	write_grub("2", NULL);
	assert_default(NEW, false, "the newest: ");
	write_grub("uefi-firmware", NULL);
	assert_default(NEW, false, "the newest: ");
}

static void without_a_boot_loader_it_is_the_newest_that_has_a_kernel(void **state)
{
	(void)state;
	assert_default(NEW, false, "the newest: the boot loader's configuration names none");
}

static void a_link_to_the_kernel_is_followed(void **state)
{
	(void)state;
	tree_link("vmlinuz-" OLD, "/boot/vmlinuz.old");
	tree_file("/boot/grub/grub.cfg",
		  "menuentry 'Old' {\n  linux /vmlinuz.old root=/dev/vda1\n}\n");
	assert_default(OLD, true, "\"Old\" in /boot/grub/grub.cfg");
}

static void write_bls(void)
{
	tree_file("/boot/loader/entries/0123-" OLD ".conf",
		  "title Fedora (" OLD ")\nversion " OLD "\nlinux /vmlinuz-" OLD "\n"
		  "options root=UUID=1\n");
	tree_file("/boot/loader/entries/0123-" NEW ".conf",
		  "# comment\ntitle\tFedora (" NEW ")\nversion " NEW "\nlinux /vmlinuz-" NEW "\n");
}

static void entries_in_files_belong_to_grub_where_it_asks_for_them(void **state)
{
	(void)state;
	write_bls();
	tree_file("/boot/grub2/grub.cfg",
		  "set default=\"${saved_entry}\"\ninsmod blscfg\nblscfg\n");
	assert_default(NEW, true, "\"Fedora (" NEW ")\" in /boot/loader/entries");
	tree_file("/boot/grub2/grubenv", "saved_entry=0123-" OLD "\n");
	assert_default(OLD, true, "\"Fedora (" OLD ")\" in /boot/loader/entries");
	tree_file("/boot/grub2/grubenv", "saved_entry=1\n");
	assert_default(OLD, true, "/boot/loader/entries");
}

static void loader_conf_names_an_entry_by_a_pattern(void **state)
{
	(void)state;
	write_bls();
	assert_default(NEW, true, "/boot/loader/entries");
	tree_file("/boot/loader/loader.conf", "timeout 3\ndefault 0123-5.10*\n");
	assert_default(OLD, true, "/boot/loader/entries");
	tree_file("/boot/loader/loader.conf", "default 0123-" OLD ".conf\n");
	assert_default(OLD, true, "/boot/loader/entries");
	tree_file("/boot/loader/loader.conf", "default @saved\n");
	assert_default(NEW, true, "/boot/loader/entries");
}

static void entries_with_a_sort_key_come_first(void **state)
{
	(void)state;
	write_bls();
	tree_file("/boot/loader/entries/a.conf",
		  "title Old\nsort-key debian\nversion " OLD "\nlinux /vmlinuz-" OLD "\n");
	assert_default(OLD, true, "\"Old\" in ");
}

static void an_entry_whose_kernel_is_gone_is_no_answer(void **state)
{
	(void)state;
	tree_file("/boot/grub/grub.cfg", "menuentry 'X' {\n linux /vmlinuz-9.9.9\n}\n");
	assert_default(NEW, false, "the newest: ");
}

static void a_hostile_menu_ends(void **state)
{
	_cleanup_text_ struct text text = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		text_add(&text, "submenu 'a' {\n");
	for (int i = 0; i < 20000; i++)
		text_add(&text, "menuentry 'a' {\nlinux /vmlinuz-" NEW "\n}\n}\n}\n'unclosed\n");
	tree_file("/boot/grub/grub.cfg", text_string(&text));
	assert_default(NEW, false, "the newest: ");
}

#define with_tree(test) cmocka_unit_test_setup_teardown(test, setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tree(each_way_to_name_an_entry_of_grub_is_understood),
		with_tree(what_starts_no_linux_leaves_the_newest),
		with_tree(without_a_boot_loader_it_is_the_newest_that_has_a_kernel),
		with_tree(a_link_to_the_kernel_is_followed),
		with_tree(entries_in_files_belong_to_grub_where_it_asks_for_them),
		with_tree(loader_conf_names_an_entry_by_a_pattern),
		with_tree(entries_with_a_sort_key_come_first),
		with_tree(an_entry_whose_kernel_is_gone_is_no_answer),
		with_tree(a_hostile_menu_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
