// SPDX-License-Identifier: GPL-3.0-or-later
/* The program as a user meets it: exit status, what it says, and what it leaves on the disk. */
#include "tests/cli/program.h"

static void help_lists_the_commands(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	v2p(&result, "--help");
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(text_string(&result.output), "  restore  IMAGE DISK"));
	assert_non_null(strstr(text_string(&result.output), "Exit status: 0 done;"));
}

static void every_command_has_its_help(void **state)
{
	static const char *const names[] = {"inspect", "detect", "plan",   "restore",
					    "adapt",   "verify", "profile"};

	(void)state;
	for (size_t i = 0; i < array_length(names); i++) {
		_cleanup_process_result_ struct process_result result = {0};

		v2p(&result, names[i], "--help");
		assert_int_equal(result.status, 0);
		assert_non_null(strstr(text_string(&result.output), "Options:\n"));
		assert_non_null(strstr(text_string(&result.output), "--json"));
	}
}

static void an_unknown_command_is_a_usage_error(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	v2p(&result, "restroe");
	expect(&result, 2, "v2p: unknown command restroe: v2p --help lists the commands");
}

static void an_unknown_option_is_a_usage_error(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	v2p(&result, "restore", "--force", "a", "b");
	expect(&result, 2, "v2p: unknown option --force: see v2p restore --help");
}

static void an_image_without_a_disk_is_a_usage_error(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	v2p(&result, "restore", "--profile", "lab.conf", "a.raw");
	expect(&result, 2, "v2p: restore wants an image and the disks to write it to");
}

static void a_raw_image_is_restored_to_a_file(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	unlink("new.disk");
	v2p(&result, "restore", "--no-adapt", "--yes", "a.raw", "new.disk");
	expect(&result, 0, "");
	shell("cmp a.raw new.disk");
}

static void a_bigger_disk_is_used_to_its_end(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	make_disk("big.disk", 100);
	v2p(&result, "restore", "--no-adapt", "--yes", "a.raw", "big.disk");
	expect(&result, 0, "");
	shell("test $(sfdisk -l -o Sectors -q big.disk | tail -n 1) -ge 202000; "
	      "dd if=big.disk of=p bs=1M skip=1 status=none; e2fsck -fn p; "
	      "test $(dumpe2fs -h p 2>/dev/null | sed -n 's/^Block count: *//p') -ge 100000");
}

static void a_disk_without_partition_devices_is_used_to_its_end(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};
	_cleanup_text_ struct text device = {0};
	const char *name;

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	make_disk("big.disk", 100);
	if (geteuid() != 0 ||
	    process_check((const char *const[]){"losetup", "--find", "--show", "big.disk", NULL},
			  &device, NULL) < 0)
		skip();
	name = string_trim(device.data);
	v2p(&result, "restore", "--no-adapt", "--yes", "a.raw", name);
	process_check((const char *const[]){"losetup", "--detach", name, NULL}, NULL, NULL);
	expect(&result, 0, "");
	shell("dd if=big.disk of=p bs=1M skip=1 status=none; e2fsck -fn p; "
	      "test $(dumpe2fs -h p 2>/dev/null | sed -n 's/^Block count: *//p') -ge 100000");
}

static void a_dry_run_writes_nothing(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	make_disk("big.disk", 100);
	v2p(&result, "restore", "--no-adapt", "--dry-run", "a.raw", "big.disk");
	expect(&result, 0, "");
	assert_non_null(strstr(text_string(&result.output), " overwritten\n"));
	assert_non_null(
		strstr(text_string(&result.output), "grow    partition 1 from 63 MiB to 99"));
	expect_untouched("big.disk");
}

static void nobody_to_ask_means_no(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	make_disk("big.disk", 100);
	v2p(&result, "restore", "--no-adapt", "a.raw", "big.disk");
	expect(&result, 1, "big.disk would be overwritten and nobody can be asked: say --yes");
	expect_untouched("big.disk");
}

static void a_truncated_qcow2_is_refused_before_writing(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	if (!has_program("qemu-img"))
		skip();
	make_image("a.raw", "mke2fs -q -t ext4");
	shell("head -c 8M /dev/urandom | dd of=a.raw bs=1M seek=20 conv=notrunc status=none; "
	      "qemu-img convert -f raw -O qcow2 a.raw a.qcow2; truncate -s 5M a.qcow2");
	make_disk("disk", 64);
	v2p(&result, "restore", "--no-adapt", "--yes", "a.qcow2", "disk");
	expect(&result, 1, "truncated");
	expect_untouched("disk");
}

