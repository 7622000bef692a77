// SPDX-License-Identifier: GPL-3.0-or-later
/* What plan says about a guest inside an image, and what restore makes of that. */
#include "tests/cli/guest-image.h"

#include <json-c/json.h>

#define AHCI V2P_SOURCE_DIR "/tests/data/pci-q35-ahci.lspci"
#define NVME V2P_SOURCE_DIR "/tests/data/pci-q35-nvme.lspci"

/* Images of a whole guest (good.raw), of one without an initramfs (bare.raw), and of one whose
 * kernel lacks ahci (bad.raw); made once. */
struct fixture {
	bool is_ready;
};

static int set_up(void **state)
{
	static struct fixture fixture;
	_cleanup_tree_ char *root = NULL;
	_cleanup_free_ char *pack = NULL;

	if (enter_directory(state) < 0)
		return -1;
	*state = &fixture;
	if (geteuid() != 0)
		return 0;
	root = guest_files_make();
	if (!root)
		return 0;
	guest_image_make("bare.raw", root);
	guest_files_pack_initramfs(root);
	guest_image_make("good.raw", root);
	pack = string_format(V2P_PROGRAM " pack build ahci.pack --root %s --module ahci", root);
	shell(pack);
	guest_files_lose(root, "kernel/drivers/ata/ahci.ko");
	guest_image_make("bad.raw", root);
	fixture.is_ready = true;
	return 0;
}

static void need(void **state)
{
	const struct fixture *fixture = *state;

	if (!fixture->is_ready) {
		print_message("root, depmod, cc, cpio or mke2fs is missing\n");
		skip();
	}
}

static void expect_output(const struct process_result *result, const char *part)
{
	if (!strstr(text_string(&result->output), part))
		fail_msg("\"%s\" is not in:\n%s%s", part, text_string(&result->output),
			 text_string(&result->errors));
}

/* The last words that were printed. */
static void expect_answer(const struct process_result *result, const char *answer)
{
	const char *last = strstr(text_string(&result->output), "\nAnswer: ");

	if (!last || !has_prefix(last + strlen("\nAnswer: "), answer))
		fail_msg("status %d:\n%s%s", result->status, text_string(&result->output),
			 text_string(&result->errors));
	/* Nothing stands behind it but the lines that it is folded into. */
	assert_null(strstr(last, "\n\n"));
}

static void a_guest_with_the_right_driver_will_boot(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	make_disk("disk", 64);
	v2p(&result, "plan", "--pci-dump", AHCI, "good.raw", "disk");
	expect(&result, 0, "");
	expect_output(&result, "Debian GNU/Linux 12 (test)");
	expect_output(&result, MODULE_RELEASE " starts by default: \"Debian\" in "
					      "/boot/grub/grub.cfg");
	expect_output(&result, "  loader  grub-bios\n");
	expect_output(&result, "  before  no partition table\n");
	expect_answer(&result, "will boot");
	expect_untouched("disk");
}

static void a_missing_driver_is_told_with_the_device(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	v2p(&result, "plan", "--pci-dump", AHCI, "bad.raw");
	expect(&result, 1, "will not boot because ");
	expect(&result, 1, "0000:00:1f.2");
	expect_output(&result, "Answer: will not boot because ");
	expect_output(&result, "  missing          0000:00:1f.2 ");
}

static void a_driver_pack_turns_the_answer(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	v2p(&result, "plan", "--pci-dump", AHCI, "--driver-pack", "ahci.pack", "bad.raw");
	expect(&result, 0, "");
	expect_output(&result, "packs bring what it lacks\n");
	expect_output(&result, "  packs      driver packs: ");
	expect_answer(&result, "will boot");
}

static void an_initramfs_that_nobody_builds_is_a_reason(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	v2p(&result, "plan", "--pci-dump", AHCI, "bare.raw");
	expect(&result, 1,
	       "will not boot because the initramfs of kernel " MODULE_RELEASE
	       " is not built anew and lacks ahci, which drives 0000:00:1f.2: build it anew in the "
	       "image, with the drivers of this machine");
}

