// SPDX-License-Identifier: GPL-3.0-or-later
/* A prediction for people and as JSON. */
#include <string.h>

#include "base/fold.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/prediction.h"

static json_object *report_member(const struct prediction *prediction, const char *name)
{
	return json_object_object_get(prediction->report.document, name);
}

static json_object *fact(const struct prediction *prediction, const char *name)
{
	return json_object_object_get(report_member(prediction, "facts"), name);
}

static const struct nic *find_nic(const struct hardware *hardware, const char *mac)
{
	for (size_t i = 0; mac && i < hardware->nic_count; i++)
		if (string_equal(hardware->nic[i].mac, mac))
			return &hardware->nic[i];
	return NULL;
}

static const struct device *find_device(const struct hardware *hardware, const char *slot)
{
	for (size_t i = 0; slot && i < hardware->device_count; i++)
		if (string_equal(hardware->device[i].slot, slot))
			return &hardware->device[i];
	return NULL;
}

static const char *string_member(json_object *object, const char *name)
{
	json_object *member = json_object_object_get(object, name);

	return member ? json_object_get_string(member) : "";
}

static char *describe_packs(const struct prediction_kernel *kernel)
{
	if (kernel->is_replaced)
		return string_format("; driver packs bring %s, which starts instead",
				     kernel->supplied);
	return string_copy(kernel->supplied ? "; driver packs bring what it lacks" : "");
}

static void render_kernel(const struct prediction *prediction,
			  const struct prediction_kernel *kernel, struct text *out)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_free_ char *packs = describe_packs(kernel);
	const char *state = kernel->can_start ? "would start, too" : "would not start here";

	if (string_equal(kernel->release, prediction->default_kernel))
		line = string_format("%s starts by default: %s%s", kernel->release,
				     prediction->default_how, packs);
	else
		line = string_format("%s %s", kernel->release,
				     kernel->why_not ? kernel->why_not : state);
	fold(out, "  kernel  ", line);
}

static void render_guest(const struct prediction *prediction, struct text *out)
{
	json_object *os = json_object_object_get(prediction->guest, "os");
	json_object *loader = fact(prediction, "boot-loader");
	json_object *entry = fact(prediction, "firmware-entry");
	_cleanup_free_ char *system =
		string_format("%s (%s), host name %s", string_or_dash(string_member(os, "name")),
			      string_or_dash(string_member(prediction->guest, "architecture")),
			      string_or_dash(string_member(prediction->guest, "hostname")));

	text_add(out, "\nGuest\n");
	fold(out, "  system  ", system);
	for (size_t i = 0; i < prediction->kernel_count; i++)
		render_kernel(prediction, &prediction->kernel[i], out);
	if (loader)
		fold(out, "  loader  ", json_object_get_string(loader));
	if (entry)
		fold(out, "  entry   ", json_object_get_string(entry));
}

static void render_device(const struct driver_match *match, struct text *out)
{
	_cleanup_free_ char *modules = strings_join(&match->modules, ", ");
	_cleanup_free_ char *head = string_format("  %-16s ", verdict_name(match->verdict));
	_cleanup_free_ char *line = string_format(
		"%s %s%s%s", match->device->slot ? match->device->slot : "",
		match->device->name ? match->device->name : string_or_dash(match->device->modalias),
		match->modules.count ? ": " : "", modules ? modules : "");

	fold(out, head, line);
}

static void render_devices(const struct prediction *prediction, struct text *out)
{
	const struct driver_matches *matches = &prediction->kernel[0].matches;
	bool is_first = true;

	if (!prediction->default_kernel || prediction->kernel[0].why_not)
		return;
	for (size_t i = 0; i < matches->count; i++) {
		if (!matches->item[i].is_boot_critical)
			continue;
		if (is_first)
			text_add(out, "\nDevices that the boot depends on\n");
		is_first = false;
		render_device(&matches->item[i], out);
	}
}

static void render_nic(const struct prediction *prediction, const char *guest, const char *mac,
		       struct text *out)
{
	const struct nic *nic = find_nic(prediction->hardware, mac);
	const struct device *device = nic ? find_device(prediction->hardware, nic->slot) : NULL;
	_cleanup_free_ char *line = NULL;

	if (!mac)
		line = string_format("%s: no card is left for it", guest);
	else
		line = string_format("%s becomes %s (%s%s%s)", guest, mac,
				     nic && nic->name ? nic->name : "no name yet",
				     device && device->name ? ", " : "",
				     device && device->name ? device->name : "");
	fold(out, "  ", line);
}

static void render_network(const struct prediction *prediction, struct text *out)
{
	json_object *nics = fact(prediction, "nics");

	if (!nics || json_object_object_length(nics) == 0)
		return;
	text_add(out, "\nNetwork\n");
	json_object_object_foreach(nics, guest, mac)
		render_nic(prediction, guest, mac ? json_object_get_string(mac) : NULL, out);
}

