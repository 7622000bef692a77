// SPDX-License-Identifier: GPL-3.0-or-later
/* Systems inside images, on file systems that their own tools made. */
#include "tests/restore/used-image.h"

#include <stdatomic.h>
#include <sys/statvfs.h>

#include "adapt/guest_image.h"
#include "tests/nbd-server.h"
#include "tests/restore/http-server.h"

#define NAME "image"

/* The tree of a small system, with a file that needs more than one request of the kernel. */
#define TREE                                                                                       \
	"mkdir -p tree/etc tree/boot tree/usr/bin tree/lib/modules/6.1.0-9-amd64; "                \
	"printf 'ID=debian\\nPRETTY_NAME=\"Tiny Debian\"\\n' >tree/etc/os-release; "               \
	"echo tiny >tree/etc/hostname; : >tree/etc/fstab; echo k "                                 \
	">tree/boot/vmlinuz-6.1.0-9-amd64;"                                                        \
	"head -c 5000000 /dev/urandom >tree/big; "

/* Puts "part" into a disk with a table. */
#define DISK                                                                                       \
	"truncate -s $(($(stat -c %s part) + 2097152)) " NAME "; "                                 \
	"echo 'start=2048, type=83' | sfdisk -q " NAME " && "                                      \
	"dd if=part of=" NAME " bs=1M seek=1 conv=notrunc,sparse status=none"

#define EXT4 "truncate -s 64M part && mke2fs -q -F -t ext4 -d tree part && "

static void need_image(void)
{
	if (geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0 &&
	    access("/dev/loop-control", R_OK | W_OK) == 0)
		return;
	print_message("mounting an image needs root, /dev/fuse and loop devices\n");
	skip();
}

static void make_ext4(void)
{
	need_image();
	run("mke2fs", TREE EXT4 DISK);
}

static struct source *source_of(const char *name)
{
	_cleanup_error_ struct error err = {0};
	struct source *source = NULL;

	if (source_open(name, NULL, &source, &err) < 0)
		fail_msg("%s", error_text(&err));
	return source;
}