/* That one has a second controller, which the same guest can drive. */
static void the_answer_is_about_the_machine(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	v2p(&result, "plan", "--pci-dump", NVME, "bad.raw");
	expect(&result, 0, "");
	expect_answer(&result, "will boot, but ");
}

static void a_guest_inside_qcow2_is_read_as_well(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	if (!has_program("qemu-img"))
		skip();
	shell("qemu-img convert -c -O qcow2 bad.raw bad.qcow2");
	v2p(&result, "plan", "--pci-dump", AHCI, "bad.qcow2");
	expect(&result, 1, "will not boot because ");
}

static void restore_refuses_what_will_not_boot(void **state)
{
	_cleanup_process_result_ struct process_result result = {0}, json = {0};

	need(state);
	make_disk("disk", 64);
	v2p(&result, "restore", "--yes", "--pci-dump", AHCI, "--report", "report", "bad.raw",
	    "disk");
	expect(&result, 1, "will not boot because ");
	expect(&result, 1, "(--force-boot-verdict restores it nevertheless)");
	expect_untouched("disk");
	shell("grep -q '\"verdict\": *\"will-not-boot\"' report; "
	      "grep -q '\"exit-status\": *1' report");
	v2p(&json, "restore", "--yes", "--json", "--pci-dump", AHCI, "bad.raw", "disk");
	expect(&json, 1, "will not boot because ");
	expect_output(&json, "will-not-boot");
	expect_untouched("disk");
}

static void restore_carries_out_what_the_plan_shows(void **state)
{
	_cleanup_process_result_ struct process_result plan = {0}, result = {0};

	need(state);
	make_disk("disk", 64);
	v2p(&plan, "plan", "--pci-dump", AHCI, "good.raw", "disk");
	expect(&plan, 0, "");
	expect_output(&plan, "  fstab      /etc/fstab: ");
	v2p(&result, "restore", "--yes", "--pci-dump", AHCI, "good.raw", "disk");
	expect(&result, 0, "fstab: /etc/fstab\n");
	expect_output(&result, "[fstab] /etc/fstab: ");
	assert_null(strstr(text_string(&result.output), "was not in the plan"));
}

static void a_dry_run_is_the_plan(void **state)
{
	_cleanup_process_result_ struct process_result plan = {0}, dry = {0};

	need(state);
	make_disk("disk", 64);
	v2p(&plan, "plan", "--pci-dump", AHCI, "bad.raw", "disk");
	v2p(&dry, "restore", "--dry-run", "--pci-dump", AHCI, "bad.raw", "disk");
	assert_int_equal(plan.status, 1);
	assert_int_equal(dry.status, 1);
	assert_string_equal(text_string(&plan.output), text_string(&dry.output));
	expect_untouched("disk");
}

static void a_forced_restore_ends_with_status_4(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	make_disk("disk", 64);
	v2p(&result, "restore", "--yes", "--force-boot-verdict", "--pci-dump", AHCI, "--report",
	    "report", "bad.raw", "disk");
	assert_int_equal(result.status, 4);
	shell("sfdisk -d disk | grep -q type=83; grep -q '\"exit-status\": *4' report");
}

static void a_profile_can_force_it_too(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	make_disk("disk", 64);
	shell("printf '[Image]\\npath = bad.raw\\n[Disk]\\nrule = ./disk\\n[Adapt]\\n"
	      "force-boot-verdict = yes\\n' > lab.conf");
	v2p(&result, "restore", "--yes", "--pci-dump", AHCI, "--profile", "lab.conf");
	assert_int_equal(result.status, 4);
	shell("sfdisk -d disk | grep -q type=83");
}

static void a_profile_names_image_and_disk_of_a_plan(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	make_disk("disk", 64);
	shell("printf '[Image]\\npath = good.raw\\n[Disk]\\nrule = ./disk\\n' > lab.conf");
	v2p(&result, "plan", "--pci-dump", AHCI, "--profile", "lab.conf");
	expect(&result, 0, "");
	expect_output(&result, "  disk    ");
	expect_untouched("disk");
}

static void without_adaptation_nobody_is_asked_whether_it_boots(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	make_disk("disk", 64);
	v2p(&result, "restore", "--yes", "--no-adapt", "bad.raw", "disk");
	expect(&result, 0, "");
	shell("cmp -n 1048576 bad.raw disk");
}

