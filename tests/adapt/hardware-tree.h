// SPDX-License-Identifier: GPL-3.0-or-later
/* hardware-tree: a made-up machine: sysfs with a device on each bus, and what it is saved as. */
#pragma once

#include "adapt/hardware_parts.h"
#include "base/error.h"
#include "tests/adapt/scratch.h"
#include "tests/test.h"

#define DUMP(name) V2P_SOURCE_DIR "/tests/data/pci-" name ".lspci"
#define AHCI "sys/devices/pci0000:00/0000:00:1f.2"
#define NIC "sys/devices/pci0000:00/0000:00:1c.0/0000:01:00.0"
#define EMMC "sys/devices/platform/80860F14:00/mmc_host/mmc0/mmc0:0001"
#define NVME "sys/devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:1d.0/10000:e1:00.0"
#define STICK "sys/devices/pci0000:00/0000:00:14.0/usb1/1-1"

static inline void add_pci(const char *root, const char *path, const char *vendor,
			   const char *device, const char *class, const char *modalias)
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

static inline void add_usb_stick(const char *root)
{
	_cleanup_free_ char *interface = string_format("%s/" STICK "/1-1:1.0", root);

	tree_text(root, STICK "/manufacturer", "Acme\n");
	tree_text(root, STICK "/product", "Stick \033[31m\n");
	tree_text(root, STICK "/1-1:1.0/modalias",
		  "usb:v0781p5581d0100dc00dsc00dp00ic08isc06ip50in00\n");
	tree_link(root, STICK "/1-1:1.0/driver", "../../../../bus/usb/drivers/usb-storage");
	tree_link(root, "sys/bus/usb/devices/1-1:1.0", interface);
}

/* A device of a bus that shows no more than its alias. */
static inline void add_alias(const char *root, const char *bus, const char *path,
			     const char *modalias)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_free_ char *file = string_format("%s/modalias", path);
	_cleanup_free_ char *link = string_format("sys/bus/%s/devices/%s", bus, name);
	_cleanup_free_ char *target = string_format("%s/%s", root, path);

	tree_text(root, file, modalias);
	tree_link(root, link, target);
}

static inline void add_link(const char *root, const char *link, const char *path)
{
	_cleanup_free_ char *target = string_format("%s/%s", root, path);

	tree_link(root, link, target);
}

/* What is not on PCI, as a tablet has it; and an NVMe disk behind a volume management device. */
static inline void add_other_buses(const char *root)
{
	add_alias(root, "platform", "sys/devices/platform/80860F14:00", "acpi:80860F14:INT33BB:\n");
	add_alias(root, "acpi", "sys/devices/LNXSYSTM:00/80860F14:00", "acpi:80860F14:INT33BB:\n");
	add_link(root, "sys/devices/LNXSYSTM:00/80860F14:00/physical_node",
		 "sys/devices/platform/80860F14:00");
	add_alias(root, "acpi", "sys/devices/LNXSYSTM:00/LNXPWRBN:00", "acpi:LNXPWRBN:\n");
	add_alias(root, "mmc", EMMC, "mmc:block\n");
	tree_text(root, EMMC "/type", "MMC\n");
	tree_text(root, EMMC "/name", "DF4032\n");
	add_alias(root, "sdio", "sys/devices/platform/80860F14:00/mmc_host/mmc1/mmc1:0001:1",
		  "sdio:c00v02D0d4324\n");
	add_alias(root, "scsi", AHCI "/ata1/host0/target0:0:0/0:0:0:0", "scsi:t-0x00\n");
	tree_text(root, AHCI "/ata1/host0/target0:0:0/0:0:0:0/vendor", "ATA     \n");
	tree_text(root, AHCI "/ata1/host0/target0:0:0/0:0:0:0/model", "Disk 3\n");
	add_pci(root, "sys/devices/pci0000:00/0000:00:0e.0", "0x8086\n", "0x9a0b\n", "0x010400\n",
		"pci:v00008086d00009A0Bsv00000000sd00000000bc01sc04i00\n");
	add_pci(root, NVME, "0x144d\n", "0xa808\n", "0x010802\n",
		"pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02\n");
	tree_text(root, NVME "/nvme/nvme0/transport", "pcie\n");
	tree_text(root, NVME "/nvme/nvme0/model", "Acme 970\n");
	add_link(root, "sys/class/nvme/nvme0", NVME "/nvme/nvme0");
}

