// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/driver-fixture.h"

#include "adapt/drivers_db.h"

/* "ahci sata_other", or the verdict where no module is to be loaded; the caller frees. */
static char *verdict(struct fixture *fixture, const struct hardware *hardware, const char *which)
{
	struct driver_matches matches = {0};
	_cleanup_error_ struct error err = {0};
	char *answer = NULL;

	if (drivers_match(fixture->db, hardware, &fixture->guest, MODULE_RELEASE, &matches, &err) <
	    0)
		fail_msg("%s", error_text(&err));
	for (size_t i = 0; i < matches.count && !answer; i++) {
		const struct driver_match *match = &matches.item[i];

		if (strcmp(match->device->slot, which) != 0)
			continue;
		answer = match->verdict == VERDICT_MODULE ||
					 match->verdict == VERDICT_FIRMWARE_MISSING
				 ? strings_join(&match->modules, " ")
				 : string_copy(verdict_name(match->verdict));
	}
	driver_matches_release(&matches);
	return answer ? answer : string_copy("not listed");
}

static void assert_verdict(struct fixture *fixture, const struct hardware *hardware,
			   const char *slot, const char *wanted)
{
	_cleanup_free_ char *answer = verdict(fixture, hardware, slot);

	assert_string_equal(answer, wanted);
}

static void assert_only(struct fixture *fixture, const char *modalias, const char *wanted)
{
	const char *const modaliases[] = {modalias, NULL};
	_cleanup_hardware_ struct hardware hardware = machine(modaliases);

	assert_verdict(fixture, &hardware, "dev0", wanted);
}

static struct driver_set boot_set(struct fixture *fixture, const struct hardware *hardware,
				  const char *extra)
{
	_cleanup_strings_ struct strings modules = {0};
	_cleanup_error_ struct error err = {0};
	struct driver_set set;

	strings_split(&modules, extra, " ");
	if (drivers_for_boot(fixture->db, hardware, &fixture->guest, MODULE_RELEASE, &modules, &set,
			     &err) < 0)
		fail_msg("%s", error_text(&err));
	return set;
}

static void a_q35_with_ahci_and_e1000e_is_driven(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_hardware_ struct hardware hardware = read_dump(DUMP("q35-ahci"));

	assert_verdict(fixture, &hardware, "0000:00:1f.2", "ahci");
	assert_verdict(fixture, &hardware, "0000:00:01.0", "e1000e");
	assert_verdict(fixture, &hardware, "0000:00:02.0", "bochs");
	assert_verdict(fixture, &hardware, "0000:00:03.0", "ehci_pci");
	assert_verdict(fixture, &hardware, "0000:00:04.0", "uhci_hcd");
	/* A host bridge wants no driver. */
	assert_verdict(fixture, &hardware, "0000:00:00.0", "no-driver-needed");
}

static void an_i440fx_with_megasas_is_driven(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_hardware_ struct hardware hardware = read_dump(DUMP("i440fx-megasas"));

	assert_verdict(fixture, &hardware, "0000:00:02.0", "megaraid_sas");
	/* The generic IDE driver matches too, and comes last. */
	assert_verdict(fixture, &hardware, "0000:00:01.1", "ata_piix ata_generic");
	/* Revision 0x20 is a C+. */
	assert_verdict(fixture, &hardware, "0000:00:03.0", "8139cp 8139too");
}

static void an_old_8139_has_its_old_driver_first(void **state)
{
	struct fixture *fixture = need(state);

	assert_only(fixture, "pci:v000010ECd00008139sv000010ECsd00008139bc02sc00i00",
		    "8139too 8139cp");
}

static void an_unknown_ide_chip_falls_back_to_the_generic_driver(void **state)
{
	struct fixture *fixture = need(state);

	assert_only(fixture, "pci:v00009999d00000001sv00000000sd00000000bc01sc01i8A",
		    "ata_generic");
}

