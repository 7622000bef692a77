// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/restore/used-image.h"

static void make_ntfs(uint64_t size, const char *options)
{
	_cleanup_free_ char *line = string_format("mkntfs -q -F -Q %s image", options);

	make_image(size);
	run("mkntfs", line);
}

static void need_fuse(void)
{
	if (geteuid() == 0 && access("/dev/fuse", W_OK) == 0)
		return;
	print_message("mounting with ntfs-3g needs root and /dev/fuse\n");
	skip();
}

static void sum(const char *image, const char *out)
{
	_cleanup_free_ char *line = string_format(
		"mkdir -p mount && ntfs-3g -o ro %s mount && cd mount && find . -type f -print0 | "
		"sort -z | xargs -0r sha256sum >../%s; cd .. && umount mount",
		image, out);

	run("ntfs-3g", line);
}

static void check_ntfs(const char *options, int files)
{
	uint64_t unused;

	need_fuse();
	make_ntfs(200 * MIB, options);
	run("ntfs-3g", "mkdir mount && ntfs-3g image mount");
	fill_and_delete(files);
	unmount();
	unused = restore();
	if (unused < 100 * MIB)
		fail_msg("mkntfs %s: %llu bytes unused", options, (unsigned long long)unused);
	/* Compares the bitmap with what every file takes. */
	run("ntfsresize", "ntfsresize --info --force --no-progress-bar disk");
	sum("image", "before");
	sum("disk", "after");
	run("cmp", "cmp before after && test -s before");
}

static void ntfs_is_restored_without_what_it_does_not_use(void **state)
{
	(void)state;
	check_ntfs("", 60);
}

static void ntfs_with_large_clusters_is_understood(void **state)
{
	(void)state;
	check_ntfs("-c 65536", 60);
}

static void ntfs_with_small_clusters_is_understood(void **state)
{
	(void)state;
	check_ntfs("-c 512", 60);
}

static void the_copy_of_the_boot_sector_is_restored(void **state)
{
	(void)state;
	make_ntfs(100 * MIB, "");
	assert_true(restore() > 90 * MIB);
	run("tail",
	    "tail -c 512 image >boot && tail -c 512 disk | cmp - boot && grep -q NTFS boot");
	run("ntfsresize", "ntfsresize --info --force --no-progress-bar disk");
}

static void ntfs_that_is_marked_dirty_is_copied_whole(void **state)
{
	(void)state;
	make_ntfs(100 * MIB, "");
	run("ntfsfix", "ntfsfix image");
	assert_declined("it was not unmounted cleanly");
}

static void ntfs_with_a_hibernation_file_is_copied_whole(void **state)
{
	(void)state;
	make_ntfs(100 * MIB, "");
	run("ntfscp", "echo hibr >file && ntfscp -f image file HiberFil.sys");
	assert_declined("Windows may be hibernated in it (hiberfil.sys): run `powercfg /h off` and "
			"shut it down");
}

static void a_hibernation_file_is_found_among_many(void **state)
{
	(void)state;
	need_fuse();
	make_ntfs(100 * MIB, "");
	run("ntfs-3g", "mkdir mount && ntfs-3g image mount && cd mount && "
		       "for i in $(seq 300); do : >a-file-with-a-name-of-its-own-$i; "
		       ": >zz-file-$i; done; : >hiberfil.sys; cd .. && umount mount");
	assert_declined("Windows may be hibernated in it (hiberfil.sys): run `powercfg /h off` and "
			"shut it down");
}

/* mkntfs leaves $LogFile blank: all bits set. */
static uint64_t find_log(int fd)
{
	uint8_t block[4096], blank[4096];

	memset(blank, 0xff, sizeof(blank));
	for (uint64_t at = 0;; at += sizeof(block)) {
		assert_int_equal(read_exactly(fd, "image", block, sizeof(block), at, NULL), 0);
		if (memcmp(block, blank, sizeof(block)) == 0)
			return at;
	}
}

/* A restart page of that age. */
static void write_page(int fd, uint64_t offset, uint64_t age, uint16_t clients, uint16_t flags)
{
	uint8_t page[512] = "RSTR";

	page[24] = 48;
	memcpy(page + 48, &age, 8);
	memcpy(page + 60, &clients, 2);
	memcpy(page + 62, &flags, 2);
	assert_int_equal(write_exactly(fd, "image", page, sizeof(page), offset, NULL), 0);
}

static void the_newer_restart_page_of_the_log_says_whether_it_is_clean(void **state)
{
	_cleanup_close_ int fd = -1;
	uint64_t log;

	(void)state;
	make_ntfs(100 * MIB, "");
	fd = open("image", O_RDWR | O_CLOEXEC);
	log = find_log(fd);
	write_page(fd, log, 5, 0, 0);
	assert_declined("it was not unmounted cleanly");
	write_page(fd, log + 4096, 6, 0xffff, 0);
	assert_true(restore() > 90 * MIB);
	write_page(fd, log + 4096, 4, 0xffff, 0);
	assert_declined("it was not unmounted cleanly");
	write_page(fd, log, 5, 0, 2);
	assert_true(restore() > 90 * MIB);
	write_page(fd, log + 4096, 6, 0, 0);
	assert_declined("it was not unmounted cleanly");
}

static void ntfs_that_was_cut_off_is_copied_whole(void **state)
{
	(void)state;
	make_ntfs(100 * MIB, "");
	run("truncate", "truncate -s 99M image");
	assert_declined("it is larger than its partition");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(ntfs_is_restored_without_what_it_does_not_use),
		test(ntfs_with_large_clusters_is_understood),
		test(ntfs_with_small_clusters_is_understood),
		test(the_copy_of_the_boot_sector_is_restored),
		test(ntfs_that_is_marked_dirty_is_copied_whole),
		test(ntfs_with_a_hibernation_file_is_copied_whole),
		test(a_hibernation_file_is_found_among_many),
		test(the_newer_restart_page_of_the_log_says_whether_it_is_clean),
		test(ntfs_that_was_cut_off_is_copied_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
