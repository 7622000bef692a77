// SPDX-License-Identifier: GPL-3.0-or-later
/* The PCI part of the hardware, through libpci; the one file that includes its headers. */
#include <errno.h>
#include <pci/pci.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adapt/hardware_parts.h"
#include "adapt/hardware_pci_text.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"

enum {
	TEXT_LIMIT = 16 << 20, /* 4 KiB of configuration space are 13 KiB of text */
	DEVICE_LIMIT = 65536,
	VENDOR_VIRTIO = 0x1af4,
};

/*
 * libpci's error hook must not return and is given no context: it leaves by longjmp through this,
 * which is set only while a scan runs in this thread.
 */
struct trap {
	jmp_buf jump;
	struct error *err;
};

static _Thread_local struct trap *trap;

__attribute__((noreturn, format(printf, 1, 2))) static void on_error(char *message, ...)
{
	_Thread_local static char line[512];
	va_list args;

	va_start(args, message);
	vsnprintf(line, sizeof(line), message, args);
	va_end(args);
	error_set(trap->err, "%s", line);
	longjmp(trap->jump, 1);
}

__attribute__((format(printf, 1, 2))) static void on_message(char *message, ...)
{
	(void)message;
}

static struct pci_access *pci_new(int method)
{
	struct pci_access *access = pci_alloc();

	access->method = (unsigned int)method;
	access->error = on_error;
	access->warning = on_message;
	access->debug = on_message;
	return access;
}

char *pci_modalias(const struct device *device)
{
	return string_format("pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X", device->vendor,
			     device->device, device->subsystem_vendor, device->subsystem_device,
			     device->class >> 16, device->class >> 8 & 0xff, device->class & 0xff);
}

static void add_pci(struct pci_access *access, struct pci_dev *pci, struct hardware *hardware)
{
	struct device *device = hardware_add_device(hardware);
	char name[256];

	pci_fill_info(pci, PCI_FILL_IDENT | PCI_FILL_CLASS | PCI_FILL_CLASS_EXT | PCI_FILL_SUBSYS |
				   PCI_FILL_MODULE_ALIAS | PCI_FILL_DRIVER);
	device->bus = string_copy("pci");
	device->slot = string_format("%04x:%02x:%02x.%d", (unsigned int)pci->domain, pci->bus,
				     pci->dev, pci->func);
	device->vendor = pci->vendor_id;
	device->device = pci->device_id;
	device->subsystem_vendor = pci->subsys_vendor_id;
	device->subsystem_device = pci->subsys_id;
	device->class = (uint32_t)pci->device_class << 8 | pci->prog_if;
	device->revision = pci->rev_id;
	if (pci->module_alias) /* with the newline of sysfs */
		device->modalias = string_copy(string_trim(pci->module_alias));
	else
		device->modalias = pci_modalias(device);
	if (pci_get_string_property(pci, PCI_FILL_DRIVER))
		device->driver = string_copy(pci_get_string_property(pci, PCI_FILL_DRIVER));
	device->name = printable_copy(
		pci_lookup_name(access, name, sizeof(name),
				PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_HWDB,
				pci->vendor_id, pci->device_id));
}

static int scan(struct pci_access *access, struct hardware *hardware, struct error *err)
{
	struct trap here = {.err = err};

	trap = &here;
	if (setjmp(here.jump)) {
		trap = NULL;
		return -1;
	}
	pci_init(access);
	pci_scan_bus(access);
	for (struct pci_dev *pci = access->devices; pci; pci = pci->next) {
		if (hardware->device_count >= DEVICE_LIMIT)
			on_error("more than %d devices", DEVICE_LIMIT);
		add_pci(access, pci, hardware);
	}
	trap = NULL;
	return 0;
}

static void find_sysfs(const char *devices, struct device *device)
{
	_cleanup_free_ char *link = string_format("%s/%s", devices, device->slot);

	device->sysfs = realpath(link, NULL);
}

static int compare_slots(const void *a, const void *b)
{
	return strcmp(((const struct device *)a)->slot, ((const struct device *)b)->slot);
}

/* libpci lists the devices in the order of readdir(), newest first. */
static int scan_sorted(struct pci_access *access, struct hardware *hardware, struct error *err)
{
	int result = scan(access, hardware, err);

	if (result == 0 && hardware->device_count > 1)
		qsort(hardware->device, hardware->device_count, sizeof(*hardware->device),
		      compare_slots);
	pci_cleanup(access);
	return result;
}

