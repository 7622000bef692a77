// SPDX-License-Identifier: GPL-3.0-or-later
/* Machines that people have published, against the index of a real kernel: tests/data/README.md. */
#define INVENTORIES V2P_SOURCE_DIR "/tests/data/inventories/"
#define MODULE_DATA INVENTORIES
#include "tests/adapt/driver-fixture.h"

#include <glob.h>

#include "adapt/hardware_pci_text.h"
#include "base/error.h"

static struct hardware read_inventory(const char *path)
{
	_cleanup_error_ struct error err = {0};
	struct hardware hardware = {0};

	if (hardware_read_pci_dump(path, &hardware, &err) < 0)
		fail_msg("%s", error_text(&err));
	return hardware;
}

/* The module that binds first; "none" for a device that asks for none, else "missing". */
static const char *first_driver(const struct driver_matches *matches, const char *slot)
{
	for (size_t i = 0; i < matches->count; i++) {
		const struct driver_match *match = &matches->item[i];

		if (strcmp(match->device->slot, slot) != 0)
			continue;
		if (match->modules.count)
			return match->modules.item[0];
		return match->is_required ? "missing" : "none";
	}
	return "none";
}

/* Says every device that is wrong; returns how many devices have an expectation. */
static size_t compare(const char *path, const struct driver_matches *matches, size_t *wrong)
{
	static const char key[] = "Expected driver: ";
	_cleanup_text_ struct text text = {0};
	_cleanup_strings_ struct strings lines = {0};
	_cleanup_free_ char *now = NULL;
	size_t count = 0;

	assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
	strings_split(&lines, text_string(&text), "\n");
	for (size_t i = 0; i < lines.count; i++) {
		const char *line = string_trim(lines.item[i]), *rest;
		struct pci_slot slot;

		if (pci_slot_parse(line, &slot, &rest)) {
			free(now);
			now = pci_slot_format(&slot);
		}
		if (!has_prefix(line, key))
			continue;
		count++;
		if (strcmp(first_driver(matches, now), line + strlen(key)) == 0)
			continue;
		print_error("%s: %s: %s, not %s\n", path, now, first_driver(matches, now),
			    line + strlen(key));
		(*wrong)++;
	}
	return count;
}

static void each_device_of_each_machine_has_its_driver(void **state)
{
	struct fixture *fixture = need(state);
	glob_t found = {0};
	size_t wrong = 0;

	assert_int_equal(glob(INVENTORIES "*.lspci-nn", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 12);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		_cleanup_hardware_ struct hardware hardware = read_inventory(path);
		_cleanup_error_ struct error err = {0};
		struct driver_matches matches = {0};

		if (drivers_match(fixture->db, &hardware, &fixture->guest, MODULE_RELEASE, &matches,
				  &err) < 0)
			fail_msg("%s: %s", path, error_text(&err));
		assert_int_equal(compare(path, &matches, &wrong), hardware.device_count);
		driver_matches_release(&matches);
	}
	globfree(&found);
	assert_int_equal(wrong, 0);
}

static void each_machine_boots_with_the_drivers_of_its_disks(void **state)
{
	struct fixture *fixture = need(state);
	static const struct {
		const char *inventory, *modules;
	} rows[] = {
		{"laptop-zenbook-ux371", "vmd nvme"},
		{"desktop-asrock-raptorlake", "vmd ahci nvme sd_mod"},
		{"laptop-thinkpad-l380", "nvme"},
		{"workstation-dell-m4800", "ahci sdhci_pci sd_mod"},
		{"workstation-supermicro-x11sae", "ahci mpt3sas sd_mod"},
		{"server-dell-r720", "megaraid_sas sd_mod"},
		{"server-hpe-epyc", "ahci nvme sd_mod"},
		{"server-hpe-smartarray", "smartpqi sd_mod"},
		{"minipc-geminilake", "ahci sdhci_pci mmc_block sd_mod"},
		{"tablet-baytrail", "sdhci_pci mmc_block"},
		{"laptop-dell-7405", "ahci nvme"},
		{"desktop-msi-rd990", "ahci pata_atiixp sd_mod"},
		{"old-pc-nforce4", "sata_nv pata_amd sd_mod"},
		{"old-pc-via", "sata_via pata_via sd_mod"},
		{"old-laptop-dell-d600", "ata_piix sd_mod"},
		{"old-laptop-ati-sb400", "sata_sil pata_atiixp sd_mod"},
		{"nas-baytrail-j1900", "ahci sd_mod"},
	};
	const struct strings none = {0};

	for (size_t i = 0; i < array_length(rows); i++) {
		_cleanup_free_ char *path =
			string_format(INVENTORIES "%s.lspci-nn", rows[i].inventory);
		_cleanup_hardware_ struct hardware hardware = read_inventory(path);
		_cleanup_(driver_set_release) struct driver_set set = {0};
		_cleanup_strings_ struct strings wanted = {0};
		_cleanup_error_ struct error err = {0};

		if (drivers_for_boot(fixture->db, &hardware, &fixture->guest, MODULE_RELEASE, &none,
				     &set, &err) < 0)
			fail_msg("%s: %s", path, error_text(&err));
		strings_split(&wanted, rows[i].modules, " ");
		for (size_t j = 0; j < wanted.count; j++)
			if (!strings_has(&set.listed, wanted.item[j]))
				fail_msg("%s: no %s", path, wanted.item[j]);
		assert_int_equal(set.missing.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_device_of_each_machine_has_its_driver),
		cmocka_unit_test(each_machine_boots_with_the_drivers_of_its_disks),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
