// SPDX-License-Identifier: GPL-3.0-or-later
/* Systems on disk images: made without mounting (mke2fs -d), opened through loop devices. */
#include "tests/adapt/tree.h"

#include "adapt/guest.h"
#include "adapt/guest_disk.h"
#include "base/process.h"

#define MIB (1ULL << 20)

/* A partition from start on, in MiB. content: a directory of the tree, or NULL. */
struct part {
	unsigned int start, length;
	const char *content, *label;
};

static char image[80];

static void run_ok(const char *const *argv, const char *input)
{
	_cleanup_process_result_ struct process_result result = {0};
	const struct process process = {.argv = argv, .input = input};

	if (process_run(&process, &result, NULL) < 0)
		skip();
	if (result.status != 0)
		fail_msg("%s: %s", argv[0], text_string(&result.errors));
}

static void make_filesystem(const struct part *part)
{
	_cleanup_free_ char *offset = string_format("offset=%llu", part->start * MIB);
	_cleanup_free_ char *size = string_format("%um", part->length);
	_cleanup_free_ char *content = tree_path(part->content);
	const char *argv[] = {"mke2fs", "-q",        "-F", "-t",   "ext4", "-d", content,
			      "-L",     part->label, "-E", offset, image,  size, NULL};

	run_ok(argv, NULL);
}

static void make_disk(const struct part *parts, size_t count)
{
	const char *argv[] = {"sfdisk", "-q", image, NULL};
	_cleanup_text_ struct text script = {0};
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 64 * (off_t)MIB), 0);
	close(fd);
	text_add(&script, "label: dos\n");
	for (size_t i = 0; i < count; i++)
		text_addf(&script, "start=%uMiB, size=%uMiB, type=83\n", parts[i].start,
			  parts[i].length);
	run_ok(argv, text_string(&script));
	for (size_t i = 0; i < count; i++)
		if (parts[i].content)
			make_filesystem(&parts[i]);
}

static int setup(void **state)
{
	(void)state;
	if (tree_setup(NULL) < 0)
		return -1;
	snprintf(image, sizeof(image), "%s/disk.img", tree);
	tree_file("/root/etc/os-release", "ID=debian\n");
	tree_file("/root/etc/fstab", "/dev/vda1 none swap sw 0 0\n"
				     "/dev/vda2 / ext4 errors=remount-ro 0 1\n"
				     "this is no line of an fstab\n"
				     "/dev/vda3 /boot ext4 defaults 0 2\n"
				     "server:/home /var/home nfs defaults 0 0\n"
				     "tmpfs /var/tmp tmpfs defaults 0 0\n"
				     "/srv /var/srv none bind 0 0\n"
				     "/dev/vdb1 /var/data ext4 defaults 0 2\n");
	tree_directory("/root/boot");
	tree_directory("/root/var");
	tree_directory("/root/lib/modules/6.1.0-9-amd64");
	tree_file("/boot/vmlinuz-6.1.0-9-amd64", "kernel");
	return 0;
}

static const struct part usual[] = {
	{1, 4, NULL, NULL}, {5, 32, "/root", "root"}, {37, 26, "/boot", "boot"}};

static void need_root(void)
{
	if (geteuid() != 0 || access("/dev/loop-control", F_OK) < 0)
		skip();
}

