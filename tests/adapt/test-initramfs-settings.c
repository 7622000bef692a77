// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/tree.h"

#include "adapt/initramfs_settings.h"

static const char *const names[] = {"hostonly", "omit_drivers", "HOOKS", NULL};

static void assert_words(const char *content, size_t index, const char *words)
{
	_cleanup_settings_ struct settings settings = {0};
	_cleanup_free_ char *joined = NULL;

	settings_parse("/etc/x", content, names, &settings);
	assert_true(settings.count > index);
	joined = strings_join(&settings.item[index].words, " ");
	assert_string_equal(joined, words);
}

static void assignments_are_read_with_and_without_quotes(void **state)
{
	(void)state;
	assert_words("hostonly=yes\n", 0, "yes");
	assert_words("  hostonly=\"yes\" # on purpose\n", 0, "yes");
	assert_words("omit_drivers+=\" ahci sd_mod \"\n", 0, "ahci sd_mod");
	assert_words("HOOKS=(base udev\n  autodetect block)\n", 0, "base udev autodetect block");
	assert_words("HOOKS='base udev'\nhostonly='no'\n", 1, "no");
	assert_words("hostonly=\"never closed\nhostonly=no", 0, "never closed");
	assert_words("hostonly=", 0, "");
}

static void comments_and_other_names_are_no_assignments(void **state)
{
	_cleanup_settings_ struct settings settings = {0};

	(void)state;
	settings_parse("/etc/x",
		       "# hostonly=yes\nhostonly_mode=strict\nxhostonly=yes\nhostonly yes\n", names,
		       &settings);
	assert_int_equal(settings.count, 0);
}

static void what_stands_inside_a_value_is_no_setting(void **state)
{
	_cleanup_settings_ struct settings settings = {0};
	_cleanup_text_ struct text content = {0};

	(void)state;
	for (size_t i = 0; i < 100000; i++)
		text_add(&content, "HOOKS=(\n");
	text_add(&content, ")\nHOOKS=dep\n");
	settings_parse("/etc/x", text_string(&content), names, &settings);
	assert_int_equal(settings.count, 2);
	assert_string_equal(settings.item[1].words.item[0], "dep");
}

static void settings_without_end_are_cut_off(void **state)
{
	_cleanup_settings_ struct settings settings = {0};
	_cleanup_text_ struct text content = {0};

	(void)state;
	for (size_t i = 0; i < 5000; i++)
		text_add(&content, "HOOKS=dep\n");
	settings_parse("/etc/x", text_string(&content), names, &settings);
	assert_int_equal(settings.count, 1024);
}

static void files_are_read_in_order_without_those_of_v2p(void **state)
{
	static const char *const files[] = {"/etc/dracut.conf", "/etc/dracut.conf.d/", NULL};
	_cleanup_settings_ struct settings settings = {0};
	const struct changes none = {0};
	struct guest guest;
	_cleanup_free_ char *text = NULL;

	(void)state;
	tree_file("/etc/dracut.conf", "hostonly=no\n");
	tree_file("/etc/dracut.conf.d/b.conf", "hostonly=yes\n");
	tree_file("/etc/dracut.conf.d/a.conf", "omit_drivers+=\" x \"\n");
	tree_file("/etc/dracut.conf.d/a.conf.bak", "hostonly=old\n");
	tree_file("/etc/dracut.conf.d/zz-v2p.conf", "hostonly=ours\n");
	assert_int_equal(guest_open_root(tree, &guest, NULL), 0);
	assert_int_equal(settings_read(&guest, &none, files, ".conf", names, &settings, NULL), 0);
	assert_int_equal(settings.count, 3);
	assert_string_equal(settings.item[1].name, "omit_drivers");
	text = setting_text(&settings.item[2], "yes");
	assert_string_equal(text, "hostonly=yes in /etc/dracut.conf.d/b.conf");
	guest_release(&guest);
}

static void a_block_is_added_once_and_replaced(void **state)
{
	_cleanup_free_ char *first = settings_with_block("a", "why", "x\n");
	_cleanup_free_ char *second = settings_with_block(first, "other", "y\n");
	_cleanup_free_ char *open_end = settings_with_block("# BEGIN v2p: torn\nx\n", "t", "y\n");

	(void)state;
	assert_string_equal(first, "a\n# BEGIN v2p: why\nx\n# END v2p\n");
	assert_string_equal(second, "a\n# BEGIN v2p: other\ny\n# END v2p\n");
	assert_string_equal(open_end, "# BEGIN v2p: torn\nx\n# BEGIN v2p: t\ny\n# END v2p\n");
}

static void dashes_and_underscores_name_one_module(void **state)
{
	_cleanup_strings_ struct strings list = {0};

	(void)state;
	strings_add(&list, "virtio-blk");
	assert_non_null(find_module(&list, "virtio_blk"));
	assert_null(find_module(&list, "virtio_bl"));
	assert_null(find_module(&list, "virtio_blk2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(assignments_are_read_with_and_without_quotes),
		cmocka_unit_test(comments_and_other_names_are_no_assignments),
		cmocka_unit_test(what_stands_inside_a_value_is_no_setting),
		cmocka_unit_test(settings_without_end_are_cut_off),
		cmocka_unit_test_setup_teardown(files_are_read_in_order_without_those_of_v2p,
						tree_setup, tree_teardown),
		cmocka_unit_test(a_block_is_added_once_and_replaced),
		cmocka_unit_test(dashes_and_underscores_name_one_module),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