static void radeon_comes_before_amdgpu_where_both_match(void **state)
{
	struct fixture *fixture = need(state);

	assert_only(fixture, "pci:v00001002d00006798sv00001002sd00003000bc03sc00i00",
		    "radeon amdgpu");
}

static void a_device_without_a_driver_is_missing(void **state)
{
	struct fixture *fixture = need(state);

	assert_only(fixture, "pci:v00009999d00000001sv00000000sd00000000bc02sc00i00", "missing");
	assert_only(fixture, "pci:v00009999d00000001sv00000000sd00000000bc11sc80i00", "missing");
}

static void a_modalias_that_is_no_alias_matches_nothing(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_free_ char *huge = string_format("pci:%08192dbc01sc06i01", 0);

	assert_only(fixture, "pci:[[[[bc02sc00i00", "missing");
	assert_only(fixture, huge, "missing");
}

static void ahci_boots_with_its_whole_chain(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_hardware_ struct hardware hardware = read_dump(DUMP("q35-ahci"));
	_cleanup_(driver_set_release) struct driver_set set =
		boot_set(fixture, &hardware, "ext4 no_such_module");
	static const char *const files[] = {
		"kernel/drivers/ata/ahci.ko",     "kernel/drivers/ata/libahci.ko",
		"kernel/drivers/ata/libata.ko",   "kernel/drivers/scsi/scsi_mod.ko",
		"kernel/drivers/scsi/sd_mod.ko",  "kernel/lib/crc-t10dif.ko",
		"kernel/fs/ext4/ext4.ko",         "kernel/fs/jbd2/jbd2.ko",
		"kernel/crypto/crc32c_generic.ko"};

	assert_true(strings_has(&set.listed, "ahci"));
	assert_true(strings_has(&set.listed, "sd_mod"));
	assert_true(strings_has(&set.listed, "ext4"));
	assert_false(strings_has(&set.listed, "e1000e"));
	assert_false(strings_has(&set.listed, "no_such_module"));
	assert_false(strings_has(&set.listed, "virtio_blk"));
	for (size_t i = 0; i < array_length(files); i++)
		assert_true(strings_has(&set.required, files[i]));
	assert_int_equal(set.missing.count, 0);
}

static void nvme_and_megaraid_bring_their_disk_drivers(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_hardware_ struct hardware nvme = read_dump(DUMP("q35-nvme"));
	_cleanup_hardware_ struct hardware megasas = read_dump(DUMP("i440fx-megasas"));
	_cleanup_(driver_set_release) struct driver_set first = boot_set(fixture, &nvme, "");
	_cleanup_(driver_set_release) struct driver_set second = boot_set(fixture, &megasas, "");

	assert_true(strings_has(&first.listed, "nvme"));
	assert_true(strings_has(&first.required, "kernel/drivers/nvme/host/nvme-core.ko"));
	assert_true(strings_has(&second.listed, "megaraid_sas"));
	assert_true(strings_has(&second.listed, "ata_piix"));
	assert_true(strings_has(&second.listed, "sd_mod"));
	assert_false(strings_has(&second.listed, "ata_generic"));
}

static void usb_modules_are_left_out_when_the_disk_hangs_elsewhere(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_hardware_ struct hardware hardware = read_dump(DUMP("q35-nvme"));
	_cleanup_(driver_set_release) struct driver_set unknown = boot_set(fixture, &hardware, "");

	assert_true(strings_has(&unknown.listed, "xhci_pci"));
	assert_true(strings_has(&unknown.listed, "usb_storage"));
	hardware.device[1].for_root = true; /* the NVMe controller */

	_cleanup_(driver_set_release) struct driver_set known = boot_set(fixture, &hardware, "");

	assert_true(strings_has(&known.listed, "nvme"));
	assert_true(strings_has(&known.listed, "ahci"));
	assert_false(strings_has(&known.listed, "xhci_pci"));
	assert_false(strings_has(&known.listed, "usb_storage"));
}

