// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/driver-fixture.h"
#include "tests/adapt/pack-tree.h"

/* A card that Debian's kernel 6.1 has no driver for, and a controller of that kind. */
#define NIC "pci:v000010ECd00009999sv00000000sd00000000bc02sc00i00"
#define OTHER_NIC "pci:v000010ECd00009998sv00000000sd00000000bc02sc00i00"
#define RAID "pci:v00001234d00005678sv00000000sd00000000bc01sc04i00"
#define RELEASE_LINE "kernel = " MODULE_RELEASE "\n"
#define NIC_LINE "modalias = pci:v000010ECd00009999sv*sd*bc*sc*i* newnic\n"
#define OTHER_LINE "modalias = pci:v000010ECd00009998sv*sd*bc*sc*i* othernic\n"
#define RAID_LINE "modalias = pci:v00001234d00005678sv*sd*bc*sc*i* newraid\n"
#define PACKAGE(name, version)                                                                     \
	"kind = package\npackage = " name "\nversion = " version "\narchitecture = all\n"
#define KERNEL                                                                                     \
	PACKAGE("linux-image-9.9.9", "9.9.9-1")                                                    \
	"brings-kernel = 9.9.9\n" NIC_LINE RAID_LINE                                               \
	"modalias = pci:v*d*sv*sd*bc01sc06i01* ahci\nmodules = sd_mod ext4\n"

struct choosing {
	struct pack_tree tree;
	struct packs *packs;
	struct hardware hardware;
	struct pack_choice choice;
	struct guest guest;
};

static void choosing_release(struct choosing *choosing)
{
	pack_choice_release(&choosing->choice);
	packs_close(choosing->packs);
	hardware_release(&choosing->hardware);
	pack_tree_release(&choosing->tree);
	guest_release(&choosing->guest);
}
#define _cleanup_choosing_ _cleanup_(choosing_release)

static void begin(struct choosing *choosing, void **state, const char *const *modaliases)
{
	_cleanup_error_ struct error err = {0};

	if (guest_open_root(need(state)->root, &choosing->guest, &err) < 0)
		fail_msg("%s", error_text(&err));
	pack_tree_init(&choosing->tree);
	choosing->hardware = machine(modaliases);
}

