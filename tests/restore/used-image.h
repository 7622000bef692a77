// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * used-image: images that the file systems' own tools make, for tests of used_blocks: made, mounted
 * and filled, restored onto a disk full of 0xaa without what is not in use, checked and compared.
 */
#pragma once

#include "tests/test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/layout.h"
#include "restore/used_blocks.h"

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)

/* Mounts are seen here only: a copy of one in another program's namespace would keep the file
 * system busy, and XFS and btrfs do not mount a second one of the same UUID. */
static int enter_directory(void **state)
{
	char name[] = "test-used-XXXXXX";

	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (!mkdtemp(name) || chdir(name) < 0)
		return -1;
	*state = string_copy(name);
	return 0;
}

static int leave_directory(void **state)
{
	_cleanup_free_ char *name = *state;
	const char *const remove[] = {"rm", "-rf", name, NULL};

	umount2("mount", MNT_DETACH);
	return chdir("..") < 0 || process_check(remove, NULL, NULL) < 0 ? -1 : 0;
}

#define test(function) cmocka_unit_test_setup_teardown(function, enter_directory, leave_directory)

/* Runs a line of the shell; the test is skipped when the program it names is not there. */
static void run(const char *program, const char *line)
{
	_cleanup_free_ char *look = string_format("command -v %s", program);
	const char *const find[] = {"sh", "-c", look, NULL};
	const char *const argv[] = {"sh", "-c", line, NULL};
	_cleanup_process_result_ struct process_result result = {0};
	_cleanup_error_ struct error err = {0};

	if (process_check(find, NULL, NULL) < 0) {
		print_message("%s is missing\n", program);
		error_release(&err);
		skip();
	}
	if (process_run(&(struct process){.argv = argv}, &result, &err) < 0)
		fail_msg("%s: %s", line, error_text(&err));
	if (result.status != 0)
		fail_msg("%s: status %d: %s%s", line, result.status, text_string(&result.output),
			 text_string(&result.errors));
}

static inline void make_image(uint64_t size)
{
	_cleanup_close_ int fd = open("image", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
}

static inline void need_mount(const char *type)
{
	_cleanup_free_ char *line =
		string_format("modprobe -q %s; grep -qw %s /proc/filesystems", type, type);
	const char *const known[] = {"sh", "-c", line, NULL};

	if (geteuid() == 0 && access("/dev/loop-control", W_OK) == 0 &&
	    process_check(known, NULL, NULL) == 0)
		return;
	print_message("mounting needs root, loop devices, and a kernel that knows %s\n", type);
	free(steal(&line));
	skip();
}

/* Mounts the file called name; the caller unmounts, leave_directory() what is left. */
static inline void mount_file(const char *name, const char *type, const char *options)
{
	_cleanup_free_ char *line = string_format("mkdir -p mount && mount -t %s -o loop,%s %s "
						  "mount",
						  type, options, name);

	run("mount", line);
}

static inline void unmount(void)
{
	run("umount", "umount mount");
}

/* Files of many sizes, of which every second is deleted, in "mount". */
static inline void fill_and_delete(int files)
{
	_cleanup_free_ char *line = string_format(
		"for i in $(seq %d); do head -c $((i * 37813 %% 3000000 + 10)) /dev/urandom "
		">mount/$i; done; sync; for i in $(seq 2 2 %d); do rm mount/$i; done; sync",
		files, files);

	run("head", line);
}

/* The image in "image", with what it does not use found. */
static inline struct source *open_image(void)
{
	const struct source_options raw = {.format = "raw"};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_layout_ struct layout layout = {0};
	_cleanup_error_ struct error err = {0};

	if (source_open("image", &raw, &source, &err) < 0 ||
	    layout_read_source(source, &layout, &err) < 0 ||
	    used_blocks_find(source, &layout, &source->used, &err) < 0)
		fail_msg("%s", error_text(&err));
	return steal(&source);
}

/* Why entry i is copied whole; NULL when it is understood. */
static inline char *why_not(const struct source *source, size_t i)
{
	json_object *list = used_blocks_json(source->used), *why, *understood;
	json_object *entry = json_object_array_get_idx(list, i);
	char *out = NULL;

	assert_non_null(entry);
	assert_true(json_object_object_get_ex(entry, "why", &why));
	assert_true(json_object_object_get_ex(entry, "understood", &understood));
	assert_int_equal(json_object_get_boolean(understood), why == NULL);
	if (why)
		out = string_copy(json_object_get_string(why));
	json_object_put(list);
	return out;
}

static inline void assert_declined(const char *why)
{
	_cleanup_source_ struct source *source = open_image();
	_cleanup_free_ char *reason = why_not(source, 0);
	uint64_t length = source->size;

	assert_string_equal(string_or_dash(reason), why);
	assert_true(used_blocks_is_used(source->used, 0, &length));
	assert_int_equal(length, source->size);
}

/* Writes "disk": 0xaa where the image is unused. Returns how many bytes are. */
static inline uint64_t restore(void)
{
	static uint8_t data[1 << 20];
	_cleanup_source_ struct source *source = open_image();
	_cleanup_close_ int fd = open("disk", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	_cleanup_free_ char *reason = why_not(source, 0);
	uint64_t unused = 0;
	struct extent extent;

	assert_true(fd >= 0);
	if (reason)
		fail_msg("not understood: %s", reason);
	assert_int_equal(ftruncate(fd, (off_t)source->size), 0);
	for (uint64_t at = 0; at < source->size; at += extent.length) {
		assert_int_equal(source_extent(source, at, sizeof(data), &extent, NULL), 0);
		memset(data, extent.kind == EXTENT_UNUSED ? 0xaa : 0, extent.length);
		if (extent.kind == EXTENT_UNUSED)
			unused += extent.length;
		if (extent.kind == EXTENT_DATA)
			assert_int_equal(source_read(source, data, extent.length, at, NULL), 0);
		if (extent.kind != EXTENT_ZERO)
			assert_int_equal(write_exactly(fd, "disk", data, extent.length, at, NULL),
					 0);
	}
	return unused;
}

static inline void sum_files(const char *image, const char *type, const char *out)
{
	_cleanup_free_ char *line = string_format(
		"cd mount && find . -type f -print0 | sort -z | xargs -0r sha256sum >../%s", out);

	mount_file(image, type, "ro");
	run("sha256sum", line);
	unmount();
}

/* The same files with the same bytes in "image" and "disk". */
static inline void compare_files(const char *type)
{
	sum_files("image", type, "before");
	sum_files("disk", type, "after");
	run("cmp", "cmp before after && test -s before");
}