static void a_usb_disk_brings_its_host_and_both_storage_drivers(void **state)
{
	struct fixture *fixture = need(state);
	static const char *const modaliases[] = {
		"pci:v00001B36d0000000Dsv00001AF4sd00001100bc0Csc03i30",
		"usb:v0781p5581d0100dc00dsc00dp00ic08isc06ip62in00", "scsi:t-0x00", NULL};
	_cleanup_hardware_ struct hardware hardware = machine(modaliases);

	for (size_t i = 0; i < hardware.device_count; i++)
		hardware.device[i].for_root = true;

	_cleanup_(driver_set_release) struct driver_set set = boot_set(fixture, &hardware, "");
	_cleanup_free_ char *listed = strings_join(&set.listed, " ");

	assert_string_equal(listed, "xhci_pci uas sd_mod usb_storage");
	assert_int_equal(set.missing.count, 0);
}

static void virtio_is_named_only_where_the_target_has_it(void **state)
{
	struct fixture *fixture = need(state);
	static const char *const modaliases[] = {
		"pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00",
		"virtio:d00000002v00001AF4", NULL};
	_cleanup_hardware_ struct hardware hardware = machine(modaliases);
	_cleanup_(driver_set_release) struct driver_set set = boot_set(fixture, &hardware, "");

	assert_true(strings_has(&set.listed, "virtio_pci"));
	assert_true(strings_has(&set.listed, "virtio_blk"));
	assert_int_equal(set.missing.count, 0);
}

static void a_controller_without_a_driver_is_said_to_stop_the_boot(void **state)
{
	struct fixture *fixture = need(state);
	static const char *const modaliases[] = {
		"pci:v00009999d00000001sv00000000sd00000000bc01sc04i00", NULL};
	_cleanup_hardware_ struct hardware hardware = machine(modaliases);

	hardware.device[0].name = string_copy("Acme RAID");

	_cleanup_(driver_set_release) struct driver_set set = boot_set(fixture, &hardware, "");

	assert_int_equal(set.missing.count, 1);
	assert_string_equal(set.missing.item[0],
			    "kernel " MODULE_RELEASE " has no driver for dev0 Acme RAID "
			    "(pci:v00009999d00000001sv00000000sd00000000bc01sc04i00)");
}

static void another_controller_without_a_driver_is_no_matter(void **state)
{
	struct fixture *fixture = need(state);
	static const char *const modaliases[] = {
		"pci:v00009999d00000001sv00000000sd00000000bc01sc04i00",
		"pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", NULL};
	_cleanup_hardware_ struct hardware hardware = machine(modaliases);

	hardware.device[1].for_root = true;

	_cleanup_(driver_set_release) struct driver_set set = boot_set(fixture, &hardware, "");

	assert_int_equal(set.missing.count, 0);
	assert_true(strings_has(&set.listed, "ahci"));
}

static void what_is_built_in_needs_no_module(void **state)
{
	_cleanup_(other_release) struct fixture other =
		other_kernel(need(state), "ahci libahci libata scsi_mod scsi_common sd_mod", false);
	_cleanup_hardware_ struct hardware hardware = read_dump(DUMP("q35-ahci"));
	_cleanup_(driver_set_release) struct driver_set set = boot_set(&other, &hardware, "ext4");
	_cleanup_free_ char *listed = strings_join(&set.listed, " ");

	assert_verdict(&other, &hardware, "0000:00:1f.2", "builtin");
	assert_string_equal(listed, "ehci_pci uhci_hcd usb_storage uas ext4");
	assert_false(strings_has(&set.required, "kernel/drivers/ata/libata.ko"));
	assert_int_equal(set.missing.count, 0);
}

static void a_built_in_driver_is_found_by_the_class_table(void **state)
{
	_cleanup_(other_release) struct fixture other =
		other_kernel(need(state), "ahci libahci libata nvme nvme_core", true);
	_cleanup_hardware_ struct hardware hardware = read_dump(DUMP("q35-nvme"));

	assert_verdict(&other, &hardware, "0000:00:1f.2", "builtin");
	assert_verdict(&other, &hardware, "0000:00:01.0", "builtin");
	assert_verdict(&other, &hardware, "0000:00:02.0", "e1000e");
}