static void choose(struct choosing *choosing, const struct fixture *fixture)
{
	const struct guest_kernel kernel = {.release = (char *)MODULE_RELEASE};
	_cleanup_error_ struct error err = {0};

	if (pack_tree_open(&choosing->tree, &choosing->packs, &err) < 0 ||
	    packs_choose(choosing->packs, fixture->db, &choosing->hardware, &choosing->guest,
			 &kernel, &choosing->choice, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void expect_picks(const struct choosing *choosing, const char *labels)
{
	_cleanup_strings_ struct strings names = {0};
	_cleanup_free_ char *joined = NULL, *left = NULL;

	for (size_t i = 0; i < choosing->choice.count; i++)
		strings_add(&names, choosing->choice.pick[i].entry->label);
	joined = strings_join(&names, ", ");
	left = strings_join(&choosing->choice.left, "\n");
	if (strcmp(joined, labels) != 0)
		fail_msg("chosen: %s\nleft: %s", joined, left);
}

static void expect_left(const struct choosing *choosing, const char *sentences)
{
	_cleanup_free_ char *joined = strings_join(&choosing->choice.left, "\n");

	assert_string_equal(joined, sentences);
}

static const char *const nic[] = {NIC, NULL};
static const char *const two_nics[] = {NIC, OTHER_NIC, NULL};
static const char *const nic_and_raid[] = {NIC, RAID, NULL};

static void modules_for_the_guests_kernel_come_before_a_new_kernel(void **state)
{
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, nic);
	pack_tree_add(&choosing.tree, "kernel", KERNEL, "kernel.deb", "x");
	pack_tree_add(&choosing.tree, "nic", "kind = modules\n" RELEASE_LINE NIC_LINE, "newnic.ko",
		      "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "nic");
	assert_string_equal(choosing.choice.release, MODULE_RELEASE);
	assert_false(choosing.choice.is_new_kernel);
	assert_string_equal(choosing.choice.pick[0].why, "newnic drives dev0 " NIC);
}

static void a_new_kernel_is_taken_for_what_modules_cannot_drive(void **state)
{
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, nic_and_raid);
	pack_tree_add(&choosing.tree, "nic", "kind = modules\n" RELEASE_LINE NIC_LINE, "newnic.ko",
		      "x");
	pack_tree_add(&choosing.tree, "kernel", KERNEL, "kernel.deb", "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "kernel");
	assert_true(choosing.choice.is_new_kernel);
	assert_string_equal(choosing.choice.release, "9.9.9");
	assert_int_equal(choosing.choice.critical_left, 0);
}

static void one_entry_for_two_devices_beats_one_for_each(void **state)
{
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, two_nics);
	pack_tree_add(&choosing.tree, "a", "kind = modules\n" RELEASE_LINE NIC_LINE, "a.ko", "x");
	pack_tree_add(&choosing.tree, "b", "kind = modules\n" RELEASE_LINE OTHER_LINE, "b.ko", "x");
	pack_tree_add(&choosing.tree, "both", "kind = modules\n" RELEASE_LINE NIC_LINE OTHER_LINE,
		      "both.ko", "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "both");
}

static void what_is_for_another_kernel_or_system_is_left_alone(void **state)
{
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, nic);
	pack_tree_add(&choosing.tree, "a", "kind = modules\nkernel = 5.*\n" NIC_LINE, "a.ko", "x");
	pack_tree_add(&choosing.tree, "b",
		      "kind = modules\ndistribution = ubuntu\n" RELEASE_LINE NIC_LINE, "b.ko", "x");
	pack_tree_add(&choosing.tree, "c",
		      "kind = modules\ndistribution = debian 1[013]\n" RELEASE_LINE NIC_LINE,
		      "c.ko", "x");
	pack_tree_add(&choosing.tree, "d",
		      "kind = modules\narchitecture = s390x\n" RELEASE_LINE NIC_LINE, "d.ko", "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "");
	expect_left(&choosing, "no driver pack has a driver for dev0 " NIC);
}

static void a_kernel_that_could_not_find_its_root_is_left_out(void **state)
{
	static const char *const machine_with_megasas[] = {
		NIC, "pci:v00001000d00000060sv00001000sd00001013bc01sc04i00", NULL};
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, machine_with_megasas);
	pack_tree_add(&choosing.tree, "kernel", KERNEL, "kernel.deb", "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "");
	assert_non_null(strstr(choosing.choice.left.item[1], "was left out: it has nothing for "
							     "dev1 pci:v00001000d00000060"));
}

static void what_a_package_needs_comes_from_the_guest_or_the_pack(void **state)
{
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, nic);
	pack_tree_add(&choosing.tree, "nic",
		      PACKAGE("newnic-modules", "1") RELEASE_LINE NIC_LINE
		      "depends = kmod\ndepends = helper (>= 2) | nothing\n",
		      "nic.deb", "x");
	pack_tree_add(&choosing.tree, "old helper", PACKAGE("helper", "1"), "helper1.deb", "x");
	pack_tree_add(&choosing.tree, "helper",
		      PACKAGE("helper", "2.1") "depends = other-name (= 3)\n", "helper2.deb", "x");
	pack_tree_add(&choosing.tree, "provider",
		      PACKAGE("real", "1") "provides = other-name (= 3)\n", "provider.deb", "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "nic, helper, provider");
	assert_string_equal(choosing.choice.pick[2].why, "needed by helper");
}

static void a_package_that_cannot_be_complete_is_not_chosen_and_says_why(void **state)
{
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, nic);
	pack_tree_add(&choosing.tree, "nic",
		      PACKAGE("newnic-modules", "1") RELEASE_LINE NIC_LINE
		      "depends = kmod (>= 99)\n",
		      "nic.deb", "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "");
	assert_string_equal(strstr(choosing.choice.left.item[1], "would help"),
			    "would help, but package newnic-modules needs kmod (>= 99), which "
			    "neither the guest nor a driver pack has");
}

static void packages_for_another_package_manager_do_not_help(void **state)
{
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, nic);
	pack_tree_add(&choosing.tree, "nic", PACKAGE("newnic", "1") RELEASE_LINE NIC_LINE,
		      "nic.rpm", "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "");
	assert_string_equal(strstr(choosing.choice.left.item[1], "would help"),
			    "would help, but the guest has no rpm");
}

static void a_driver_brings_the_firmware_that_it_asks_for(void **state)
{
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, nic);
	pack_tree_add(&choosing.tree, "nic",
		      "kind = modules\n" RELEASE_LINE NIC_LINE "wants-firmware = newnic new/a.fw\n",
		      "newnic.ko", "x");
	pack_tree_add(&choosing.tree, "other", "kind = firmware\n", "firmware/new/b.fw", "x");
	pack_tree_add(&choosing.tree, "firmware", "kind = firmware\n", "firmware/new/a.fw.xz", "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "firmware, nic");
	assert_string_equal(choosing.choice.pick[0].why, "needed by nic");
}

static void firmware_that_nobody_has_is_named(void **state)
{
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, nic);
	pack_tree_add(&choosing.tree, "nic",
		      "kind = modules\n" RELEASE_LINE NIC_LINE "wants-firmware = newnic new/a.fw\n",
		      "newnic.ko", "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "nic");
	expect_left(&choosing, "newnic asks for firmware (new/a.fw) that neither the guest nor a "
			       "driver pack has");
}

static void firmware_that_the_guests_own_driver_lacks_is_supplied(void **state)
{
	static const char *const modaliases[] = {
		"pci:v00001002d00006798sv00001002sd00000B00bc03sc00i00", NULL};
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, modaliases);
	pack_tree_add(&choosing.tree, "radeon", "kind = firmware\n", "firmware/radeon/ARUBA_me.bin",
		      "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "radeon");
}

static void nothing_is_chosen_for_a_machine_that_is_driven(void **state)
{
	static const char *const driven[] = {
		"pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", NULL};
	_cleanup_choosing_ struct choosing choosing = {.guest = {.root_fd = -1}};

	begin(&choosing, state, driven);
	pack_tree_add(&choosing.tree, "kernel", KERNEL, "kernel.deb", "x");
	choose(&choosing, *state);
	expect_picks(&choosing, "");
	expect_left(&choosing, "");
	assert_null(choosing.choice.release);
}

/* The fixture's tree with what a Debian has to be told by. */
static int set_up_debian(void **state)
{
	_cleanup_free_ char *dpkg = NULL;
	struct fixture *fixture;

	if (set_up(state) < 0)
		return -1;
	fixture = *state;
	if (!fixture)
		return 0;
	tree_text(fixture->root, "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
	tree_text(fixture->root, "etc/fstab", "UUID=1 / ext4 defaults 0 1\n");
	tree_text(fixture->root, "usr/bin/dpkg", "#!/bin/true\n");
	dpkg = string_format("%s/usr/bin/dpkg", fixture->root);
	assert_int_equal(chmod(dpkg, 0755), 0);
	tree_text(
		fixture->root, "var/lib/dpkg/status",
		"Package: kmod\nStatus: install ok installed\nVersion: 30-1\nArchitecture: amd64\n"
		"\nPackage: nothing\nStatus: deinstall ok config-files\nVersion: 1\n"
		"Architecture: all\n");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modules_for_the_guests_kernel_come_before_a_new_kernel),
		cmocka_unit_test(a_new_kernel_is_taken_for_what_modules_cannot_drive),
		cmocka_unit_test(one_entry_for_two_devices_beats_one_for_each),
		cmocka_unit_test(what_is_for_another_kernel_or_system_is_left_alone),
		cmocka_unit_test(a_kernel_that_could_not_find_its_root_is_left_out),
		cmocka_unit_test(what_a_package_needs_comes_from_the_guest_or_the_pack),
		cmocka_unit_test(a_package_that_cannot_be_complete_is_not_chosen_and_says_why),
		cmocka_unit_test(packages_for_another_package_manager_do_not_help),
		cmocka_unit_test(a_driver_brings_the_firmware_that_it_asks_for),
		cmocka_unit_test(firmware_that_nobody_has_is_named),
		cmocka_unit_test(firmware_that_the_guests_own_driver_lacks_is_supplied),
		cmocka_unit_test(nothing_is_chosen_for_a_machine_that_is_driven),
	};

	return cmocka_run_group_tests(tests, set_up_debian, tear_down);
}
