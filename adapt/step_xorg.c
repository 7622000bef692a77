// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Step xorg: what xorg.conf and xorg.conf.d say about the VM's graphics card (xorg.conf(5)). A
 * driver for a virtual card becomes modesetting, which every KMS driver serves; options that only
 * the old driver knew go, since X warns of each. A BusID that is not that of a display of this
 * machine goes too: X finds the card by itself, but not one that it is told to look for elsewhere.
 * Monitors, modes and screens stay.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/config.h"
#include "base/scope.h"

static const char step_name[] = "xorg";
static const char consequence[] = "X may look for the VM's graphics card and not start";

/* Options of modesetting(4), and those that the server itself reads; as X compares names. */
static const char *const kept_options[] = {"accelmethod", "asyncflipsecondaries",
					   "atomic",      "doubleshadow",
					   "dpms",        "kmsdev",
					   "pageflip",    "rotate",
					   "shadowfb",    "swcursor",
					   "tearfree",    "usegammalut",
					   "debug",       "variablerefresh",
					   "zaphodheads", "preferclonemode"};

/* X ignores case, spaces and underscores in names. */
static char *fold_name(const char *name)
{
	struct text folded = {0};

	for (; *name; name++) {
		char c = (char)tolower((unsigned char)*name);

		if (c != ' ' && c != '\t' && c != '_')
			text_add_bytes(&folded, &c, 1);
	}
	return text_take(&folded);
}

static bool is_kept_option(const char *option)
{
	_cleanup_free_ char *name = fold_name(option);

	if (has_prefix(name, "monitor-"))
		return true;
	for (size_t i = 0; i < array_length(kept_options); i++) {
		if (strcmp(kept_options[i], name) == 0)
			return true;
	}
	return false;
}

/* "PCI:bus@domain:device:function", decimal numbers, the function optional: as sysfs has it, or
 * NULL. */
static char *bus_id_slot(const char *bus_id)
{
	unsigned int bus, domain = 0, device, function = 0;

	while (*bus_id == '"' || *bus_id == ' ')
		bus_id++;
	if (strncasecmp(bus_id, "PCI:", 4) == 0)
		bus_id += 4;
	if (sscanf(bus_id, "%4u@%5u:%2u:%1u", &bus, &domain, &device, &function) < 3 &&
	    sscanf(bus_id, "%4u:%2u:%1u", &bus, &device, &function) < 2)
		return NULL;
	return string_format("%04x:%02x:%02x.%x", domain, bus, device, function);
}

static bool is_display_here(const struct hardware *hardware, const char *bus_id)
{
	_cleanup_free_ char *slot = bus_id_slot(bus_id);

	for (size_t i = 0; slot && i < hardware->device_count; i++) {
		const struct device *device = &hardware->device[i];

		if (device->class >> 16 == 0x03 && string_equal(device->slot, slot))
			return true;
	}
	return false;
}

static bool is_pci_known(const struct hardware *hardware)
{
	for (size_t i = 0; i < hardware->device_count; i++) {
		if (string_equal(hardware->device[i].bus, "pci"))
			return true;
	}
	return false;
}

static void drop_bus_id(const struct adaptation *adaptation, struct augeas_text *tree,
			const char *section)
{
	_cleanup_strings_ struct strings entries = {0};

	if (!is_pci_known(adaptation->hardware))
		return;
	augeas_text_match(tree, &entries, "%s/*[label() =~ regexp('[Bb][Uu][Ss]_?[Ii][Dd]')]",
			  section);
	for (size_t i = entries.count; i-- > 0;) {
		const char *value = augeas_text_get(tree, "%s", entries.item[i]);

		if (value && !is_display_here(adaptation->hardware, value))
			augeas_text_remove(tree, "%s", entries.item[i]);
	}
}

static void drop_options(struct augeas_text *tree, const char *section)
{
	_cleanup_strings_ struct strings options = {0};

	augeas_text_match(tree, &options, "%s/Option", section);
	for (size_t i = options.count; i-- > 0;) {
		const char *name = augeas_text_get(tree, "%s", options.item[i]);

		if (name && !is_kept_option(name))
			augeas_text_remove(tree, "%s", options.item[i]);
	}
}

static void adapt_device(const struct adaptation *adaptation, struct augeas_text *tree,
			 const char *section)
{
	const char *driver = augeas_text_get(tree, "%s/Driver", section);

	drop_bus_id(adaptation, tree, section);
	if (!driver || !drivers_db_is_virtual_xorg_driver(adaptation->db, driver))
		return;
	drop_options(tree, section);
	augeas_text_set(tree, "modesetting", "%s/Driver", section);
}

static void warn_input(const struct adaptation *adaptation, const struct augeas_text *tree,
		       const char *path)
{
	_cleanup_strings_ struct strings drivers = {0};

	augeas_text_match(tree, &drivers, "InputDevice/Driver");
	augeas_text_match(tree, &drivers, "InputClass/Driver");
	for (size_t i = 0; i < drivers.count; i++) {
		const char *driver = augeas_text_get(tree, "%s", drivers.item[i]);

		if (driver && drivers_db_is_virtual_xorg_driver(adaptation->db, driver))
			report_warning(adaptation->report,
				       "%s gives an input device the driver %s, which is for a "
				       "VM's; it stays, and X uses that device only if it finds "
				       "another driver",
				       path, driver);
	}
}

static int plan_file(struct adaptation *adaptation, struct changes *changes, const char *path,
		     struct error *err)
{
	_cleanup_augeas_text_ struct augeas_text tree = {0};
	_cleanup_strings_ struct strings sections = {0};

	if (!config_parse(adaptation, changes, path, "Xorg.lns", consequence, &tree))
		return 0;
	augeas_text_match(&tree, &sections, "Device");
	for (size_t i = 0; i < sections.count; i++)
		adapt_device(adaptation, &tree, sections.item[i]);
	warn_input(adaptation, &tree, path);
	return config_save(adaptation, changes, step_name, path, &tree,
			   "it describes the VM's graphics card", consequence, err);
}

static int xorg_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	strings_add(&files, "/etc/X11/xorg.conf");
	if (guest_glob(adaptation->guest, "/etc/X11/xorg.conf.d", "*.conf", &files, err))
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		if (plan_file(adaptation, changes, files.item[i], err))
			return -1;
	}
	return 0;
}

const struct step_ops step_xorg = {
	.name = step_name,
	.plan = xorg_plan,
};
