// SPDX-License-Identifier: GPL-3.0-or-later
/* The numbers that lspci -nn printed. */
#include <string.h>

#include "adapt/hardware_parts.h"
#include "adapt/hardware_pci_text.h"
#include "base/scope.h"

enum { LINE_SHOWN = 40 };

/*
 * The programming interface that devices of a class have when the listing does not tell it, by a
 * word of their name where there are several: PCI Code and ID Assignment 1.15. The first row that
 * fits is taken.
 */
static const struct {
	unsigned int class;
	const char *word; /* in the name, in any case; "" fits all */
	uint8_t interface;
} usual_interfaces[] = {
	{0x0106, "", 0x01},    /* AHCI */
	{0x0108, "", 0x02},    /* NVM Express */
	{0x0109, "", 0x01},    /* UFSHCI */
	{0x0700, "", 0x02},    /* 16550 */
	{0x0805, "", 0x01},    /* SD host, with DMA */
	{0x0c00, "", 0x10},    /* OHCI of FireWire */
	{0x0c03, "NHI", 0x40}, /* USB4 host interface */
	{0x0c03, "USB4", 0x40},
	{0x0c03, "xHC", 0x30},
	{0x0c03, "UHCI", 0x00},
	{0x0c03, "OHCI", 0x10},
	{0x0c03, "EHCI", 0x20},
	{0x0c03, "USB 1.", 0x10}, /* others than Intel and VIA, who name UHCI */
	{0x0c03, "USB 2.0", 0x20},
	{0x0c03, "USB2", 0x20},
	{0x0c03, "", 0x30}, /* the only kind that is still made */
	{0x0c07, "", 0x01}, /* IPMI by keyboard controller style */
};

static uint8_t usual_interface(unsigned int class, const char *name)
{
	for (size_t i = 0; i < array_length(usual_interfaces); i++)
		if (usual_interfaces[i].class == class &&
		    strcasestr(name, usual_interfaces[i].word))
			return usual_interfaces[i].interface;
	return 0;
}

static bool is_hex(const char *string, size_t digits)
{
	return strspn(string, "0123456789abcdefABCDEF") >= digits;
}

static unsigned int hex(const char *string, size_t digits)
{
	char copy[9] = "";

	memcpy(copy, string, digits);
	return (unsigned int)strtoul(copy, NULL, 16);
}

/* "8086:2922" and what has to follow it. */
static bool is_id(const char *string, const char *after)
{
	return is_hex(string, 4) && string[4] == ':' && is_hex(string + 5, 4) &&
	       has_prefix(string + 9, after);
}

/* The last "[8086:2922]" of a line: names may have brackets too. NULL: there is none. */
static char *find_id(char *line)
{
	char *found = NULL;

	for (char *at = strchr(line, '['); at; at = strchr(at + 1, '['))
		if (is_id(at + 1, "]"))
			found = at;
	return found;
}

/* "SATA controller [0106]: NAME [8086:2922] (rev 02)"; tail gets what follows the ids. */
static bool parse_named(char *rest, struct device *device, const char **tail)
{
	char *class = strstr(rest, "]: ");
	char *id = find_id(rest);

	if (!class || class - rest < 5 || class[-5] != '[' || !is_hex(class - 4, 4) || !id ||
	    id < class)
		return false;
	device->class = hex(class - 4, 4) << 8;
	device->vendor = (uint16_t)hex(id + 1, 4);
	device->device = (uint16_t)hex(id + 6, 4);
	*tail = id + 11;
	*id = '\0';
	device->name = printable_copy(string_trim(class + 3));
	return true;
}

/* "0106: 8086:2922 (rev 02)": lspci -n */
static bool parse_numeric(const char *rest, struct device *device, const char **tail)
{
	if (!is_hex(rest, 4) || !has_prefix(rest + 4, ": ") || !is_id(rest + 6, ""))
		return false;
	device->class = hex(rest, 4) << 8;
	device->vendor = (uint16_t)hex(rest + 6, 4);
	device->device = (uint16_t)hex(rest + 11, 4);
	*tail = rest + 15;
	return true;
}

/* "(rev 02)", "(prog-if 01 [AHCI 1.0])": -1 when it is not told. */
static int find_number(const char *tail, const char *key)
{
	const char *at = strstr(tail, key);

	return at && is_hex(at + strlen(key), 2) ? (int)hex(at + strlen(key), 2) : -1;
}

static bool parse_device(char *rest, struct device *device)
{
	const char *tail;
	int revision, interface;

	if (!parse_named(rest, device, &tail) && !parse_numeric(rest, device, &tail))
		return false;
	revision = find_number(tail, "(rev ");
	interface = find_number(tail, "(prog-if ");
	device->revision = revision < 0 ? 0 : (uint8_t)revision;
	if (interface < 0)
		interface = usual_interface(device->class >> 8, device->name ? device->name : "");
	device->class |= (uint32_t)interface;
	return true;
}

static void parse_detail(char *line, struct device *device)
{
	static const char subsystem[] = "Subsystem: ", driver[] = "Kernel driver in use: ";
	char *id = find_id(line);

	if (has_prefix(line, subsystem) && !id && is_id(line + strlen(subsystem), ""))
		id = line + strlen(subsystem) - 1;
	if (has_prefix(line, subsystem) && id) {
		device->subsystem_vendor = (uint16_t)hex(id + 1, 4);
		device->subsystem_device = (uint16_t)hex(id + 6, 4);
	}
	if (has_prefix(line, driver) && !device->driver)
		device->driver = printable_copy(line + strlen(driver));
}

static int add_device(const struct pci_slot *slot, char *rest, size_t line,
		      struct hardware *hardware, struct error *err)
{
	struct device *device = hardware_add_device(hardware);

	device->bus = string_copy("pci");
	device->slot = pci_slot_format(slot);
	if (parse_device(rest, device))
		return 0;
	return error_set(err,
			 "line %zu: no class and ids for %s: take the output of lspci -nn or "
			 "lspci -x",
			 line, device->slot);
}

int pci_listing_read(const char *text, struct hardware *hardware, struct error *err)
{
	_cleanup_free_ char *copy = string_copy(text);
	char *at = copy, *line;
	size_t number = 0;

	while ((line = strsep(&at, "\n"))) {
		struct pci_slot slot;
		const char *rest;

		number++;
		line = string_trim(line);
		if (pci_slot_parse(line, &slot, &rest)) {
			if (add_device(&slot, line + (rest - line), number, hardware, err) < 0)
				return -1;
		} else if (hardware->device_count) {
			parse_detail(line, &hardware->device[hardware->device_count - 1]);
		}
	}
	for (size_t i = 0; i < hardware->device_count; i++)
		hardware->device[i].modalias = pci_modalias(&hardware->device[i]);
	return 0;
}
