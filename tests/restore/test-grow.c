// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/grow.h"

#define MIB (1ULL << 20)
#define ROOT_START (4 * MIB)

struct fixture {
	char path[64];
	int fd;
	struct report report;
	struct growth growth;
};

static void run(const char *const *argv, const char *input)
{
	_cleanup_process_result_ struct process_result result = {0};
	_cleanup_error_ struct error err = {0};

	if (process_run(&(struct process){.argv = argv, .input = input}, &result, &err) < 0) {
		print_message("%s\n", error_text(&err));
		skip();
	}
	if (result.status != 0) {
		process_complain(argv, &result, &err);
		fail_msg("%s", error_text(&err));
	}
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->path, "/var/tmp/v2p-grow-XXXXXX");
	fixture->fd = mkstemp(fixture->path);
	report_init(&fixture->report);
	*state = fixture;
	return fixture->fd < 0 || ftruncate(fixture->fd, 64 * MIB) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->fd);
	unlink(fixture->path);
	report_release(&fixture->report);
	growth_release(&fixture->growth);
	free(fixture);
	return 0;
}

/* A 64 MiB GPT disk with an ext4 file system, in a file of 256 MiB whose table has grown. */
static void make_grown_disk(struct fixture *fixture)
{
	_cleanup_free_ char *offset = string_format("offset=%llu", ROOT_START);
	_cleanup_layout_ struct layout layout = {0};
	_cleanup_error_ struct error err = {0};

	run((const char *const[]){"sfdisk", "--quiet", fixture->path, NULL},
	    "label: gpt\nstart=8192, size=114688, type=linux\n");
	run((const char *const[]){"mke2fs", "-q", "-t", "ext4", "-F", "-E", offset, fixture->path,
				  "56M", NULL},
	    NULL);
	if (layout_read(fixture->path, &layout, &err) < 0 ||
	    layout_plan_growth(&layout, 256 * MIB, &fixture->growth, &err) < 0 ||
	    ftruncate(fixture->fd, 256 * MIB) < 0 ||
	    layout_grow(fixture->path, &fixture->growth, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(fixture->growth.filesystem, "ext4");
}

/* Size of the file system by its superblock (struct ext2_super_block), in bytes. */
static uint64_t filesystem_size(const struct fixture *fixture)
{
	uint8_t superblock[1024];
	uint32_t blocks, log_size;

	assert_int_equal(read_exactly(fixture->fd, "disk", superblock, sizeof(superblock),
				      ROOT_START + 1024, NULL),
			 0);
	memcpy(&blocks, superblock + 4, sizeof(blocks));
	memcpy(&log_size, superblock + 24, sizeof(log_size));
	return (uint64_t)le32toh(blocks) << (10 + le32toh(log_size));
}

static void grow_or_fail(struct fixture *fixture)
{
	_cleanup_error_ struct error err = {0};

	if (grow_filesystem(fixture->path, &fixture->growth, &fixture->report, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void ext4_in_a_file_grows_to_its_partition(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *place = NULL;
	_cleanup_layout_ struct layout layout = {0};
	struct stat status;

	if (geteuid() != 0)
		skip();
	make_grown_disk(fixture);
	assert_int_equal(filesystem_size(fixture), 56 * MIB);
	grow_or_fail(fixture);
	assert_int_equal(filesystem_size(fixture), 251 * MIB);
	assert_int_equal(stat(fixture->path, &status), 0);
	assert_int_equal(status.st_size, 256 * MIB);
	place = string_format("%s?offset=%llu", fixture->path, ROOT_START);
	run((const char *const[]){"e2fsck", "-f", "-n", place, NULL}, NULL);
	assert_int_equal(layout_read(fixture->path, &layout, NULL), 0);
	assert_string_equal(layout.table, "gpt");
	assert_int_equal(report_count(&fixture->report, "changes"), 1);
	assert_int_equal(report_count(&fixture->report, "warnings"), 0);
}

static void growing_twice_changes_nothing(void **state)
{
	struct fixture *fixture = *state;

	if (geteuid() != 0)
		skip();
	make_grown_disk(fixture);
	grow_or_fail(fixture);
	grow_or_fail(fixture);
	assert_int_equal(filesystem_size(fixture), 251 * MIB);
}

static void what_e2fsck_repaired_becomes_a_fact(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *place = NULL;
	json_object *facts;

	if (geteuid() != 0)
		skip();
	make_grown_disk(fixture);
	place = string_format("%s?offset=%llu", fixture->path, ROOT_START);
	run((const char *const[]){"debugfs", "-w", "-R", "set_inode_field <11> links_count 7",
				  place, NULL},
	    NULL);
	grow_or_fail(fixture);
	facts = json_object_object_get(fixture->report.document, "facts");
	assert_non_null(
		strstr(json_object_get_string(json_object_object_get(facts, "filesystem-repaired")),
		       "Inode 11 ref count is 7, should be 2"));
	assert_int_equal(filesystem_size(fixture), 251 * MIB);
}

static void a_file_system_that_cannot_be_checked_is_an_error(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_error_ struct error err = {0};
	uint8_t junk[4096];

	if (geteuid() != 0)
		skip();
	make_grown_disk(fixture);
	memset(junk, 0xee, sizeof(junk));
	assert_int_equal(write_exactly(fixture->fd, "disk", junk, sizeof(junk), ROOT_START, NULL),
			 0);
	assert_int_equal(grow_filesystem(fixture->path, &fixture->growth, &fixture->report, &err),
			 -1);
	assert_non_null(strstr(error_text(&err), "grow what is in partition 1 of "));
	assert_non_null(strstr(error_text(&err), "check the file system before it grows: e2fsck"));
	assert_int_equal(report_count(&fixture->report, "changes"), 0);
}

static void lvm_in_a_file_is_a_warning(void **state)
{
	struct fixture *fixture = *state;

	make_grown_disk(fixture);
	free(fixture->growth.filesystem);
	fixture->growth.filesystem = string_copy("LVM2_member");
	grow_or_fail(fixture);
	assert_int_equal(report_count(&fixture->report, "warnings"), 1);
}

static void a_plan_without_growth_runs_nothing(void **state)
{
	struct fixture *fixture = *state;

	grow_or_fail(fixture);
	assert_int_equal(report_count(&fixture->report, "changes"), 0);
	assert_int_equal(report_count(&fixture->report, "timings"), 0);
}

#define with_disk(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_disk(ext4_in_a_file_grows_to_its_partition),
		with_disk(growing_twice_changes_nothing),
		with_disk(what_e2fsck_repaired_becomes_a_fact),
		with_disk(a_file_system_that_cannot_be_checked_is_an_error),
		with_disk(lvm_in_a_file_is_a_warning),
		with_disk(a_plan_without_growth_runs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