/* Two disks on an AHCI controller. */
#define SAVED_MACHINE(mode)                                                                        \
	"{\"hardware-version\": 2, \"source\": \"lab 7\", \"firmware\": {\"mode\": \"" mode "\"}," \
	" \"devices\": [{\"bus\": \"pci\", \"slot\": \"0000:00:1f.2\", \"class\": \"010601\","     \
	" \"vendor\": \"8086\", \"device\": \"2922\", \"name\": \"a SATA controller\","            \
	" \"modalias\": \"pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01\"}],"              \
	" \"disks\": [{\"path\": \"/dev/sda\", \"name\": \"sda\", \"transport\": \"sata\","        \
	" \"size\": 100000000000, \"rotational\": true, \"hangs-on\": \"0000:00:1f.2\"},"          \
	" {\"path\": \"/dev/sdb\", \"name\": \"sdb\", \"transport\": \"sata\","                    \
	" \"size\": 200000000000, \"hangs-on\": \"0000:00:1f.2\"}]}"

static void save_machine(const char *text)
{
	assert_int_equal(file_replace("machine.json", text, strlen(text), 0600, NULL), 0);
}

static void a_disk_of_another_machine_is_chosen_there(void **state)
{
	_cleanup_process_result_ struct process_result rule = {0}, path = {0}, none = {0};

	need(state);
	save_machine(SAVED_MACHINE("bios"));
	v2p(&rule, "plan", "--hardware", "machine.json", "good.raw", "size>=150G");
	expect(&rule, 0, "");
	expect_output(&rule, "  disk    /dev/sdb (186 GiB)");
	v2p(&path, "plan", "--hardware", "machine.json", "good.raw", "/dev/sda");
	expect(&path, 0, "");
	expect_output(&path, "a SATA hard disk sets the pace");
	v2p(&none, "plan", "--hardware", "machine.json", "good.raw", "/dev/sdc");
	expect(&none, 1, "the machine that --hardware describes has no disk /dev/sdc");
}

static void the_other_firmware_is_a_reason(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	save_machine(SAVED_MACHINE("uefi"));
	v2p(&result, "plan", "--hardware", "machine.json", "good.raw", "/dev/sda");
	expect(&result, 1,
	       "will not boot because the image was installed for BIOS (grub-bios), and "
	       "this machine starts by UEFI: ");
}

static void a_system_that_cannot_be_read_is_not_known_to_boot(void **state)
{
	_cleanup_process_result_ struct process_result empty = {0}, stream = {0};

	need(state);
	make_image("empty.raw", "mke2fs -q -t ext4");
	v2p(&empty, "plan", "--pci-dump", AHCI, "empty.raw");
	expect(&empty, 0, "");
	expect_output(&empty, "Answer: it is not known whether this will boot: ");
	shell("gzip -kf good.raw");
	v2p(&stream, "plan", "--pci-dump", AHCI, "good.raw.gz");
	expect(&stream, 0, "");
	expect_output(&stream, "Answer: it is not known whether this will boot: ");
	expect_output(&stream, "time    not known: ");
}

static void an_image_without_a_place_for_linux_is_an_obstacle(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	make_image("fat.raw", "mkfs.vfat");
	v2p(&result, "plan", "--pci-dump", AHCI, "fat.raw");
	expect(&result, 1, "the image holds no file system that v2p finds a Linux system in");
}

static void no_line_is_wider_than_a_terminal(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};
	_cleanup_strings_ struct strings lines = {0};

	need(state);
	make_disk("disk", 100);
	v2p(&result, "plan", "--pci-dump", AHCI, "bad.raw", "disk");
	strings_split(&lines, text_string(&result.output), "\n");
	assert_true(lines.count > 10);
	for (size_t i = 0; i < lines.count; i++)
		if (strlen(lines.item[i]) > 80)
			fail_msg("%zu columns: %s", strlen(lines.item[i]), lines.item[i]);
}

