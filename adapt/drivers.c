// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/drivers.h"

#include <string.h>

#include "adapt/blacklist.h"
#include "adapt/driver_candidates.h"
#include "adapt/firmware_files.h"
#include "adapt/module_info.h"
#include "adapt/root_chain.h"
#include "base/scope.h"

enum { NEEDS_LIMIT = 512 }; /* the longest chain of a distribution has about 60 modules */

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
	/* usb: of the optional ones, hubs. */
	static const char *const roles[] = {"bridge", "system", "memory", "usb"};

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
	for (size_t i = 0; i < fact->needs.count && i < NEEDS_LIMIT; i++)
		strings_add_once(out, fact->needs.item[i]);
	for (size_t i = 0; i < out->count; i++) {
		const struct module_fact *next = module_index_fact(index, out->item[i]);

		for (size_t j = 0; next && j < next->needs.count && out->count < NEEDS_LIMIT; j++)
			if (strcmp(next->needs.item[j], fact->name) != 0)
				strings_add_once(out, next->needs.item[j]);
	}
}

/* What is known of one kernel and one machine while they are matched. */
struct matching {
	const struct drivers_db *db;
	const struct hardware *hardware;
	const struct guest *guest;
	const char *release;
	struct root_chain chain;
	struct blacklist blacklist;
	struct module_index index;
	struct module_infos infos;
};

static void matching_release(struct matching *matching)
{
	root_chain_release(&matching->chain);
	blacklist_release(&matching->blacklist);
	module_index_release(&matching->index);
	module_infos_release(&matching->infos);
}

static void match_device(const struct matching *matching, const struct device *device,
			 struct driver_match *out)
{
	const struct device_class *class = drivers_db_class(matching->db, device);
	_cleanup_candidates_ struct candidates candidates = {0};
	const struct candidate *first;

	*out = (struct driver_match){.device = device,
				     .verdict = VERDICT_NO_DRIVER_NEEDED,
				     .is_required = class->need == NEED_REQUIRED};
	candidates_find(matching->db, &matching->index, &matching->blacklist, device, &candidates);
	for (size_t i = 0; i < candidates.count; i++)
		strings_add_once(&out->modules, candidates.item[i].fact->name);
	/* Sensors and error counters have drivers that bind to a host bridge. */
	if (class->need == NEED_NONE)
		return;
	if (candidates.count == 0) {
		out->verdict = verdict_without(class, device);
		return;
	}
	first = &candidates.item[0];
	out->verdict = first->fact->is_builtin ? VERDICT_BUILTIN : VERDICT_MODULE;
	add_needs(&matching->index, first->fact, &out->needs);
	if (first->blacklisting == BLACKLIST_NONE)
		return;
	out->verdict = VERDICT_BLACKLISTED;
	out->blacklisting = first->blacklisting;
	out->blacklisted_by = string_copy(first->by);
}

static const struct module_fact *find_link(const struct module_index *index,
					   const struct root_link *link)
{
	for (size_t i = 0; i < link->names.count; i++) {
		const struct strings *found = module_index_find(index, link->names.item[i]);

		if (found && found->count)
			return module_index_fact(index, found->item[0]);
	}
	return NULL;
}

static void match_link(const struct matching *matching, const struct root_link *link,
		       struct driver_matches *out)
{
	const struct module_fact *fact = find_link(&matching->index, link);
	struct root_module *module;
	const char *by = NULL;

	if (!fact && !link->is_required)
		return;
	module = &out->root[out->root_count++];
	*module = (struct root_module){.name = string_copy(fact ? fact->name : link->module),
				       .why = string_copy(link->why),
				       .is_of_disk = link->is_of_disk,
				       .verdict = VERDICT_MISSING};
	if (!fact)
		return;
	module->verdict = fact->is_builtin ? VERDICT_BUILTIN : VERDICT_MODULE;
	module->blacklisting =
		fact->is_builtin ? blacklist_find_builtin(&matching->blacklist, fact->name, &by)
				 : blacklist_find(&matching->blacklist, fact->name,
						  link->names.item[0], &by);
	if (module->blacklisting == BLACKLIST_NONE)
		return;
	module->verdict = VERDICT_BLACKLISTED;
	module->blacklisted_by = string_copy(by);
}

static int ask_index(struct matching *matching, struct error *err)
{
	_cleanup_strings_ struct strings questions = {0};

	for (size_t i = 0; i < matching->hardware->device_count; i++)
		candidates_ask(matching->db, &matching->hardware->device[i], &questions);
	root_chain_ask(&matching->chain, &questions);
	return module_index_ask(matching->guest, matching->release, &questions, &matching->index,
				err);
}

