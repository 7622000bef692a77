// SPDX-License-Identifier: GPL-3.0-or-later
/* What qemu-img makes, read back. */
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/source.h"
#include "restore/source_qemu.h"

enum { DISK = 24 << 20 };

/* Every test runs in a directory of its own with a raw image to compare with. */
static int set_up(void **state)
{
	char name[] = "/tmp/v2p-test-XXXXXX";
	_cleanup_close_ int fd = -1;
	uint8_t data[65536];

	if (!mkdtemp(name) || chdir(name) < 0)
		return -1;
	*state = string_copy(name);
	fd = open("raw", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, DISK) < 0)
		return -1;
	for (uint64_t at = 0; at < DISK; at += 5 << 20) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)(i * 31 + i / 251 + at / 65536 + 1);
		if (write_exactly(fd, "raw", data, sizeof(data), at, NULL) < 0)
			return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	static const char *const argv[] = {"rm", "-rf", NULL, NULL};
	const char *words[] = {argv[0], argv[1], *state, NULL};
	int r = chdir("/") < 0 ? -1 : process_check(words, NULL, NULL);

	free(*state);
	return r;
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static void need_qemu(void)
{
	if (access("/usr/bin/qemu-nbd", X_OK) < 0 || access("/usr/bin/qemu-img", X_OK) < 0)
		skip();
}

