// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/tree.h"

#include <elf.h>
#include <endian.h>
#include <sys/xattr.h>

#include "adapt/guest.h"

#define _cleanup_guest_ __attribute__((cleanup(guest_release)))

static void open_tree_guest(struct guest *guest)
{
	_cleanup_error_ struct error err = {0};

	if (guest_open_root(tree, guest, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void assert_reads(const struct guest *guest, const char *path, const char *content)
{
	_cleanup_text_ struct text text = {0};

	assert_int_equal(guest_read(guest, path, &text, NULL), 1);
	assert_string_equal(text_string(&text), content);
}

static void write_string(struct guest *guest, const char *path, const char *content)
{
	_cleanup_error_ struct error err = {0};

	if (guest_write(guest, path, content, strlen(content), &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void a_tree_says_what_it_is(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	Elf64_Ehdr header = {.e_ident = ELFMAG, .e_machine = htole16(EM_X86_64)};

	(void)state;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	tree_file_bytes("/bin/sh", &header, sizeof(header), 0755);
	tree_file("/etc/hostname", "# a comment\n golden-a \n");
	tree_program("/usr/sbin/mkinitramfs", "#!/bin/sh\n");
	tree_file("/lib/modules/6.1.0-9-amd64/modules.dep", "");
	tree_file("/lib/modules/6.1.0-37-amd64/modules.dep", "");
	tree_directory("/lib/modules/-rf $(reboot)");
	tree_file("/boot/vmlinuz-6.1.0-37-amd64", "k");
	tree_file("/boot/initrd.img-6.1.0-37-amd64", "i");
	open_tree_guest(&guest);
	assert_string_equal(guest.os_id, "debian");
	assert_string_equal(guest.os_version, "12");
	assert_string_equal(guest.os_name, "Debian GNU/Linux 12 (bookworm)");
	assert_string_equal(guest.hostname, "golden-a");
	assert_string_equal(guest.architecture, "x86_64");
	assert_int_equal(guest.initramfs_tool, INITRAMFS_TOOLS);
	assert_int_equal(guest.kernel_count, 2);
	assert_string_equal(guest.kernel[0].release, "6.1.0-37-amd64");
	assert_string_equal(guest.kernel[0].image, "/boot/vmlinuz-6.1.0-37-amd64");
	assert_string_equal(guest.kernel[0].initramfs, "/boot/initrd.img-6.1.0-37-amd64");
	assert_string_equal(guest.kernel[1].release, "6.1.0-9-amd64");
	assert_null(guest.kernel[1].image);
}

static void kernels_of_arch_are_found_by_their_package(void **state)
{
	_cleanup_guest_ struct guest guest = {0};

	(void)state;
	tree_file("/usr/lib/modules/6.9.1-arch1-1/pkgbase", "linux\n");
	tree_link("usr/lib", "/lib");
	tree_file("/boot/vmlinuz-linux", "k");
	tree_file("/boot/initramfs-linux.img", "i");
	open_tree_guest(&guest);
	assert_int_equal(guest.kernel_count, 1);
	assert_string_equal(guest.kernel[0].image, "/boot/vmlinuz-linux");
	assert_string_equal(guest.kernel[0].initramfs, "/boot/initramfs-linux.img");
}

static void a_tree_that_is_not_linux_is_refused(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *release = tree_path("/etc/os-release");

	(void)state;
	unlink(release);
	assert_int_equal(guest_open_root(tree, &guest, &err), -1);
	assert_non_null(strstr(error_text(&err), "this is not a Linux system"));
	assert_non_null(strstr(error_text(&err), tree));
}

static void a_missing_tree_is_named(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(guest_open_root("/no/such/tree", &guest, &err), -1);
	assert_string_equal(error_text(&err), "open /no/such/tree: No such file or directory");
}

static void an_absolute_link_stays_in_the_tree(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_text_ struct text text = {0};

	(void)state;
	tree_file("/etc/shadow-copy", "the guest's\n");
	tree_link("/etc/shadow-copy", "/etc/a");
	tree_link("/etc/shadow", "/etc/b");
	open_tree_guest(&guest);
	assert_reads(&guest, "/etc/a", "the guest's\n");
	assert_int_equal(guest_read(&guest, "/etc/b", &text, NULL), 0);
	assert_false(guest_has(&guest, "/etc/b"));
}

static void dots_do_not_lead_out_of_the_tree(void **state)
{
	_cleanup_guest_ struct guest guest = {0};

	(void)state;
	tree_file("/etc/passwd", "the guest's\n");
	tree_link("../../../../../../../../etc/passwd", "/etc/a");
	open_tree_guest(&guest);
	assert_reads(&guest, "/etc/a", "the guest's\n");
	assert_reads(&guest, "/../../../../../../etc/passwd", "the guest's\n");
	assert_reads(&guest, "/etc/../../../../../etc/passwd", "the guest's\n");
}

static void a_link_into_proc_reaches_nothing(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_text_ struct text text = {0};

	(void)state;
	tree_link("/proc/self/root/etc/passwd", "/etc/a");
	open_tree_guest(&guest);
	assert_int_equal(guest_read(&guest, "/etc/a", &text, NULL), 0);
}

static void a_fifo_is_refused_and_not_waited_for(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_text_ struct text text = {0};
	_cleanup_free_ char *path = tree_path("/etc/fifo");

	(void)state;
	assert_int_equal(mkfifo(path, 0644), 0);
	open_tree_guest(&guest);
	assert_int_equal(guest_read(&guest, "/etc/fifo", &text, &err), -1);
	assert_string_equal(error_text(&err),
			    "open /etc/fifo in the guest: it is not a regular file");
	assert_int_equal(guest_write(&guest, "/etc/fifo", "x", 1, NULL), -1);
}

static void a_file_that_is_too_large_is_refused(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_text_ struct text text = {0};
	_cleanup_free_ char *path = tree_path("/etc/fstab");

	(void)state;
	assert_int_equal(truncate(path, 1LL << 40), 0);
	open_tree_guest(&guest);
	assert_int_equal(guest_read(&guest, "/etc/fstab", &text, &err), -1);
	assert_non_null(strstr(error_text(&err), "/etc/fstab: larger than"));
}

static void names_are_listed_in_order(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_strings_ struct strings names = {0}, paths = {0};

	(void)state;
	tree_file("/etc/d/b.yaml", "");
	tree_file("/etc/d/a.yaml", "");
	tree_file("/etc/d/.hidden.yaml", "");
	tree_file("/etc/d/c.txt", "");
	open_tree_guest(&guest);
	strings_add(&names, "zzz");
	assert_int_equal(guest_list(&guest, "/etc/d", &names, NULL), 0);
	assert_int_equal(names.count, 5);
	assert_string_equal(names.item[0], "zzz");
	assert_string_equal(names.item[1], ".hidden.yaml");
	assert_int_equal(guest_glob(&guest, "/etc/d", "*.yaml", &paths, NULL), 0);
	assert_int_equal(paths.count, 2);
	assert_string_equal(paths.item[0], "/etc/d/a.yaml");
	assert_int_equal(guest_list(&guest, "/no/such", &names, NULL), 0);
	assert_int_equal(names.count, 5);
}

static void a_write_keeps_mode_owner_and_attributes(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_free_ char *path = tree_path("/etc/secret");
	char value[16] = "";
	struct stat st;

	(void)state;
	tree_file_bytes("/etc/secret", "old", 3, 0640);
	if (geteuid() == 0)
		assert_int_equal(chown(path, 12, 34), 0);
	bool has_xattr = setxattr(path, "user.note", "kept", 4, 0) == 0;
	open_tree_guest(&guest);
	write_string(&guest, "/etc/secret", "new");
	assert_tree_file("/etc/secret", "new");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	if (geteuid() == 0)
		assert_true(st.st_uid == 12 && st.st_gid == 34);
	if (has_xattr)
		assert_int_equal(getxattr(path, "user.note", value, sizeof(value)), 4);
}

static void the_original_is_kept_once(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_free_ char *kept = tree_path("/var/lib/v2p/original/etc/fstab");
	_cleanup_free_ char *top = tree_path("/var/lib/v2p");
	struct stat st;

	(void)state;
	tree_directory("/var/lib");
	open_tree_guest(&guest);
	write_string(&guest, "/etc/fstab", "second");
	write_string(&guest, "/etc/fstab", "third");
	assert_tree_file("/etc/fstab", "third");
	assert_tree_file("/var/lib/v2p/original/etc/fstab", "UUID=1 / ext4 defaults 0 1\n");
	assert_int_equal(stat(kept, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(top, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_new_file_has_no_original_and_is_listed(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_free_ char *path = tree_path("/etc/new/deep/file");
	struct stat st;

	(void)state;
	open_tree_guest(&guest);
	write_string(&guest, "/etc/new/deep/file", "one");
	write_string(&guest, "/etc/new/deep/file", "two");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_false(guest_has(&guest, "/var/lib/v2p/original/etc/new/deep/file"));
	assert_tree_file("/var/lib/v2p/created", "/etc/new/deep/file\n");
}

static void our_own_report_is_not_kept_as_an_original(void **state)
{
	_cleanup_guest_ struct guest guest = {0};

	(void)state;
	open_tree_guest(&guest);
	write_string(&guest, "/var/lib/v2p/report.json", "{}");
	write_string(&guest, "/var/lib/v2p/report.json", "{1}");
	assert_false(guest_has(&guest, "/var/lib/v2p/original"));
	assert_false(guest_has(&guest, "/var/lib/v2p/created"));
}

static void a_write_through_a_link_stays_in_the_tree(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	char outside[] = "/tmp/v2p-outside-XXXXXX";
	_cleanup_text_ struct text text = {0};
	int fd = mkstemp(outside);

	(void)state;
	assert_int_equal(write(fd, "safe", 4), 4);
	close(fd);
	tree_link(outside, "/etc/a");
	tree_link("../../../../../../../..", "/up");
	open_tree_guest(&guest);
	write_string(&guest, "/etc/a", "changed");
	assert_int_equal(file_read(outside, 100, &text, NULL), 0);
	assert_string_equal(text_string(&text), "safe");
	assert_tree_file(outside, "changed");
	write_string(&guest, "/up/etc/fstab", "mine");
	assert_tree_file("/etc/fstab", "mine");
	unlink(outside);
}

static void a_link_is_followed_to_the_file_it_names(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_text_ struct text target = {0};

	(void)state;
	tree_file("/run/x/resolv.conf", "old");
	tree_link("../run/x/resolv.conf", "/etc/resolv.conf");
	open_tree_guest(&guest);
	write_string(&guest, "/etc/resolv.conf", "new");
	assert_tree_file("/run/x/resolv.conf", "new");
	assert_tree_file("/var/lib/v2p/original/run/x/resolv.conf", "old");
	assert_int_equal(guest_read_link(&guest, "/etc/resolv.conf", &target, NULL), 1);
	assert_string_equal(text_string(&target), "../run/x/resolv.conf");
	assert_int_equal(guest_read_link(&guest, "/etc/fstab", &target, NULL), 0);
}

static void a_circle_of_links_is_an_error(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	tree_link("b", "/etc/a");
	tree_link("a", "/etc/b");
	open_tree_guest(&guest);
	assert_int_equal(guest_write(&guest, "/etc/a", "x", 1, &err), -1);
	assert_string_equal(error_text(&err), "write /etc/a: follow /etc/a in the guest: "
					      "Too many levels of symbolic links");
}

static void a_removed_file_is_kept_and_a_removed_link_too(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_text_ struct text target = {0};

	(void)state;
	tree_file("/etc/target", "stays");
	tree_link("target", "/etc/link");
	open_tree_guest(&guest);
	assert_int_equal(guest_remove(&guest, "/etc/link", NULL), 0);
	assert_int_equal(guest_remove(&guest, "/etc/fstab", NULL), 0);
	assert_int_equal(guest_remove(&guest, "/etc/fstab", NULL), 0);
	assert_false(guest_has(&guest, "/etc/fstab"));
	assert_true(guest_has(&guest, "/etc/target"));
	assert_tree_file("/var/lib/v2p/original/etc/fstab", "UUID=1 / ext4 defaults 0 1\n");
	assert_int_equal(guest_read_link(&guest, "/var/lib/v2p/original/etc/link", &target, NULL),
			 1);
	assert_string_equal(text_string(&target), "target");
}

static void a_directory_is_neither_written_nor_removed(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	open_tree_guest(&guest);
	assert_int_equal(guest_remove(&guest, "/etc", &err), -1);
	assert_string_equal(error_text(&err),
			    "remove /etc: /etc in the guest is not a regular file");
	assert_int_equal(guest_write(&guest, "/etc/", "x", 1, NULL), -1);
	assert_int_equal(guest_write(&guest, "/", "x", 1, NULL), -1);
	assert_int_equal(guest_write(&guest, "/etc/..", "x", 1, NULL), -1);
}

static void free_space_is_that_of_the_file_system(void **state)
{
	_cleanup_guest_ struct guest guest = {0};
	uint64_t bytes = 0;

	(void)state;
	open_tree_guest(&guest);
	assert_int_equal(guest_free_space(&guest, "/etc", &bytes, NULL), 0);
	assert_true(bytes > 0);
}

#define tree_test(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(a_tree_says_what_it_is),
		tree_test(kernels_of_arch_are_found_by_their_package),
		tree_test(a_tree_that_is_not_linux_is_refused),
		tree_test(a_missing_tree_is_named),
		tree_test(an_absolute_link_stays_in_the_tree),
		tree_test(dots_do_not_lead_out_of_the_tree),
		tree_test(a_link_into_proc_reaches_nothing),
		tree_test(a_fifo_is_refused_and_not_waited_for),
		tree_test(a_file_that_is_too_large_is_refused),
		tree_test(names_are_listed_in_order),
		tree_test(a_write_keeps_mode_owner_and_attributes),
		tree_test(the_original_is_kept_once),
		tree_test(a_new_file_has_no_original_and_is_listed),
		tree_test(our_own_report_is_not_kept_as_an_original),
		tree_test(a_write_through_a_link_stays_in_the_tree),
		tree_test(a_link_is_followed_to_the_file_it_names),
		tree_test(a_circle_of_links_is_an_error),
		tree_test(a_removed_file_is_kept_and_a_removed_link_too),
		tree_test(a_directory_is_neither_written_nor_removed),
		tree_test(free_space_is_that_of_the_file_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
