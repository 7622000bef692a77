// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/hazards.h"

#include "base/json.h"

const char *hazard_severity_name(enum hazard_severity severity)
{
	static const char *const names[] = {"note", "risk", "fatal"};

	return names[severity];
}

int hazards_find(const struct drivers_db *db, const struct hardware *hardware,
		 const struct guest *guest, const struct guest_kernel *kernel,
		 const struct driver_matches *matches, struct hazards *out, struct error *err)
{
	(void)db;
	(void)hardware;
	(void)guest;
	(void)kernel;
	(void)matches;
	(void)err;
	*out = (struct hazards){0};
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
