// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/tree.h"

#include "adapt/hazards.h"

/* A case: devices and what was found out about them, put together by the test. */
struct fixture {
	struct drivers_db *db;
	struct guest guest;
	struct guest_kernel kernel;
	struct hardware hardware;
	struct driver_matches matches;
	struct hazards hazards;
};

enum { DEVICES = 4 };

static int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture || tree_setup(NULL) < 0 ||
	    drivers_db_load(V2P_SOURCE_DIR "/drivers-db", &fixture->db, NULL) < 0 ||
	    guest_open_root(tree, &fixture->guest, NULL) < 0)
		return -1;
	fixture->kernel.release = string_copy("6.1.0-37-amd64");
	fixture->hardware.device = calloc(DEVICES, sizeof(struct device));
	fixture->matches.item = calloc(DEVICES, sizeof(struct driver_match));
	fixture->matches.root = calloc(DEVICES, sizeof(struct root_module));
	*state = fixture;
	return 0;
}

static int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	hazards_release(&fixture->hazards);
	driver_matches_release(&fixture->matches);
	hardware_release(&fixture->hardware);
	guest_release(&fixture->guest);
	drivers_db_free(fixture->db);
	free(fixture->kernel.release);
	free(fixture);
	return tree_teardown(NULL);
}

static void set_release(struct fixture *fixture, const char *release)
{
	free(fixture->kernel.release);
	fixture->kernel.release = string_copy(release);
}

/* A PCI device that the root needs, of this class and these ids, with this verdict. */
static struct driver_match *add(struct fixture *fixture, uint32_t class, unsigned int vendor,
				unsigned int id, enum verdict verdict, const char *module)
{
	size_t i = fixture->hardware.device_count++;
	struct device *device = &fixture->hardware.device[i];
	struct driver_match *match = &fixture->matches.item[fixture->matches.count++];

	*device = (struct device){.class = class,
				  .vendor = (uint16_t)vendor,
				  .device = (uint16_t)id,
				  .bus = string_copy("pci"),
				  .slot = string_format("0000:00:%02zx.0", i)};
	device->modalias = string_format("pci:v%08Xd%08Xsv00001028sd00000001bc%02Xsc%02Xi%02X",
					 vendor, id, class >> 16, class >> 8 & 0xff, class & 0xff);
	*match = (struct driver_match){.device = device,
				       .verdict = verdict,
				       .is_required = true,
				       .is_boot_critical = true};
	if (module)
		strings_add(&match->modules, module);
	return match;
}

static struct disk *add_disk(struct fixture *fixture, const char *hangs_on)
{
	struct disks *disks = &fixture->hardware.disks;

	disks->item = calloc(1, sizeof(*disks->item));
	disks->count = 1;
	disks->item[0].path = string_copy("/dev/sda");
	disks->item[0].hangs_on = string_copy(hangs_on);
	return disks->item;
}

static void find(struct fixture *fixture)
{
	_cleanup_error_ struct error err = {0};

	hazards_release(&fixture->hazards);
	if (hazards_find(fixture->db, &fixture->hardware, &fixture->guest, &fixture->kernel,
			 &fixture->matches, &fixture->hazards, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void assert_hazard(struct fixture *fixture, size_t index, enum hazard_severity severity,
			  const char *what, const char *advice)
{
	const struct hazard *hazard = &fixture->hazards.item[index];

	assert_true(index < fixture->hazards.count);
	assert_string_equal(hazard->what, what);
	assert_non_null(strstr(hazard->advice, advice));
	assert_string_equal(hazard_severity_name(hazard->severity), hazard_severity_name(severity));
}

static void a_machine_with_all_drivers_has_no_hazard(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, 0x010601, 0x8086, 0x2922, VERDICT_MODULE, "ahci");
	find(fixture);
	assert_int_equal(fixture->hazards.count, 0);
}

static void a_missing_driver_is_fatal_on_the_way_to_the_root(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, 0x020000, 0x9999, 1, VERDICT_MISSING, NULL)->is_boot_critical = false;
	add(fixture, 0x010700, 0x9999, 2, VERDICT_MISSING, NULL);
	find(fixture);
	assert_int_equal(fixture->hazards.count, 2);
	assert_hazard(fixture, 0, HAZARD_FATAL,
		      "kernel 6.1.0-37-amd64 has no driver for 0000:00:01.0 (9999:0002)",
		      "install a kernel that has one");
	assert_hazard(fixture, 1, HAZARD_NOTE,
		      "kernel 6.1.0-37-amd64 has no driver for 0000:00:00.0 (9999:0001)",
		      "install a kernel that has one");
}

static void while_the_disk_is_not_known_a_missing_driver_is_a_risk(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, 0x010601, 0x8086, 0x2922, VERDICT_MODULE, "ahci");
	add(fixture, 0x010700, 0x9999, 2, VERDICT_MISSING, NULL);
	fixture->matches.is_way_assumed = true;
	find(fixture);
	assert_int_equal(fixture->hazards.count, 1);
	assert_int_equal(fixture->hazards.item[0].severity, HAZARD_RISK);
	/* But where no controller at all is driven, the disk is behind one of them. */
	fixture->matches.item[0].verdict = VERDICT_MISSING;
	find(fixture);
	assert_int_equal(fixture->hazards.count, 1);
	assert_int_equal(fixture->hazards.item[0].severity, HAZARD_FATAL);
}

