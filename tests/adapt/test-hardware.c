// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/adapt/scratch.h"
#include "tests/test.h"

#include "adapt/hardware.h"
#include "base/error.h"

#define DUMP(name) V2P_SOURCE_DIR "/tests/data/pci-" name ".lspci"
#define AHCI "sys/devices/pci0000:00/0000:00:1f.2"
#define NIC "sys/devices/pci0000:00/0000:00:1c.0/0000:01:00.0"
#define STICK "sys/devices/pci0000:00/0000:00:14.0/usb1/1-1"

static void add_pci(const char *root, const char *path, const char *vendor, const char *device,
		    const char *class, const char *modalias)
{
	static const char *const names[] = {"vendor", "device", "class", "modalias"};
	const char *const values[] = {vendor, device, class, modalias};
	_cleanup_free_ char *link = string_format("sys/bus/pci/devices/%s", strrchr(path, '/') + 1);
	_cleanup_free_ char *target = string_format("%s/%s", root, path);
	_cleanup_free_ char *driver = string_format("%s/driver", path);
	_cleanup_text_ struct text bound = {0};

	for (size_t i = 0; i < array_length(names); i++) {
		_cleanup_free_ char *file = string_format("%s/%s", path, names[i]);

		tree_text(root, file, values[i]);
	}
	tree_text(root, "sys/bus/pci/drivers/some_driver/bind", "");
	/* Relative, as in sysfs: libpci takes no other. */
	for (const char *c = strchr(path, '/'); c; c = strchr(c + 1, '/'))
		text_add(&bound, "../");
	text_add(&bound, "bus/pci/drivers/some_driver");
	tree_link(root, driver, text_string(&bound));
	tree_link(root, link, target);
}

static void add_usb_stick(const char *root)
{
	_cleanup_free_ char *interface = string_format("%s/" STICK "/1-1:1.0", root);

	tree_text(root, STICK "/manufacturer", "Acme\n");
	tree_text(root, STICK "/product", "Stick \033[31m\n");
	tree_text(root, STICK "/1-1:1.0/modalias",
		  "usb:v0781p5581d0100dc00dsc00dp00ic08isc06ip50in00\n");
	tree_link(root, STICK "/1-1:1.0/driver", "../../../../bus/usb/drivers/usb-storage");
	tree_link(root, "sys/bus/usb/devices/1-1:1.0", interface);
}

static void add_nic(const char *root)
{
	_cleanup_free_ char *device = string_format("%s/" NIC, root);

	tree_text(root, "sys/class/net/enp1s0/address", "52:54:00:12:34:56\n");
	tree_text(root, "sys/class/net/enp1s0/carrier", "1\n");
	tree_link(root, "sys/class/net/enp1s0/device", device);
	tree_text(root, "sys/class/net/lo/address", "00:00:00:00:00:00\n");
}

static char *make_machine(void)
{
	static const char on[] = {6, 0, 0, 0, 1};
	char *root = tree_make();

	add_pci(root, AHCI, "0x8086\n", "0x2922\n", "0x010601\n",
		"pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01\n");
	add_pci(root, NIC, "0x8086\n", "0x10d3\n", "0x020000\n",
		"pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00\n");
	add_usb_stick(root);
	add_nic(root);
	tree_text(root, "sys/bus/cpu/devices/cpu0/modalias", "cpu:type:x86\n");
	tree_text(root, "sys/bus/acpi/devices/PNP0A08:00/modalias", "acpi:PNP0A08:\n");
	tree_text(root, "sys/class/dmi/id/sys_vendor", "Acme\n");
	tree_text(root, "sys/class/dmi/id/product_name", "Box 3\n");
	tree_text(root, "sys/class/dmi/id/product_serial", "\n");
	tree_text(root, "proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n");
	tree_write(root, "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
		   on, sizeof(on));
	return root;
}

static struct hardware detect(const char *root)
{
	_cleanup_error_ struct error err = {0};
	struct hardware hardware = {0};

	if (hardware_detect_at(root, &hardware, &err) < 0)
		fail_msg("%s", error_text(&err));
	return hardware;
}

static const struct device *find(const struct hardware *hardware, const char *slot)
{
	for (size_t i = 0; i < hardware->device_count; i++)
		if (strcmp(hardware->device[i].slot, slot) == 0)
			return &hardware->device[i];
	fail_msg("no device %s", slot);
	return NULL;
}

