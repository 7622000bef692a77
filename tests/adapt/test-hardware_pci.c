// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/hardware-tree.h"

static struct hardware read_text(const char *text)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_free_ char *path = string_format("%s/lspci", root);
	_cleanup_error_ struct error err = {0};
	struct hardware hardware = {0};

	tree_text(root, "lspci", text);
	if (hardware_read_pci_dump(path, &hardware, &err) < 0)
		fail_msg("%s", error_text(&err));
	return hardware;
}

static void a_dump_gives_the_modaliases_of_the_kernel(void **state)
{
	_cleanup_hardware_ struct hardware hardware = {0};

	(void)state;
	assert_int_equal(hardware_read_pci_dump(DUMP("q35-ahci"), &hardware, NULL), 0);
	assert_int_equal(hardware.device_count, 8);
	assert_string_equal(find(&hardware, "0000:00:1f.2")->modalias,
			    "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01");
	assert_string_equal(find(&hardware, "0000:00:01.0")->modalias,
			    "pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00");
	assert_string_equal(hardware.device[0].slot, "0000:00:00.0");
	assert_false(hardware.is_live);
}

static void a_dump_tells_the_revision(void **state)
{
	_cleanup_hardware_ struct hardware hardware = {0};

	(void)state;
	assert_int_equal(hardware_read_pci_dump(DUMP("i440fx-megasas"), &hardware, NULL), 0);
	assert_int_equal(find(&hardware, "0000:00:03.0")->revision, 0x20);
	assert_int_equal(find(&hardware, "0000:00:02.0")->vendor, 0x1000);
	assert_int_equal(find(&hardware, "0000:00:02.0")->device, 0x0060);
}

static void a_virtio_function_gives_its_virtio_device(void **state)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_free_ char *path = string_format("%s/dump", root);
	_cleanup_hardware_ struct hardware hardware = {0};

	(void)state;
	tree_text(root, "dump",
		  "00:04.0 SCSI storage controller: virtio\n"
		  "00: f4 1a 01 10 07 04 10 00 00 00 00 01 00 00 00 00\n"
		  "10: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
		  "20: 00 00 00 00 00 00 00 00 00 00 00 00 f4 1a 02 00\n"
		  "30: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n");
	assert_int_equal(hardware_read_pci_dump(path, &hardware, NULL), 0);
	assert_int_equal(hardware.device_count, 2);
	assert_string_equal(hardware.device[1].modalias, "virtio:d00000002v00001AF4");
}

static void a_listed_virtio_function_gives_its_virtio_device(void **state)
{
	_cleanup_hardware_ struct hardware hardware =
		read_text("00:04.0 SCSI storage controller [0100]: Virtio block [1af4:1001]\n"
			  "00:05.0 SCSI storage controller [0100]: Virtio SCSI [1af4:1048]\n");

	(void)state;
	assert_string_equal(find(&hardware, "0000:00:04.0/virtio")->modalias,
			    "virtio:d00000002v00001AF4");
	assert_string_equal(find(&hardware, "0000:00:04.0/virtio")->parent, "0000:00:04.0");
	assert_string_equal(find(&hardware, "0000:00:05.0/virtio")->modalias,
			    "virtio:d00000008v00001AF4");
}

static void a_dump_tells_the_bridge_above_a_device(void **state)
{
	static const char rest[] = "10: 00 00 00 00 00 00 00 00 00 01 01 00 00 00 00 00\n"
				   "20: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
				   "30: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n";
	_cleanup_free_ char *text =
		string_format("  10000:00:1c.0 a name that is longer than libpci takes: %0512d\r\n"
			      "  00: 86 80 40 29 07 04 10 00 02 00 04 06 00 00 81 00\r\n%s\n"
			      "  10000:01:00.0 behind it\n"
			      "  00: 4d 14 08 a8 07 04 10 00 02 02 08 01 00 00 00 00\n%s",
			      0, rest, rest);
	_cleanup_hardware_ struct hardware hardware = read_text(text);
	const struct device *nvme = find(&hardware, "10000:01:00.0");

	(void)state;
	assert_int_equal(hardware.device_count, 2);
	assert_int_equal(nvme->class, 0x010802);
	assert_string_equal(nvme->parent, "10000:00:1c.0");
	assert_null(find(&hardware, "10000:00:1c.0")->parent);
	assert_ptr_equal(hardware_parent(&hardware, nvme), find(&hardware, "10000:00:1c.0"));
}