static void a_cloud_kernel_names_the_package_of_the_full_one(void **state)
{
	struct fixture *fixture = *state;

	set_release(fixture, "6.1.0-37-cloud-amd64");
	add(fixture, 0x010601, 0x8086, 0x2922, VERDICT_MISSING, NULL);
	find(fixture);
	assert_int_equal(fixture->hazards.count, 1);
	assert_int_equal(fixture->hazards.item[0].severity, HAZARD_FATAL);
	assert_non_null(strstr(fixture->hazards.item[0].what,
			       "kernel 6.1.0-37-cloud-amd64 has no driver for 0000:00:00.0 "
			       "(8086:2922): "));
	assert_string_equal(fixture->hazards.item[0].advice,
			    "install the package linux-image-amd64 in the image, or restore with a "
			    "driver pack that holds it (--driver-pack)");
}

static void a_part_of_the_root_that_the_kernel_lacks_is_fatal(void **state)
{
	struct fixture *fixture = *state;

	fixture->matches.root[fixture->matches.root_count++] =
		(struct root_module){.name = string_copy("f2fs"),
				     .why = string_copy("file system f2fs of /"),
				     .verdict = VERDICT_MISSING};
	find(fixture);
	assert_hazard(fixture, 0, HAZARD_FATAL,
		      "kernel 6.1.0-37-amd64 has no f2fs (file system f2fs of /)",
		      "install a kernel that has it in the image");
}

static void a_blacklist_is_as_bad_as_it_is_strict(void **state)
{
	struct fixture *fixture = *state;
	struct driver_match *match =
		add(fixture, 0x010601, 0x8086, 0x2922, VERDICT_BLACKLISTED, "ahci");

	match->blacklisting = BLACKLIST_ALWAYS;
	match->blacklisted_by =
		string_copy("module_blacklist on the kernel command line in /boot/grub/grub.cfg");
	find(fixture);
	assert_int_equal(fixture->hazards.count, 1);
	assert_hazard(fixture, 0, HAZARD_FATAL,
		      "ahci, which drives 0000:00:00.0 (8086:2922), is blacklisted: "
		      "module_blacklist on the kernel command line in /boot/grub/grub.cfg",
		      "take that out of the image");
	match->blacklisting = BLACKLIST_AUTOMATIC;
	find(fixture);
	assert_int_equal(fixture->hazards.item[0].severity, HAZARD_RISK);
	match->is_boot_critical = false;
	find(fixture);
	assert_int_equal(fixture->hazards.item[0].severity, HAZARD_NOTE);
}

static void firmware_that_is_missing_names_files_and_package(void **state)
{
	struct fixture *fixture = *state;
	struct driver_match *match =
		add(fixture, 0x010700, 0x9005, 0x0412, VERDICT_FIRMWARE_MISSING, "aic94xx");

	strings_add(&match->firmware, "aic94xx-seq.fw");
	for (int i = 0; i < 4; i++)
		strings_addf(&match->firmware, "b%d.fw", i);
	find(fixture);
	assert_hazard(fixture, 0, HAZARD_RISK,
		      "the image has no firmware for 0000:00:00.0 (9005:0412): aic94xx asks for "
		      "aic94xx-seq.fw, b0.fw, b1.fw and 2 more",
		      "put them below /lib/firmware of the image");
	match->firmware_package = string_copy("firmware-linux");
	match->is_boot_critical = false;
	find(fixture);
	assert_int_equal(fixture->hazards.item[0].severity, HAZARD_NOTE);
	assert_string_equal(fixture->hazards.item[0].advice,
			    "install the package firmware-linux in the image");
}

static void secure_boot_refuses_modules_without_a_signature(void **state)
{
	struct fixture *fixture = *state;
	struct driver_match *match = add(fixture, 0x010601, 0x8086, 0x2922, VERDICT_MODULE, "ahci");

	match->is_unsigned = true;
	find(fixture);
	assert_int_equal(fixture->hazards.count, 0);
	fixture->hardware.has_secure_boot = true;
	find(fixture);
	assert_hazard(fixture, 0, HAZARD_FATAL,
		      "Secure Boot is on, and ahci, which drives 0000:00:00.0 (8086:2922), has no "
		      "signature",
		      "sign it and enrol the key (mokutil --import), or switch Secure Boot off");
	match->is_unsigned = false;
	match->signer = string_copy("DKMS module signing key");
	find(fixture);
	assert_hazard(fixture, 0, HAZARD_RISK,
		      "Secure Boot is on, and ahci, which drives 0000:00:00.0 (8086:2922), is "
		      "signed by \"DKMS module signing key\", whose key this machine may not have",
		      "enrol its key");
}

