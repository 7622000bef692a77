// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/hardware-tree.h"

static void what_was_written_as_json_is_read_back(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root), again = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *path = NULL;

	(void)state;
	add_disk(&hardware);
	hardware.device[0].for_root = true;
	hardware.efi_variable_space = 50000;
	path = save(&hardware, root);
	if (hardware_read_json(path, &again, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(again.source, path);
	assert_int_equal(again.device_count, hardware.device_count);
	for (size_t i = 0; i < again.device_count; i++) {
		const struct device *a = &hardware.device[i], *b = &again.device[i];

		assert_string_equal(a->bus, b->bus);
		assert_string_equal(a->slot, b->slot);
		assert_string_equal(a->modalias, b->modalias);
		assert_true(string_equal(a->driver, b->driver));
		assert_true(string_equal(a->name, b->name));
		assert_true(string_equal(a->parent, b->parent));
		assert_null(b->sysfs);
		assert_int_equal(a->class, b->class);
		assert_int_equal(a->vendor, b->vendor);
		assert_int_equal(a->for_root, b->for_root);
	}
	assert_int_equal(again.nic_count, 1);
	assert_string_equal(again.nic[0].mac, "52:54:00:12:34:56");
	assert_string_equal(again.nic[0].current_mac, "52:54:00:12:34:56");
	assert_null(again.nic[0].permanent_mac);
	assert_true(again.nic[0].has_link);
	assert_int_equal(again.display_count, 2);
	assert_string_equal(again.display[1].name, "HDMI-A-1");
	assert_string_equal(again.display[1].slot, "0000:01:00.0");
	assert_string_equal(again.display[1].monitor, "DEL Wide? 24");
	assert_string_equal(again.display[1].mode, "1920x1200");
	assert_true(again.display[1].is_connected);
	assert_int_equal(again.secure_boot, SECURE_BOOT_ON);
	assert_int_equal(again.efi_bits, 32);
	assert_int_equal(again.efi_variable_space, 50000);
	assert_string_equal(again.cpu_model, "Acme 4000");
	assert_true(again.is_uefi);
	assert_true(again.has_secure_boot);
	assert_string_equal(again.dmi_product, "Box 3");
	assert_string_equal(again.cpu_vendor, "GenuineIntel");
	assert_int_equal(again.disks.count, 1);
	assert_string_equal(again.disks.item[0].path, "/dev/sda");
	assert_string_equal(again.disks.item[0].name, "sda");
	assert_string_equal(again.disks.item[0].serial, "S1");
	assert_string_equal(again.disks.item[0].by_path, "/dev/disk/by-path/p");
	assert_string_equal(again.disks.item[0].hangs_on, "0:0:0:0");
	assert_int_equal(again.disks.item[0].size, 5000000000);
	assert_true(again.disks.item[0].rotational);
	assert_false(again.is_live);
}

static void assert_json_refused(const char *text, const char *message)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_free_ char *path = string_format("%s/saved.json", root);
	_cleanup_free_ char *whole = string_format("read the hardware file %s: %s", path, message);
	_cleanup_error_ struct error err = {0};
	struct hardware hardware;

	tree_text(root, "saved.json", text);
	assert_int_equal(hardware_read_json(path, &hardware, &err), -1);
	assert_string_equal(error_text(&err), whole);
}