static void an_image_bigger_than_the_disk_is_refused(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	make_disk("disk", 32);
	v2p(&result, "restore", "--no-adapt", "--yes", "a.raw", "disk");
	expect(&result, 1, "64 MiB");
	expect(&result, 1, "32 MiB");
	expect_untouched("disk");
}

static void an_image_without_linux_is_refused_before_writing(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	if (!has_program("mkfs.vfat") || geteuid() != 0)
		skip();
	make_image("a.raw", "mkfs.vfat");
	make_disk("disk", 64);
	v2p(&result, "restore", "--yes", "a.raw", "disk");
	expect(&result, 1, "found: vfat on partition 1): v2p adapts Linux only");
	expect_untouched("disk");
}

static void a_format_that_is_not_supported_is_named(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	shell("printf 'PK\\003\\004' > a.zip; truncate -s 1M a.zip");
	make_disk("disk", 64);
	v2p(&result, "restore", "--no-adapt", "--yes", "a.zip", "disk");
	expect(&result, 1, "this is a ZIP archive, not a disk image that can be written: ");
	expect_untouched("disk");
}

static void an_unknown_mode_of_initramfs_is_refused(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	v2p(&result, "adapt", "--root", "/", "--initramfs", "dep");
	expect(&result, 2, "--initramfs dep: it is most or list");
}

static void a_rule_that_matches_no_disk_is_refused(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	v2p(&result, "restore", "--no-adapt", "--yes", "a.raw", "serial=no-such-serial");
	expect(&result, 1, "serial=no-such-serial");
}

static void the_image_is_not_its_own_target(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	v2p(&result, "restore", "--no-adapt", "--yes", "a.raw", "a.raw");
	expect(&result, 1, "a.raw is the image itself: name the disk to write to");
}

/* In one shell line, as a skip() must not pass by what is to be freed. */
static bool attach_partition(char *name, size_t size)
{
	_cleanup_text_ struct text device = {0};
	const char *argv[] = {"sh", "-ec",
			      "d=$(losetup --find --show a.raw); "
			      "if partx --add $d && test -b ${d}p1; then echo $d; "
			      "else losetup --detach $d; exit 1; fi",
			      NULL};

	if (process_check(argv, &device, NULL) < 0)
		return false;
	snprintf(name, size, "%s", string_trim(device.data));
	return true;
}

static void the_disk_that_holds_the_image_is_refused(void **state)
{
	char name[64], partition[80];

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	if (geteuid() != 0 || !attach_partition(name, sizeof(name)))
		skip();
	snprintf(partition, sizeof(partition), "%sp1", name);
	{
		_cleanup_process_result_ struct process_result result = {0};

		v2p(&result, "restore", "--no-adapt", "--yes", partition, name);
		process_check((const char *const[]){"partx", "--delete", name, NULL}, NULL, NULL);
		process_check((const char *const[]){"losetup", "--detach", name, NULL}, NULL, NULL);
		expect(&result, 1, "which would be overwritten: copy it elsewhere first");
	}
}

static void a_name_that_could_be_a_disk_makes_no_file(void **state)
{
	static const char *const names[] = {"sdx", "smalest", "serial:S64DNX0T"};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	for (size_t i = 0; i < array_length(names); i++) {
		_cleanup_process_result_ struct process_result result = {0};

		v2p(&result, "restore", "--no-adapt", "--yes", "a.raw", names[i]);
		expect(&result, 1, "is neither a rule nor a file that exists: a disk is named as");
		assert_int_equal(access(names[i], F_OK), -1);
	}
}

static void a_refusal_is_a_document_too(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	make_disk("disk", 32);
	v2p(&result, "restore", "--no-adapt", "--yes", "--json", "--report", "report.json", "a.raw",
	    "disk");
	expect(&result, 1, "larger than the disk");
	assert_non_null(strstr(text_string(&result.output), "larger than the disk"));
	assert_non_null(strstr(text_string(&result.output), "\"exit-status\": 1"));
	shell("grep -q 'larger than the disk' report.json");
}

