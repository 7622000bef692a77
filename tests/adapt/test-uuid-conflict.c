// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <unistd.h>

#include "adapt/uuid_conflict.h"
#include "base/process.h"
#include "base/scope.h"

static char twin[] = "/tmp/v2p-test-twin-XXXXXX";
#define UUID "b0000000-0000-4000-8000-0000000000a1"

static void make_disk(const char *uuid)
{
	_cleanup_free_ char *command = string_format(
		"truncate -s 0 %1$s && truncate -s 16M %1$s && mke2fs -q -F -U %2$s %1$s", twin,
		uuid);
	const char *argv[] = {"sh", "-ec", command, NULL};

	assert_int_equal(process_check(argv, NULL, NULL), 0);
}

static size_t warnings(const char *disk)
{
	struct partition partition = {.number = 2, .uuid = (char *)UUID};
	struct disk disks[] = {{.path = twin}};
	const struct guest guest = {.disk = (char *)disk,
				    .layout = {.partition = &partition, .count = 1}};
	const struct hardware hardware = {.disks = {disks, 1}, .is_live = true};
	struct report report;
	size_t count;

	report_init(&report);
	uuid_conflict_warn(&guest, &hardware, &report);
	count = report_count(&report, "warnings");
	report_release(&report);
	return count;
}

static void a_file_system_with_the_same_uuid_is_named(void **state)
{
	(void)state;
	make_disk(UUID);
	assert_int_equal(warnings("/dev/restored"), 1);
}

static void another_uuid_is_no_conflict(void **state)
{
	(void)state;
	make_disk("c0000000-0000-4000-8000-0000000000a1");
	assert_int_equal(warnings("/dev/restored"), 0);
}

static void the_restored_disk_is_not_compared_with_itself(void **state)
{
	(void)state;
	make_disk(UUID);
	assert_int_equal(warnings(twin), 0);
}

static int make_twin(void **state)
{
	int fd = mkstemp(twin);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_twin(void **state)
{
	(void)state;
	return unlink(twin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_system_with_the_same_uuid_is_named),
		cmocka_unit_test(another_uuid_is_no_conflict),
		cmocka_unit_test(the_restored_disk_is_not_compared_with_itself),
	};

	return cmocka_run_group_tests(tests, make_twin, remove_twin);
}