static void vmd_is_a_note_with_its_module_and_fatal_without(void **state)
{
	struct fixture *fixture = *state;
	struct driver_match *match = add(fixture, 0x010400, 0x8086, 0x9a0b, VERDICT_MODULE, "vmd");

	find(fixture);
	assert_int_equal(fixture->hazards.count, 1);
	assert_hazard(fixture, 0, HAZARD_NOTE,
		      "disks behind Intel VMD at 0000:00:00.0 (8086:9a0b) are reached through the "
		      "module vmd",
		      "v2p puts it into the initramfs");
	match->verdict = VERDICT_MISSING;
	find(fixture);
	assert_int_equal(fixture->hazards.item[0].severity, HAZARD_FATAL);
	assert_hazard(fixture, fixture->hazards.count - 1, HAZARD_FATAL,
		      "disks behind Intel VMD at 0000:00:00.0 (8086:9a0b) are reached through the "
		      "module vmd, which kernel 6.1.0-37-amd64 does not load",
		      "VMD");
}

static void a_raid_controller_without_an_array_shows_no_disk(void **state)
{
	struct fixture *fixture = *state;
	struct disk *disk;

	add(fixture, 0x010400, 0x1000, 0x005d, VERDICT_MODULE, "megaraid_sas");
	/* A listing of PCI devices tells nothing about disks. */
	find(fixture);
	assert_int_equal(fixture->hazards.count, 0);
	fixture->hardware.cpu_vendor = string_copy("GenuineIntel");
	find(fixture);
	assert_int_equal(fixture->hazards.count, 1);
	assert_hazard(fixture, 0, HAZARD_FATAL, "0000:00:00.0 (1000:005d) shows no disk", "array");
	disk = add_disk(fixture, "0000:00:07.0");
	find(fixture);
	assert_int_equal(fixture->hazards.item[0].severity, HAZARD_NOTE);
	free(disk->hangs_on);
	disk->hangs_on = string_copy("0000:00:00.0");
	find(fixture);
	assert_int_equal(fixture->hazards.count, 0);
}

static void raid_mode_of_a_chipset_hides_nvme_disks(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, 0x010400, 0x8086, 0x2822, VERDICT_MODULE, "ahci");
	find(fixture);
	assert_int_equal(fixture->hazards.count, 1);
	assert_hazard(fixture, 0, HAZARD_RISK,
		      "0000:00:00.0 (8086:2822) is in RAID mode (Intel RST), which hides NVMe "
		      "disks",
		      "RST");
	add_disk(fixture, "0000:00:00.0");
	find(fixture);
	assert_int_equal(fixture->hazards.count, 0);
}

static void a_kernel_older_than_the_hardware_says_so(void **state)
{
	struct fixture *fixture = *state;

	set_release(fixture, "4.9.0-19-amd64");
	add(fixture, 0x020000, 0x8086, 0x15f3, VERDICT_MISSING, NULL);
	find(fixture);
	assert_int_equal(fixture->hazards.count, 1);
	assert_non_null(strstr(fixture->hazards.item[0].what,
			       "kernel 4.9.0-19-amd64 is older than 0000:00:00.0 (8086:15f3), "
			       "which Linux drives from "));
	assert_non_null(strstr(fixture->hazards.item[0].advice, "or a newer one in the image"));
	/* A young kernel without it lacks it for another reason. */
	set_release(fixture, "6.12.0");
	find(fixture);
	assert_non_null(strstr(fixture->hazards.item[0].what, "has no driver for"));
}

static void hazards_become_json(void **state)
{
	struct fixture *fixture = *state;
	json_object *json;

	add(fixture, 0x010700, 0x9999, 2, VERDICT_MISSING, NULL);
	find(fixture);
	json = hazards_json(&fixture->hazards);
	assert_string_equal(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
			    "[{\"severity\":\"fatal\",\"what\":\"kernel 6.1.0-37-amd64 has no "
			    "driver for 0000:00:00.0 (9999:0002)\",\"advice\":\"install a kernel "
			    "that has one, or the module, in the image, or restore with a driver "
			    "pack that brings it (--driver-pack)\"}]");
	json_object_put(json);
}

#define hazard_test(function)                                                                      \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		hazard_test(a_machine_with_all_drivers_has_no_hazard),
		hazard_test(a_missing_driver_is_fatal_on_the_way_to_the_root),
		hazard_test(while_the_disk_is_not_known_a_missing_driver_is_a_risk),
		hazard_test(a_cloud_kernel_names_the_package_of_the_full_one),
		hazard_test(a_part_of_the_root_that_the_kernel_lacks_is_fatal),
		hazard_test(a_blacklist_is_as_bad_as_it_is_strict),
		hazard_test(firmware_that_is_missing_names_files_and_package),
		hazard_test(secure_boot_refuses_modules_without_a_signature),
		hazard_test(vmd_is_a_note_with_its_module_and_fatal_without),
		hazard_test(a_raid_controller_without_an_array_shows_no_disk),
		hazard_test(raid_mode_of_a_chipset_hides_nvme_disks),
		hazard_test(a_kernel_older_than_the_hardware_says_so),
		hazard_test(hazards_become_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