static void match_all(const struct matching *matching, struct driver_matches *out)
{
	const struct hardware *hardware = matching->hardware;

	out->item = calloc(hardware->device_count + 1, sizeof(*out->item));
	out->root = calloc(matching->chain.link_count + 1, sizeof(*out->root));
	if (!out->item || !out->root)
		abort();
	for (size_t i = 0; i < hardware->device_count; i++) {
		struct driver_match *match = &out->item[out->count++];

		match_device(matching, &hardware->device[i], match);
		match->is_boot_critical = matching->chain.is_critical[i];
		/* What stands on the way and is not required is part of a device that is. */
		if (match->is_boot_critical && !match->is_required &&
		    match->verdict == VERDICT_MISSING)
			match->verdict = VERDICT_NO_DRIVER_NEEDED;
	}
	for (size_t i = 0; i < matching->chain.link_count; i++)
		match_link(matching, &matching->chain.link[i], out);
	out->is_way_assumed = matching->chain.is_way_assumed;
}

/*
 * Of the modules that a driver needs only the parts of the same driver are asked for their firmware
 * (rtw89_8852be and rtw89_8852b): the others serve different devices too (btusb needs btrtl,
 * whatever the make).
 */
static bool is_of_same_driver(const char *a, const char *b)
{
	enum { SAME_LETTERS = 4 };

	return strncmp(a, b, SAME_LETTERS) == 0;
}

/* What the modules that bind first, and their parts, say of themselves. */
static int ask_modules(struct matching *matching, const struct driver_matches *matches,
		       struct error *err)
{
	_cleanup_strings_ struct strings names = {0};

	for (size_t i = 0; i < matches->count; i++) {
		const struct driver_match *match = &matches->item[i];

		if (match->modules.count)
			strings_add_once(&names, match->modules.item[0]);
		for (size_t j = 0; j < match->needs.count; j++)
			if (is_of_same_driver(match->needs.item[j], match->modules.item[0]))
				strings_add_once(&names, match->needs.item[j]);
	}
	return module_info_ask(matching->guest, matching->release, &names, &matching->infos, err);
}

static void check_firmware(const struct matching *matching, const char *name,
			   struct driver_match *match)
{
	const struct module_info *info = module_info_find(&matching->infos, name);
	const char *package = NULL;

	if (!info || drivers_db_is_firmware_optional(matching->db, name, match->device))
		return;
	for (size_t i = 0; i < info->firmware.count; i++)
		if (firmware_exists(matching->guest, matching->release, info->firmware.item[i]))
			return;
	for (size_t i = 0; i < info->firmware.count; i++) {
		strings_add(&match->firmware, info->firmware.item[i]);
		if (!package)
			package = drivers_db_firmware_package(matching->db, matching->guest,
							      info->firmware.item[i]);
	}
	if (package && !match->firmware_package)
		match->firmware_package = string_copy(package);
}

static bool is_distributions(const struct module_fact *fact)
{
	/* Where depmod's search order has what was built or installed apart from the kernel. */
	static const char *const places[] = {"updates/", "extra/", "weak-updates/"};

	for (size_t i = 0; i < array_length(places); i++)
		if (has_prefix(fact->file, places[i]))
			return false;
	return true;
}

static void check_signature(const struct matching *matching, struct driver_match *match)
{
	const char *name = match->modules.item[0];
	const struct module_info *info = module_info_find(&matching->infos, name);
	const struct module_fact *fact = module_index_fact(&matching->index, name);

	if (!info || !info->is_read || !fact || fact->is_builtin)
		return;
	match->is_unsigned = !info->signer;
	if (info->signer && !is_distributions(fact))
		match->signer = string_copy(info->signer);
}

static void judge_modules(const struct matching *matching, struct driver_match *match)
{
	if (!match->modules.count)
		return;
	check_signature(matching, match);
	if (match->verdict == VERDICT_BLACKLISTED)
		return;
	check_firmware(matching, match->modules.item[0], match);
	for (size_t i = 0; i < match->needs.count; i++)
		if (is_of_same_driver(match->needs.item[i], match->modules.item[0]))
			check_firmware(matching, match->needs.item[i], match);
	if (match->firmware.count)
		match->verdict = VERDICT_FIRMWARE_MISSING;
}

static int match_kernel(struct matching *matching, struct driver_matches *out, struct error *err)
{
	if (root_chain_find(matching->db, matching->hardware, matching->guest, &matching->chain,
			    err) < 0 ||
	    blacklist_read(matching->guest, matching->release, &matching->blacklist, err) < 0 ||
	    ask_index(matching, err) < 0)
		return -1;
	match_all(matching, out);
	if (ask_modules(matching, out, err) < 0)
		return -1;
	for (size_t i = 0; i < out->count; i++)
		judge_modules(matching, &out->item[i]);
	return 0;
}

int drivers_match(const struct drivers_db *db, const struct hardware *hardware,
		  const struct guest *guest, const char *release, struct driver_matches *out,
		  struct error *err)
{
	_cleanup_(matching_release) struct matching matching = {
		.db = db, .hardware = hardware, .guest = guest, .release = release};

	*out = (struct driver_matches){0};
	if (match_kernel(&matching, out, err) < 0) {
		driver_matches_release(out);
		return -1;
	}
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
