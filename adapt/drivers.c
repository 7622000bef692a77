// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/drivers.h"

#include <string.h>

#include "adapt/driver_candidates.h"
#include "base/scope.h"

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_MODULE] = "module",
		[VERDICT_BUILTIN] = "builtin",
		[VERDICT_MISSING] = "missing",
		[VERDICT_BLACKLISTED] = "blacklisted",
		[VERDICT_FIRMWARE_MISSING] = "firmware-missing",
		[VERDICT_NO_DRIVER_NEEDED] = "no-driver-needed",
	};

	return names[verdict];
}

/* What the kernel itself drives, or nobody does, on every machine. */
static bool is_core(const struct device_class *class)
{
	static const char *const roles[] = {"bridge", "system", "memory"};

	for (size_t i = 0; i < array_length(roles); i++)
		if (strcmp(class->role, roles[i]) == 0)
			return true;
	return false;
}

/* A node of the firmware, or a part of another device, says little about what it lacks. */
static bool is_function(const struct device *device)
{
	return device->vendor != 0 || device->class != 0;
}

static enum verdict verdict_without(const struct device_class *class, const struct device *device)
{
	if (class->need == NEED_REQUIRED)
		return VERDICT_MISSING;
	return is_core(class) || !is_function(device) ? VERDICT_NO_DRIVER_NEEDED : VERDICT_MISSING;
}

/* Breadth first over names, each once: soft dependencies may form a circle. */
static void add_needs(const struct module_index *index, const struct module_fact *fact,
		      struct strings *out)
{
	for (size_t i = 0; i < fact->needs.count; i++)
		strings_add_once(out, fact->needs.item[i]);
	for (size_t i = 0; i < out->count; i++) {
		const struct module_fact *next = module_index_fact(index, out->item[i]);

		for (size_t j = 0; next && j < next->needs.count; j++)
			if (strcmp(next->needs.item[j], fact->name) != 0)
				strings_add_once(out, next->needs.item[j]);
	}
}

static void match_device(const struct drivers_db *db, const struct module_index *index,
			 const struct device *device, struct driver_match *out)
{
	const struct device_class *class = drivers_db_class(db, device);
	_cleanup_candidates_ struct candidates candidates = {0};
	const struct module_fact *first;

	*out = (struct driver_match){.device = device,
				     .verdict = VERDICT_NO_DRIVER_NEEDED,
				     .is_required = class->need == NEED_REQUIRED};
	if (class->need == NEED_NONE)
		return;
	candidates_find(db, index, device, &candidates);
	first = candidates.count ? candidates.item[0].fact : candidates.usual;
	if (!first) {
		out->verdict = verdict_without(class, device);
		return;
	}
	out->verdict = first->is_builtin ? VERDICT_BUILTIN : VERDICT_MODULE;
	if (candidates.usual)
		strings_add(&out->modules, candidates.usual->name);
	for (size_t i = 0; i < candidates.count; i++)
		strings_add_once(&out->modules, candidates.item[i].fact->name);
	add_needs(index, first, &out->needs);
}

int drivers_match(const struct drivers_db *db, const struct hardware *hardware,
		  const struct guest *guest, const char *release, struct driver_matches *out,
		  struct error *err)
{
	_cleanup_strings_ struct strings questions = {0};
	_cleanup_module_index_ struct module_index index = {0};

	*out = (struct driver_matches){0};
	for (size_t i = 0; i < hardware->device_count; i++)
		candidates_ask(db, &hardware->device[i], &questions);
	if (module_index_ask(guest, release, &questions, &index, err) < 0)
		return -1;
	out->item = calloc(hardware->device_count + 1, sizeof(*out->item));
	if (!out->item)
		abort();
	for (size_t i = 0; i < hardware->device_count; i++)
		match_device(db, &index, &hardware->device[i], &out->item[out->count++]);
	return 0;
}

static void match_release(struct driver_match *match)
{
	strings_release(&match->modules);
	strings_release(&match->needs);
	strings_release(&match->firmware);
	free(match->blacklisted_by);
	free(match->firmware_package);
	free(match->signer);
}

static void root_module_release(struct root_module *module)
{
	free(module->name);
	free(module->why);
	free(module->blacklisted_by);
}

void driver_matches_release(struct driver_matches *matches)
{
	if (!matches)
		return;
	for (size_t i = 0; i < matches->count; i++)
		match_release(&matches->item[i]);
	for (size_t i = 0; i < matches->root_count; i++)
		root_module_release(&matches->root[i]);
	free(matches->item);
	free(matches->root);
	*matches = (struct driver_matches){0};
}
