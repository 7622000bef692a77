// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/hazards.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/hazards_private.h"
#include "base/json.h"
#include "base/scope.h"

const char *hazard_severity_name(enum hazard_severity severity)
{
	static const char *const names[] = {"note", "risk", "fatal"};

	return names[severity];
}

void hazard_add(struct hazard_search *search, enum hazard_severity severity, const char *advice,
		const char *format, ...)
{
	struct hazards *out = search->out;
	_cleanup_text_ struct text what = {0};
	va_list args;
	size_t at;

	va_start(args, format);
	text_vaddf(&what, format, args);
	va_end(args);
	out->item = reallocarray(out->item, out->count + 1, sizeof(*out->item));
	if (!out->item)
		abort();
	for (at = out->count; at > 0 && out->item[at - 1].severity < severity; at--)
		out->item[at] = out->item[at - 1];
	out->item[at] = (struct hazard){severity, string_printable(text_string(&what)),
					string_printable(advice)};
	out->count++;
}

/* The disk is not known, and a storage controller other than this one has a driver: a fault here
 * may not matter. */
static bool is_way_open(const struct hazard_search *search, const struct driver_match *except)
{
	const struct driver_matches *matches = search->matches;

	for (size_t i = 0; matches->is_way_assumed && i < matches->count; i++) {
		const struct driver_match *match = &matches->item[i];

		if (match != except && match->is_boot_critical &&
		    strcmp(drivers_db_role(search->db, match->device), "storage") == 0 &&
		    (match->verdict == VERDICT_MODULE || match->verdict == VERDICT_BUILTIN))
			return true;
	}
	return false;
}

enum hazard_severity hazard_severity_of(const struct hazard_search *search,
					const struct driver_match *match)
{
	/* Bridges stand on the way to the disk and work without a driver of their own. */
	if (!match->is_boot_critical || !match->is_required)
		return HAZARD_NOTE;
	return is_way_open(search, match) ? HAZARD_RISK : HAZARD_FATAL;
}

enum hazard_severity hazard_severity_of_root(const struct hazard_search *search,
					     const struct root_module *module)
{
	return module->is_of_disk && is_way_open(search, NULL) ? HAZARD_RISK : HAZARD_FATAL;
}

char *hazard_device(const struct device *device)
{
	if (device->vendor)
		return string_format("%s (%s%s%04x:%04x)", device->slot,
				     device->name ? device->name : "", device->name ? ", " : "",
				     device->vendor, device->device);
	return string_format("%s (%s)", device->slot,
			     device->name ? device->name : device->modalias);
}

int hazards_find(const struct drivers_db *db, const struct hardware *hardware,
		 const struct guest *guest, const struct guest_kernel *kernel,
		 const struct driver_matches *matches, struct hazards *out, struct error *err)
{
	struct hazard_search search = {db, hardware, guest, kernel, matches, out};

	(void)err;
	*out = (struct hazards){0};
	hazards_of_missing(&search);
	hazards_of_modes(&search);
	hazards_of_blacklists(&search);
	hazards_of_signatures(&search);
	hazards_of_firmware(&search);
	return 0;
}

void hazards_release(struct hazards *hazards)
{
	if (!hazards)
		return;
	for (size_t i = 0; i < hazards->count; i++) {
		free(hazards->item[i].what);
		free(hazards->item[i].advice);
	}
	free(hazards->item);
	*hazards = (struct hazards){0};
}

json_object *hazards_json(const struct hazards *hazards)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < hazards->count; i++) {
		const struct hazard *hazard = &hazards->item[i];
		json_object *object = json_object_new_object();

		json_object_object_add(object, "severity",
				       json_string_or_null(hazard_severity_name(hazard->severity)));
		json_object_object_add(object, "what", json_string_or_null(hazard->what));
		json_object_object_add(object, "advice", json_string_or_null(hazard->advice));
		json_object_array_add(array, object);
	}
	return array;
}