static void an_image_of_4096_byte_sectors_fits_a_file(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	if (geteuid() != 0)
		skip();
	shell("rm -f a.raw; truncate -s 64M a.raw; d=$(losetup -f --show --sector-size 4096 a.raw);"
	      " echo 'start=256,type=linux' | sfdisk -q --label gpt $d; losetup -d $d");
	unlink("new.disk");
	v2p(&result, "restore", "--no-adapt", "--yes", "a.raw", "new.disk");
	expect(&result, 0, "");
	shell("cmp a.raw new.disk");
}

static void a_missing_image_is_named(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	v2p(&result, "restore", "--yes", "nowhere.qcow2", "disk");
	expect(&result, 1, "nowhere.qcow2: No such file or directory");
}

static void a_profile_with_an_unknown_key_is_refused(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	shell("printf '[Disk]\\nrulle = smallest\\n' > lab.conf");
	v2p(&result, "restore", "--yes", "--profile", "lab.conf");
	expect(&result, 1, "profile lab.conf, line 2: unknown key rulle in [Disk]: it has rule");
}

static void inspect_shows_the_partition_table_as_json(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	make_image("a.raw", "mke2fs -q -t ext4");
	v2p(&result, "inspect", "--json", "a.raw");
	expect(&result, 0, "");
	assert_non_null(strstr(text_string(&result.output), "\"format\":\"raw\""));
	assert_non_null(strstr(text_string(&result.output), "\"filesystem\":\"ext4\""));
}

static void no_escape_sequence_reaches_the_terminal(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	v2p(&result, "inspect", "no\033[2J\302\233image");
	expect(&result, 1, "no?[2J??image");
	assert_null(strchr(text_string(&result.errors), '\033'));
}

static void detect_prints_a_document_that_it_reads_back(void **state)
{
	_cleanup_process_result_ struct process_result first = {0}, second = {0};

	(void)state;
	v2p(&first, "detect", "--json");
	expect(&first, 0, "");
	assert_int_equal(file_replace("machine.json", text_string(&first.output),
				      first.output.length, 0644, NULL),
			 0);
	v2p(&second, "detect", "--json", "--hardware", "machine.json");
	expect(&second, 0, "");
	assert_non_null(strstr(text_string(&second.output), "\"hardware-version\":2"));
}

static const char machine[] =
	"{\"hardware-version\": 2, \"firmware\": {\"mode\": \"uefi\", \"bits\": 32, "
	"\"secure-boot-state\": \"setup\", \"variable-space\": 65536}, "
	"\"cpu\": \"GenuineIntel\", \"cpu-model\": \"Acme 4000\", "
	"\"dmi\": {\"vendor\": \"Acme\", \"product\": \"Box\", \"serial\": \"B1\", "
	"\"family\": \"Boxes for people who have a great many things to put into them\"}, "
	"\"devices\": [{\"bus\": \"pci\", \"slot\": \"0000:00:1f.2\", \"modalias\": \"pci:\", "
	"\"driver\": \"ahci\", \"class\": \"010601\", \"vendor\": \"8086\", "
	"\"device\": \"2922\", \"subsystem-vendor\": \"1028\", "
	"\"subsystem-device\": \"05cc\", \"revision\": \"02\", \"name\": "
	"\"Intel Corporation 82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]\"}, "
	"{\"bus\": \"scsi\", \"slot\": \"0:0:0:0\", \"modalias\": \"scsi:t-0x00\", "
	"\"driver\": \"sd\", \"parent\": \"0000:00:1f.2\"}], "
	"\"network\": [{\"name\": \"eth0\", \"mac\": \"52:54:00:00:00:01\", "
	"\"permanent-mac\": \"52:54:00:00:00:01\", \"current-mac\": \"52:54:00:00:00:02\", "
	"\"slot\": \"0000:01:00.0\", \"driver\": \"e1000e\", \"link\": true}], "
	"\"displays\": [{\"name\": \"HDMI-A-1\", \"slot\": \"0000:00:02.0\", "
	"\"monitor\": \"DEL U2415\", \"mode\": \"1920x1200\", \"connected\": true}], "
	"\"disks\": [{\"path\": \"/dev/sda\", \"model\": \"ACME DISK\", \"serial\": \"S1\", "
	"\"wwn\": \"0x5000\", \"size\": 1073741824, \"transport\": \"sata\", "
	"\"by-path\": \"/dev/disk/by-path/pci-0000:00:1f.2-ata-1\", "
	"\"hangs-on\": \"0:0:0:0\", \"rotational\": true, \"logical-sector\": 512, "
	"\"physical-sector\": 4096}]}";

