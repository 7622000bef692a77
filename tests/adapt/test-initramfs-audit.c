// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/cpio-image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adapt/initramfs_audit.h"
#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"

#define CORPUS V2P_SOURCE_DIR "/tests/fuzz/corpus/initramfs/"

static int read_image(const char *image, struct initramfs_content *content, struct error *err)
{
	_cleanup_free_ char *path = string_format(CORPUS "%s", image);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return initramfs_read(fd, "/boot/initrd", content, err);
}

static void assert_holds(const char *image, const char *name)
{
	_cleanup_initramfs_content_ struct initramfs_content content = {0};
	_cleanup_error_ struct error err = {0};

	if (read_image(image, &content, &err) < 0)
		fail_msg("%s: %s", image, error_text(&err));
	if (!strings_has(&content.names, name))
		fail_msg("%s does not hold %s", image, name);
}

static void assert_refused(const char *image, const char *text)
{
	_cleanup_initramfs_content_ struct initramfs_content content = {0};
	_cleanup_error_ struct error err = {0};

	assert_int_equal(read_image(image, &content, &err), -1);
	if (strcmp(error_text(&err), text) != 0)
		fail_msg("%s: \"%s\" instead of \"%s\"", image, error_text(&err), text);
}

static void every_compression_is_read_behind_an_early_archive(void **state)
{
	static const char *const images[] = {"gzip", "bzip2", "xz", "lzma", "zstd", "lz4"};

	(void)state;
	for (size_t i = 0; i < array_length(images); i++) {
		assert_holds(images[i], "kernel/x86/microcode/GenuineIntel.bin");
		assert_holds(images[i], "lib/modules/6.1.0/kernel/drivers/ata/ahci.ko");
	}
	assert_holds("plain", "lib/modules/6.1.0/kernel/drivers/ata/ahci.ko");
	assert_holds("two-archives", "lib/modules/6.1.0/kernel/drivers/ata/ahci.ko");
}

static void an_empty_module_is_none(void **state)
{
	_cleanup_initramfs_content_ struct initramfs_content content = {0};

	(void)state;
	assert_int_equal(read_image("plain", &content, NULL), 0);
	assert_false(strings_has(&content.names, "lib/modules/6.1.0/kernel/drivers/ata/empty.ko"));
}

static void what_is_broken_is_said(void **state)
{
	(void)state;
	assert_refused("truncated", "/boot/initrd ends in the middle, after 300 bytes");
	assert_refused("short-header", "/boot/initrd ends in the middle, after 24 bytes");
	assert_refused("huge-name", "/boot/initrd holds a broken cpio header at offset 0");
	assert_refused("zeroes", "/boot/initrd holds no file");
	assert_refused("empty", "/boot/initrd holds no file");
	assert_refused("other", "/boot/initrd ends in the middle, after 19 bytes");
}

static void a_truncated_compression_is_an_error(void **state)
{
	_cleanup_initramfs_content_ struct initramfs_content content = {0};

	(void)state;
	assert_int_equal(read_image("truncated-zstd", &content, NULL), -1);
	assert_int_equal(read_image("huge-size", &content, NULL), -1);
}

static void something_else_is_not_an_initramfs(void **state)
{
	_cleanup_initramfs_content_ struct initramfs_content content = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_close_ int fd = memfd_create("x", MFD_CLOEXEC);
	char bytes[4096];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(write_exactly(fd, "x", bytes, sizeof(bytes), 0, NULL), 0);
	assert_int_equal(initramfs_read(fd, "/boot/initrd", &content, &err), -1);
	assert_string_equal(error_text(&err), "/boot/initrd holds neither cpio nor a known "
					      "compression at offset 0");
}

static void read_text(struct text *image, struct initramfs_content *content)
{
	_cleanup_close_ int fd = memfd_create("x", MFD_CLOEXEC);

	cpio_add(image, "TRAILER!!!", "");
	assert_int_equal(write_exactly(fd, "x", text_string(image), image->length, 0, NULL), 0);
	assert_int_equal(initramfs_read(fd, "/boot/initrd", content, NULL), 0);
}

static void settings_are_kept_with_what_they_say(void **state)
{
	_cleanup_initramfs_content_ struct initramfs_content content = {0};
	_cleanup_text_ struct text image = {0};

	(void)state;
	cpio_add(&image, "./etc/crypttab", "root UUID=1 none\n");
	cpio_add(&image, "etc/fstab", "not kept\n");
	cpio_add(&image, "etc/cmdline.d/90lvm.conf", " rd.lvm.lv=vg0/root \n");
	cpio_add(&image, "etc/cmdline.d/more/x.conf", "not kept\n");
	cpio_add(&image, "cryptroot/crypttab", "");
	read_text(&image, &content);
	assert_int_equal(content.settings.count, 2);
	assert_string_equal(content.settings.item[0], "etc/crypttab");
	assert_string_equal(content.texts.item[0], "root UUID=1 none\n");
	assert_string_equal(content.texts.item[1], " rd.lvm.lv=vg0/root \n");
	assert_int_equal(content.names.count, 4);
}

static void settings_are_bounded(void **state)
{
	_cleanup_initramfs_content_ struct initramfs_content content = {0};
	_cleanup_text_ struct text image = {0};
	_cleanup_free_ char *large = calloc(1, INITRAMFS_TEXT_LIMIT + 2);

	(void)state;
	memset(large, 'x', INITRAMFS_TEXT_LIMIT + 1);
	cpio_add(&image, "etc/crypttab", large);
	for (int i = 0; i < 2 * INITRAMFS_TEXTS_LIMIT; i++)
		cpio_add(&image, "conf/conf.d/x", "y");
	read_text(&image, &content);
	assert_int_equal(content.settings.count, INITRAMFS_TEXTS_LIMIT);
	assert_string_equal(content.settings.item[0], "conf/conf.d/x");
	assert_int_equal(content.names.count, 1 + 2 * INITRAMFS_TEXTS_LIMIT);
}

static void missing_modules_are_named(void **state)
{
	_cleanup_strings_ struct strings names = {0}, required = {0}, missing = {0};

	(void)state;
	strings_add(&names, "usr/lib/modules/6.1.0/kernel/a.ko.zst");
	strings_add(&names, "lib/modules/6.1.0/kernel/b.ko");
	strings_add(&names, "lib/modules/5.0.0/kernel/c.ko");
	strings_add(&required, "kernel/a.ko");
	strings_add(&required, "kernel/b.ko.xz");
	strings_add(&required, "kernel/c.ko");
	initramfs_missing(&names, "6.1.0", &required, &missing);
	assert_int_equal(missing.count, 1);
	assert_string_equal(missing.item[0], "kernel/c.ko");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_compression_is_read_behind_an_early_archive),
		cmocka_unit_test(an_empty_module_is_none),
		cmocka_unit_test(what_is_broken_is_said),
		cmocka_unit_test(a_truncated_compression_is_an_error),
		cmocka_unit_test(something_else_is_not_an_initramfs),
		cmocka_unit_test(settings_are_kept_with_what_they_say),
		cmocka_unit_test(settings_are_bounded),
		cmocka_unit_test(missing_modules_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
