// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "base/scope.h"
#include "base/text.h"
#include "restore/disk.h"

static struct disk lab[] = {
	{.path = "/dev/sda",
	 .name = "sda",
	 .model = "QEMU HARDDISK",
	 .serial = "QM00001",
	 .wwn = "0x5000c50015ea71aa",
	 .transport = "sata",
	 .by_id = "/dev/disk/by-id/ata-QEMU_HARDDISK_QM00001",
	 .size = 500ULL << 30,
	 .rotational = true},
	{.path = "/dev/sdb",
	 .name = "sdb",
	 .model = "QEMU HARDDISK",
	 .serial = "QM00002",
	 .transport = "sata",
	 .size = 500ULL << 30,
	 .rotational = true},
	{.path = "/dev/nvme0n1",
	 .name = "nvme0n1",
	 .model = "Samsung SSD 980",
	 .serial = "S64DNX0T",
	 .transport = "nvme",
	 .size = 250ULL << 30},
	{.path = "/dev/sdc",
	 .name = "sdc",
	 .model = "Flash Disk",
	 .transport = "usb",
	 .size = 16ULL << 30,
	 .removable = true},
};
static const struct disks disks = {lab, 4};

static void expect(const char *rule, const char *path)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_disk_ struct disk disk = {0};

	if (disk_choose(&disks, rule, &disk, &err) < 0)
		fail_msg("%s: %s", rule, error_text(&err));
	assert_string_equal(disk.path, path);
}

static void expect_error(const struct disks *of, const char *rule, const char *message)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_disk_ struct disk disk = {0};

	assert_int_equal(disk_choose(of, rule, &disk, &err), -1);
	assert_string_equal(error_text(&err), message);
}

static void each_key_chooses_a_disk(void **state)
{
	(void)state;
	expect("serial=QM00001", "/dev/sda");
	expect("serial=*2", "/dev/sdb");
	expect("serial=qm00002", "/dev/sdb");
	expect("wwn=0x5000c5*", "/dev/sda");
	expect("model=Samsung*", "/dev/nvme0n1");
	expect("transport=usb", "/dev/sdc");
	expect("by-id=*QM00001", "/dev/sda");
	expect("removable=1", "/dev/sdc");
	expect("size=250G", "/dev/nvme0n1");
	expect("size<=250G", "/dev/nvme0n1");
}

static void conditions_must_all_hold(void **state)
{
	(void)state;
	expect("rotational=0,removable=0", "/dev/nvme0n1");
	expect("size>=200G, rotational=0", "/dev/nvme0n1");
}

static void smallest_and_largest_apply_to_what_is_left(void **state)
{
	(void)state;
	expect("smallest", "/dev/nvme0n1");
	expect("smallest,model=*", "/dev/sdc");
	expect("smallest,size>=100G", "/dev/nvme0n1");
	expect("largest,rotational=0", "/dev/nvme0n1");
}

static void a_stick_that_was_left_is_not_chosen_by_its_size(void **state)
{
	(void)state;
	expect("smallest,transport=*", "/dev/sdc");
	expect("smallest,removable=1", "/dev/sdc");
	expect_error(&(struct disks){&lab[3], 1}, "rotational=0,smallest",
		     "no disk matches 'rotational=0,smallest'; there are: /dev/sdc (16 GiB, Flash "
		     "Disk) (one that is removable, on USB or a loop device must be asked for, as "
		     "with transport=usb)");
}

static void two_matches_are_refused_with_what_tells_them_apart(void **state)
{
	(void)state;
	expect_error(&disks, "transport=sata",
		     "2 disks match 'transport=sata': /dev/sda (500 GiB, QEMU HARDDISK, serial "
		     "QM00001), /dev/sdb (500 GiB, QEMU HARDDISK, serial QM00002); what tells them "
		     "apart: serial, wwn, by-id");
}

static void two_equally_large_disks_are_refused(void **state)
{
	(void)state;
	expect_error(&disks, "largest",
		     "2 disks match 'largest': /dev/sda (500 GiB, QEMU HARDDISK, serial QM00001), "
		     "/dev/sdb (500 GiB, QEMU HARDDISK, serial QM00002); what tells them apart: "
		     "serial, wwn, by-id");
}

static void twins_are_told_apart_by_path_only(void **state)
{
	static struct disk twins[] = {{.path = "/dev/vda", .size = 1 << 20},
				      {.path = "/dev/vdb", .size = 1 << 20}};

	(void)state;
	expect_error(&(struct disks){twins, 2}, "size>=1",
		     "2 disks match 'size>=1': /dev/vda (1 MiB), /dev/vdb (1 MiB); only their "
		     "paths tell them apart");
}

static void no_match_lists_the_disks(void **state)
{
	(void)state;
	expect_error(&disks, "serial=XYZ",
		     "no disk matches 'serial=XYZ'; there are: /dev/sda (500 GiB, QEMU HARDDISK, "
		     "serial QM00001), /dev/sdb (500 GiB, QEMU HARDDISK, serial QM00002), "
		     "/dev/nvme0n1 (250 GiB, Samsung SSD 980, serial S64DNX0T), /dev/sdc (16 GiB, "
		     "Flash Disk)");
	expect_error(&(struct disks){0}, "smallest",
		     "no disk matches 'smallest': this machine shows no disk at all");
}