static void open_image(struct guest *guest, enum guest_mode mode)
{
	_cleanup_error_ struct error err = {0};

	if (guest_open_disk(image, mode, guest, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void assert_open_fails(const char *reason)
{
	_cleanup_error_ struct error err = {0};
	struct guest guest;

	assert_int_equal(guest_open_disk(image, GUEST_READ_WRITE, &guest, &err), -1);
	if (!strstr(error_text(&err), reason))
		fail_msg("\"%s\" does not say \"%s\"", error_text(&err), reason);
}

static void the_vms_device_names_lead_to_the_partitions(void **state)
{
	struct guest guest;

	(void)state;
	need_root();
	make_disk(usual, 3);
	open_image(&guest, GUEST_READ_ONLY);
	assert_int_equal(guest.mount_count, 2);
	assert_string_equal(guest.mount[0].where, "/");
	assert_int_equal(guest.mount[0].partition, 2);
	assert_string_equal(guest.mount[1].where, "/boot");
	assert_int_equal(guest.mount[1].partition, 3);
	assert_string_equal(guest.kernel[0].image, "/boot/vmlinuz-6.1.0-9-amd64");
	assert_int_equal(guest_write(&guest, "/etc/x", "x", 1, NULL), -1);
	assert_int_equal(guest_close(&guest, NULL), 0);
}

static void what_is_written_is_there_when_opened_again(void **state)
{
	_cleanup_text_ struct text text = {0}, mounts = {0};
	struct guest guest;

	(void)state;
	need_root();
	make_disk(usual, 3);
	open_image(&guest, GUEST_READ_WRITE);
	assert_int_equal(guest_write(&guest, "/boot/new", "kept", 4, NULL), 0);
	assert_int_equal(guest_close(&guest, NULL), 0);
	open_image(&guest, GUEST_READ_ONLY);
	assert_int_equal(guest_read(&guest, "/boot/new", &text, NULL), 1);
	assert_string_equal(text_string(&text), "kept");
	guest_release(&guest);
	assert_int_equal(file_read("/proc/self/mountinfo", 1 << 20, &mounts, NULL), 0);
	assert_null(strstr(text_string(&mounts), "v2p-guest"));
}

static void reading_writes_nothing(void **state)
{
	const char *copy[] = {"cp", image, NULL, NULL}, *compare[] = {"cmp", image, NULL, NULL};
	_cleanup_free_ char *before = string_format("%s.before", image);
	struct guest guest;

	(void)state;
	need_root();
	make_disk(usual, 3);
	copy[2] = compare[2] = before;
	run_ok(copy, NULL);
	open_image(&guest, GUEST_READ_ONLY);
	guest_release(&guest);
	run_ok(compare, NULL);
}

static void a_mount_point_that_is_a_link_stays_inside(void **state)
{
	_cleanup_free_ char *boot = tree_path("/root/boot");
	struct guest guest;

	(void)state;
	need_root();
	assert_int_equal(rmdir(boot), 0);
	tree_directory("/root/etc/inside");
	tree_link("../../../../../../etc/inside", "/root/boot");
	make_disk(usual, 3);
	open_image(&guest, GUEST_READ_ONLY);
	assert_true(guest_has(&guest, "/etc/inside/vmlinuz-6.1.0-9-amd64"));
	guest_release(&guest);
}

static void two_systems_are_refused(void **state)
{
	static const struct part parts[] = {{5, 24, "/root", "a"}, {30, 24, "/root", "b"}};

	(void)state;
	need_root();
	make_disk(parts, 2);
	assert_open_fails("holds more than one Linux system: partition 1 and partition 2");
}

static void a_disk_without_linux_is_described(void **state)
{
	static const struct part parts[] = {{5, 24, "/boot", "data"}};

	(void)state;
	need_root();
	make_disk(parts, 1);
	assert_open_fails("no Linux system found on ");
	assert_open_fails(" ext4)");
}

/* As much of an NTFS as libblkid looks at: the boot sector and two records of its table. */
static void write_ntfs(uint64_t offset)
{
	enum { TABLE = 16 * 1024, RECORD = 1024 };
	unsigned char bytes[TABLE + 4 * RECORD] = {0};
	_cleanup_close_ int fd = open(image, O_RDWR | O_CLOEXEC);

	memcpy(bytes + 3, "NTFS    ", 8);
	bytes[12] = 2;    /* 512 bytes a sector, */
	bytes[13] = 8;    /* 8 sectors a cluster */
	bytes[21] = 0xf8; /* media: a fixed disk */
	bytes[41] = 0x80; /* sectors */
	bytes[48] = 4;    /* cluster of the table */
	bytes[56] = 2;    /* and of its copy */
	bytes[64] = 0xf6; /* records of 2^10 bytes */
	bytes[68] = 1;
	memcpy(bytes + TABLE, "FILE", 4);
	memcpy(bytes + TABLE + 3 * RECORD, "FILE", 4);
	assert_int_equal(write_exactly(fd, image, bytes, sizeof(bytes), offset, NULL), 0);
}

static void an_ntfs_is_taken_for_windows(void **state)
{
	static const struct part parts[] = {{5, 24, NULL, NULL}};

	(void)state;
	need_root();
	make_disk(parts, 1);
	write_ntfs(5 * MIB);
	assert_open_fails("partition 1 looks like Windows: v2p adapts Linux only");
}

static void a_boot_that_is_not_on_the_disk_is_refused(void **state)
{
	(void)state;
	need_root();
	tree_file("/root/etc/fstab", "LABEL=root / ext4 defaults 0 1\n"
				     "UUID=1111-2222 /boot ext4 defaults 0 2\n");
	make_disk(usual, 3);
	assert_open_fails("its fstab mounts /boot from UUID=1111-2222, which is not on ");
}

static void who_is_not_root_is_told(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip();
	assert_open_fails("mounting needs root");
}

/* The image as a disk of which the kernel knows one partition, of the sectors named; heap. */
static char *attach_disk(const char *number, const char *start, const char *sectors)
{
	const char *attach[] = {"losetup", "--find", "--show", "--partscan", image, NULL};
	const char *add[] = {"addpart", NULL, number, start, sectors, NULL};
	_cleanup_process_result_ struct process_result result = {0};
	char *disk;

	if (process_run(&(struct process){.argv = attach}, &result, NULL) < 0 || result.status != 0)
		skip();
	disk = string_copy(string_trim(result.output.data));
	add[1] = disk;
	run_ok(add, NULL);
	return disk;
}

static void detach_disk(const char *disk)
{
	const char *remove[] = {"delpart", disk, "2", NULL},
		   *argv[] = {"losetup", "-d", disk, NULL};

	run_ok(remove, NULL);
	run_ok(argv, NULL);
}

static void a_link_to_a_disk_leads_to_its_partitions(void **state)
{
	_cleanup_free_ char *disk = NULL, *link = tree_path("/by-id"), *partition = NULL;
	_cleanup_error_ struct error err = {0};
	struct guest guest = {.root_fd = -1};
	int r;

	(void)state;
	need_root();
	tree_file("/root/etc/fstab", "LABEL=root / ext4 defaults 0 1\n");
	make_disk(usual, 3);
	disk = attach_disk("2", "10240", "65536");
	partition = string_format("%sp2", disk);
	tree_link(disk, "/by-id");
	r = guest_open_disk(link, GUEST_READ_ONLY, &guest, &err);
	if (r == 0) {
		assert_string_equal(guest.disk, disk);
		assert_string_equal(guest.mount[0].device, partition);
	}
	guest_release(&guest);
	detach_disk(disk);
	if (r < 0)
		fail_msg("%s", error_text(&err));
}

static void a_partition_table_that_the_kernel_has_not_read_is_refused(void **state)
{
	_cleanup_free_ char *disk = NULL;
	_cleanup_error_ struct error err = {0};
	struct guest guest;
	int r;

	(void)state;
	need_root();
	make_disk(usual, 3);
	disk = attach_disk("2", "12288", "65536");
	r = guest_open_disk(disk, GUEST_READ_WRITE, &guest, &err);
	detach_disk(disk);
	assert_int_equal(r, -1);
	assert_non_null(strstr(error_text(&err), "p2 for another part of the disk than its "
						 "partition table says: restart the machine"));
}

/* Past the superblock that libblkid looks at: where the group descriptors are. */
static void a_damaged_root_is_named(void **state)
{
	unsigned char damage[64 * 1024];
	int fd;

	(void)state;
	need_root();
	make_disk(usual, 3);
	memset(damage, 0xa5, sizeof(damage));
	fd = open(image, O_RDWR | O_CLOEXEC);
	assert_int_equal(write_exactly(fd, image, damage, sizeof(damage), 5 * MIB + 2048, NULL), 0);
	close(fd);
	assert_open_fails(" ext4): mount partition 2 (ext4)");
}

static void assert_finds(const char *source, const char *root, int partition, const char *name)
{
	static const struct volume items[] = {
		{.device = (char *)"/dev/sda1",
		 .uuid = (char *)"ABCD-1234",
		 .partuuid = (char *)"0a-01",
		 .partition = 1},
		{.device = (char *)"/dev/sda5", .label = (char *)"home", .partition = 5},
		{.device = (char *)"/dev/mapper/vg--a-root",
		 .group = (char *)"vg-a",
		 .name = (char *)"root"},
	};
	const struct volumes volumes = {.item = (struct volume *)items,
					.count = array_length(items)};
	const struct volume *found = volumes_find(&volumes, source, root);

	if (!found && (partition || name))
		fail_msg("%s is not found", source);
	if (found && !partition && !name)
		fail_msg("%s is found: %s", source, found->device);
	if (found)
		assert_int_equal(found->partition, partition);
	if (name)
		assert_string_equal(found->name, name);
}

static void sources_of_fstab_are_found(void **state)
{
	(void)state;
	assert_finds("UUID=abcd-1234", NULL, 1, NULL);
	assert_finds("UUID=\"ABCD-1234\"", NULL, 1, NULL);
	assert_finds("PARTUUID=0A-01", NULL, 1, NULL);
	assert_finds("LABEL=home", NULL, 5, NULL);
	assert_finds("/dev/disk/by-uuid/ABCD-1234", NULL, 1, NULL);
	assert_finds("/dev/disk/by-path/pci-0000:00:04.0-part5", NULL, 5, NULL);
	assert_finds("/dev/disk/by-id/virtio-x9-part1", NULL, 1, NULL);
	assert_finds("/dev/vda5", NULL, 5, NULL);
	assert_finds("/dev/nvme0n1p5", NULL, 5, NULL);
	assert_finds("/dev/mmcblk0p1", NULL, 1, NULL);
	assert_finds("/dev/sdc5", "/dev/sdc1", 5, NULL);
	assert_finds("/dev/mapper/vg--a-root", NULL, 0, "root");
	assert_finds("/dev/vg-a/root", NULL, 0, "root");
}

static void other_disks_are_not_mistaken_for_this_one(void **state)
{
	(void)state;
	assert_finds("/dev/vdb1", NULL, 0, NULL);
	assert_finds("/dev/vda1", "/dev/vdb2", 0, NULL);
	assert_finds("/dev/nvme1n1p1", NULL, 0, NULL);
	assert_finds("/dev/vda", NULL, 0, NULL);
	assert_finds("/dev/vda7", NULL, 0, NULL);
	assert_finds("UUID=", NULL, 0, NULL);
	assert_finds("none", NULL, 0, NULL);
	assert_finds("server:/export1", NULL, 0, NULL);
	assert_finds("/dev/vda99999999999", NULL, 0, NULL);
}

#define disk_test(name) cmocka_unit_test_setup_teardown(name, setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		disk_test(the_vms_device_names_lead_to_the_partitions),
		disk_test(what_is_written_is_there_when_opened_again),
		disk_test(reading_writes_nothing),
		disk_test(a_mount_point_that_is_a_link_stays_inside),
		disk_test(two_systems_are_refused),
		disk_test(a_disk_without_linux_is_described),
		disk_test(an_ntfs_is_taken_for_windows),
		disk_test(a_boot_that_is_not_on_the_disk_is_refused),
		disk_test(a_link_to_a_disk_leads_to_its_partitions),
		disk_test(a_partition_table_that_the_kernel_has_not_read_is_refused),
		disk_test(a_damaged_root_is_named),
		disk_test(who_is_not_root_is_told),
		cmocka_unit_test(sources_of_fstab_are_found),
		cmocka_unit_test(other_disks_are_not_mistaken_for_this_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
