// SPDX-License-Identifier: GPL-3.0-or-later
/* Verdicts that the guest's own files decide: blacklists, firmware, signatures. */
#include "tests/adapt/driver-fixture.h"

#include "adapt/guest.h"

#define AHCI "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01"
#define IDE "pci:v00008086d00007010sv00001AF4sd00001100bc01sc01i80"
#define R8169 "pci:v000010ECd00008168sv00001043sd00008677bc02sc00i00"
#define XHCI "pci:v00001B36d0000000Dsv00001AF4sd00001100bc0Csc03i30"
#define DISTRIBUTION "lib/firmware/rtl_nic/rtl8107e-2.fw"

/* A copy of the fixture's guest, changed by the test, and one device. */
struct trial {
	char *directory, *root;
	struct guest guest;
	struct hardware hardware;
	struct driver_matches matches;
};

static struct trial trial_make(const struct fixture *fixture, const char *modalias)
{
	const char *const modaliases[] = {modalias, NULL};
	struct trial trial = {.directory = copy_of(fixture), .hardware = machine(modaliases)};

	trial.root = string_format("%s/%s", trial.directory, strrchr(fixture->root, '/') + 1);
	tree_text(trial.root, "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
	tree_text(trial.root, "etc/fstab", "");
	assert_int_equal(guest_open_root(trial.root, &trial.guest, NULL), 0);
	return trial;
}

static void trial_release(struct trial *trial)
{
	driver_matches_release(&trial->matches);
	hardware_release(&trial->hardware);
	guest_release(&trial->guest);
	tree_remove(&trial->directory);
	free(trial->root);
}

static const struct driver_match *judge(const struct fixture *fixture, struct trial *trial)
{
	_cleanup_error_ struct error err = {0};

	driver_matches_release(&trial->matches);
	if (drivers_match(fixture->db, &trial->hardware, &trial->guest, MODULE_RELEASE,
			  &trial->matches, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(trial->matches.count, 1);
	return &trial->matches.item[0];
}

static void a_blacklisted_driver_is_named_with_who_says_so(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_(trial_release) struct trial trial = trial_make(fixture, AHCI);
	const struct driver_match *match;

	tree_text(trial.root, "etc/modprobe.d/x.conf", "blacklist ahci\n");
	match = judge(fixture, &trial);
	assert_int_equal(match->verdict, VERDICT_BLACKLISTED);
	assert_int_equal(match->blacklisting, BLACKLIST_AUTOMATIC);
	assert_string_equal(match->blacklisted_by, "/etc/modprobe.d/x.conf line 1");
	assert_string_equal(match->modules.item[0], "ahci");
	assert_true(match->is_boot_critical);
}

static void another_driver_takes_the_place_of_a_blacklisted_one(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_(trial_release) struct trial trial = trial_make(fixture, IDE);
	const struct driver_match *match;

	tree_text(trial.root, "etc/modprobe.d/x.conf", "blacklist ata_piix\n");
	match = judge(fixture, &trial);
	assert_int_equal(match->verdict, VERDICT_MODULE);
	assert_string_equal(match->modules.item[0], "ata_generic");
	assert_string_equal(match->modules.item[1], "ata_piix");
}

static void firmware_that_is_nowhere_is_named_with_its_package(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_(trial_release) struct trial trial = trial_make(fixture, R8169);
	const struct driver_match *match = judge(fixture, &trial);

	assert_int_equal(match->verdict, VERDICT_FIRMWARE_MISSING);
	assert_string_equal(match->modules.item[0], "r8169");
	assert_true(strings_has(&match->firmware, "rtl_nic/rtl8107e-2.fw"));
	assert_int_equal(match->firmware.count, 6);
	assert_non_null(match->firmware_package);
	assert_string_equal(match->firmware_package, "firmware-realtek");
}

static void one_of_the_files_is_enough_in_any_compression(void **state)
{
	static const char *const files[] = {DISTRIBUTION, DISTRIBUTION ".xz", DISTRIBUTION ".zst"};
	struct fixture *fixture = need(state);

	for (size_t i = 0; i < array_length(files); i++) {
		_cleanup_(trial_release) struct trial trial = trial_make(fixture, R8169);

		/* /lib is a link to /usr/lib. */
		tree_text(trial.root, files[i], "");
		assert_int_equal(judge(fixture, &trial)->verdict, VERDICT_MODULE);
	}
}

static void a_device_that_does_without_lacks_nothing(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_(trial_release) struct trial trial = trial_make(fixture, XHCI);

	assert_int_equal(judge(fixture, &trial)->verdict, VERDICT_MODULE);
}

static void what_is_loaded_before_is_listed_with_soft_dependencies(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_(trial_release) struct trial trial =
		trial_make(fixture, "pci:v00008086d00002934sv0sd0bc0Csc03i00");
	const struct driver_match *match = judge(fixture, &trial);

	assert_string_equal(match->modules.item[0], "uhci_hcd");
	assert_true(strings_has(&match->needs, "usbcore"));
	assert_true(strings_has(&match->needs, "usb_common"));
	assert_true(strings_has(&match->needs, "ehci_pci"));
	assert_false(strings_has(&match->needs, "uhci_hcd"));
}

static void a_module_without_a_signature_is_known(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_(trial_release) struct trial trial = trial_make(fixture, AHCI);

	assert_true(judge(fixture, &trial)->is_unsigned);
}

static void the_root_of_a_tree_is_judged_too(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_(trial_release) struct trial trial = trial_make(fixture, AHCI);
	const struct driver_matches *matches = &trial.matches;

	tree_text(trial.root, "etc/fstab",
		  "/dev/vg/root / ext4 defaults 0 1\n"
		  "/dev/vg/usr /usr f2fs defaults 0 1\n");
	tree_text(trial.root, "etc/modprobe.d/x.conf", "install dm_mod /bin/false\n");
	judge(fixture, &trial);
	assert_int_equal(matches->root_count, 4);
	assert_string_equal(matches->root[0].name, "ext4");
	assert_int_equal(matches->root[0].verdict, VERDICT_MODULE);
	assert_string_equal(matches->root[1].name, "dm_mod");
	assert_int_equal(matches->root[1].verdict, VERDICT_BLACKLISTED);
	assert_int_equal(matches->root[1].blacklisting, BLACKLIST_ALWAYS);
	assert_string_equal(matches->root[2].name, "f2fs");
	assert_int_equal(matches->root[2].verdict, VERDICT_MISSING);
	assert_string_equal(matches->root[2].why, "file system f2fs of /usr");
	assert_string_equal(matches->root[3].name, "sd_mod");
}

static void a_hub_on_the_way_to_the_root_needs_no_driver(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_(trial_release) struct trial hub =
		trial_make(fixture, "usb:v05E3p0608d8536dc09dsc00dp01ic09isc00ip00in00");
	_cleanup_(trial_release) struct trial reader =
		trial_make(fixture, "pci:v000010ECd00005287sv0sd0bcFFsc00i00");

	hub.hardware.device[0].vendor = 0x05e3;
	assert_int_equal(judge(fixture, &hub)->verdict, VERDICT_NO_DRIVER_NEEDED);
	/* Beside the way, what has no driver is missing, if only optional. */
	assert_int_equal(judge(fixture, &reader)->verdict, VERDICT_MISSING);
	assert_false(judge(fixture, &reader)->is_required);
	reader.hardware.device[0].for_root = true;
	assert_int_equal(judge(fixture, &reader)->verdict, VERDICT_NO_DRIVER_NEEDED);
}

/* What drivers_for_boot() says is missing, or lists, for the trial. */
static struct driver_set boot_set(const struct fixture *fixture, struct trial *trial)
{
	const struct strings none = {0};
	_cleanup_error_ struct error err = {0};
	struct driver_set set;

	if (drivers_for_boot(fixture->db, &trial->hardware, &trial->guest, MODULE_RELEASE, &none,
			     &set, &err) < 0)
		fail_msg("%s", error_text(&err));
	return set;
}

static void a_driver_that_is_never_loaded_stops_the_boot(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_(trial_release) struct trial trial = trial_make(fixture, AHCI);

	tree_text(trial.root, "boot/grub/grub.cfg", "linux /boot/vmlinuz module_blacklist=ahci\n");

	_cleanup_(driver_set_release) struct driver_set set = boot_set(fixture, &trial);

	assert_int_equal(set.missing.count, 1);
	assert_string_equal(set.missing.item[0],
			    "kernel " MODULE_RELEASE
			    " does not load ahci, the driver for dev0 : module_blacklist on the "
			    "kernel command line in /boot/grub/grub.cfg");
}

static void the_initramfs_gets_what_the_root_needs(void **state)
{
	struct fixture *fixture = need(state);
	_cleanup_(trial_release) struct trial trial = trial_make(fixture, AHCI);

	tree_text(trial.root, "etc/fstab",
		  "/dev/vg/root / btrfs defaults 0 1\n"
		  "/dev/vg/usr /usr f2fs defaults 0 1\n");

	_cleanup_(driver_set_release) struct driver_set set = boot_set(fixture, &trial);

	assert_true(strings_has(&set.listed, "ahci"));
	assert_true(strings_has(&set.listed, "sd_mod"));
	assert_true(strings_has(&set.listed, "btrfs"));
	assert_true(strings_has(&set.listed, "dm_mod"));
	assert_true(strings_has(&set.required, "kernel/lib/raid6/raid6_pq.ko"));
	assert_int_equal(set.missing.count, 1);
	assert_string_equal(set.missing.item[0],
			    "kernel " MODULE_RELEASE " has no f2fs (file system f2fs of /usr)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_blacklisted_driver_is_named_with_who_says_so),
		cmocka_unit_test(another_driver_takes_the_place_of_a_blacklisted_one),
		cmocka_unit_test(firmware_that_is_nowhere_is_named_with_its_package),
		cmocka_unit_test(one_of_the_files_is_enough_in_any_compression),
		cmocka_unit_test(a_device_that_does_without_lacks_nothing),
		cmocka_unit_test(what_is_loaded_before_is_listed_with_soft_dependencies),
		cmocka_unit_test(a_module_without_a_signature_is_known),
		cmocka_unit_test(the_root_of_a_tree_is_judged_too),
		cmocka_unit_test(a_hub_on_the_way_to_the_root_needs_no_driver),
		cmocka_unit_test(a_driver_that_is_never_loaded_stops_the_boot),
		cmocka_unit_test(the_initramfs_gets_what_the_root_needs),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
