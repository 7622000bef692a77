// SPDX-License-Identifier: GPL-3.0-or-later
#include <fcntl.h>

#include "tests/adapt/drivers-db.h"
#include "tests/adapt/scratch.h"

static void a_firmware_file_names_the_package_of_each_family(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	static const struct {
		const char *id, *like, *version, *file, *package;
	} cases[] = {
		{"debian", "", "12", "iwlwifi-7265D-29.ucode", "firmware-iwlwifi"},
		{"debian", "", "12", "i915/skl_dmc_ver1_27.bin", "firmware-misc-nonfree"},
		{"debian", "", "13", "i915/skl_dmc_ver1_27.bin", "firmware-intel-graphics"},
		{"debian", "", "", "i915/skl_dmc_ver1_27.bin", "firmware-intel-graphics"},
		{"debian", "", "12", "nvidia/tu116/gr/fecs_bl.bin", "firmware-misc-nonfree"},
		{"debian", "", "13", "nvidia/tu116/gr/fecs_bl.bin", "firmware-nvidia-graphics"},
		{"debian", "", "12", "bnx2/bnx2-mips-09-6.2.1b.fw", "firmware-bnx2"},
		{"debian", "", "12", "ql2500_fw.bin", "firmware-qlogic"},
		{"debian", "", "12", "rtl_nic/rtl8168g-3.fw", "firmware-realtek"},
		{"debian", "", "12", "mediatek/WIFI_RAM_CODE_MT7961_1.bin",
		 "firmware-misc-nonfree"},
		{"debian", "", "13", "mediatek/WIFI_RAM_CODE_MT7961_1.bin", "firmware-mediatek"},
		{"kali", "debian", "2025.1", "mediatek/WIFI_RAM_CODE_MT7961_1.bin",
		 "firmware-mediatek"},
		{"ubuntu", "debian", "22.04", "amdgpu/navi10_sos.bin", "linux-firmware"},
		{"linuxmint", "ubuntu debian", "21", "amdgpu/navi10_sos.bin", "linux-firmware"},
		{"fedora", "", "41", "amdgpu/navi10_sos.bin", "amd-gpu-firmware"},
		{"fedora", "", "36", "amdgpu/navi10_sos.bin", "linux-firmware"},
		{"fedora", "", "41", "iwlwifi-7265D-29.ucode", "iwlwifi-mvm-firmware"},
		{"fedora", "", "41", "ql2500_fw.bin", "linux-firmware"},
		{"rocky", "rhel centos fedora", "9.4", "iwlwifi-7265D-29.ucode",
		 "iwl7260-firmware"},
		{"rhel", "fedora", "10.0", "iwlwifi-7265D-29.ucode", "iwlwifi-mvm-firmware"},
		{"centos", "rhel fedora", "7", "bnx2/bnx2-mips-09-6.2.1b.fw", "linux-firmware"},
		{"opensuse-leap", "suse opensuse", "15.6", "ql2500_fw.bin",
		 "kernel-firmware-qlogic"},
		{"sles", "suse", "12.5", "ql2500_fw.bin", "kernel-firmware"},
		{"opensuse-tumbleweed", "opensuse suse", "20250101", "rtl_nic/rtl8168g-3.fw",
		 "kernel-firmware-realtek"},
		{"arch", "", "", "ql2500_fw.bin", "linux-firmware-qlogic"},
		{"manjaro", "arch", "", "amdgpu/navi10_sos.bin", "linux-firmware"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		const char *found =
			package(db, cases[i].id, cases[i].like, cases[i].version, cases[i].file);

		if (!string_equal(found, cases[i].package))
			fail_msg("%s %s, %s: %s", cases[i].id, cases[i].version, cases[i].file,
				 found ? found : "none");
	}
	assert_null(package(db, "debian", "", "12", "nobody/knows.bin"));
	assert_null(package(db, "plan9", "", "4", "ql2500_fw.bin"));
	assert_null(package(db, NULL, NULL, NULL, "ql2500_fw.bin"));
}

static void a_firmware_file_is_known_with_its_folder_and_compressed(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();

	(void)state;
	assert_string_equal(package(db, "debian", "", "12", "/lib/firmware/ql2500_fw.bin.xz"),
			    "firmware-qlogic");
	assert_string_equal(package(db, "debian", "", "12", "/usr/lib/firmware/ar5523.bin.zst"),
			    "firmware-atheros");
}

/* A word that the pattern fits: the first of a bracket's characters, "0" for the others. */
static char *sample(const char *pattern)
{
	struct text out = {0};

	for (; *pattern; pattern++) {
		if (*pattern == '[') {
			text_add_bytes(&out, pattern + 1, 1);
			pattern += strcspn(pattern, "]");
			continue;
		}
		text_add_bytes(&out, strchr("*?", *pattern) ? "0" : pattern, 1);
	}
	return text_take(&out);
}

static bool firmware_row_is_reached(const struct drivers_db *db, char *const *column)
{
	static const char *const versions[] = {"", "6", "9", "10", "12", "15.6", "40"};
	_cleanup_strings_ struct strings families = {0};
	_cleanup_free_ char *file = sample(column[2]);

	strings_split(&families, column[0], ",");
	for (size_t i = 0; i < array_length(versions); i++)
		if (drivers_db_version_fits(column[1], versions[i]) &&
		    string_equal(package(db, families.item[0], "", versions[i], file), column[3]))
			return true;
	return false;
}

static void no_firmware_row_hides_behind_an_earlier_one(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	const struct table *table = &db->table[FIRMWARE_PACKAGES];

	(void)state;
	for (size_t i = 0; i < table->count; i++)
		if (!firmware_row_is_reached(db, table->row[i].column.item))
			fail_msg("%s:%zu is never reached", table->format->file,
				 table->row[i].line);
}

/* "pci:v00008086d00009A0Bsv*" of a device of class 0104; other patterns as they are. */
static struct device device_of_match(const char *match, char **alias)
{
	size_t length = strlen(match);

	*alias = has_suffix(match, "sv*") ? string_format("%.*ssv00000000sd00000000bc01sc04i00",
							  (int)length - 3, match)
					  : string_copy(match);
	length = strcspn(*alias, "[");
	if ((*alias)[length]) {
		char *shorter = sample(*alias);

		free(*alias);
		*alias = shorter;
	}
	return (struct device){.bus = (char *)"pci", .modalias = *alias};
}

static void no_row_about_a_device_hides_behind_an_earlier_one(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();

	(void)state;
	for (size_t i = 0; i < db->table[DEVICE_SINCE].count; i++) {
		_cleanup_free_ char *alias = NULL;
		struct device device = device_of_match(db->device_since[i].match, &alias);

		assert_ptr_equal(drivers_db_since(db, &device), &db->device_since[i]);
	}
	for (size_t i = 0; i < db->table[CONTROLLER_MODES].count; i++) {
		_cleanup_free_ char *alias = NULL;
		struct device device = device_of_match(db->controller_mode[i].match, &alias);

		assert_ptr_equal(drivers_db_controller_mode(db, &device), &db->controller_mode[i]);
	}
}

/* The kernel composes a modalias with capital digits: a pattern with small ones fits nothing. */
static void a_pattern_on_pci_ids_has_capital_digits(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	static const enum drivers_table tables[] = {DEVICE_SINCE, CONTROLLER_MODES};

	(void)state;
	for (size_t i = 0; i < array_length(tables); i++) {
		const struct table *table = &db->table[tables[i]];

		for (size_t row = 0; row < table->count; row++) {
			const char *match = table->row[row].column.item[0];

			if (!has_prefix(match, "pci:v"))
				continue;
			assert_int_equal(strspn(match + 5, "0123456789ABCDEF"), 8);
			assert_int_equal(match[13], 'd');
			if (match[14] != '*')
				assert_int_equal(strcspn(match + 14, "abcdefs"),
						 strcspn(match + 14, "s"));
		}
	}
}

static const struct controller_mode *mode(const struct drivers_db *db, const char *alias)
{
	struct device device = {.bus = (char *)"pci", .modalias = (char *)alias};

	return drivers_db_controller_mode(db, &device);
}

static void a_controller_that_hides_disks_says_what_to_do(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	const struct controller_mode *vmd =
		mode(db, "pci:v00008086d00009A0Bsv00001028sd00000A3Ebc01sc04i00");
	const struct controller_mode *rst =
		mode(db, "pci:v00008086d0000282Asv00001028sd000007A4bc01sc04i00");
	const struct controller_mode *raid =
		mode(db, "pci:v00001000d0000005Dsv00001028sd00001F49bc01sc04i00");

	(void)state;
	assert_string_equal(vmd->mode, "vmd");
	assert_string_equal(vmd->module, "vmd");
	assert_non_null(strstr(vmd->advice, "firmware setup"));
	assert_string_equal(rst->mode, "rst");
	assert_string_equal(rst->module, "ahci");
	assert_string_equal(raid->mode, "raid");
	assert_string_equal(raid->module, "megaraid_sas");
	assert_non_null(strstr(raid->advice, "JBOD"));
	assert_null(mode(db, "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01"));
}

static void an_old_kernel_is_told_by_the_first_that_drives_a_device(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	struct device ax200 = {
		.bus = (char *)"pci",
		.modalias = (char *)"pci:v00008086d00002723sv00008086sd00000084bc02sc80i00"};
	struct device nvme = {
		.bus = (char *)"pci",
		.modalias = (char *)"pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02"};
	struct device old = {
		.bus = (char *)"pci",
		.modalias = (char *)"pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00"};

	(void)state;
	assert_string_equal(drivers_db_since(db, &ax200)->version, "5.1");
	assert_string_equal(drivers_db_since(db, &ax200)->module, "iwlwifi");
	assert_string_equal(drivers_db_since(db, &nvme)->version, "3.3");
	assert_null(drivers_db_since(db, &old));
}

static const char *flavour(const struct drivers_db *db, const char *root, const char *id,
			   const char *like, const char *release)
{
	struct guest guest = guest_of(id, like, "");
	const struct kernel_flavour *row;

	guest.root = (char *)root;
	guest.root_fd = open(root, O_PATH | O_DIRECTORY);
	assert_true(guest.root_fd >= 0);
	row = drivers_db_flavour(db, &guest, release);
	close(guest.root_fd);
	return row ? row->package : "";
}

static void a_kernel_for_virtual_machines_names_the_full_one(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	_cleanup_tree_ char *root = tree_make();
	_cleanup_free_ char *modules = string_format(
		"%s/lib/modules/6.11.4-301.fc41.x86_64/kernel/drivers/net/wireless", root);

	(void)state;
	assert_string_equal(flavour(db, root, "debian", "", "6.1.0-37-cloud-amd64"),
			    "linux-image-amd64");
	assert_string_equal(flavour(db, root, "debian", "", "6.1.0-37-amd64"), "");
	assert_string_equal(flavour(db, root, "ubuntu", "debian", "5.15.0-1034-kvm"),
			    "linux-generic");
	assert_string_equal(flavour(db, root, "fedora", "", "6.11.4-301.fc41.x86_64"),
			    "kernel-modules");
	tree_make_directory(modules);
	assert_string_equal(flavour(db, root, "fedora", "", "6.11.4-301.fc41.x86_64"), "");
	assert_string_equal(flavour(db, root, "opensuse-leap", "suse opensuse", "6.4.0-9-kvmsmall"),
			    "kernel-default");
	assert_string_equal(flavour(db, root, "arch", "", "6.12.1-arch1-1"), "");
}

static void a_version_satisfies_conditions(void **state)
{
	(void)state;
	assert_true(drivers_db_version_fits("*", "5.10"));
	assert_true(drivers_db_version_fits("*", ""));
	assert_true(drivers_db_version_fits("<5.11", "5.10.0-32-amd64"));
	assert_false(drivers_db_version_fits("<5.11", "5.11.0-1"));
	assert_false(drivers_db_version_fits("<5.11", "6.1.0-37-amd64"));
	assert_true(drivers_db_version_fits(">=6.9", "6.12.94+deb13-amd64"));
	assert_true(drivers_db_version_fits(">=4.11,<5.12", "4.19.0-27-amd64"));
	assert_false(drivers_db_version_fits(">=4.11,<5.12", "4.9.0-19-amd64"));
	assert_false(drivers_db_version_fits("<13", ""));
	assert_false(drivers_db_version_fits("<13", NULL));
	assert_true(drivers_db_version_fits(">=13", NULL));
}

static void a_quirk_is_found_by_ids_and_by_dmi(void **state)
{
	_cleanup_(release_db) struct drivers_db *db = load();
	struct device device[] = {
		{.bus = (char *)"pci", .vendor = 0x2646, .device = 0x2263},
		{.bus = (char *)"pci",
		 .vendor = 0x8086,
		 .device = 0xa171,
		 .subsystem_vendor = 0x17aa,
		 .subsystem_device = 0x5079},
		{.bus = (char *)"usb", .vendor = 0x152d, .device = 0x0583},
	};
	struct hardware hardware = {.device = device, .device_count = 1};
	struct hardware laptop = {.dmi_vendor = (char *)"Dell Inc.",
				  .dmi_product = (char *)"Inspiron 7375"};
	struct hardware board = {.dmi_board = (char *)"GM6XGxX"};
	struct hardware empty = {0};
	_cleanup_free_ char *ssd = quirks(db, &hardware);
	_cleanup_free_ char *dell = quirks(db, &laptop), *keyboard = quirks(db, &board);
	_cleanup_free_ char *none = quirks(db, &empty);
	_cleanup_free_ char *all = NULL;

	(void)state;
	assert_string_equal(ssd, "nvme_core.default_ps_max_latency_us=0");
	assert_string_equal(dell, "ivrs_ioapic[4]=00:14.0; ivrs_ioapic[5]=00:00.2");
	assert_string_equal(keyboard, "i8042.nomux; i8042.reset; i8042.noloop; i8042.nopnp");
	assert_string_equal(none, "");
	hardware.device_count = 3;
	all = quirks(db, &hardware);
	assert_string_equal(all, "nvme_core.default_ps_max_latency_us=0; "
				 "usb-storage.quirks=152d:0583:f; snd_hda_intel power_save=0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_firmware_file_names_the_package_of_each_family),
		cmocka_unit_test(a_firmware_file_is_known_with_its_folder_and_compressed),
		cmocka_unit_test(no_firmware_row_hides_behind_an_earlier_one),
		cmocka_unit_test(no_row_about_a_device_hides_behind_an_earlier_one),
		cmocka_unit_test(a_pattern_on_pci_ids_has_capital_digits),
		cmocka_unit_test(a_controller_that_hides_disks_says_what_to_do),
		cmocka_unit_test(an_old_kernel_is_told_by_the_first_that_drives_a_device),
		cmocka_unit_test(a_kernel_for_virtual_machines_names_the_full_one),
		cmocka_unit_test(a_version_satisfies_conditions),
		cmocka_unit_test(a_quirk_is_found_by_ids_and_by_dmi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