static void sysfs_tells_the_pci_devices(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);
	const struct device *ahci = find(&hardware, "0000:00:1f.2");

	(void)state;
	assert_string_equal(ahci->bus, "pci");
	assert_string_equal(ahci->modalias,
			    "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01");
	assert_string_equal(ahci->driver, "some_driver");
	assert_int_equal(ahci->class, 0x010601);
	assert_int_equal(ahci->vendor, 0x8086);
	assert_int_equal(ahci->device, 0x2922);
	assert_non_null(ahci->name);
	assert_false(hardware.is_live);
}

static void sysfs_tells_the_devices_of_other_buses(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);
	const struct device *stick = find(&hardware, "1-1:1.0");

	(void)state;
	assert_int_equal(hardware.device_count, 3);
	assert_string_equal(stick->bus, "usb");
	assert_string_equal(stick->driver, "usb-storage");
	/* What a device calls itself cannot steer a terminal. */
	assert_string_equal(stick->name, "Acme Stick ?[31m");
	assert_int_equal(stick->vendor, 0x0781);
	assert_int_equal(stick->device, 0x5581);
}

static void sysfs_tells_the_network_interfaces(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);

	(void)state;
	assert_int_equal(hardware.nic_count, 1);
	assert_string_equal(hardware.nic[0].name, "enp1s0");
	assert_string_equal(hardware.nic[0].mac, "52:54:00:12:34:56");
	assert_string_equal(hardware.nic[0].slot, "0000:01:00.0");
	assert_string_equal(hardware.nic[0].driver, "some_driver");
	assert_true(hardware.nic[0].has_link);
	assert_false(hardware.nic[0].is_wireless);
}

static void sysfs_tells_firmware_and_dmi(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);

	(void)state;
	assert_true(hardware.is_uefi);
	assert_true(hardware.has_secure_boot);
	assert_string_equal(hardware.dmi_vendor, "Acme");
	assert_string_equal(hardware.dmi_product, "Box 3");
	assert_null(hardware.dmi_serial);
	assert_null(hardware.dmi_bios);
	assert_string_equal(hardware.cpu_vendor, "GenuineIntel");
}

static void an_empty_tree_is_a_machine_without_devices(void **state)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_hardware_ struct hardware hardware = detect(root);

	(void)state;
	assert_int_equal(hardware.device_count, 0);
	assert_false(hardware.is_uefi);
}

static void this_machine_can_be_detected(void **state)
{
	_cleanup_hardware_ struct hardware hardware = detect("");

	(void)state;
	assert_true(hardware.is_live);
	assert_string_equal(hardware.source, "this machine");
}

static void a_pci_device_without_identity_is_an_error(void **state)
{
	_cleanup_tree_ char *root = tree_make();
	_cleanup_error_ struct error err = {0};
	struct hardware hardware;

	(void)state;
	tree_text(root, "sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
	assert_int_equal(hardware_detect_at(root, &hardware, &err), -1);
	assert_non_null(strstr(error_text(&err), "list the PCI devices: "));
	assert_non_null(strstr(error_text(&err), "0000:00:02.0/vendor"));
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

static char *save(const struct hardware *hardware, const char *root)
{
	json_object *json = hardware_json(hardware);

	tree_text(root, "saved.json", json_object_to_json_string(json));
	json_object_put(json);
	return string_format("%s/saved.json", root);
}

static void add_disk(struct hardware *hardware)
{
	hardware->disks.item = calloc(1, sizeof(*hardware->disks.item));
	hardware->disks.count = 1;
	hardware->disks.item[0] = (struct disk){.path = string_copy("/dev/sda"),
						.name = string_copy("sda"),
						.serial = string_copy("S1"),
						.size = 5000000000,
						.logical_sector = 512,
						.physical_sector = 4096,
						.rotational = true};
}

static void what_was_written_as_json_is_read_back(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root), again = {0};
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *path = NULL;

	(void)state;
	add_disk(&hardware);
	hardware.device[0].for_root = true;
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
		assert_int_equal(a->class, b->class);
		assert_int_equal(a->vendor, b->vendor);
		assert_int_equal(a->for_root, b->for_root);
	}
	assert_int_equal(again.nic_count, 1);
	assert_string_equal(again.nic[0].mac, "52:54:00:12:34:56");
	assert_true(again.nic[0].has_link);
	assert_true(again.is_uefi);
	assert_true(again.has_secure_boot);
	assert_string_equal(again.dmi_product, "Box 3");
	assert_string_equal(again.cpu_vendor, "GenuineIntel");
	assert_int_equal(again.disks.count, 1);
	assert_string_equal(again.disks.item[0].path, "/dev/sda");
	assert_string_equal(again.disks.item[0].name, "sda");
	assert_string_equal(again.disks.item[0].serial, "S1");
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
}