static void open_guest(struct source *source, struct guest *guest)
{
	_cleanup_error_ struct error err = {0};

	if (guest_open_image(source, guest, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void assert_refused(const char *name, const char *reason)
{
	_cleanup_source_ struct source *source = source_of(name);
	_cleanup_error_ struct error err = {0};
	struct guest guest;

	assert_int_equal(guest_open_image(source, &guest, &err), -1);
	if (!strstr(error_text(&err), reason))
		fail_msg("\"%s\" does not say \"%s\"", error_text(&err), reason);
}

static void assert_is_tiny(const struct guest *guest, const char *filesystem)
{
	_cleanup_text_ struct text have = {0}, want = {0};

	assert_string_equal(guest->os_name, "Tiny Debian");
	assert_string_equal(guest->hostname, "tiny");
	assert_int_equal(guest->kernel_count, 1);
	assert_string_equal(guest->kernel[0].image, "/boot/vmlinuz-6.1.0-9-amd64");
	assert_string_equal(guest->mount[0].filesystem, filesystem);
	assert_int_equal(guest_read(guest, "/big", &have, NULL), 1);
	assert_int_equal(file_read("tree/big", 8 * MIB, &want, NULL), 0);
	assert_int_equal(have.length, want.length);
	assert_memory_equal(have.data, want.data, want.length);
}

static void assert_reads(const char *name, const char *filesystem)
{
	_cleanup_source_ struct source *source = source_of(name);
	_cleanup_error_ struct error err = {0};
	struct guest guest;

	open_guest(source, &guest);
	assert_is_tiny(&guest, filesystem);
	if (guest_close(&guest, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void assert_reads_qcow2(const char *filesystem)
{
	run("qemu-img", "qemu-img convert -f raw -O qcow2 " NAME " disk.qcow2");
	assert_reads("disk.qcow2", filesystem);
}

static void a_system_on_ext4_is_read(void **state)
{
	(void)state;
	make_ext4();
	assert_reads(NAME, "ext4");
	assert_reads_qcow2("ext4");
}

static void a_system_on_xfs_is_read(void **state)
{
	(void)state;
	need_image();
	need_mount("xfs");
	run("mkfs.xfs",
	    TREE "truncate -s 320M part && mkfs.xfs -q part && mkdir mount && "
		 "mount -o loop part mount && cp -a tree/. mount && umount mount && " DISK);
	assert_reads_qcow2("xfs");
}

static void make_btrfs(const char *fill)
{
	_cleanup_free_ char *line =
		string_format(TREE "truncate -s 192M part && mkfs.btrfs -q part && mkdir mount && "
				   "mount -o loop part mount && %s && umount mount",
			      fill);

	need_image();
	need_mount("btrfs");
	run("mkfs.btrfs", line);
	run("sfdisk", DISK);
}

static void a_system_on_btrfs_is_read(void **state)
{
	(void)state;
	make_btrfs("cp -a tree/. mount");
	assert_reads_qcow2("btrfs");
}

static void the_usual_subvolumes_of_btrfs_are_looked_into(void **state)
{
	static const char *const names[] = {"@", "@rootfs", "root"};

	(void)state;
	for (size_t i = 0; i < array_length(names); i++) {
		_cleanup_free_ char *fill = string_format("btrfs -q subvolume create mount/home && "
							  "btrfs -q subvolume create mount/%s && "
							  "cp -a tree/. mount/%s",
							  names[i], names[i]);

		run("rm", "rm -rf mount tree part " NAME);
		make_btrfs(fill);
		assert_reads_qcow2("btrfs");
	}
}

static void the_default_subvolume_of_btrfs_is_looked_into(void **state)
{
	(void)state;
	make_btrfs("mkdir mount/.snapshots && btrfs -q subvolume create mount/.snapshots/7 && "
		   "cp -a tree/. mount/.snapshots/7 && "
		   "btrfs subvolume set-default mount/.snapshots/7");
	assert_reads_qcow2("btrfs");
}

/* As the disk that the image was restored to, which has been in use since. */
static void a_btrfs_of_which_the_kernel_knows_a_newer_copy_is_read(void **state)
{
	(void)state;
	make_btrfs("cp -a tree/. mount");
	run("losetup", "cp part newer && losetup --find --show newer >device && "
		       "mount -t btrfs $(cat device) mount && echo x >mount/x && umount mount && "
		       "btrfs device scan $(cat device)");
	assert_reads_qcow2("btrfs");
	run("losetup", "losetup -d $(cat device)");
}

static void assert_has_new(const char *filesystem)
{
	_cleanup_source_ struct source *source = source_of(NAME);
	_cleanup_text_ struct text text = {0};
	struct guest guest;

	run("sha256sum", "sha256sum " NAME " >before");
	open_guest(source, &guest);
	assert_is_tiny(&guest, filesystem);
	assert_int_equal(guest_read(&guest, "/new", &text, NULL), 1);
	assert_string_equal(text_string(&text), "new\n");
	assert_int_equal(guest_close(&guest, NULL), 0);
	run("sha256sum", "sha256sum --status --check before");
}

/* While the machine runs, its file systems are not what they are after a shutdown. */
static void a_system_that_was_not_shut_down_is_read(void **state)
{
	static const struct {
		const char *type, *make;
	} kinds[] = {
		{"ext4", "truncate -s 64M live && mke2fs -q -F -t ext4 live"},
		{"xfs", "truncate -s 320M live && mkfs.xfs -q live"},
		{"btrfs", "truncate -s 192M live && mkfs.btrfs -q live"},
	};

	(void)state;
	need_image();
	for (size_t i = 0; i < array_length(kinds); i++) {
		_cleanup_free_ char *line = string_format(
			"rm -rf mount tree part live " NAME "; " TREE "%s && mkdir mount && "
			"mount -o loop live mount && cp -a tree/. mount && sync -f mount && "
			"echo new >mount/new && sync mount/new && cp --sparse=always live part && "
			"umount mount",
			kinds[i].make);

		need_mount(kinds[i].type);
		run("cp", line);
		run("sfdisk", DISK);
		assert_has_new(kinds[i].type);
	}
}

static void a_root_without_a_table_is_read(void **state)
{
	(void)state;
	need_image();
	run("mke2fs", TREE EXT4 "mv part " NAME);
	assert_reads_qcow2("ext4");
}

static void every_format_is_read(void **state)
{
	static const char *const formats[] = {
		"-c -O qcow2", "-O vmdk", "-O vmdk -o subformat=streamOptimized",
		"-O vdi",      "-O vhdx", "-O vpc",
	};

	(void)state;
	make_ext4();
	for (size_t i = 0; i < array_length(formats); i++) {
		_cleanup_free_ char *line = string_format(
			"rm -f disk; qemu-img convert -f raw %s " NAME " disk", formats[i]);

		run("qemu-img", line);
		assert_reads("disk", "ext4");
	}
}

static void an_ova_is_read(void **state)
{
	(void)state;
	make_ext4();
	run("qemu-img",
	    "qemu-img convert -f raw -O vmdk -o subformat=streamOptimized " NAME " a.vmdk && "
	    "printf '<Envelope xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\" "
	    "xmlns:ovf=\"http://schemas.dmtf.org/ovf/envelope/1\"><References><File "
	    "ovf:href=\"a.vmdk\" ovf:id=\"file1\"/></References><DiskSection><Disk "
	    "ovf:capacity=\"69206016\" ovf:diskId=\"disk1\" ovf:fileRef=\"file1\"/></DiskSection>"
	    "<VirtualSystem ovf:id=\"vm\"><VirtualHardwareSection><Item>"
	    "</Item></VirtualHardwareSection></VirtualSystem></Envelope>' >a.ovf && "
	    "tar --format=ustar -cf a.ova a.ovf a.vmdk");
	assert_reads("a.ova", "ext4");
}

static void an_image_on_an_nbd_server_is_read(void **state)
{
	struct nbd_server server = {0};

	(void)state;
	make_ext4();
	if (!nbd_server_is_installed())
		skip();
	nbd_server_start(&server, (const char *[]){"file", NAME, NULL});
	assert_reads(server.uri, "ext4");
	nbd_server_stop(&server);
}

static enum http_server_end answer(struct http_server *server, int fd, const struct http_ask *ask)
{
	return ask->has_range ? server_range(server, fd, ask) : server_whole(server, fd);
}

static void an_image_on_a_web_server_is_read(void **state)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_free_ char *url = NULL;
	struct http_server server;

	(void)state;
	make_ext4();
	run("qemu-img", "qemu-img convert -f raw -O qcow2 " NAME " disk.qcow2");
	assert_int_equal(file_read("disk.qcow2", 64 * MIB, &content, NULL), 0);
	server_start(&server, answer, (const uint8_t *)content.data, content.length);
	url = string_format("http://127.0.0.1:%u/disk.qcow2", server.port);
	assert_reads(url, "ext4");
	server_stop(&server);
}

static void a_stream_is_refused_with_advice(void **state)
{
	(void)state;
	make_ext4();
	run("gzip", "gzip -k " NAME);
	assert_refused(NAME ".gz", "can only be read from its beginning to its end (archive): the "
				   "system inside it can be read when it is unpacked, or restored");
}

/* LVM takes devices only. Nothing is activated, and the machine's own volumes are out of sight.
 * root has two stretches, with swap between them. */
static void make_volumes(void)
{
	static const char line[] =
		TREE "set -e; truncate -s 100M part; mke2fs -q -F -t ext4 -L root -d tree part; "
		     "echo /dev/v2p-x/root / ext4 defaults 0 1 >fstab; "
		     "debugfs -w -R 'rm /etc/fstab' part 2>/dev/null; "
		     "debugfs -w -R 'write fstab /etc/fstab' part 2>/dev/null; "
		     "truncate -s 256M " NAME "; echo 'start=2048, type=8e' | sfdisk -q " NAME "; "
		     "dev=$(losetup -o 1048576 --find --show " NAME "); "
		     "trap 'losetup --detach $dev' EXIT; "
		     "c=\"devices{use_devicesfile=0 filter=[\\\"a|^$dev\\$|\\\",\\\"r|.*|\\\"]} "
		     "global{activation=0} backup{backup=0 archive=0} activation{udev_sync=0 "
		     "udev_rules=0 monitoring=0}\"; "
		     "lv() { p=$1; shift; $p -q --config \"$c\" \"$@\" >lvm.out 2>&1 || "
		     "{ cat lvm.out; exit 1; }; }; lv pvcreate $dev; lv vgcreate v2p-x $dev; "
		     "lv lvcreate -an -Wn -Zn v2p-x -n root -L 64M; "
		     "lv lvcreate -an -Wn -Zn v2p-x -n swap -L 20M; "
		     "lv lvextend -n v2p-x/root -L 100M; "
		     "dd if=part of=" NAME " bs=1M seek=2 count=64 conv=notrunc status=none; "
		     "dd if=part of=" NAME " bs=1M seek=86 skip=64 conv=notrunc status=none";

	need_image();
	run("lvcreate", line);
}

static void a_system_on_lvm_is_read_without_the_device_mapper(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct guest guest;

	(void)state;
	make_volumes();
	run("qemu-img", "qemu-img convert -f raw -O qcow2 " NAME " disk.qcow2");
	source = source_of("disk.qcow2");
	open_guest(source, &guest);
	assert_is_tiny(&guest, "ext4");
	assert_string_equal(guest.mount[0].volume, "v2p-x/root");
	assert_int_equal(guest.mount[0].partition, 0);
	assert_int_equal(guest.volume_groups.count, 1);
	assert_string_equal(guest.volume_groups.item[0], "v2p-x");
	assert_int_equal(guest_close(&guest, NULL), 0);
}

static void volumes_that_are_not_understood_are_named_as_the_reason(void **state)
{
	(void)state;
	make_volumes();
	run("sed", "LC_ALL=C sed -i 's/striped/strapid/' " NAME);
	assert_refused(NAME, "partition 1 belongs to LVM, and its volumes cannot be read without "
			     "restoring them: its metadata has a wrong checksum");
}

/* A partition of 16 MiB whose first bytes, from an offset on, are those. */
static void make_part(const void *data, size_t length, uint64_t offset)
{
	int fd;

	need_image();
	run("truncate", "truncate -s 16M part");
	fd = open("part", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write_exactly(fd, "part", data, length, offset, NULL), 0);
	close(fd);
	run("sfdisk", DISK);
}

static void a_journal_on_another_disk_is_not_replayed(void **state)
{
	(void)state;
	need_image();
	run("debugfs",
	    TREE EXT4 "debugfs -w -R 'set_super_value journal_dev 2049' part 2>e && " DISK);
	assert_refused(NAME, "has a part or its journal on another disk");
}

static void a_btrfs_of_several_disks_is_not_mounted(void **state)
{
	(void)state;
	need_image();
	run("mkfs.btrfs", TREE "truncate -s 128M part other && mkfs.btrfs -q -f -d single -m "
			       "single part other && " DISK);
	assert_refused(NAME, "has a part or its journal on another disk");
}

static void an_encrypted_system_is_called_so(void **state)
{
	/* LUKS1 on-disk format 1.2.3, figure 1. */
	uint8_t header[592] = "LUKS\xba\xbe\x00\x01"
			      "aes";

	(void)state;
	memcpy(header + 168, "0123456a-0000-4000-8000-0123456789ab", 36);
	make_part(header, sizeof(header), 0);
	assert_refused(NAME, "no Linux system found on " NAME " (partition 1 crypto_LUKS): "
			     "partition 1 is encrypted (LUKS): it cannot be read without its key");
}

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static void a_member_of_a_raid_is_called_so(void **state)
{
	/* md.4, version 1.2: a superblock of 256 bytes, 4 KiB from the start. */
	uint8_t super[256] = {0};
	uint64_t sum = 0;

	(void)state;
	put32(super, 0xa92b4efc);
	put32(super + 4, 1);
	memset(super + 16, 0x5a, 16);
	put32(super + 72, 1);     /* RAID1 */
	put32(super + 92, 2);     /* devices */
	put32(super + 128, 2048); /* data from here on, in sectors */
	put32(super + 144, 8);    /* where this is, in sectors */
	for (size_t i = 0; i < sizeof(super); i += 4)
		sum += super[i] | (uint32_t)super[i + 1] << 8 | (uint32_t)super[i + 2] << 16 |
		       (uint32_t)super[i + 3] << 24;
	put32(super + 216, (uint32_t)(sum + (sum >> 32)));
	make_part(super, sizeof(super), 4096);
	assert_refused(NAME, "partition 1 is a member of a software RAID (md), which v2p does not "
			     "assemble");
}

static void an_image_without_partitions_is_called_so(void **state)
{
	(void)state;
	need_image();
	run("truncate", "truncate -s 16M " NAME);
	assert_refused(NAME, "no Linux system found on " NAME " (there is no partition)");
}

/* An image on a medium that goes away after some reads. */
struct cable {
	struct source_ops ops;
	int fd;
	atomic_int reads_left;
};

static int cable_open(struct source *source, const struct source_options *options,
		      struct error *err)
{
	const struct cable *cable = (const struct cable *)(const void *)source->ops;
	struct stat st;

	(void)options;
	if (fstat(cable->fd, &st) < 0)
		return error_set(err, "no image");
	source->size = (uint64_t)st.st_size;
	source->granule = 4096;
	return 0;
}

static void cable_close(struct source *source)
{
	(void)source;
}

static int cable_read(struct source *source, void *data, size_t length, uint64_t offset,
		      struct error *err)
{
	struct cable *cable = (struct cable *)(uintptr_t)source->ops;

	if (atomic_fetch_sub(&cable->reads_left, 1) <= 0)
		return error_set(err, "the cable was pulled");
	return read_exactly(cable->fd, "image", data, length, offset, err);
}

static void assert_pulled(const struct error *err)
{
	if (!strstr(error_text(err), "the cable was pulled"))
		fail_msg("\"%s\" does not say that the cable was pulled", error_text(err));
}

/* Did it open, with the cable pulled after so many reads? */
static bool survives(struct cable *cable, int reads)
{
	_cleanup_error_ struct error err = {0}, end = {0};
	_cleanup_source_ struct source *source = NULL;
	_cleanup_text_ struct text big = {0};
	struct guest guest;

	atomic_store(&cable->reads_left, reads);
	assert_int_equal(source_open_ops("cable", &cable->ops, NULL, NULL, &source, NULL), 0);
	if (guest_open_image(source, &guest, &err) < 0) {
		assert_pulled(&err);
		return false;
	}
	atomic_store(&cable->reads_left, 0);
	assert_int_equal(guest_read(&guest, "/big", &big, &err), -1);
	assert_pulled(&err);
	assert_int_equal(guest_close(&guest, &end), -1);
	assert_pulled(&end);
	return true;
}

static void whenever_the_image_can_no_longer_be_read_the_reason_is_told(void **state)
{
	struct cable cable = {.ops = {.name = "cable",
				      .open = cable_open,
				      .close = cable_close,
				      .read = cable_read}};
	int reads = 0;

	(void)state;
	make_ext4();
	cable.fd = open(NAME, O_RDONLY | O_CLOEXEC);
	assert_true(cable.fd >= 0);
	while (!survives(&cable, reads))
		assert_true(++reads < 1000);
	assert_true(reads > 10);
	close(cable.fd);
}

static void what_is_mounted_is_harmless_and_goes_away(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	_cleanup_text_ struct text mounts = {0};
	_cleanup_free_ char *root = NULL;
	struct statvfs st;
	struct guest guest;

	(void)state;
	make_ext4();
	source = source_of(NAME);
	open_guest(source, &guest);
	root = string_copy(guest.root);
	assert_int_equal(statvfs(root, &st), 0);
	assert_int_equal(st.f_flag & (ST_RDONLY | ST_NODEV | ST_NOSUID),
			 ST_RDONLY | ST_NODEV | ST_NOSUID);
	assert_int_equal(guest_write(&guest, "/etc/x", "x", 1, NULL), -1);
	assert_int_equal(guest_close(&guest, NULL), 0);
	assert_int_equal(access(root, F_OK), -1);
	assert_int_equal(file_read("/proc/self/mountinfo", 1 << 20, &mounts, NULL), 0);
	assert_null(strstr(text_string(&mounts), "v2p-image"));
}

static void what_cannot_be_mounted_is_told(void **state)
{
	_cleanup_source_ struct source *source = NULL;
	struct guest guest;

	(void)state;
	need_image();
	run("mke2fs",
	    TREE "echo UUID=1111-2222 /boot ext4 defaults 0 2 >tree/etc/fstab; " EXT4 DISK);
	source = source_of(NAME);
	open_guest(source, &guest);
	assert_int_equal(guest.unmounted.count, 1);
	assert_string_equal(guest.unmounted.item[0],
			    "its fstab mounts /boot from UUID=1111-2222, which is not on " NAME);
	guest_release(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_system_on_ext4_is_read),
		test(a_system_on_xfs_is_read),
		test(a_system_on_btrfs_is_read),
		test(the_usual_subvolumes_of_btrfs_are_looked_into),
		test(the_default_subvolume_of_btrfs_is_looked_into),
		test(a_btrfs_of_which_the_kernel_knows_a_newer_copy_is_read),
		test(a_system_that_was_not_shut_down_is_read),
		test(a_root_without_a_table_is_read),
		test(every_format_is_read),
		test(an_ova_is_read),
		test(an_image_on_an_nbd_server_is_read),
		test(an_image_on_a_web_server_is_read),
		test(a_stream_is_refused_with_advice),
		test(a_system_on_lvm_is_read_without_the_device_mapper),
		test(volumes_that_are_not_understood_are_named_as_the_reason),
		test(a_btrfs_of_several_disks_is_not_mounted),
		test(a_journal_on_another_disk_is_not_replayed),
		test(an_encrypted_system_is_called_so),
		test(a_member_of_a_raid_is_called_so),
		test(an_image_without_partitions_is_called_so),
		test(whenever_the_image_can_no_longer_be_read_the_reason_is_told),
		test(what_is_mounted_is_harmless_and_goes_away),
		test(what_cannot_be_mounted_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