static void convert(const char *format, const char *options, const char *image)
{
	const char *const argv[] = {"qemu-img",
				    "convert",
				    "-O",
				    format,
				    options ? "-o" : "-q",
				    options ? options : "-q",
				    "raw",
				    image,
				    NULL};
	_cleanup_error_ struct error err = {0};

	if (process_check(argv, NULL, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static struct source *open_image(const char *image, const char *format)
{
	const struct source_options options = {.format = format};
	_cleanup_error_ struct error err = {0};
	struct source *source = NULL;

	if (source_open(image, &options, &source, &err) < 0)
		fail_msg("%s", error_text(&err));
	return source;
}

/* Returns how much was not known to be zeroes. */
static uint64_t assert_same_as_raw(struct source *source)
{
	_cleanup_free_ uint8_t *data = malloc(DISK), *raw = malloc(DISK);
	_cleanup_close_ int fd = open("raw", O_RDONLY | O_CLOEXEC);
	uint64_t data_length = 0;
	struct extent extent;

	/* VHD and others round the size up. */
	assert_true(source->size >= DISK && source->size < DISK + (1 << 20));
	assert_int_equal(read_exactly(fd, "raw", raw, DISK, 0, NULL), 0);
	for (uint64_t at = 0; at < DISK; at += extent.length) {
		assert_int_equal(source_extent(source, at, DISK - at, &extent, NULL), 0);
		if (extent.kind == EXTENT_DATA)
			data_length += extent.length;
		memset(data + at, 0, extent.length);
		if (extent.kind == EXTENT_DATA)
			assert_int_equal(source_read(source, data + at, extent.length, at, NULL),
					 0);
	}
	assert_memory_equal(data, raw, DISK);
	return data_length;
}

static const struct made {
	const char *format, *options;
	const char *named; /* NULL: found by content */
} made[] = {
	{"vdi", NULL, NULL},
	{"vpc", NULL, NULL},
	{"vpc", "subformat=fixed,force_size=on", NULL},
	{"vhdx", NULL, NULL},
	{"qed", NULL, NULL},
	{"parallels", NULL, NULL},
	{"qcow", NULL, "qcow"},
	{"vmdk", "subformat=monolithicFlat", NULL},
	{"vmdk", "subformat=twoGbMaxExtentSparse", NULL},
	{"vmdk", "subformat=twoGbMaxExtentFlat", NULL},
	{"vmdk", "subformat=monolithicSparse", "vmdk"},
};

static void what_qemu_makes_is_read_back(void **state)
{
	(void)state;
	need_qemu();
	for (size_t i = 0; i < array_length(made); i++) {
		_cleanup_source_ struct source *source = NULL;

		convert(made[i].format, made[i].options, "image");
		source = open_image("image", made[i].named);
		assert_string_equal(source->ops->name, made[i].format);
		assert_same_as_raw(source);
	}
}

static void zeroes_are_known_without_reading(void **state)
{
	_cleanup_source_ struct source *source = NULL;

	(void)state;
	need_qemu();
	convert("vdi", NULL, "image");
	source = open_image("image", NULL);
	assert_true(assert_same_as_raw(source) <= 5 << 20);
}

static void a_description_names_the_format(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	json_object *out;
	struct stat st;

	(void)state;
	need_qemu();
	convert("vmdk", "subformat=monolithicFlat", "image.vmdk");
	source = open_image("image.vmdk", NULL);
	out = source_describe(source);
	assert_int_equal(stat("image.vmdk", &st), 0);
	assert_string_equal(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN),
			    "{\"path\":\"image.vmdk\",\"format\":\"vmdk\",\"size\":25165824,"
			    "\"file-size\":512,\"reader\":\"qemu-nbd\",\"files\":2}");
	json_object_put(out);
}

static void assert_refused(const char *format, const char *message)
{
	const struct source_options options = {.format = format};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	assert_int_equal(source_open("image", &options, &source, &err), -1);
	assert_string_equal(error_text(&err), message);
}

static void write_image(const void *data, size_t length, uint64_t offset, uint64_t size)
{
	_cleanup_close_ int fd = open("image", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(write_exactly(fd, "image", data, length, offset, NULL), 0);
}

static void a_missing_program_is_named_with_its_package(void **state)
{
	_cleanup_free_ char *path = string_copy(getenv("PATH"));

	(void)state;
	write_image("\x7f\x10\xda\xbe", 4, 64, 65536);
	setenv("PATH", "/nowhere", 1);
	assert_refused(NULL, "open image image: VDI images are read through qemu-nbd, which is not "
			     "installed: apt install qemu-utils");
	setenv("PATH", path, 1);
}

static void every_format_is_known_by_its_signature(void **state)
{
	static const struct {
		uint64_t offset;
		const char *bytes;
		size_t length;
		const char *what;
	} known[] = {
		{0, "COWD", 4, "VMDK"},
		{0, "# Disk DescriptorFile\n", 22, "VMDK"},
		{64, "\x7f\x10\xda\xbe", 4, "VDI"},
		{0, "conectix", 8, "VHD"},
		{(1 << 20) - 512, "conectix", 8, "VHD"},
		{0, "vhdxfile", 8, "VHDX"},
		{0, "QED\0", 4, "QED"},
		{0, "WithoutFreeSpace", 16, "Parallels"},
		{0, "WithouFreSpacExt", 16, "Parallels"},
		{(1 << 20) - 512, "koly", 4, "DMG"},
		{0, "Bochs Virtual HD Image", 22, "Bochs"},
		{0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop", 37, "cloop"},
	};
	_cleanup_free_ char *path = string_copy(getenv("PATH"));

	(void)state;
	setenv("PATH", "/nowhere", 1);
	for (size_t i = 0; i < array_length(known); i++) {
		_cleanup_free_ char *message = string_format(
			"open image image: %s images are read through qemu-nbd, which is not "
			"installed: apt install qemu-utils",
			known[i].what);

		write_image(known[i].bytes, known[i].length, known[i].offset, 1 << 20);
		assert_refused(NULL, message);
	}
	setenv("PATH", path, 1);
}

static void what_is_not_a_file_of_this_machine_is_refused(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	struct image_file *file;

	(void)state;
	write_image("\x7f\x10\xda\xbe", 4, 64, 65536);
	assert_int_equal(image_file_open("image", NULL, &file, NULL), 0);
	close(steal_fd(&file->fd));
	assert_int_equal(
		source_open_ops("image", source_qemu_named("vdi"), file, NULL, &source, &err), -1);
	assert_string_equal(error_text(&err),
			    "open image image: VDI images are read from regular files of this "
			    "machine only: copy it to one, or convert it with `qemu-img convert -f "
			    "vdi -O qcow2`");
}

static void a_snapshot_is_refused(void **state)
{
	const struct source_options options = {.snapshot = "first"};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};

	(void)state;
	write_image("\x7f\x10\xda\xbe", 4, 64, 65536);
	assert_int_equal(source_open("image", &options, &source, &err), -1);
	assert_string_equal(
		error_text(&err),
		"open image image: snapshot 'first': snapshots are read from qcow2 images "
		"only, and this is vdi");
}

static void what_the_program_says_is_reported(void **state)
{
	(void)state;
	need_qemu();
	write_image("vhdxfile", 8, 0, 1 << 20);
	assert_refused(NULL, "open image image: qemu-nbd: Failed to blk_new_open '/image/image': "
			     "No valid VHDX header found");
}

static void a_program_that_dies_at_once_is_reported(void **state)
{
	_cleanup_free_ char *path = string_copy(getenv("PATH"));
	_cleanup_free_ char *ours = NULL, *message = NULL;

	(void)state;
	need_qemu();
	write_image("\x7f\x10\xda\xbe", 4, 64, 65536);
	assert_int_equal(symlink(V2P_SANDBOX_PROBE, "qemu-nbd"), 0);
	ours = string_format("%s:%s", (const char *)*state, path);
	setenv("PATH", ours, 1);
	message = string_format("open image image: kept in as user %u", geteuid());
	assert_refused(NULL, message);
	setenv("PATH", path, 1);
}

/* The monitor; the program goes with it. */
static void kill_child(void)
{
	_cleanup_free_ char *child = file_line("/proc/self/task/%d/children", getpid());
	pid_t pid = child ? atoi(child) : 0;

	assert_true(pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
}

static void a_program_that_dies_in_the_middle_is_an_error(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_error_ struct error err = {0};
	uint8_t data[512];

	(void)state;
	need_qemu();
	convert("vdi", NULL, "image");
	source = open_image("image", NULL);
	assert_int_equal(source_read(source, data, sizeof(data), 0, NULL), 0);
	kill_child();
	/* Its end takes its time. */
	while (source_read(source, data, sizeof(data), 0, NULL) == 0)
		;
	for (int i = 0; i < 4; i++)
		assert_int_equal(source_read(source, data, sizeof(data), 0, &err), -1);
	assert_non_null(strstr(error_text(&err), "qemu-nbd: the connection to it was lost"));
}

static void assert_parent_refused(const char *what, const char *format)
{
	_cleanup_free_ char *message =
		string_format("open image image: this %s image holds only the changes against "
			      "another one: make one image of both with `qemu-img convert -O "
			      "qcow2`",
			      what);

	assert_refused(format, message);
}

static void images_that_need_another_one_are_refused(void **state)
{
	uint8_t data[128] = "conectix";

	(void)state;
	data[63] = 4;
	write_image(data, sizeof(data), 0, 65536);
	assert_parent_refused("VHD", NULL);
	write_image(data, sizeof(data), 65536 - 512, 65536);
	assert_parent_refused("VHD", NULL);
	write_image("QED\0............\1", 17, 0, 65536);
	assert_parent_refused("QED", NULL);
	write_image("QFI\xfb\0\0\0\1\0\0\0\0\0\0\0\x40", 16, 0, 65536);
	assert_parent_refused("qcow", "qcow");
}

static void a_vhdx_with_a_parent_is_refused(void **state)
{
	_cleanup_close_ int fd = -1;
	uint8_t table[65536], flags = 2;
	uint64_t metadata;

	(void)state;
	need_qemu();
	convert("vhdx", NULL, "image");
	fd = open("image", O_RDWR | O_CLOEXEC);
	/* qemu-img: the metadata region is the second entry, file parameters the first item. */
	assert_int_equal(read_exactly(fd, "image", table, sizeof(table), 192 << 10, NULL), 0);
	memcpy(&metadata, table + 16 + 32 + 16, sizeof(metadata));
	assert_int_equal(write_exactly(fd, "image", &flags, 1, metadata + 65536 + 4, NULL), 0);
	assert_parent_refused("VHDX", NULL);
}

static void descriptors_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const bad[] = {"../../x", "/etc/shadow"};

	(void)state;
	for (size_t i = 0; i < array_length(bad); i++) {
		_cleanup_free_ char *text = string_format("# Disk DescriptorFile\nversion=1\nRW 8 "
							  "FLAT \"%s\" 0\n",
							  bad[i]);
		_cleanup_free_ char *message = string_format(
			"open image image: the image names another file, '%s': only files in the "
			"image's own directory are opened; copy it there, or make one image of "
			"all with `qemu-img convert -O qcow2`",
			bad[i]);

		write_image(text, strlen(text), 0, strlen(text));
		assert_refused(NULL, message);
	}
}

static void an_image_that_names_itself_is_refused(void **state)
{
	static const char text[] = "# Disk DescriptorFile\nversion=1\nRW 8 FLAT \"image\" 0\n";

	(void)state;
	write_image(text, strlen(text), 0, strlen(text));
	assert_refused(NULL, "open image image: the image names itself as a file with its data");
}

static void a_link_out_of_the_directory_is_refused(void **state)
{
	static const char text[] = "# Disk DescriptorFile\nversion=1\nRW 8 FLAT \"link\" 0\n";

	(void)state;
	assert_int_equal(symlink("/etc/passwd", "link"), 0);
	write_image(text, strlen(text), 0, strlen(text));
	assert_refused(NULL, "open image image: file link of the image: open link, which it names, "
			     "in its directory: Invalid cross-device link");
}

static void a_descriptor_that_is_too_long_is_refused(void **state)
{
	static const char text[] = "# Disk DescriptorFile\n";

	(void)state;
	write_image(text, strlen(text), 0, 2 << 20);
	assert_refused(NULL, "open image image: the VMDK descriptor is longer than 1048576 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_qemu_makes_is_read_back),
		test(zeroes_are_known_without_reading),
		test(a_description_names_the_format),
		test(a_missing_program_is_named_with_its_package),
		test(every_format_is_known_by_its_signature),
		test(what_is_not_a_file_of_this_machine_is_refused),
		test(a_snapshot_is_refused),
		test(what_the_program_says_is_reported),
		test(a_program_that_dies_at_once_is_reported),
		test(a_program_that_dies_in_the_middle_is_an_error),
		test(images_that_need_another_one_are_refused),
		test(a_vhdx_with_a_parent_is_refused),
		test(descriptors_that_lead_elsewhere_are_refused),
		test(an_image_that_names_itself_is_refused),
		test(a_link_out_of_the_directory_is_refused),
		test(a_descriptor_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