static void the_way_to_a_disk_is_marked(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);
	_cleanup_free_ char *on_stick =
		string_format("%s/" STICK "/1-1:1.0/host0/target0:0:0/0:0:0:0/block/sda", root);
	_cleanup_free_ char *on_ahci =
		string_format("%s/" AHCI "/ata1/host1/target1:0:0/1:0:0:0/block/sdb", root);
	struct disk stick = {.path = (char *)"/dev/sda", .sysfs = on_stick};
	struct disk sata = {.path = (char *)"/dev/sdb", .sysfs = on_ahci};

	(void)state;
	hardware.is_live = true;
	assert_int_equal(hardware_follow_disk(&hardware, &stick, NULL), 0);
	assert_true(find(&hardware, "1-1:1.0")->for_root);
	assert_false(find(&hardware, "0000:00:1f.2")->for_root);
	assert_int_equal(hardware_follow_disk(&hardware, &sata, NULL), 0);
	assert_false(find(&hardware, "1-1:1.0")->for_root);
	assert_true(find(&hardware, "0000:00:1f.2")->for_root);
	assert_false(find(&hardware, "0000:01:00.0")->for_root);
}

static void an_nvme_namespace_leads_to_its_controllers(void **state)
{
	_cleanup_tree_ char *root = make_machine();
	_cleanup_hardware_ struct hardware hardware = detect(root);
	_cleanup_free_ char *sysfs =
		string_format("%s/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1", root);
	_cleanup_free_ char *controller = string_format("%s/" AHCI "/nvme/nvme0", root);
	struct disk disk = {.path = (char *)"/dev/nvme0n1", .sysfs = sysfs};

	(void)state;
	tree_text(root, AHCI "/nvme/nvme0/x", "");
	tree_link(root, "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0", controller);
	tree_text(root, "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/size", "1");
	hardware.is_live = true;
	assert_int_equal(hardware_follow_disk(&hardware, &disk, NULL), 0);
	assert_true(find(&hardware, "0000:00:1f.2")->for_root);
}

static void the_way_to_a_disk_of_another_machine_is_not_known(void **state)
{
	_cleanup_hardware_ struct hardware hardware = {0};
	_cleanup_error_ struct error err = {0};
	struct disk disk = {.path = (char *)"/dev/sda", .sysfs = (char *)"/sys/devices/x"};
	struct disk file = {.path = (char *)"/a.img", .is_file = true};

	(void)state;
	assert_int_equal(hardware_read_pci_dump(DUMP("q35-nvme"), &hardware, NULL), 0);
	assert_int_equal(hardware_follow_disk(&hardware, &disk, &err), -1);
	assert_string_equal(
		error_text(&err),
		"the way to /dev/sda is known on its own machine only, and the hardware "
		"was read from " DUMP("q35-nvme"));
	assert_int_equal(hardware_follow_disk(&hardware, &file, NULL), 0);
	hardware.is_live = true;
	disk.sysfs = NULL;
	assert_int_equal(hardware_follow_disk(&hardware, &disk, &err), -1);
	assert_string_equal(error_text(&err), "/dev/sda has no place in sysfs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sysfs_tells_the_pci_devices),
		cmocka_unit_test(sysfs_tells_the_devices_of_other_buses),
		cmocka_unit_test(sysfs_tells_the_network_interfaces),
		cmocka_unit_test(sysfs_tells_firmware_and_dmi),
		cmocka_unit_test(an_empty_tree_is_a_machine_without_devices),
		cmocka_unit_test(this_machine_can_be_detected),
		cmocka_unit_test(a_pci_device_without_identity_is_an_error),
		cmocka_unit_test(a_dump_gives_the_modaliases_of_the_kernel),
		cmocka_unit_test(a_dump_tells_the_revision),
		cmocka_unit_test(a_virtio_function_gives_its_virtio_device),
		cmocka_unit_test(a_dump_tells_the_bridge_above_a_device),
		cmocka_unit_test(a_listing_tells_class_ids_and_driver),
		cmocka_unit_test(a_listing_without_interfaces_has_the_usual_ones),
		cmocka_unit_test(a_bad_dump_is_refused_and_the_program_goes_on),
		cmocka_unit_test(what_was_written_as_json_is_read_back),
		cmocka_unit_test(json_that_is_not_hardware_is_refused),
		cmocka_unit_test(the_way_to_a_disk_is_marked),
		cmocka_unit_test(an_nvme_namespace_leads_to_its_controllers),
		cmocka_unit_test(the_way_to_a_disk_of_another_machine_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
