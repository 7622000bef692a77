// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "adapt/drivers.h"
#include "base/scope.h"
#include "cli/adaptation.h"
#include "cli/command.h"
#include "restore/target.h"

enum { NAME_WIDTH = 36 }; /* what is left of a text screen's 80 columns */

static void render_machine(const struct hardware *hardware, struct text *out)
{
	text_addf(out, "Machine   %s %s, serial %s, BIOS %s\n",
		  string_or_dash(hardware->dmi_vendor), string_or_dash(hardware->dmi_product),
		  string_or_dash(hardware->dmi_serial), string_or_dash(hardware->dmi_bios));
	text_addf(out, "Processor %s\n", string_or_dash(hardware->cpu_vendor));
	text_addf(out, "Firmware  %s%s\n", hardware->is_uefi ? "UEFI" : "BIOS",
		  hardware->has_secure_boot ? ", Secure Boot is on" : "");
}

static void render_disk(const struct hardware *hardware, const struct disk *disk, struct text *out)
{
	_cleanup_free_ char *size = size_format(disk->size);
	_cleanup_error_ struct error why_not = {0};

	text_addf(out, "  %-14s %9s  %-6s %-4s serial=%s model=%s\n", disk->path, size,
		  string_or_dash(disk->transport), disk->rotational ? "hdd" : "ssd",
		  string_or_dash(disk->serial), string_or_dash(disk->model));
	if (disk->wwn)
		text_addf(out, "  %-14s wwn=%s\n", "", disk->wwn);
	if (hardware->is_live && target_check(disk, &why_not) < 0)
		text_addf(out, "  %-14s cannot be restored to: %s\n", "", error_text(&why_not));
}

static void render_disks(const struct hardware *hardware, struct text *out)
{
	text_addf(out, "\nDisks\n");
	for (size_t i = 0; i < hardware->disks.count; i++)
		render_disk(hardware, &hardware->disks.item[i], out);
	if (hardware->disks.count == 0)
		text_add(
			out,
			"  none was found: is a driver missing, or a RAID mode set in firmware?\n");
}

static void render_nics(const struct hardware *hardware, struct text *out)
{
	text_addf(out, "\nNetwork\n");
	for (size_t i = 0; i < hardware->nic_count; i++) {
		const struct nic *nic = &hardware->nic[i];

		text_addf(out, "  %-14s %s  driver %s at %s, %s\n", nic->name,
			  string_or_dash(nic->mac), string_or_dash(nic->driver),
			  string_or_dash(nic->slot),
			  nic->has_link ? "link" : "no link, or not brought up");
	}
	if (hardware->nic_count == 0)
		text_add(out, "  none was found\n");
}

/* As lspci prints it: the domain only where there is more than one. */
static const char *short_slot(const char *slot)
{
	return has_prefix(slot, "0000:") ? slot + strlen("0000:") : slot;
}

static void render_devices(const struct hardware *hardware, const struct drivers_db *db,
			   struct text *out)
{
	text_addf(out, "\nPCI devices\n");
	for (size_t i = 0; i < hardware->device_count; i++) {
		const struct device *device = &hardware->device[i];

		if (strcmp(device->bus, "pci") != 0)
			continue;
		text_addf(out, "  %-8s %04x:%04x %-8s %-12s %.*s\n", short_slot(device->slot),
			  device->vendor, device->device, drivers_db_role(db, device),
			  string_or_dash(device->driver), NAME_WIDTH, string_or_dash(device->name));
	}
}

static int print_hardware(const struct hardware *hardware, struct output *output, struct error *err)
{
	_cleanup_text_ struct text text = {0};
	struct drivers_db *db = NULL;

	if (drivers_db_load(NULL, &db, err) < 0)
		return -1;
	render_machine(hardware, &text);
	render_disks(hardware, &text);
	render_nics(hardware, &text);
	render_devices(hardware, db, &text);
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