static void a_listing_tells_class_ids_and_driver(void **state)
{
	_cleanup_hardware_ struct hardware hardware = read_text(
		"Hello, my machine has no disk:\n"
		"00:17.0 RAID bus controller [0104]: Intel Corporation SATA [RAID mode] "
		"[8086:2822] (rev 31)\n"
		"\tSubsystem: Acme Device [1028:07e6]\n"
		"\tKernel driver in use: ahci\n"
		"\tKernel modules: ahci\n"
		"  01:00.0 SATA controller [0106]: Device [1022:7901] (rev 51) (prog-if 02)\n"
		"0000:02:00.0 0200: 10ec:8125 (rev 05)\n"
		"\tSubsystem: 1043:87d7\n");
	const struct device *raid = find(&hardware, "0000:00:17.0");

	(void)state;
	assert_int_equal(hardware.device_count, 3);
	assert_string_equal(raid->modalias,
			    "pci:v00008086d00002822sv00001028sd000007E6bc01sc04i00");
	assert_string_equal(raid->name, "Intel Corporation SATA [RAID mode]");
	assert_string_equal(raid->driver, "ahci");
	assert_int_equal(raid->revision, 0x31);
	assert_int_equal(find(&hardware, "0000:01:00.0")->class, 0x010602);
	assert_string_equal(find(&hardware, "0000:02:00.0")->modalias,
			    "pci:v000010ECd00008125sv00001043sd000087D7bc02sc00i00");
	assert_null(find(&hardware, "0000:02:00.0")->name);
}

static void a_listing_without_interfaces_has_the_usual_ones(void **state)
{
	static const struct {
		const char *device;
		uint32_t class;
	} rows[] = {
		{"SATA controller [0106]: Device [8086:a102]", 0x010601},
		{"Non-Volatile memory controller [0108]: Device [144d:a808]", 0x010802},
		{"USB controller [0c03]: 82801I USB UHCI Controller #4 [8086:2937]", 0x0c0300},
		{"USB controller [0c03]: MCP61 USB 1.1 Controller [10de:03f1]", 0x0c0310},
		{"USB controller [0c03]: MCP61 USB 2.0 Controller [10de:03f2]", 0x0c0320},
		{"USB controller [0c03]: Matisse USB 3.0 Host Controller [1022:149c]", 0x0c0330},
		{"USB controller [0c03]: Tiger Lake-LP Thunderbolt 4 NHI #0 [8086:9a1b]", 0x0c0340},
		{"VGA compatible controller [0300]: Device [10de:1c82]", 0x030000},
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		_cleanup_free_ char *text = string_format("00:01.0 %s\n", rows[i].device);
		_cleanup_hardware_ struct hardware hardware = read_text(text);

		assert_int_equal(hardware.device[0].class, rows[i].class);
	}
}

static void assert_dump_refused(const char *text, const char *message)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_free_ char *path = string_format("%s/dump", root);
	_cleanup_error_ struct error err = {0};
	struct hardware hardware;

	tree_text(root, "dump", text);
	assert_int_equal(hardware_read_pci_dump(path, &hardware, &err), -1);
	assert_non_null(strstr(error_text(&err), "read the PCI dump "));
	if (!strstr(error_text(&err), message))
		fail_msg("\"%s\" is not in \"%s\"", message, error_text(&err));
}

static void a_bad_dump_is_refused_and_the_program_goes_on(void **state)
{
	_cleanup_error_ struct error err = {0};
	struct hardware hardware;

	(void)state;
	assert_dump_refused("", "holds no device: it is not the output of lspci -nn or lspci -x");
	assert_dump_refused("Dear sir,\n", "holds no device");
	assert_dump_refused("00:04.0 x\n00: f4 1a zz\n",
			    "line 2: no bytes in hexadecimal, as lspci -x prints them: "
			    "\"00: f4 1a zz\"");
	assert_dump_refused("00:04.0 x\nff0: 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10\n"
			    "1000: 01\n",
			    "line 3: beyond the 4096 bytes of a configuration space: \"1000: 01\"");
	assert_dump_refused("00:04.0 x\nffffffff: 01\n", "line 2: beyond the 4096 bytes");
	assert_dump_refused(
		"00:04.0 x\n00: f4 1a 01 10\n",
		"line 3: the first 64 bytes of 0000:00:04.0 are not all there: take the "
		"whole output of lspci -x");
	assert_dump_refused(
		"00:04.0 x\n00:1f.0 y\n"
		"00: f4 1a 01 10 07 04 10 00 00 00 00 01 00 00 00 00\n"
		"10: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
		"20: 00 00 00 00 00 00 00 00 00 00 00 00 f4 1a 02 00\n"
		"30: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n",
		"1 of 2 devices have no bytes: take the whole output of lspci -x, by itself");
	assert_dump_refused("00:1f.2 SATA controller: Intel Corporation 82801IR\n",
			    "line 1: no class and ids for 0000:00:1f.2: take the output of lspci "
			    "-nn or lspci -x");
	assert_int_equal(hardware_read_pci_dump("/nowhere", &hardware, &err), -1);
	assert_string_equal(error_text(&err), "read the PCI dump /nowhere: open /nowhere: "
					      "No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dump_gives_the_modaliases_of_the_kernel),
		cmocka_unit_test(a_dump_tells_the_revision),
		cmocka_unit_test(a_virtio_function_gives_its_virtio_device),
		cmocka_unit_test(a_listed_virtio_function_gives_its_virtio_device),
		cmocka_unit_test(a_dump_tells_the_bridge_above_a_device),
		cmocka_unit_test(a_listing_tells_class_ids_and_driver),
		cmocka_unit_test(a_listing_without_interfaces_has_the_usual_ones),
		cmocka_unit_test(a_bad_dump_is_refused_and_the_program_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
