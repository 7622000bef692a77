// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/initramfs-tool.h"

static const struct guest_kernel kernel = {.release = (char *)"6.1.0"};

static void later_images_hold_most_whatever_the_guest_says(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/initramfs-tools/initramfs.conf", "MODULES=most\n");
	tree_file("/etc/initramfs-tools/conf.d/driver-policy", "MODULES=dep\n");
	tool_apply(f, &initramfs_tools);
	assert_bash("for f in $1/etc/initramfs-tools/conf.d/*; do . $f; done; echo $MODULES",
		    "most\n");
}

static void the_policy_of_the_guest_is_found(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/initramfs-tools/initramfs.conf", "MODULES=most\n");
	tree_file("/etc/initramfs-tools/conf.d/driver-policy", "# x\nMODULES=dep\n");
	tool_find(f, &initramfs_tools);
	assert_int_equal(f->narrow.count, 1);
	assert_found(&f->narrow, 0,
		     "MODULES=dep in /etc/initramfs-tools/conf.d/driver-policy names only what "
		     "the machine has that builds the image");
}

static void entries_that_open_the_root_are_marked(void **state)
{
	struct tool_fixture *f = *state;

	tree_file("/etc/crypttab",
		  "# mapper\na UUID=1\nb\tUUID=2  none\nc UUID=3 none luks,discard \n"
		  "data UUID=4 none luks\n");
	strings_add(&f->needs.crypt, "a");
	strings_add(&f->needs.crypt, "b");
	strings_add(&f->needs.crypt, "c");
	tool_apply(f, &initramfs_tools);
	assert_tree_file("/etc/crypttab", "# mapper\na UUID=1 none initramfs\n"
					  "b\tUUID=2  none initramfs\n"
					  "c UUID=3 none luks,discard,initramfs\n"
					  "data UUID=4 none luks\n");
}

static void the_command_takes_most_or_the_list(void **state)
{
	struct tool_fixture *f = *state;

	assert_command(f, &initramfs_tools, &kernel, INITRAMFS_MOST,
		       "env V2P_MODULES=most mkinitramfs -o /var/lib/v2p/built 6.1.0");
	assert_command(f, &initramfs_tools, &kernel, INITRAMFS_LIST,
		       "env V2P_MODULES=list mkinitramfs -o /var/lib/v2p/built 6.1.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tool_test(later_images_hold_most_whatever_the_guest_says),
		tool_test(the_policy_of_the_guest_is_found),
		tool_test(entries_that_open_the_root_are_marked),
		tool_test(the_command_takes_most_or_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