int hardware_scan_pci(const char *root, struct hardware *hardware, struct error *err)
{
	_cleanup_free_ char *bus = string_format("%s/sys/bus/pci", root);
	_cleanup_free_ char *devices = string_format("%s/devices", bus);
	struct pci_access *pci;

	if (access(devices, F_OK) != 0)
		return 0;
	pci = pci_new(PCI_ACCESS_SYS_BUS_PCI);
	pci_set_param(pci, "sysfs.path", bus);
	if (scan_sorted(pci, hardware, err) < 0)
		return -1;
	for (size_t i = 0; i < hardware->device_count; i++)
		find_sysfs(devices, &hardware->device[i]);
	return 0;
}

/*
 * Virtio 1.2, 4.1.2: functions from 0x1040 on have the type in their id; transitional ones below
 * have it as subsystem id, and where that is not known the id itself stands for one (5).
 */
static unsigned int virtio_type(const struct device *pci)
{
	static const unsigned int types[] = {1, 2, 5, 3, 8, 4, 0, 0, 0, 9};
	unsigned int id = pci->device - 0x1000U;

	if (pci->device >= 0x1040)
		return pci->device - 0x1040U;
	if (pci->subsystem_device || id >= array_length(types))
		return pci->subsystem_device;
	return types[id];
}

/* Name and driver are those of a device nobody has seen. */
static void add_virtio(struct hardware *hardware, size_t function)
{
	const struct device *pci = &hardware->device[function];
	unsigned int type = virtio_type(pci);
	char *slot = string_format("%s/virtio", pci->slot);
	struct device *device = hardware_add_device(hardware);

	device->bus = string_copy("virtio");
	device->slot = slot;
	device->modalias = string_format("virtio:d%08Xv%08X", type, VENDOR_VIRTIO);
	device->parent = string_copy(hardware->device[function].slot);
}

/* libpci reads a file, and only what was looked through is handed to it. */
static int open_text(const struct text *text, struct error *err)
{
	_cleanup_close_ int fd = memfd_create("pci-dump", MFD_CLOEXEC);

	if (fd < 0)
		return error_sys(err, errno, "create a file in memory");
	if (write_exactly(fd, "a file in memory", text->data, text->length, 0, err) < 0)
		return -1;
	return steal_fd(&fd);
}

static int scan_dump(const struct text *dump, struct hardware *hardware, struct error *err)
{
	_cleanup_close_ int fd = open_text(dump, err);
	_cleanup_free_ char *path = string_format("/proc/self/fd/%d", fd);
	struct pci_access *pci;

	if (fd < 0)
		return -1;
	pci = pci_new(PCI_ACCESS_DUMP);
	pci_set_param(pci, "dump.name", path);
	return scan_sorted(pci, hardware, err);
}

static int read_devices(const struct text *text, struct hardware *hardware, struct error *err)
{
	_cleanup_pci_dump_ struct pci_dump dump = {0};

	if (pci_dump_check(text, &dump, err) < 0)
		return -1;
	if (dump.text.length == 0)
		return pci_listing_read(text_string(text), hardware, err);
	if (scan_dump(&dump.text, hardware, err) < 0)
		return -1;
	pci_dump_find_parents(&dump, hardware);
	return 0;
}

static int read_text(const char *path, struct hardware *hardware, struct error *err)
{
	_cleanup_text_ struct text text = {0};
	size_t functions;

	if (file_read(path, TEXT_LIMIT, &text, err) < 0 || read_devices(&text, hardware, err) < 0)
		return -1;
	functions = hardware->device_count;
	for (size_t i = 0; i < functions; i++)
		if (hardware->device[i].vendor == VENDOR_VIRTIO &&
		    hardware->device[i].device >= 0x1000 && hardware->device[i].device <= 0x107f)
			add_virtio(hardware, i);
	return hardware_check_parents(hardware, err);
}

int hardware_read_pci_dump(const char *path, struct hardware *out, struct error *err)
{
	_cleanup_hardware_ struct hardware hardware = {0};

	hardware.source = string_copy(path);
	if (read_text(path, &hardware, err) < 0)
		return error_in(err, "read the PCI dump %s", path);
	*out = hardware;
	hardware = (struct hardware){0};
	return 0;
}