static void json_that_is_not_hardware_is_refused(void **state)
{
	(void)state;
	assert_json_refused("{", "unexpected end of data");
	assert_json_refused("[]", "no \"hardware-version\": it was not saved by v2p detect");
	assert_json_refused("{\"hardware-version\": 9}",
			    "has version 9, and this v2p reads versions 1 to 2");
	assert_json_refused("{\"hardware-version\": 1, \"devices\": {}}",
			    "\"devices\" is not a list");
	assert_json_refused("{\"hardware-version\": 1, \"devices\": [7]}",
			    "devices[0] is not an object");
	assert_json_refused("{\"hardware-version\": 1, \"devices\": [{\"bus\": \"pci\"}]}",
			    "devices[0]: no \"slot\"");
	assert_json_refused("{\"hardware-version\": 1, \"devices\": [{\"bus\": 3}]}",
			    "devices[0]: \"bus\" is not a string");
	assert_json_refused("{\"hardware-version\": 1, \"devices\": [{\"bus\": \"pci\", "
			    "\"slot\": \"x\", \"modalias\": \"y\", \"class\": \"12\"}]}",
			    "devices[0]: \"class\" is not 6 hexadecimal digits");
	assert_json_refused("{\"hardware-version\": 1, \"dmi\": []}", "\"dmi\" is not an object");
	assert_json_refused("{\"hardware-version\": 2, \"cpu\": 7}",
			    "document[0]: \"cpu\" is not a string");
	assert_json_refused(
		"{\"hardware-version\": 2, \"firmware\": "
		"{\"secure-boot-state\": \"perhaps\"}}",
		"firmware[0]: \"secure-boot-state\" is none of unknown, off, on, setup");
}

static void json_without_measure_is_refused(void **state)
{
	_cleanup_free_ char *word =
		string_format("{\"hardware-version\": 2, \"cpu\": \"%05000d\"}", 0);
	_cleanup_text_ struct text list = {0};

	(void)state;
	assert_json_refused(word, "document[0]: \"cpu\" is longer than 4096 bytes");
	text_add(&list, "{\"hardware-version\": 2, \"disks\": [0");
	for (size_t i = 0; i < 65536; i++)
		text_add(&list, ",0");
	text_add(&list, "]}");
	assert_json_refused(text_string(&list), "\"disks\" has more than 65536 entries");
}

static void json_with_a_circle_of_parents_is_refused(void **state)
{
	_cleanup_text_ struct text chain = {0};

	(void)state;
	assert_json_refused(
		"{\"hardware-version\": 2, \"devices\": ["
		"{\"bus\": \"a\", \"slot\": \"1\", \"modalias\": \"x\", "
		"\"parent\": \"2\"},"
		"{\"bus\": \"a\", \"slot\": \"2\", \"modalias\": \"x\", "
		"\"parent\": \"1\"}]}",
		"devices[0]: the devices above 1 form a circle, or more than 64 levels");
	text_add(&chain, "{\"hardware-version\": 2, \"devices\": [");
	for (size_t i = 0; i < 100; i++)
		text_addf(&chain,
			  "%s{\"bus\": \"a\", \"slot\": \"%zu\", \"modalias\": \"x\", "
			  "\"parent\": \"%zu\"}",
			  i ? "," : "", i, i + 1);
	text_add(&chain, "]}");
	assert_json_refused(
		text_string(&chain),
		"devices[0]: the devices above 0 form a circle, or more than 64 levels");
}

static void json_of_version_1_is_read(void **state)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_hardware_ struct hardware hardware = read_json(
		root, "{\"hardware-version\": 1, \"firmware\": {\"mode\": \"uefi\", "
		      "\"secure-boot\": true}, \"cpu\": \"GenuineIntel\", "
		      "\"network\": [{\"name\": \"e\", \"mac\": \"52:54:00:12:34:56\"}]}");

	(void)state;
	assert_int_equal(hardware.secure_boot, SECURE_BOOT_ON);
	assert_true(hardware.has_secure_boot);
	assert_string_equal(hardware.cpu_vendor, "GenuineIntel");
	assert_string_equal(hardware.nic[0].mac, "52:54:00:12:34:56");
}

static void saved_words_cannot_steer_a_terminal(void **state)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_hardware_ struct hardware hardware = read_json(
		root, "{\"hardware-version\": 2, \"dmi\": {\"product\": \"\\u001b[2J\\u009b\"}}");

	(void)state;
	assert_string_equal(hardware.dmi_product, "?[2J??");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_as_json_is_read_back),
		cmocka_unit_test(json_that_is_not_hardware_is_refused),
		cmocka_unit_test(json_without_measure_is_refused),
		cmocka_unit_test(json_with_a_circle_of_parents_is_refused),
		cmocka_unit_test(json_of_version_1_is_read),
		cmocka_unit_test(saved_words_cannot_steer_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