static void a_malformed_rule_says_what_is_wrong(void **state)
{
	(void)state;
	expect_error(&disks, "colour=red",
		     "disk rule 'colour=red': 'colour' is unknown; a rule may ask for serial, wwn, "
		     "model, transport, by-id, rotational, removable, size, smallest or largest");
	expect_error(&disks, "size>=big", "disk rule 'size>=big': 'big' is not a size (like 200G)");
	expect_error(&disks, "rotational=yes",
		     "disk rule 'rotational=yes': rotational must be 0 or 1, not 'yes'");
	expect_error(&disks, "serial>=5",
		     "disk rule 'serial>=5': serial can only be compared with =");
	expect_error(&disks, "serial=", "disk rule 'serial=': serial has no value");
	expect_error(&disks, "smallest,largest",
		     "disk rule 'smallest,largest': smallest or largest may stand there once");
	expect_error(&disks, ",", "disk rule ',': it is empty");
}

static void a_path_that_is_missing_is_an_error(void **state)
{
	(void)state;
	expect_error(&disks, "/dev/does-not-exist",
		     "disk /dev/does-not-exist: No such file or directory");
	expect_error(&disks, "/dev/null", "/dev/null is neither a disk nor a regular file");
}

static void a_rule_is_told_from_a_path(void **state)
{
	(void)state;
	assert_true(disk_is_rule("serial=1"));
	assert_true(disk_is_rule("size>=1G,smallest"));
	assert_true(disk_is_rule("largest"));
	assert_false(disk_is_rule("/dev/sda"));
	assert_false(disk_is_rule("./a=b.img"));
	assert_false(disk_is_rule("disk.img"));
	assert_false(disk_is_rule(""));
}

static void partitions_are_named_as_the_kernel_names_them(void **state)
{
	static const struct {
		const char *disk, *first;
	} rows[] = {{"/dev/sda", "/dev/sda1"},
		    {"/dev/nvme0n1", "/dev/nvme0n1p1"},
		    {"/dev/mmcblk0", "/dev/mmcblk0p1"}};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		_cleanup_free_ char *path = disk_partition_path(rows[i].disk, 1);

		assert_string_equal(path, rows[i].first);
	}
}

static void a_regular_file_is_a_disk(void **state)
{
	char path[] = "/tmp/v2p-test-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	_cleanup_disk_ struct disk disk = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_int_equal(disk_describe(path, &disk, NULL), 0);
	unlink(path);
	assert_true(disk.is_file);
	assert_int_equal(disk.size, 1 << 20);
	assert_string_equal(disk.transport, "file");
}

static void the_disks_of_this_machine_can_be_listed(void **state)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_disks_ struct disks here = {0};

	(void)state;
	if (disks_list(&here, &err) < 0)
		fail_msg("%s", error_text(&err));
	for (size_t i = 0; i < here.count; i++) {
		json_object *json = disk_json(&here.item[i]);

		assert_true(here.item[i].size > 0);
		assert_non_null(json_object_object_get(json, "path"));
		json_object_put(json);
	}
}

static void a_name_that_went_to_another_disk_is_noticed(void **state)
{
	struct disk before = lab[0], after = lab[0];

	(void)state;
	assert_true(disk_is_same(&before, &after));
	after.serial = NULL;
	assert_true(disk_is_same(&before, &after));
	after.serial = "QM00009";
	assert_false(disk_is_same(&before, &after));
	after = before;
	after.size++;
	assert_false(disk_is_same(&before, &after));
	after = before;
	after.wwn = "0x5000c50015ea71ab";
	assert_false(disk_is_same(&before, &after));
	after = before;
	before.sysfs = "/sys/devices/pci0000:00/host6/block/sda";
	after.sysfs = "/sys/devices/pci0000:00/host7/block/sda";
	assert_false(disk_is_same(&before, &after));
	after = before;
	after.device++;
	assert_false(disk_is_same(&before, &after));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_chooses_a_disk),
		cmocka_unit_test(conditions_must_all_hold),
		cmocka_unit_test(smallest_and_largest_apply_to_what_is_left),
		cmocka_unit_test(a_stick_that_was_left_is_not_chosen_by_its_size),
		cmocka_unit_test(two_matches_are_refused_with_what_tells_them_apart),
		cmocka_unit_test(two_equally_large_disks_are_refused),
		cmocka_unit_test(twins_are_told_apart_by_path_only),
		cmocka_unit_test(no_match_lists_the_disks),
		cmocka_unit_test(a_malformed_rule_says_what_is_wrong),
		cmocka_unit_test(a_path_that_is_missing_is_an_error),
		cmocka_unit_test(a_rule_is_told_from_a_path),
		cmocka_unit_test(partitions_are_named_as_the_kernel_names_them),
		cmocka_unit_test(a_regular_file_is_a_disk),
		cmocka_unit_test(the_disks_of_this_machine_can_be_listed),
		cmocka_unit_test(a_name_that_went_to_another_disk_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