static void detect_shows_the_machine_on_80_columns(void **state)
{
	static const char *const wanted[] = {
		"Machine         Acme Box, version -, family Boxes for people who have a great\n"
		"                many things to put into them, serial B1\n",
		"Processor       GenuineIntel Acme 4000\n",
		"UEFI (32 bit), Secure Boot is off, keys can be enrolled (setup\n"
		"                mode), 64 KiB free for variables\n",
		"  /dev/sda      1 GiB, sata, rotational, sectors 512/4096\n",
		"                model ACME DISK, serial S1, wwn 0x5000\n",
		"                hangs on 0:0:0:0 (sd) < 00:1f.2 (ahci)\n",
		"                /dev/disk/by-path/pci-0000:00:1f.2-ata-1\n",
		"  eth0          52:54:00:00:00:01, link, e1000e on 01:00.0\n",
		"                permanent 52:54:00:00:00:01, in use now 52:54:00:00:00:02\n",
		"  HDMI-A-1      connected, DEL U2415, 1920x1200 on 00:02.0\n",
		"  00:1f.2       storage  ahci           8086:2922 02  1028:05cc 010601\n",
		"                Intel Corporation 82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA\n"
		"                Controller [AHCI mode]\n",
		"  0:0:0:0       disk     sd             scsi:t-0x00\n",
	};
	_cleanup_process_result_ struct process_result result = {0};
	_cleanup_strings_ struct strings lines = {0};

	(void)state;
	assert_int_equal(file_replace("box.json", machine, strlen(machine), 0644, NULL), 0);
	v2p(&result, "detect", "--hardware", "box.json");
	expect(&result, 0, "");
	for (size_t i = 0; i < array_length(wanted); i++)
		if (!strstr(text_string(&result.output), wanted[i]))
			fail_msg("no \"%s\" in:\n%s", wanted[i], text_string(&result.output));
	strings_split(&lines, text_string(&result.output), "\n");
	for (size_t i = 0; i < lines.count; i++)
		if (strlen(lines.item[i]) > 80)
			fail_msg("too long: %s", lines.item[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help_lists_the_commands),
		cmocka_unit_test(every_command_has_its_help),
		cmocka_unit_test(an_unknown_command_is_a_usage_error),
		cmocka_unit_test(an_unknown_option_is_a_usage_error),
		cmocka_unit_test(an_image_without_a_disk_is_a_usage_error),
		cmocka_unit_test(a_raw_image_is_restored_to_a_file),
		cmocka_unit_test(a_bigger_disk_is_used_to_its_end),
		cmocka_unit_test(a_disk_without_partition_devices_is_used_to_its_end),
		cmocka_unit_test(a_dry_run_writes_nothing),
		cmocka_unit_test(nobody_to_ask_means_no),
		cmocka_unit_test(a_truncated_qcow2_is_refused_before_writing),
		cmocka_unit_test(an_image_bigger_than_the_disk_is_refused),
		cmocka_unit_test(an_image_without_linux_is_refused_before_writing),
		cmocka_unit_test(a_format_that_is_not_supported_is_named),
		cmocka_unit_test(an_unknown_mode_of_initramfs_is_refused),
		cmocka_unit_test(a_rule_that_matches_no_disk_is_refused),
		cmocka_unit_test(the_image_is_not_its_own_target),
		cmocka_unit_test(the_disk_that_holds_the_image_is_refused),
		cmocka_unit_test(a_name_that_could_be_a_disk_makes_no_file),
		cmocka_unit_test(a_refusal_is_a_document_too),
		cmocka_unit_test(an_image_of_4096_byte_sectors_fits_a_file),
		cmocka_unit_test(a_missing_image_is_named),
		cmocka_unit_test(a_profile_with_an_unknown_key_is_refused),
		cmocka_unit_test(inspect_shows_the_partition_table_as_json),
		cmocka_unit_test(no_escape_sequence_reaches_the_terminal),
		cmocka_unit_test(detect_prints_a_document_that_it_reads_back),
		cmocka_unit_test(detect_shows_the_machine_on_80_columns),
	};

	return cmocka_run_group_tests(tests, enter_directory, remove_directory);
}
