// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_need.h"

#include <string.h>

#include "adapt/modalias.h"
#include "base/scope.h"

static void add(struct pack_needs *needs, struct pack_need need)
{
	if (needs->count < PACK_NEEDS_LIMIT)
		needs->item[needs->count++] = need;
}

static void add_devices(const struct driver_matches *matches, bool critical, struct pack_needs *out)
{
	for (size_t i = 0; i < matches->count; i++) {
		const struct driver_match *match = &matches->item[i];

		if (match->is_boot_critical != critical || (!critical && !match->is_required))
			continue;
		if (match->verdict == VERDICT_MISSING)
			add(out, (struct pack_need){PACK_NEED_DRIVER, match, NULL, critical});
		if (match->verdict == VERDICT_FIRMWARE_MISSING)
			add(out, (struct pack_need){PACK_NEED_FIRMWARE, match, NULL, critical});
	}
}

void pack_needs_find(const struct driver_matches *matches, struct pack_needs *out)
{
	*out = (struct pack_needs){0};
	add_devices(matches, true, out);
	for (size_t i = 0; i < matches->root_count; i++)
		if (matches->root[i].verdict == VERDICT_MISSING)
			add(out,
			    (struct pack_need){PACK_NEED_MODULE, NULL, &matches->root[i], true});
	add_devices(matches, false, out);
}

void pack_needs_to_start(const struct driver_matches *matches, struct pack_needs *out)
{
	*out = (struct pack_needs){0};
	for (size_t i = 0; i < matches->count; i++) {
		const struct driver_match *match = &matches->item[i];

		if (match->is_boot_critical && match->verdict != VERDICT_NO_DRIVER_NEEDED)
			add(out, (struct pack_need){PACK_NEED_DRIVER, match, NULL, true});
	}
	for (size_t i = 0; i < matches->root_count; i++)
		add(out, (struct pack_need){PACK_NEED_MODULE, NULL, &matches->root[i], true});
}

static bool drives(const struct pack_entry *entry, const struct device *device, const char **by)
{
	for (size_t i = 0; i < entry->modaliases.count; i++) {
		const struct pack_pair *pair = &entry->modaliases.item[i];

		if (!modalias_matches(pair->first, device->modalias))
			continue;
		*by = pair->second;
		return true;
	}
	return false;
}

/* "modules/snd-hda-intel.ko.xz" holds snd_hda_intel. */
static bool is_file_of(const char *path, const char *module)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	_cleanup_free_ char *name = string_format("%.*s", (int)strcspn(base, "."), base);

	return modalias_matches(name, module);
}

static bool has_module(const struct pack_entry *entry, const char *module)
{
	for (size_t i = 0; i < entry->modules.count; i++)
		if (modalias_matches(entry->modules.item[i], module))
			return true;
	for (size_t i = 0; entry->kind == PACK_MODULES && i < entry->file_count; i++)
		if (is_file_of(entry->file[i].path, module))
			return true;
	return false;
}

/* In the pack it may be compressed, and what a driver asks for may be a pattern. */
static bool is_firmware(const char *path, const char *wanted)
{
	static const char *const suffixes[] = {"", ".xz", ".zst"};

	for (size_t i = 0; i < array_length(suffixes); i++) {
		_cleanup_free_ char *name = string_format("%s%s", wanted, suffixes[i]);

		if (modalias_matches(name, path))
			return true;
	}
	return false;
}

static bool brings_firmware(const struct pack_entry *entry, const char *wanted, const char **by)
{
	for (size_t i = 0; i < entry->firmware.count; i++) {
		*by = entry->firmware.item[i];
		if (is_firmware(*by, wanted))
			return true;
	}
	for (size_t i = 0; entry->kind == PACK_FIRMWARE && i < entry->file_count; i++) {
		*by = entry->file[i].path + strlen("firmware/");
		if (is_firmware(*by, wanted))
			return true;
	}
	return false;
}

bool pack_entry_brings_firmware(const struct pack_entry *entry, const struct strings *wanted,
				const char **by)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (brings_firmware(entry, wanted->item[i], by))
			return true;
	return false;
}

bool pack_entry_meets(const struct pack_entry *entry, const struct pack_need *need, const char **by)
{
	switch (need->kind) {
	case PACK_NEED_DRIVER:
		return drives(entry, need->match->device, by);
	case PACK_NEED_MODULE:
		*by = need->root->name;
		return has_module(entry, need->root->name);
	case PACK_NEED_FIRMWARE:
		return pack_entry_brings_firmware(entry, &need->match->firmware, by);
	}
	return false;
}

static char *device_name(const struct device *device)
{
	return string_format("%s %s", device->slot, device->name ? device->name : device->modalias);
}

char *pack_need_describe(const struct pack_need *need)
{
	if (need->root)
		return string_format("module %s (%s)", need->root->name, need->root->why);
	return device_name(need->match->device);
}

/* What packages call the processors that the kernel knows. */
static const struct {
	const char *package, *machine;
} architectures[] = {
	{"all", NULL},        {"noarch", NULL}, {"amd64", "x86_64"},
	{"arm64", "aarch64"}, {"i386", "i686"}, {"ppc64el", "ppc64le"},
};

static bool fits_architecture(const char *package, const char *machine)
{
	if (!package || strcmp(package, machine) == 0)
		return true;
	for (size_t i = 0; i < array_length(architectures); i++)
		if (strcmp(architectures[i].package, package) == 0 &&
		    (!architectures[i].machine || strcmp(architectures[i].machine, machine) == 0))
			return true;
	return false;
}

/* "debian", "debian 12". */
static bool fits_distribution(const char *wanted, const struct guest *guest)
{
	size_t length = strcspn(wanted, " ");

	return strncmp(wanted, guest->os_id, length) == 0 && guest->os_id[length] == '\0' &&
	       (!wanted[length] || modalias_matches(wanted + length + 1, guest->os_version));
}

bool pack_entry_fits(const struct pack_entry *entry, const struct guest *guest, const char *release)
{
	bool fits = entry->distributions.count == 0;

	for (size_t i = 0; i < entry->distributions.count; i++)
		fits = fits || fits_distribution(entry->distributions.item[i], guest);
	if (!fits || !fits_architecture(entry->architecture, guest->architecture))
		return false;
	fits = entry->kernels.count == 0 || !release;
	for (size_t i = 0; !fits && i < entry->kernels.count; i++)
		fits = modalias_matches(entry->kernels.item[i], release);
	return fits;
}