static void a_built_in_driver_is_found_by_the_one_that_is_bound_now(void **state)
{
	_cleanup_(other_release) struct fixture other =
		other_kernel(need(state), "virtio_pci virtio_pci_legacy_dev virtio", true);
	static const char *const modaliases[] = {
		"pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00", NULL};
	_cleanup_hardware_ struct hardware hardware = machine(modaliases);

	assert_verdict(&other, &hardware, "dev0", "missing");
	hardware.device[0].driver = string_copy("virtio-pci");
	assert_verdict(&other, &hardware, "dev0", "builtin");
	/* But a module has to match. */
	free(hardware.device[0].driver);
	hardware.device[0].driver = string_copy("ahci");
	assert_verdict(&other, &hardware, "dev0", "missing");
}

static void vmd_comes_before_ahci(void **state)
{
	struct fixture *fixture = need(state);
	struct device device = {.bus = (char *)"pci", .class = 0x010400};

	assert_true(drivers_db_rank(fixture->db, "vmd", &device) <
		    drivers_db_rank(fixture->db, "ahci", &device));
}

/* Asks about an AHCI machine and wants this error. */
static void assert_refused(const struct fixture *fixture, const char *root, const char *release,
			   const char *message)
{
	struct guest guest = {.root_fd = open(root, O_PATH | O_DIRECTORY)};
	_cleanup_hardware_ struct hardware hardware = read_dump(DUMP("q35-ahci"));
	_cleanup_error_ struct error err = {0};
	struct driver_matches matches;

	assert_int_equal(drivers_match(fixture->db, &hardware, &guest, release, &matches, &err),
			 -1);
	assert_non_null(strstr(error_text(&err), message));
	close(guest.root_fd);
}

static void a_kernel_without_an_index_is_an_error(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_tree_ char *root = tree_make();

	tree_text(root, "lib/modules/1.2/modules.dep", "");
	assert_refused(fixture, root, "1.2",
		       "look up the modules of kernel 1.2: modules.dep.bin is missing: depmod has "
		       "not run for this kernel");
	assert_refused(fixture, root, "../1.2", "\"../1.2\" is not the name of a kernel");
}

static void an_index_that_is_a_symbolic_link_is_refused(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_tree_ char *copy = copy_of(fixture);
	_cleanup_free_ char *root = string_format("%s/%s", copy, strrchr(fixture->root, '/') + 1);
	_cleanup_free_ char *alias =
		string_format("%s/" MODULE_DIRECTORY "/modules.alias.bin", root);

	assert_int_equal(unlink(alias), 0);
	assert_int_equal(symlink("/etc/passwd", alias), 0);
	assert_refused(fixture, root, MODULE_RELEASE, "modules.alias.bin is not a regular file");
}

/* Counts the questions that end in an error; what matters is that each ends. */
static int ask_damaged(struct fixture *fixture, const struct guest *guest)
{
	_cleanup_hardware_ struct hardware hardware = read_dump(DUMP("q35-ahci"));
	struct driver_matches matches = {0};
	int result = drivers_match(fixture->db, &hardware, guest, MODULE_RELEASE, &matches, NULL);

	driver_matches_release(&matches);
	return result < 0;
}

/* Turns over bytes of the header and of nodes, one at a time; then cuts the file off. */
static int damage(struct fixture *fixture, const struct guest *guest, const char *path)
{
	_cleanup_text_ struct text whole = {0};
	_cleanup_close_ int fd = open(path, O_WRONLY);
	int failures = 0;

	assert_int_equal(file_read(path, 1 << 24, &whole, NULL), 0);
	for (size_t at = 0; at < whole.length; at += at < 32 ? 1 : whole.length / 40) {
		char byte = (char)~whole.data[at];

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		failures += ask_damaged(fixture, guest);
		assert_int_equal(pwrite(fd, &whole.data[at], 1, (off_t)at), 1);
	}
	assert_int_equal(ftruncate(fd, 20), 0);
	failures += ask_damaged(fixture, guest);
	assert_int_equal(pwrite(fd, whole.data, whole.length, 0), whole.length);
	return failures;
}

