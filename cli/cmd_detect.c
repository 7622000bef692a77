// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "adapt/drivers.h"
#include "base/scope.h"
#include "cli/adaptation.h"
#include "cli/command.h"
#include "restore/target.h"

enum {
	WIDTH = 80, /* of a text screen */
	INDENT = 16,
};

/* Where a line is broken: the last space within room, else the first one after it; 0: nowhere. */
static size_t find_break(const char *line, size_t room)
{
	size_t start = strspn(line, " ");
	size_t at = room;

	while (at > start && (line[at] != ' ' || line[at - 1] == ' '))
		at--;
	if (at > start)
		return at;
	at = start + strcspn(line + start, " ");
	return line[at] ? at : 0;
}

/* Longer lines go on below, indented. */
__attribute__((format(printf, 2, 3))) static void add_line(struct text *out, const char *format,
							   ...)
{
	_cleanup_text_ struct text line = {0};
	const char *rest;
	size_t room = WIDTH, at;
	va_list args;

	va_start(args, format);
	text_vaddf(&line, format, args);
	va_end(args);
	rest = text_string(&line);
	while (strlen(rest) > room && (at = find_break(rest, room)) > 0) {
		text_addf(out, "%.*s\n%*s", (int)at, rest, INDENT, "");
		rest += at + strspn(rest + at, " ");
		room = WIDTH - INDENT;
	}
	text_addf(out, "%s\n", rest);
}

/* As lspci prints it: the domain only where there is more than one. */
static const char *short_slot(const char *slot)
{
	return slot && has_prefix(slot, "0000:") ? slot + strlen("0000:") : string_or_dash(slot);
}

static void render_firmware(const struct hardware *hardware, struct text *out)
{
	static const char *const states[] = {
		[SECURE_BOOT_UNKNOWN] = "Secure Boot is not known",
		[SECURE_BOOT_OFF] = "Secure Boot is off",
		[SECURE_BOOT_ON] = "Secure Boot is on",
		[SECURE_BOOT_SETUP] = "Secure Boot is off, keys can be enrolled (setup mode)",
	};
	_cleanup_free_ char *space = size_format(hardware->efi_variable_space);
	_cleanup_text_ struct text line = {0};

	/* lspci tells nothing of it. */
	if (!hardware->is_uefi && hardware->secure_boot == SECURE_BOOT_UNKNOWN)
		text_add(&line, "not known");
	else
		text_add(&line, hardware->is_uefi ? "UEFI" : "BIOS");
	if (hardware->efi_bits)
		text_addf(&line, " (%u bit)", hardware->efi_bits);
	if (hardware->is_uefi)
		text_addf(&line, ", %s", states[hardware->secure_boot]);
	if (hardware->efi_variable_space)
		text_addf(&line, ", %s free for variables", space);
	add_line(out, "Firmware        %s", text_string(&line));
	if (hardware->dmi_bios)
		add_line(out, "                version %s of %s", hardware->dmi_bios,
			 string_or_dash(hardware->dmi_bios_date));
}

static void render_machine(const struct hardware *hardware, struct text *out)
{
	if (!hardware->dmi_vendor && !hardware->dmi_product)
		add_line(out, "Machine         not known: it has no DMI, or a list of devices "
			      "stands for it");
	else
		add_line(
			out, "Machine         %s %s, version %s, family %s, serial %s",
			string_or_dash(hardware->dmi_vendor), string_or_dash(hardware->dmi_product),
			string_or_dash(hardware->dmi_version), string_or_dash(hardware->dmi_family),
			string_or_dash(hardware->dmi_serial));
	if (hardware->dmi_board_vendor || hardware->dmi_board)
		add_line(out, "Board           %s %s", string_or_dash(hardware->dmi_board_vendor),
			 string_or_dash(hardware->dmi_board));
	if (hardware->cpu_vendor || hardware->cpu_model)
		add_line(out, "Processor       %s %s", string_or_dash(hardware->cpu_vendor),
			 string_or_dash(hardware->cpu_model));
	render_firmware(hardware, out);
}

/* "0:0:0:0 < 00:1f.2 (ahci)": from the disk towards the processor. */
static char *describe_way(const struct hardware *hardware, const char *slot)
{
	const struct device *device = hardware_device(hardware, slot);
	_cleanup_text_ struct text way = {0};

	for (size_t i = 0; device && i < HARDWARE_DEPTH; i++) {
		text_addf(&way, "%s%s", i ? " < " : "", short_slot(device->slot));
		if (device->driver)
			text_addf(&way, " (%s)", device->driver);
		device = hardware_parent(hardware, device);
	}
	return way.length ? text_take(&way) : string_copy("-");
}

static void render_disk(const struct hardware *hardware, const struct disk *disk, struct text *out)
{
	_cleanup_free_ char *size = size_format(disk->size);
	_cleanup_free_ char *way = describe_way(hardware, disk->hangs_on);
	_cleanup_error_ struct error why_not = {0};

	add_line(out, "  %-13s %s, %s, %s, sectors %u/%u%s%s", disk->path, size,
		 string_or_dash(disk->transport), disk->rotational ? "rotational" : "solid state",
		 disk->logical_sector, disk->physical_sector, disk->removable ? ", removable" : "",
		 disk->read_only ? ", read-only" : "");
	add_line(out, "                model %s, serial %s, wwn %s", string_or_dash(disk->model),
		 string_or_dash(disk->serial), string_or_dash(disk->wwn));
	add_line(out, "                hangs on %s", way);
	if (disk->by_path)
		add_line(out, "                %s", disk->by_path);
	if (hardware->is_live && target_check(disk, &why_not) < 0)
		add_line(out, "                cannot be restored to: %s", error_text(&why_not));
}