static inline void add_screen(const char *root)
{
	unsigned char edid[128] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x10, 0xac};

	memcpy(edid + 72, "\0\0\0\xfc\0Wide\033 24\n   ", 18);
	tree_text(root, NIC "/drm/card0/dev", "226:0\n");
	add_link(root, NIC "/drm/card0/device", NIC);
	tree_text(root, NIC "/drm/card0/card0-HDMI-A-1/status", "connected\n");
	tree_text(root, NIC "/drm/card0/card0-HDMI-A-1/modes", "1920x1200\n1920x1080\n");
	tree_write(root, NIC "/drm/card0/card0-HDMI-A-1/edid", edid, sizeof(edid));
	add_link(root, NIC "/drm/card0/card0-HDMI-A-1/device", NIC "/drm/card0");
	tree_text(root, NIC "/drm/card0/card0-DP-1/status", "disconnected\n");
	tree_text(root, NIC "/drm/card0/card0-DP-1/edid", "");
	add_link(root, "sys/class/drm/card0", NIC "/drm/card0");
	add_link(root, "sys/class/drm/card0-HDMI-A-1", NIC "/drm/card0/card0-HDMI-A-1");
	add_link(root, "sys/class/drm/card0-DP-1", NIC "/drm/card0/card0-DP-1");
}

static inline void add_nic(const char *root)
{
	_cleanup_free_ char *device = string_format("%s/" NIC, root);

	tree_text(root, "sys/class/net/enp1s0/address", "52:54:00:12:34:56\n");
	tree_text(root, "sys/class/net/enp1s0/carrier", "1\n");
	tree_link(root, "sys/class/net/enp1s0/device", device);
	tree_text(root, "sys/class/net/lo/address", "00:00:00:00:00:00\n");
}

static inline char *make_machine(void)
{
	static const char on[] = {6, 0, 0, 0, 1};
	char *root = tree_make();

	add_pci(root, AHCI, "0x8086\n", "0x2922\n", "0x010601\n",
		"pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01\n");
	add_pci(root, NIC, "0x8086\n", "0x10d3\n", "0x020000\n",
		"pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00\n");
	add_usb_stick(root);
	add_other_buses(root);
	add_screen(root);
	add_nic(root);
	tree_text(root, "sys/bus/cpu/devices/cpu0/modalias", "cpu:type:x86\n");
	tree_text(root, "sys/bus/acpi/devices/PNP0A08:00/modalias", "acpi:PNP0A08:\n");
	tree_text(root, "sys/class/dmi/id/sys_vendor", "Acme\n");
	tree_text(root, "sys/class/dmi/id/product_name", "Box 3\n");
	tree_text(root, "sys/class/dmi/id/product_serial", "\n");
	tree_text(root, "proc/cpuinfo",
		  "processor\t: 0\nvendor_id\t: GenuineIntel\n"
		  "model name\t: Acme 4000\n");
	tree_text(root, "sys/firmware/efi/fw_platform_size", "32\n");
	tree_write(root, "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
		   on, sizeof(on));
	return root;
}

static inline struct hardware detect(const char *root)
{
	_cleanup_error_ struct error err = {0};
	struct hardware hardware = {0};

	if (hardware_detect_at(root, &hardware, &err) < 0)
		fail_msg("%s", error_text(&err));
	return hardware;
}

static inline const struct device *find(const struct hardware *hardware, const char *slot)
{
	for (size_t i = 0; i < hardware->device_count; i++)
		if (strcmp(hardware->device[i].slot, slot) == 0)
			return &hardware->device[i];
	fail_msg("no device %s", slot);
	return NULL;
}

static inline char *save(const struct hardware *hardware, const char *root)
{
	json_object *json = hardware_json(hardware);

	tree_text(root, "saved.json", json_object_to_json_string(json));
	json_object_put(json);
	return string_format("%s/saved.json", root);
}

static inline void add_disk(struct hardware *hardware)
{
	hardware->disks.item = calloc(1, sizeof(*hardware->disks.item));
	hardware->disks.count = 1;
	hardware->disks.item[0] = (struct disk){.path = string_copy("/dev/sda"),
						.name = string_copy("sda"),
						.serial = string_copy("S1"),
						.by_path = string_copy("/dev/disk/by-path/p"),
						.hangs_on = string_copy("0:0:0:0"),
						.size = 5000000000,
						.logical_sector = 512,
						.physical_sector = 4096,
						.rotational = true};
}

static inline struct hardware read_json(const char *root, const char *text)
{
	_cleanup_free_ char *path = string_format("%s/saved.json", root);
	_cleanup_error_ struct error err = {0};
	struct hardware hardware = {0};

	tree_text(root, "saved.json", text);
	if (hardware_read_json(path, &hardware, &err) < 0)
		fail_msg("%s", error_text(&err));
	return hardware;
}
