// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>
#include <sys/stat.h>

#include "adapt/drivers.h"
#include "adapt/guest_image.h"
#include "adapt/hazards.h"
#include "base/fold.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/adaptation.h"
#include "cli/command.h"
#include "cli/image.h"

/* What a line of the table has room for on a text screen's 80 columns. */
enum { MODULE_WIDTH = 15, NAME_WIDTH = 18 };

/* The answer for one kernel. */
struct kernel_drivers {
	const struct guest_kernel *kernel;
	struct driver_matches matches;
	struct hazards hazards;
	char *error; /* why there is none, or NULL */
};

struct survey {
	struct hardware hardware;
	struct guest guest;
	struct source *source; /* of an image */
	struct drivers_db *db;
	struct kernel_drivers *kernel;
	size_t count;
};

static void survey_release(struct survey *survey)
{
	for (size_t i = 0; i < survey->count; i++) {
		driver_matches_release(&survey->kernel[i].matches);
		hazards_release(&survey->kernel[i].hazards);
		free(survey->kernel[i].error);
	}
	free(survey->kernel);
	guest_release(&survey->guest);
	source_close(survey->source);
	drivers_db_free(survey->db);
	hardware_release(&survey->hardware);
}

static bool is_disk(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

/* The disk is where the system will start from, if it is one of this machine. */
static int open_disk(const char *path, struct survey *survey, struct error *err)
{
	_cleanup_disk_ struct disk disk = {0};

	if (guest_open_disk(path, GUEST_READ_ONLY, &survey->guest, err) < 0)
		return -1;
	if (!survey->hardware.is_live)
		return 0;
	if (disk_describe(path, &disk, err) < 0)
		return -1;
	return hardware_follow_disk(&survey->hardware, &disk, err);
}

static int open_image(const struct options *options, struct survey *survey, struct error *err)
{
	struct image_request request = image_request_from(options);

	request.name = options->arguments.item[0];
	if (image_open(&request, &survey->source, err) < 0)
		return -1;
	return guest_open_image(survey->source, &survey->guest, err);
}

static int open_guest(const struct options *options, struct survey *survey, struct error *err)
{
	if (options->root)
		return guest_open_root(options->root, &survey->guest, err);
	if (is_disk(options->arguments.item[0]))
		return open_disk(options->arguments.item[0], survey, err);
	return open_image(options, survey, err);
}

static void survey_kernel(const struct survey *survey, struct kernel_drivers *out)
{
	_cleanup_error_ struct error err = {0};

	if (drivers_match(survey->db, &survey->hardware, &survey->guest, out->kernel->release,
			  &out->matches, &err) < 0 ||
	    hazards_find(survey->db, &survey->hardware, &survey->guest, out->kernel, &out->matches,
			 &out->hazards, &err) < 0)
		out->error = string_copy(error_text(&err));
}

/* A kernel whose index is damaged does not hide what the others can do. */
static int survey_kernels(struct survey *survey, struct error *err)
{
	size_t known = 0;

	if (survey->guest.kernel_count == 0)
		return error_set(err, "there is no kernel: /lib/modules holds no release");
	survey->kernel = calloc(survey->guest.kernel_count, sizeof(*survey->kernel));
	if (!survey->kernel)
		abort();
	for (size_t i = 0; i < survey->guest.kernel_count; i++) {
		struct kernel_drivers *kernel = &survey->kernel[survey->count++];

		kernel->kernel = &survey->guest.kernel[i];
		survey_kernel(survey, kernel);
		known += !kernel->error;
	}
	return known ? 0 : error_set(err, "%s", survey->kernel[0].error);
}

static json_object *kernel_json(const struct kernel_drivers *kernel)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "release", json_string_or_null(kernel->kernel->release));
	json_object_object_add(object, "image", json_string_or_null(kernel->kernel->image));
	json_object_object_add(object, "initramfs", json_string_or_null(kernel->kernel->initramfs));
	json_object_object_add(object, "devices", driver_matches_json(&kernel->matches));
	json_object_object_add(object, "root", driver_matches_root_json(&kernel->matches));
	json_object_object_add(object, "way_assumed",
			       json_object_new_boolean(kernel->matches.is_way_assumed));
	json_object_object_add(object, "hazards", hazards_json(&kernel->hazards));
	if (kernel->error)
		json_object_object_add(object, "error", json_string_or_null(kernel->error));
	return object;
}

static json_object *survey_json(const struct survey *survey)
{
	json_object *object = json_object_new_object();
	json_object *kernels = json_object_new_array();

	json_object_object_add(object, "hardware", json_string_or_null(survey->hardware.source));
	json_object_object_add(object, "system", json_string_or_null(survey->guest.os_name));
	json_object_object_add(object, "kernels", kernels);
	for (size_t i = 0; i < survey->count; i++)
		json_object_array_add(kernels, kernel_json(&survey->kernel[i]));
	return object;
}

static void render_hazards(const struct hazards *hazards, struct text *out)
{
	for (size_t i = 0; i < hazards->count; i++) {
		const struct hazard *hazard = &hazards->item[i];
		_cleanup_free_ char *head =
			string_format("  %-6s ", hazard_severity_name(hazard->severity));
		_cleanup_free_ char *words = string_format("%s: %s", hazard->what, hazard->advice);

		fold(out, head, words);
	}
}