static void render_disks(const struct hardware *hardware, struct text *out)
{
	add_line(out, "\nDisks");
	for (size_t i = 0; i < hardware->disks.count; i++)
		render_disk(hardware, &hardware->disks.item[i], out);
	if (hardware->disks.count == 0)
		add_line(out, "  none was found: is a driver missing, or a RAID mode set in "
			      "firmware?");
}

static void render_nic(const struct nic *nic, struct text *out)
{
	add_line(out, "  %-13s %s, %s%s, %s on %s", nic->name, string_or_dash(nic->mac),
		 nic->has_link ? "link" : "no link, or not brought up",
		 nic->is_wireless ? ", wireless" : "", string_or_dash(nic->driver),
		 short_slot(nic->slot));
	if (!nic->permanent_mac)
		add_line(out, "                its driver does not tell the permanent address");
	else if (!string_equal(nic->permanent_mac, nic->current_mac))
		add_line(out, "                permanent %s, in use now %s", nic->permanent_mac,
			 string_or_dash(nic->current_mac));
}

static void render_nics(const struct hardware *hardware, struct text *out)
{
	add_line(out, "\nNetwork");
	for (size_t i = 0; i < hardware->nic_count; i++)
		render_nic(&hardware->nic[i], out);
	if (hardware->nic_count == 0)
		add_line(out, "  none was found");
}

static void render_displays(const struct hardware *hardware, struct text *out)
{
	add_line(out, "\nDisplays");
	for (size_t i = 0; i < hardware->display_count; i++) {
		const struct display *display = &hardware->display[i];

		add_line(out, "  %-13s %s, %s, %s on %s", display->name,
			 display->is_connected ? "connected" : "not connected",
			 string_or_dash(display->monitor), string_or_dash(display->mode),
			 short_slot(display->slot));
	}
	if (hardware->display_count == 0)
		add_line(out, "  none is known: only a driver with kernel mode setting shows them");
}

static void render_device(const struct device *device, const struct drivers_db *db,
			  struct text *out)
{
	_cleanup_text_ struct text what = {0};

	if (strcmp(device->bus, "pci") == 0)
		text_addf(&what, "%04x:%04x %02x  %04x:%04x %06x", device->vendor, device->device,
			  device->revision, device->subsystem_vendor, device->subsystem_device,
			  device->class);
	else
		text_add(&what, device->modalias);
	add_line(out, "  %-13s %-8s %-14s %s", short_slot(device->slot),
		 drivers_db_role(db, device), string_or_dash(device->driver), text_string(&what));
	if (device->name)
		add_line(out, "%*s%s", INDENT, "", device->name);
}

/* What nobody gave a role is of interest to programs only. */
static void render_others(const struct hardware *hardware, const struct drivers_db *db,
			  struct text *out)
{
	size_t left_out = 0;

	add_line(out, "\nOther devices   role     driver         alias");
	for (size_t i = 0; i < hardware->device_count; i++) {
		const struct device *device = &hardware->device[i];

		if (strcmp(device->bus, "pci") == 0)
			continue;
		if (strcmp(drivers_db_role(db, device), "other") == 0)
			left_out++;
		else
			render_device(device, db, out);
	}
	if (left_out)
		add_line(out, "  %zu of no particular role: see v2p detect --json", left_out);
}

static void render_devices(const struct hardware *hardware, const struct drivers_db *db,
			   struct text *out)
{
	size_t others = 0;

	add_line(out, "\nPCI             role     driver         device    rev subsystem class");
	for (size_t i = 0; i < hardware->device_count; i++) {
		const struct device *device = &hardware->device[i];

		if (strcmp(device->bus, "pci") == 0)
			render_device(device, db, out);
		else
			others++;
	}
	if (others)
		render_others(hardware, db, out);
}

/* What people look for comes last: a text screen without scrolling shows the end. */
static int print_hardware(const struct hardware *hardware, struct output *output, struct error *err)
{
	_cleanup_text_ struct text text = {0};
	struct drivers_db *db = NULL;

	if (drivers_db_load(NULL, &db, err) < 0)
		return -1;
	render_machine(hardware, &text);
	render_devices(hardware, db, &text);
	render_displays(hardware, &text);
	render_nics(hardware, &text);
	render_disks(hardware, &text);
	drivers_db_free(db);
	output_result(output, text_string(&text));
	return 0;
}

enum exit_status command_detect(const struct options *options, struct output *output,
				struct error *err)
{
	_cleanup_hardware_ struct hardware hardware = {0};

	if (options->arguments.count > 0) {
		error_set(err, "detect takes no argument");
		return EXIT_USAGE;
	}
	if (adaptation_hardware(options, &hardware, err) < 0)
		return EXIT_REFUSED;
	if (!options->json)
		return print_hardware(&hardware, output, err) < 0 ? EXIT_REFUSED : EXIT_DONE;
	output_json(output, hardware_json(&hardware));
	return EXIT_DONE;
}
