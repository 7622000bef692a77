// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/layout.h"
#include "tests/fake-source.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

/* A sparse file that is a disk. */
struct image {
	char path[64];
	int fd;
};

static void image_make(struct image *image, uint64_t size)
{
	strcpy(image->path, "/tmp/v2p-layout-XXXXXX");
	image->fd = mkstemp(image->path);
	assert_true(image->fd >= 0);
	assert_int_equal(ftruncate(image->fd, (off_t)size), 0);
}

static void image_remove(struct image *image)
{
	close(image->fd);
	unlink(image->path);
}
#define _cleanup_image_ _cleanup_(image_remove)

static char *output_of(const char *const *argv, const char *input)
{
	_cleanup_process_result_ struct process_result result = {0};
	_cleanup_error_ struct error err = {0};
	char *line;

	if (process_run(&(struct process){.argv = argv, .input = input}, &result, &err) < 0) {
		print_message("%s\n", error_text(&err));
		skip();
	}
	if (result.status != 0) {
		process_complain(argv, &result, &err);
		fail_msg("%s", error_text(&err));
	}
	line = string_copy(text_string(&result.output));
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void run(const char *const *argv, const char *input)
{
	free(output_of(argv, input));
}

static void partition_with(const struct image *image, const char *script)
{
	run((const char *const[]){"sfdisk", "--quiet", image->path, NULL}, script);
}

static void make_ext4(const struct image *image, uint64_t offset, const char *size)
{
	_cleanup_free_ char *where = string_format("offset=%llu", (unsigned long long)offset);

	run((const char *const[]){"mke2fs", "-q", "-t", "ext4", "-L", "root", "-E", where, "-F",
				  image->path, size, NULL},
	    NULL);
}

static void read_or_fail(const struct image *image, struct layout *out)
{
	_cleanup_error_ struct error err = {0};

	if (layout_read(image->path, out, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void plan_or_fail(const struct layout *layout, uint64_t disk_size, struct growth *out)
{
	_cleanup_error_ struct error err = {0};

	if (layout_plan_growth(layout, disk_size, out, &err) < 0)
		fail_msg("%s", error_text(&err));
}

/* Plans for the size, makes the file that large, carries the plan out. */
static void grow_to(struct image *image, uint64_t size, struct growth *growth)
{
	_cleanup_layout_ struct layout layout = {0};
	_cleanup_error_ struct error err = {0};

	read_or_fail(image, &layout);
	plan_or_fail(&layout, size, growth);
	assert_int_equal(ftruncate(image->fd, (off_t)size), 0);
	if (layout_grow(image->path, growth, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void write_at(const struct image *image, uint64_t offset, const void *data, size_t length)
{
	assert_int_equal(write_exactly(image->fd, "image", data, length, offset, NULL), 0);
}

static const char mbr_script[] = "label: dos\nlabel-id: 0x1234abcd\n"
				 "start=2048, size=20480, type=82\n"
				 "start=22528, size=81920, type=83, bootable\n";

static const char gpt_script[] =
	"label: gpt\nlabel-id: 11111111-2222-3333-4444-555555555555\n"
	"start=2048, size=20480, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=\"EFI System\"\n"
	"start=22528, size=81920, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=\"R\xc3\xb6ot\", "
	"uuid=AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE, attrs=\"LegacyBIOSBootable GUID:59\"\n";

static void an_mbr_is_read_with_its_file_systems(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_layout_ struct layout layout = {0};

	(void)state;
	image_make(&image, 64 * MIB);
	partition_with(&image, mbr_script);
	make_ext4(&image, 22528 * 512, "40M");
	read_or_fail(&image, &layout);
	assert_string_equal(layout.table, "msdos");
	assert_string_equal(layout.disk_id, "1234abcd");
	assert_int_equal(layout.count, 2);
	assert_string_equal(layout.partition[0].type, "0x82");
	assert_int_equal(layout.partition[1].start, 22528 * 512);
	assert_int_equal(layout.partition[1].length, 40 * MIB);
	assert_true(layout.partition[1].bootable);
	assert_string_equal(layout.partition[1].filesystem, "ext4");
	assert_string_equal(layout.partition[1].label, "root");
	assert_string_equal(layout.partition[1].partuuid, "1234abcd-02");
}

static void a_gpt_is_read_with_types_and_names(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_layout_ struct layout layout = {0};

	(void)state;
	image_make(&image, 64 * MIB);
	partition_with(&image, gpt_script);
	read_or_fail(&image, &layout);
	assert_string_equal(layout.table, "gpt");
	assert_string_equal(layout.disk_id, "11111111-2222-3333-4444-555555555555");
	assert_true(layout.partition[0].is_esp);
	assert_string_equal(layout.partition[0].name, "EFI System");
	assert_string_equal(layout.partition[1].partuuid, "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
	assert_true(layout.partition[1].bootable);
}

static void a_file_system_without_a_table_is_partition_0(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_layout_ struct layout layout = {0};

	(void)state;
	image_make(&image, 8 * MIB);
	make_ext4(&image, 0, "8M");
	read_or_fail(&image, &layout);
	assert_null(layout.table);
	assert_int_equal(layout.count, 1);
	assert_int_equal(layout.partition[0].number, 0);
	assert_string_equal(layout.partition[0].filesystem, "ext4");
}

static void an_empty_disk_has_no_table(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_layout_ struct layout layout = {0}, nothing = {0};

	(void)state;
	image_make(&image, MIB);
	read_or_fail(&image, &layout);
	assert_null(layout.table);
	assert_int_equal(layout.count, 0);
	assert_int_equal(ftruncate(image.fd, 0), 0);
	read_or_fail(&image, &nothing);
}

static void a_broken_gpt_is_refused(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_layout_ struct layout layout = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	image_make(&image, 64 * MIB);
	partition_with(&image, gpt_script);
	write_at(&image, 512 + 16, "XXXX", 4);
	read_or_fail(&image, &layout);
	assert_string_equal(layout.table, "gpt");
	write_at(&image, 64 * MIB - 512 + 16, "XXXX", 4);
	assert_int_equal(layout_read(image.path, &(struct layout){0}, &err), -1);
	assert_non_null(strstr(error_text(&err), "neither the primary nor the backup GPT is "
						 "intact"));
}

static void a_gpt_with_absurdly_many_entries_is_refused(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_error_ struct error err = {0};

	(void)state;
	image_make(&image, 64 * MIB);
	partition_with(&image, gpt_script);
	write_at(&image, 512 + 80, "\xff\xff\xff\x01", 4);
	assert_int_equal(layout_read(image.path, &(struct layout){0}, &err), -1);
	assert_non_null(strstr(error_text(&err), "has 33554431 entries of 128 bytes: more than a "
						 "sane table"));
}

static void an_image_that_is_larger_than_the_disk_is_refused(void **state)
{
	const struct layout image = {.disk_size = 20 * GIB, .sector_size = 512};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(layout_check(&image, 20 * GIB, 512, &err), 0);
	assert_int_equal(layout_check(&image, 16 * GIB, 512, &err), -1);
	assert_string_equal(error_text(&err),
			    "the image is larger than the disk: 20 GiB (21474836480 bytes) do not "
			    "fit on 16 GiB (17179869184 bytes); choose a larger disk, or shrink "
			    "the image first");
}

static void a_table_of_other_sectors_is_refused(void **state)
{
	const struct layout image = {.table = "gpt", .disk_size = GIB, .sector_size = 512};
	const struct layout bare = {.disk_size = GIB, .sector_size = 512};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(layout_check(&bare, GIB, 4096, &err), 0);
	assert_int_equal(layout_check(&image, GIB, 0, &err), 0);
	assert_int_equal(layout_check(&image, GIB, 4096, &err), -1);
	assert_string_equal(error_text(&err),
			    "the image's partition table counts in sectors of 512 bytes, the disk "
			    "in sectors of 4096: it would not be found there; choose a disk with "
			    "sectors of 512 bytes");
}

static void a_table_that_contradicts_itself_is_refused(void **state)
{
	struct partition pair[] = {{.number = 1, .start = MIB, .length = 8 * MIB},
				   {.number = 2, .start = 4 * MIB, .length = 8 * MIB}};
	struct layout image = {.table = "msdos",
			       .disk_size = 16 * MIB,
			       .sector_size = 512,
			       .partition = pair,
			       .count = 2};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(layout_check(&image, GIB, 512, &err), -1);
	assert_string_equal(error_text(&err), "the image's partitions 1 and 2 overlap");
	pair[1].start = 12 * MIB;
	assert_int_equal(layout_check(&image, GIB, 512, &err), -1);
	assert_string_equal(error_text(&err), "the image's partition 2 ends past the image's end "
					      "at 16777216: the image was cut short");
}

static void the_last_partition_of_an_mbr_grows(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_growth_ struct growth growth = {0};
	_cleanup_layout_ struct layout after = {0};
	uint8_t code[446], now[446];

	(void)state;
	image_make(&image, 64 * MIB);
	partition_with(&image, mbr_script);
	make_ext4(&image, 22528 * 512, "40M");
	for (size_t i = 0; i < 440; i++)
		code[i] = (uint8_t)(i * 7 + 1);
	write_at(&image, 0, code, 440);
	assert_int_equal(read_exactly(image.fd, "image", code, sizeof(code), 0, NULL), 0);
	grow_to(&image, 200 * MIB, &growth);
	assert_int_equal(growth.partition, 2);
	assert_false(growth.moves_backup_gpt);
	assert_null(growth.why_not);
	assert_string_equal(growth.filesystem, "ext4");
	read_or_fail(&image, &after);
	assert_int_equal(after.partition[1].start, 22528 * 512);
	assert_int_equal(after.partition[1].start + after.partition[1].length, 200 * MIB);
	assert_int_equal(read_exactly(image.fd, "image", now, sizeof(now), 0, NULL), 0);
	assert_memory_equal(code, now, sizeof(now));
}

static void a_disk_without_boot_code_and_signature_gets_none(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_growth_ struct growth growth = {0};
	uint8_t now[446], zeroes[446] = {0};

	(void)state;
	image_make(&image, 64 * MIB);
	partition_with(&image, mbr_script);
	make_ext4(&image, 22528 * 512, "40M");
	write_at(&image, 0, zeroes, sizeof(zeroes));
	grow_to(&image, 200 * MIB, &growth);
	assert_int_equal(growth.partition, 2);
	assert_int_equal(read_exactly(image.fd, "image", now, sizeof(now), 0, NULL), 0);
	assert_memory_equal(zeroes, now, sizeof(now));
}

static void expect_sound_gpt(const struct image *image)
{
	static const char *const program = "sgdisk";
	_cleanup_process_result_ struct process_result result = {0};
	const char *const argv[] = {program, "-v", image->path, NULL};

	if (process_run(&(struct process){.argv = argv}, &result, NULL) < 0)
		return;
	if (!strstr(text_string(&result.output), "No problems found"))
		fail_msg("%s", text_string(&result.output));
}

static void the_last_partition_of_a_gpt_grows_and_the_backup_moves(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_growth_ struct growth growth = {0};
	_cleanup_layout_ struct layout before = {0}, after = {0};
	_cleanup_text_ struct text dump = {0};
	uint8_t code[440], now[440];

	(void)state;
	image_make(&image, 64 * MIB);
	partition_with(&image, gpt_script);
	make_ext4(&image, 22528 * 512, "40M");
	memset(code, 0x5c, sizeof(code));
	write_at(&image, 0, code, sizeof(code));
	read_or_fail(&image, &before);
	grow_to(&image, 200 * MIB, &growth);
	assert_true(growth.moves_backup_gpt);
	assert_int_equal(growth.partition, 2);
	read_or_fail(&image, &after);
	assert_string_equal(after.disk_id, before.disk_id);
	assert_string_equal(after.partition[1].name, before.partition[1].name);
	assert_int_equal(after.partition[1].start, before.partition[1].start);
	assert_int_equal(after.partition[1].length, 199 * MIB - 22528 * 512);
	assert_int_equal(read_exactly(image.fd, "image", now, sizeof(now), 0, NULL), 0);
	assert_memory_equal(code, now, sizeof(now));
	expect_sound_gpt(&image);
	assert_int_equal(process_check((const char *const[]){"sfdisk", "--dump", image.path, NULL},
				       &dump, NULL),
			 0);
	assert_non_null(strstr(text_string(&dump), "attrs=\"LegacyBIOSBootable GUID:59\""));
}

static uint8_t byte_at(const struct image *image, uint64_t offset)
{
	uint8_t byte;

	assert_int_equal(read_exactly(image->fd, "image", &byte, 1, offset, NULL), 0);
	return byte;
}

static void what_a_former_raid_left_at_the_new_end_is_cleared(void **state)
{
	static const uint64_t small = 64 * MIB, large = 200 * MIB, end = 199 * MIB;
	_cleanup_image_ struct image image;
	_cleanup_growth_ struct growth growth = {0};
	_cleanup_layout_ struct layout before = {0};
	uint64_t old_end;

	(void)state;
	image_make(&image, small);
	partition_with(&image, gpt_script);
	make_ext4(&image, 22528 * 512, "40M");
	read_or_fail(&image, &before);
	old_end = before.partition[1].start + before.partition[1].length;
	write_at(&image, old_end - 1, "x", 1);
	assert_int_equal(ftruncate(image.fd, (off_t)large), 0);
	write_at(&image, end - MIB - 1, "xx", 2);
	/* The superblock of metadata 1.0 begins 8 KiB before the end. */
	write_at(&image, end - 8192, "\xfc\x4e\x2b\xa9", 4);
	plan_or_fail(&before, large, &growth);
	assert_int_equal(layout_grow(image.path, &growth, NULL), 0);
	assert_int_equal(byte_at(&image, old_end - 1), 'x');
	assert_int_equal(byte_at(&image, end - MIB - 1), 'x');
	assert_int_equal(byte_at(&image, end - MIB), 0);
	assert_int_equal(byte_at(&image, end - 8192), 0);
}

static void a_gpt_of_4096_byte_sectors_grows(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_free_ char *device = NULL;
	_cleanup_growth_ struct growth growth = {0};
	_cleanup_layout_ struct layout after = {0};

	(void)state;
	image_make(&image, 64 * MIB);
	if (geteuid() != 0)
		skip();
	device = output_of((const char *const[]){"losetup", "--find", "--show", "--sector-size",
						 "4096", image.path, NULL},
			   NULL);
	run((const char *const[]){"sfdisk", "--quiet", device, NULL},
	    "label: gpt\nstart=256, size=8192, type=linux\n");
	run((const char *const[]){"losetup", "--detach", device, NULL}, NULL);
	make_ext4(&image, MIB, "32M");
	grow_to(&image, 128 * MIB, &growth);
	read_or_fail(&image, &after);
	assert_int_equal(after.sector_size, 4096);
	assert_int_equal(after.partition[0].start, MIB);
	assert_int_equal(after.partition[0].length, 126 * MIB);
}

static void a_logical_partition_grows_with_its_container(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_growth_ struct growth growth = {0};
	_cleanup_layout_ struct layout layout = {0}, after = {0};

	(void)state;
	image_make(&image, 64 * MIB);
	partition_with(&image, "label: dos\nstart=2048, size=20480, type=83\n"
			       "start=22528, size=100352, type=5\n"
			       "start=24576, size=20480, type=82\n"
			       "start=47104, size=73728, type=83\n");
	make_ext4(&image, 47104 * 512, "36M");
	read_or_fail(&image, &layout);
	assert_int_equal(layout.count, 4);
	assert_true(layout.partition[1].is_extended);
	assert_true(layout.partition[3].is_logical);
	assert_int_equal(layout.partition[3].number, 6);
	assert_int_equal(layout_check(&layout, GIB, 512, NULL), 0);
	grow_to(&image, 200 * MIB, &growth);
	assert_int_equal(growth.partition, 6);
	assert_int_equal(growth.container, 2);
	read_or_fail(&image, &after);
	assert_int_equal(after.partition[3].start, 47104 * 512);
	assert_int_equal(after.partition[3].start + after.partition[3].length, 200 * MIB);
	assert_int_equal(after.partition[1].start + after.partition[1].length, 200 * MIB);
	assert_string_equal(after.partition[3].filesystem, "ext4");
}

static void a_last_partition_that_is_swap_stays_and_says_so(void **state)
{
	_cleanup_image_ struct image image;
	_cleanup_growth_ struct growth growth = {0};

	(void)state;
	image_make(&image, 64 * MIB);
	partition_with(&image, gpt_script);
	/* A version 1 swap header: its signature ends the first page, its version follows at 1024.
	 */
	write_at(&image, 22528 * 512 + 4096 - 10, "SWAPSPACE2", 10);
	write_at(&image, 22528 * 512 + 1024, "\x01\0\0\0\xff\x0f\0\0", 8);
	grow_to(&image, 200 * MIB, &growth);
	assert_int_equal(growth.partition, 0);
	assert_true(growth.moves_backup_gpt);
	assert_string_equal(growth.why_not,
			    "the last partition (2) is swap space, which needs no more room");
	expect_sound_gpt(&image);
}

static void an_mbr_grows_to_2_tib_and_says_so(void **state)
{
	struct partition root = {.number = 1,
				 .start = MIB,
				 .length = 8 * GIB,
				 .type = "0x83",
				 .filesystem = "LVM2_member"};
	const struct layout image = {.table = "msdos",
				     .disk_size = 10 * GIB,
				     .sector_size = 512,
				     .partition = &root,
				     .count = 1};
	_cleanup_growth_ struct growth growth = {0};

	(void)state;
	plan_or_fail(&image, 4096 * GIB, &growth);
	assert_int_equal(growth.partition, 1);
	assert_string_equal(growth.filesystem, "LVM2_member");
	assert_int_equal(growth.partition_to, 2048 * GIB - 2 * MIB);
	assert_string_equal(growth.why_not, "an MBR partition table ends at 2 TiB: the rest of the "
					    "disk stays unused");
}

static void expect_why_not(const struct layout *image, uint64_t size, const char *why)
{
	_cleanup_growth_ struct growth growth = {0};

	plan_or_fail(image, size, &growth);
	assert_int_equal(growth.partition, 0);
	assert_string_equal(growth.why_not, why);
}

static void what_does_not_grow_says_why(void **state)
{
	struct partition last = {.number = 3, .start = MIB, .length = GIB - 2 * MIB};
	struct layout image = {.table = "gpt",
			       .disk_size = GIB,
			       .sector_size = 512,
			       .partition = &last,
			       .count = 1};

	(void)state;
	expect_why_not(&image, 2 * GIB, "the last partition (3) holds nothing that is known");
	last.filesystem = "xfs";
	expect_why_not(&image, 2 * GIB,
		       "the last partition (3) holds xfs, which grows only while it is mounted "
		       "(xfs_growfs)");
	last.filesystem = "zfs_member";
	expect_why_not(&image, 2 * GIB,
		       "the last partition (3) holds zfs_member, which is not grown");
	last.filesystem = "ext4";
	expect_why_not(&image, GIB, "the disk is exactly as large as the image");
	expect_why_not(&image, GIB + 4096, "the disk is hardly larger than the image");
	image.count = 0;
	expect_why_not(&image, 2 * GIB, "the image has no partition that could grow");
	image.table = "sun";
	expect_why_not(&image, 2 * GIB, "a sun partition table is not edited");
	image.table = NULL;
	expect_why_not(&image, 2 * GIB, "the image has no partition table");
}

static void a_plan_for_another_disk_is_refused(void **state)
{
	const struct growth growth = {.partition = 2, .partition_from = MIB, .partition_to = GIB};
	_cleanup_image_ struct image image;
	_cleanup_error_ struct error err = {0};

	(void)state;
	image_make(&image, 64 * MIB);
	partition_with(&image, mbr_script);
	assert_int_equal(layout_grow(image.path, &growth, &err), -1);
	assert_non_null(strstr(error_text(&err), "partition 2 is not as the plan found it"));
}

/* An image that was not written yet shows what the disk would show. */
static void expect_same_from_source(const struct image *image)
{
	const struct source_options raw = {.format = "raw"};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_layout_ struct layout of_file = {0}, of_source = {0};
	_cleanup_error_ struct error err = {0};
	json_object *a, *b;

	read_or_fail(image, &of_file);
	if (source_open(image->path, &raw, &source, &err) < 0 ||
	    layout_read_source(source, &of_source, &err) < 0)
		fail_msg("%s", error_text(&err));
	a = layout_json(&of_file);
	b = layout_json(&of_source);
	assert_string_equal(json_object_to_json_string(a), json_object_to_json_string(b));
	json_object_put(a);
	json_object_put(b);
}

static void an_image_reads_like_the_disk_it_becomes(void **state)
{
	_cleanup_image_ struct image mbr, gpt, bare, empty;

	(void)state;
	image_make(&mbr, 4 * GIB);
	partition_with(&mbr, "label: dos\nstart=2048, size=2097152, type=83\n"
			     "start=2099200, size=6000000, type=5\n"
			     "start=2101248, size=2097152, type=82\n"
			     "start=4200448, size=2097152, type=83\n"
			     "start=6299648, size=1048576, type=83\n");
	make_ext4(&mbr, MIB, "8M");
	make_ext4(&mbr, 4200448 * 512ULL, "8M");
	make_ext4(&mbr, 6299648 * 512ULL, "8M");
	expect_same_from_source(&mbr);
	image_make(&gpt, 64 * MIB);
	partition_with(&gpt, gpt_script);
	make_ext4(&gpt, 22528 * 512, "40M");
	expect_same_from_source(&gpt);
	image_make(&bare, 8 * MIB + 512);
	make_ext4(&bare, 0, "8M");
	expect_same_from_source(&bare);
	image_make(&empty, 512);
	expect_same_from_source(&empty);
}

static void an_image_that_cannot_be_read_says_where(void **state)
{
	struct fake_source fake = {.size = 8 * MIB, .error_at = 5};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_layout_ struct layout layout = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(layout_read_source(source, &layout, &err), -1);
	assert_non_null(strstr(error_text(&err), "look into fake: "));
	assert_non_null(strstr(error_text(&err), "fake read error at offset 5"));
}

static void a_large_image_costs_few_reads(void **state)
{
	struct fake_source fake = {.size = 8ULL << 40};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_layout_ struct layout layout = {0};

	(void)state;
	assert_int_equal(fake_source_open(&fake, &source), 0);
	assert_int_equal(layout_read_source(source, &layout, NULL), 0);
	assert_true(fake.bytes_read <= 4 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_mbr_is_read_with_its_file_systems),
		cmocka_unit_test(a_gpt_is_read_with_types_and_names),
		cmocka_unit_test(a_file_system_without_a_table_is_partition_0),
		cmocka_unit_test(an_empty_disk_has_no_table),
		cmocka_unit_test(a_broken_gpt_is_refused),
		cmocka_unit_test(a_gpt_with_absurdly_many_entries_is_refused),
		cmocka_unit_test(an_image_that_is_larger_than_the_disk_is_refused),
		cmocka_unit_test(a_table_of_other_sectors_is_refused),
		cmocka_unit_test(a_table_that_contradicts_itself_is_refused),
		cmocka_unit_test(the_last_partition_of_an_mbr_grows),
		cmocka_unit_test(a_disk_without_boot_code_and_signature_gets_none),
		cmocka_unit_test(the_last_partition_of_a_gpt_grows_and_the_backup_moves),
		cmocka_unit_test(what_a_former_raid_left_at_the_new_end_is_cleared),
		cmocka_unit_test(a_gpt_of_4096_byte_sectors_grows),
		cmocka_unit_test(a_logical_partition_grows_with_its_container),
		cmocka_unit_test(a_last_partition_that_is_swap_stays_and_says_so),
		cmocka_unit_test(an_mbr_grows_to_2_tib_and_says_so),
		cmocka_unit_test(what_does_not_grow_says_why),
		cmocka_unit_test(a_plan_for_another_disk_is_refused),
		cmocka_unit_test(an_image_reads_like_the_disk_it_becomes),
		cmocka_unit_test(an_image_that_cannot_be_read_says_where),
		cmocka_unit_test(a_large_image_costs_few_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