/* "ata_piix+1": the first, and how many more. */
static char *first_module(const struct strings *modules)
{
	if (modules->count == 0)
		return string_copy("-");
	if (modules->count == 1)
		return string_copy(modules->item[0]);
	return string_format("%s+%zu", modules->item[0], modules->count - 1);
}

static void render_match(const struct driver_match *match, struct text *out)
{
	const struct device *device = match->device;
	const char *slot =
		has_prefix(device->slot, "0000:") ? device->slot + strlen("0000:") : device->slot;
	_cleanup_free_ char *module = first_module(&match->modules);
	char id[16] = "-";

	if (device->vendor || device->device)
		snprintf(id, sizeof(id), "%04x:%04x", device->vendor, device->device);
	text_addf(out, "  %c %-13.13s %-9s %-16s ", match->is_boot_critical ? '*' : ' ', slot, id,
		  verdict_name(match->verdict));
	if (device->name)
		text_addf(out, "%-*.*s %.*s\n", MODULE_WIDTH, MODULE_WIDTH, module, NAME_WIDTH,
			  device->name);
	else
		text_addf(out, "%s\n", module);
}

static bool is_troubled(const struct driver_match *match)
{
	return match->verdict == VERDICT_MISSING || match->verdict == VERDICT_BLACKLISTED ||
	       match->verdict == VERDICT_FIRMWARE_MISSING;
}

/* Which part of the table a device stands in: what keeps the system from starting first. */
static int rank(const struct driver_match *match)
{
	if (match->verdict == VERDICT_NO_DRIVER_NEEDED)
		return 4;
	if (is_troubled(match))
		return match->is_boot_critical ? 0 : match->is_required ? 2 : 3;
	return match->is_boot_critical ? 1 : 3;
}

static void render_matches(const struct driver_matches *matches, struct text *out)
{
	size_t unneeded = 0;

	for (int part = 0; part < 4; part++)
		for (size_t i = 0; i < matches->count; i++)
			if (rank(&matches->item[i]) == part)
				render_match(&matches->item[i], out);
	for (size_t i = 0; i < matches->count; i++)
		unneeded += matches->item[i].verdict == VERDICT_NO_DRIVER_NEEDED;
	if (unneeded)
		text_addf(out, "    and %zu that need no driver\n", unneeded);
}

static void render_root(const struct driver_matches *matches, struct text *out)
{
	for (size_t i = 0; i < matches->root_count; i++) {
		const struct root_module *module = &matches->root[i];

		text_addf(out, "  * %-23.23s %-16s %s\n", module->why,
			  verdict_name(module->verdict), module->name);
	}
}

static void render_kernel(const struct kernel_drivers *kernel, struct text *out)
{
	text_addf(out, "\nKernel    %s\n", kernel->kernel->release);
	if (kernel->error) {
		fold(out, "  fatal  ", kernel->error);
		return;
	}
	render_hazards(&kernel->hazards, out);
	render_matches(&kernel->matches, out);
	render_root(&kernel->matches, out);
}

static void render(const struct survey *survey, struct text *out)
{
	bool is_assumed = false;

	text_addf(out, "System    %s\n", string_or_dash(survey->guest.os_name));
	text_addf(out, "Hardware  %s\n", survey->hardware.source);
	for (size_t i = 0; i < survey->count; i++) {
		render_kernel(&survey->kernel[i], out);
		is_assumed = is_assumed || survey->kernel[i].matches.is_way_assumed;
	}
	text_add(out, "\n");
	fold(out, "*   ",
	     is_assumed ? "the system does not start without it; which disk it will be on is not "
			  "known, and every storage controller is taken for the one"
			: "the system does not start without it");
}

static int survey_all(const struct options *options, struct survey *survey, struct error *err)
{
	if (drivers_db_load(NULL, &survey->db, err) < 0 ||
	    adaptation_hardware(options, &survey->hardware, err) < 0 ||
	    open_guest(options, survey, err) < 0)
		return -1;
	return survey_kernels(survey, err);
}

enum exit_status command_drivers(const struct options *options, struct output *output,
				 struct error *err)
{
	_cleanup_(survey_release) struct survey survey = {.guest = {.root_fd = -1}};
	_cleanup_text_ struct text text = {0};
	json_object *json;

	if (options->arguments.count + (options->root != NULL) != 1) {
		error_set(err, "drivers wants one image or disk, or --root DIR");
		return EXIT_USAGE;
	}
	if (survey_all(options, &survey, err) < 0)
		return EXIT_REFUSED;
	json = survey_json(&survey);
	render(&survey, &text);
	/* Only now it is known whether all of an image could be read. */
	if (guest_close(&survey.guest, err) < 0) {
		json_object_put(json);
		return EXIT_REFUSED;
	}
	if (options->json) {
		output_json(output, json);
		return EXIT_DONE;
	}
	json_object_put(json);
	output_result(output, text_string(&text));
	return EXIT_DONE;
}
