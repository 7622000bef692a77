// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "adapt/hazards_private.h"
#include "base/scope.h"

enum { FILES_SHOWN = 3 };

/* Devices of one severity that lack a driver for one reason. */
struct group {
	enum hazard_severity severity;
	struct strings devices;
};

static void group_add(struct group *group, const struct device *device)
{
	_cleanup_free_ char *name = hazard_device(device);

	strings_add(&group->devices, name);
}

/* NULL: the kernel is young enough, or it is not known when the device was first driven. */
static const struct device_since *find_since(const struct hazard_search *search,
					     const struct driver_match *match)
{
	const struct device_since *since = drivers_db_since(search->db, match->device);

	return since && strverscmp(search->kernel->release, since->version) < 0 ? since : NULL;
}

static void add_too_old(struct hazard_search *search, const struct driver_match *match,
			const struct device_since *since)
{
	_cleanup_free_ char *device = hazard_device(match->device);
	_cleanup_free_ char *advice =
		string_format("install kernel %s or a newer one in the image", since->version);

	hazard_add(search, hazard_severity_of(search, match), advice,
		   "kernel %s is older than %s, which Linux drives from %s on (%s)",
		   search->kernel->release, device, since->version, since->module);
}

static void add_group(struct hazard_search *search, const struct kernel_flavour *flavour,
		      const struct group *group)
{
	_cleanup_free_ char *devices = strings_join(&group->devices, ", ");
	_cleanup_free_ char *advice = NULL;

	if (!group->devices.count)
		return;
	if (flavour) {
		advice = string_format("install the package %s in the image, or restore with a "
				       "driver pack that holds it (--driver-pack)",
				       flavour->package);
		hazard_add(search, group->severity, advice, "kernel %s has no driver for %s: %s",
			   search->kernel->release, devices, flavour->reason);
		return;
	}
	hazard_add(search, group->severity,
		   "install a kernel that has one, or the module, in the image, or restore with a "
		   "driver pack that brings it (--driver-pack)",
		   "kernel %s has no driver for %s", search->kernel->release, devices);
}

static void add_missing_root(struct hazard_search *search, const struct kernel_flavour *flavour)
{
	for (size_t i = 0; i < search->matches->root_count; i++) {
		const struct root_module *module = &search->matches->root[i];
		_cleanup_free_ char *advice =
			string_format("install %s in the image",
				      flavour ? flavour->package : "a kernel that has it");

		if (module->verdict == VERDICT_MISSING)
			hazard_add(search, hazard_severity_of_root(search, module), advice,
				   "kernel %s has no %s (%s)", search->kernel->release,
				   module->name, module->why);
	}
}

void hazards_of_missing(struct hazard_search *search)
{
	const struct kernel_flavour *flavour =
		drivers_db_flavour(search->db, search->guest, search->kernel->release);
	struct group groups[] = {
		{.severity = HAZARD_NOTE}, {.severity = HAZARD_RISK}, {.severity = HAZARD_FATAL}};

	for (size_t i = 0; i < search->matches->count; i++) {
		const struct driver_match *match = &search->matches->item[i];
		const struct device_since *since = find_since(search, match);

		if (match->verdict != VERDICT_MISSING ||
		    (!match->is_required && !match->is_boot_critical))
			continue;
		if (since)
			add_too_old(search, match, since);
		else
			group_add(&groups[hazard_severity_of(search, match)], match->device);
	}
	for (size_t i = 0; i < array_length(groups); i++) {
		add_group(search, flavour, &groups[i]);
		strings_release(&groups[i].devices);
	}
	add_missing_root(search, flavour);
}

static void add_blacklisted(struct hazard_search *search, enum hazard_severity severity,
			    enum blacklisting how, const char *module, const char *purpose,
			    const char *by)
{
	/* v2p names what the root needs to the initramfs, and then such a rule does not hold. */
	if (how == BLACKLIST_AUTOMATIC && severity == HAZARD_FATAL)
		severity = HAZARD_RISK;
	hazard_add(search, severity, "take that out of the image",
		   "%s, which drives %s, is blacklisted: %s", module, purpose, by);
}

void hazards_of_blacklists(struct hazard_search *search)
{
	for (size_t i = 0; i < search->matches->count; i++) {
		const struct driver_match *match = &search->matches->item[i];
		_cleanup_free_ char *device = hazard_device(match->device);

		if (match->verdict == VERDICT_BLACKLISTED &&
		    (match->is_required || match->is_boot_critical))
			add_blacklisted(search, hazard_severity_of(search, match),
					match->blacklisting, match->modules.item[0], device,
					match->blacklisted_by);
	}
	for (size_t i = 0; i < search->matches->root_count; i++) {
		const struct root_module *module = &search->matches->root[i];

		if (module->verdict == VERDICT_BLACKLISTED)
			add_blacklisted(search, hazard_severity_of_root(search, module),
					module->blacklisting, module->name, module->why,
					module->blacklisted_by);
	}
}

/* "a, b, c and 9 more". */
static char *some_of(const struct strings *files)
{
	struct text out = {0};

	for (size_t i = 0; i < files->count && i < FILES_SHOWN; i++)
		text_addf(&out, "%s%s", i ? ", " : "", files->item[i]);
	if (files->count > FILES_SHOWN)
		text_addf(&out, " and %zu more", files->count - FILES_SHOWN);
	return text_take(&out);
}

void hazards_of_firmware(struct hazard_search *search)
{
	for (size_t i = 0; i < search->matches->count; i++) {
		const struct driver_match *match = &search->matches->item[i];
		_cleanup_free_ char *device = NULL, *files = NULL, *advice = NULL;

		if (match->verdict != VERDICT_FIRMWARE_MISSING ||
		    (!match->is_required && !match->is_boot_critical))
			continue;
		device = hazard_device(match->device);
		files = some_of(&match->firmware);
		advice = match->firmware_package
				 ? string_format("install the package %s in the image",
						 match->firmware_package)
				 : string_copy("put them below /lib/firmware of the image");
		/* Some drivers do without: the device holds a version of its own. */
		hazard_add(search, match->is_boot_critical ? HAZARD_RISK : HAZARD_NOTE, advice,
			   "the image has no firmware for %s: %s asks for %s", device,
			   match->modules.item[0], files);
	}
}

static void check_signature(struct hazard_search *search, const struct driver_match *match)
{
	_cleanup_free_ char *device = hazard_device(match->device);
	const char *module = match->modules.item[0];
	enum hazard_severity severity = hazard_severity_of(search, match);

	if (match->is_unsigned)
		hazard_add(search, severity,
			   "sign it and enrol the key (mokutil --import), or switch Secure Boot "
			   "off in the firmware setup",
			   "Secure Boot is on, and %s, which drives %s, has no signature", module,
			   device);
	else if (match->signer)
		hazard_add(search, severity == HAZARD_FATAL ? HAZARD_RISK : severity,
			   "enrol its key on this machine (mokutil --import), or switch Secure "
			   "Boot off in the firmware setup",
			   "Secure Boot is on, and %s, which drives %s, is signed by \"%s\", whose "
			   "key this machine may not have",
			   module, device, match->signer);
}

void hazards_of_signatures(struct hazard_search *search)
{
	if (!search->hardware->has_secure_boot)
		return;
	for (size_t i = 0; i < search->matches->count; i++) {
		const struct driver_match *match = &search->matches->item[i];

		if (match->modules.count && (match->is_required || match->is_boot_critical))
			check_signature(search, match);
	}
}