static void a_damaged_index_ends_in_an_answer_or_an_error(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_tree_ char *copy = copy_of(fixture);
	_cleanup_free_ char *root = string_format("%s/%s", copy, strrchr(fixture->root, '/') + 1);
	_cleanup_free_ char *alias =
		string_format("%s/" MODULE_DIRECTORY "/modules.alias.bin", root);
	_cleanup_free_ char *dep = string_format("%s/" MODULE_DIRECTORY "/modules.dep.bin", root);
	struct guest guest = {.root_fd = open(root, O_PATH | O_DIRECTORY)};

	assert_true(damage(fixture, &guest, alias) > 0);
	assert_true(damage(fixture, &guest, dep) > 0);
	assert_int_equal(ask_damaged(fixture, &guest), 0);
	close(guest.root_fd);
}

static void the_matches_become_json(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_hardware_ struct hardware hardware = read_dump(DUMP("q35-ahci"));
	struct driver_matches matches = {0};
	json_object *json, *ahci = NULL;
	const char *text;

	assert_int_equal(drivers_match(fixture->db, &hardware, &fixture->guest, MODULE_RELEASE,
				       &matches, NULL),
			 0);
	json = driver_matches_json(&matches);
	assert_int_equal(json_object_array_length(json), hardware.device_count);
	for (size_t i = 0; i < matches.count; i++)
		if (strcmp(matches.item[i].device->slot, "0000:00:1f.2") == 0)
			ahci = json_object_array_get_idx(json, i);
	text = json_object_to_json_string_ext(ahci, JSON_C_TO_STRING_PLAIN);
	assert_non_null(strstr(text, "{\"slot\":\"0000:00:1f.2\",\"class\":\"0106\","
				     "\"id\":\"8086:2922\",\"modules\":[\"ahci\"],"
				     "\"verdict\":\"module\",\"boot_critical\":true,"));
	json_object_put(json);
	driver_matches_release(&matches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_q35_with_ahci_and_e1000e_is_driven),
		cmocka_unit_test(an_i440fx_with_megasas_is_driven),
		cmocka_unit_test(an_old_8139_has_its_old_driver_first),
		cmocka_unit_test(an_unknown_ide_chip_falls_back_to_the_generic_driver),
		cmocka_unit_test(radeon_comes_before_amdgpu_where_both_match),
		cmocka_unit_test(a_device_without_a_driver_is_missing),
		cmocka_unit_test(a_modalias_that_is_no_alias_matches_nothing),
		cmocka_unit_test(ahci_boots_with_its_whole_chain),
		cmocka_unit_test(nvme_and_megaraid_bring_their_disk_drivers),
		cmocka_unit_test(usb_modules_are_left_out_when_the_disk_hangs_elsewhere),
		cmocka_unit_test(a_usb_disk_brings_its_host_and_both_storage_drivers),
		cmocka_unit_test(virtio_is_named_only_where_the_target_has_it),
		cmocka_unit_test(a_controller_without_a_driver_is_said_to_stop_the_boot),
		cmocka_unit_test(another_controller_without_a_driver_is_no_matter),
		cmocka_unit_test(what_is_built_in_needs_no_module),
		cmocka_unit_test(a_built_in_driver_is_found_by_the_class_table),
		cmocka_unit_test(a_built_in_driver_is_found_by_the_one_that_is_bound_now),
		cmocka_unit_test(vmd_comes_before_ahci),
		cmocka_unit_test(a_kernel_without_an_index_is_an_error),
		cmocka_unit_test(an_index_that_is_a_symbolic_link_is_refused),
		cmocka_unit_test(a_damaged_index_ends_in_an_answer_or_an_error),
		cmocka_unit_test(the_matches_become_json),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