static json_object *member(json_object *object, const char *name)
{
	json_object *found = NULL;

	if (!json_object_object_get_ex(object, name, &found))
		fail_msg("there is no %s", name);
	return found;
}

static void the_document_holds_everything_that_is_known(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};
	json_object *json, *prediction, *kernel;

	need(state);
	make_disk("disk", 100);
	v2p(&result, "plan", "--json", "--pci-dump", AHCI, "good.raw", "disk");
	expect(&result, 0, "");
	json = json_tokener_parse(text_string(&result.output));
	assert_non_null(json);
	assert_int_equal(json_object_get_int(member(json, "plan-version")), 1);
	assert_true(json_object_get_int64(member(json, "data-bytes")) > 0);
	assert_non_null(member(member(json, "duration"), "seconds"));
	assert_non_null(member(json_object_array_get_idx(member(json, "targets"), 0), "growth"));
	prediction = json_object_array_get_idx(member(json, "predictions"), 0);
	assert_true(has_suffix(json_object_get_string(member(prediction, "disk")), "/disk"));
	assert_string_equal(json_object_get_string(member(prediction, "boot-loader")), "grub-bios");
	assert_string_equal(
		json_object_get_string(member(member(prediction, "default-kernel"), "release")),
		MODULE_RELEASE);
	kernel = json_object_array_get_idx(member(prediction, "kernels"), 0);
	assert_true(json_object_get_boolean(member(kernel, "can-start")));
	assert_true(json_object_array_length(member(kernel, "devices")) > 0);
	assert_non_null(member(prediction, "changes"));
	assert_true(has_prefix(json_object_get_string(member(member(json, "answer"), "verdict")),
			       "will-boot"));
	json_object_put(json);
}

static void what_cannot_be_planned_is_a_document_too(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	v2p(&result, "plan", "--json", "--pci-dump", AHCI, "absent.raw");
	expect(&result, 1, "absent.raw");
	expect_output(&result, "\"obstacle\"");
}

static void a_plan_without_an_image_is_a_usage_error(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	(void)state;
	v2p(&result, "plan");
	expect(&result, 2, "plan wants an image");
}

static void nothing_stays_mounted_behind_a_plan(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};

	need(state);
	v2p(&result, "plan", "--pci-dump", AHCI, "good.raw");
	expect(&result, 0, "");
	shell("if losetup -a | grep -q good.raw; then exit 1; fi; "
	      "if grep -q v2p-guest /proc/self/mountinfo; then exit 1; fi");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_with_the_right_driver_will_boot),
		cmocka_unit_test(a_missing_driver_is_told_with_the_device),
		cmocka_unit_test(a_driver_pack_turns_the_answer),
		cmocka_unit_test(an_initramfs_that_nobody_builds_is_a_reason),
		cmocka_unit_test(the_answer_is_about_the_machine),
		cmocka_unit_test(a_guest_inside_qcow2_is_read_as_well),
		cmocka_unit_test(restore_refuses_what_will_not_boot),
		cmocka_unit_test(restore_carries_out_what_the_plan_shows),
		cmocka_unit_test(a_dry_run_is_the_plan),
		cmocka_unit_test(a_forced_restore_ends_with_status_4),
		cmocka_unit_test(a_profile_can_force_it_too),
		cmocka_unit_test(a_profile_names_image_and_disk_of_a_plan),
		cmocka_unit_test(without_adaptation_nobody_is_asked_whether_it_boots),
		cmocka_unit_test(a_disk_of_another_machine_is_chosen_there),
		cmocka_unit_test(the_other_firmware_is_a_reason),
		cmocka_unit_test(a_system_that_cannot_be_read_is_not_known_to_boot),
		cmocka_unit_test(an_image_without_a_place_for_linux_is_an_obstacle),
		cmocka_unit_test(no_line_is_wider_than_a_terminal),
		cmocka_unit_test(the_document_holds_everything_that_is_known),
		cmocka_unit_test(what_cannot_be_planned_is_a_document_too),
		cmocka_unit_test(a_plan_without_an_image_is_a_usage_error),
		cmocka_unit_test(nothing_stays_mounted_behind_a_plan),
	};

	return cmocka_run_group_tests(tests, set_up, remove_directory);
}