static void render_changes(const struct prediction *prediction, struct text *out)
{
	text_addf(out, "\nChanges in the guest%s\n", prediction->changes.count ? "" : ": none");
	for (size_t i = 0; i < prediction->changes.count; i++) {
		const struct change *change = &prediction->changes.item[i];
		_cleanup_free_ char *head = string_format("  %-10s ", change->step);
		_cleanup_free_ char *line = string_format("%s: %s", change->path, change->why);

		fold(out, head, line);
	}
}

static void render_warnings(const struct prediction *prediction, struct text *out)
{
	json_object *warnings = report_member(prediction, "warnings");
	size_t count = json_object_array_length(warnings);

	if (count)
		text_add(out, "\nWarnings\n");
	for (size_t i = 0; i < count; i++)
		fold(out, "  - ", json_object_get_string(json_object_array_get_idx(warnings, i)));
}

static void render_reasons(const struct boot_answer *answer, struct text *out)
{
	static const char *const heads[] = {
		[BOOT_WILL] = "  note    ",
		[BOOT_WILL_BUT] = "  but     ",
		[BOOT_WILL_NOT] = "  fatal   ",
		[BOOT_UNKNOWN] = "  unknown ",
	};

	if (answer->count)
		text_add(out, "\nFor the start\n");
	for (size_t i = 0; i < answer->count; i++) {
		const struct boot_reason *reason = &answer->reason[i];
		_cleanup_free_ char *line =
			string_format("%s%s%s", reason->what, reason->advice ? ": " : "",
				      reason->advice ? reason->advice : "");

		fold(out, heads[reason->verdict], line);
	}
}

void prediction_render(const struct prediction *prediction, struct text *out)
{
	if (prediction->guest) {
		render_guest(prediction, out);
		render_devices(prediction, out);
		render_network(prediction, out);
		render_changes(prediction, out);
	}
	render_warnings(prediction, out);
	render_reasons(&prediction->answer, out);
}

static json_object *kernel_json(const struct prediction_kernel *kernel)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "release", json_object_new_string(kernel->release));
	json_object_object_add(object, "can-start", json_object_new_boolean(kernel->can_start));
	json_object_object_add(object, "why-not", json_string_or_null(kernel->why_not));
	json_object_object_add(object, "with-driver-packs", json_string_or_null(kernel->supplied));
	json_object_object_add(object, "devices", driver_matches_json(&kernel->matches));
	json_object_object_add(object, "root-modules", driver_matches_root_json(&kernel->matches));
	json_object_object_add(object, "hazards", hazards_json(&kernel->hazards));
	return object;
}

static json_object *kernels_json(const struct prediction *prediction)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < prediction->kernel_count; i++)
		json_object_array_add(list, kernel_json(&prediction->kernel[i]));
	return list;
}

static json_object *default_json(const struct prediction *prediction)
{
	json_object *object;

	if (!prediction->default_kernel)
		return NULL;
	object = json_object_new_object();
	json_object_object_add(object, "release",
			       json_object_new_string(prediction->default_kernel));
	json_object_object_add(object, "how", json_object_new_string(prediction->default_how));
	return object;
}

static json_object *nics_json(const struct prediction *prediction)
{
	json_object *list = json_object_new_array(), *nics = fact(prediction, "nics");

	if (!nics)
		return list;
	json_object_object_foreach(nics, guest, mac)
	{
		const char *address = mac ? json_object_get_string(mac) : NULL;
		const struct nic *nic = find_nic(prediction->hardware, address);
		json_object *entry = json_object_new_object();

		json_object_object_add(entry, "guest", json_object_new_string(guest));
		json_object_object_add(entry, "mac", json_string_or_null(address));
		json_object_object_add(entry, "name", json_string_or_null(nic ? nic->name : NULL));
		json_object_object_add(entry, "device",
				       json_string_or_null(nic ? nic->slot : NULL));
		json_object_array_add(list, entry);
	}
	return list;
}

static json_object *changes_json(const struct prediction *prediction)
{
	struct report report;
	json_object *list;

	report_init(&report);
	for (size_t i = 0; i < prediction->changes.count; i++) {
		const struct change *change = &prediction->changes.item[i];

		report_change(&report, change->step, change->path, change->why, change->diff);
	}
	list = json_object_get(json_object_object_get(report.document, "changes"));
	report_release(&report);
	return list;
}

json_object *prediction_json(const struct prediction *prediction)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "guest", json_object_get(prediction->guest));
	json_object_object_add(object, "default-kernel", default_json(prediction));
	json_object_object_add(object, "kernels", kernels_json(prediction));
	json_object_object_add(object, "nics", nics_json(prediction));
	json_object_object_add(object, "boot-loader",
			       json_object_get(fact(prediction, "boot-loader")));
	json_object_object_add(object, "firmware-entry",
			       json_object_get(fact(prediction, "firmware-entry")));
	json_object_object_add(object, "driver-packs",
			       json_object_get(fact(prediction, "driver-packs")));
	json_object_object_add(object, "changes", changes_json(prediction));
	json_object_object_add(object, "warnings",
			       json_object_get(report_member(prediction, "warnings")));
	json_object_object_add(object, "answer", boot_answer_json(&prediction->answer));
	return object;
}
