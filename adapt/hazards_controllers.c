// SPDX-License-Identifier: GPL-3.0-or-later
/* Controllers that hide disks: Intel VMD, Intel RST, RAID controllers without an array. */
#include <string.h>

#include "adapt/hazards_private.h"
#include "base/scope.h"

/* A machine that was looked at, not a listing of its PCI devices. */
static bool knows_disks(const struct hardware *hardware)
{
	return hardware->is_live || hardware->disks.count || hardware->nic_count ||
	       hardware->cpu_vendor || hardware->dmi_vendor;
}

static bool is_above(const struct hardware *hardware, const struct device *device,
		     const struct device *below)
{
	for (; below; below = hardware_parent(hardware, below))
		if (below == device)
			return true;
	return false;
}

/* Does a disk of the machine hang on it? */
static bool shows_disk(const struct hardware *hardware, const struct device *device)
{
	for (size_t i = 0; i < hardware->disks.count; i++) {
		const char *slot = hardware->disks.item[i].hangs_on;

		if (slot && is_above(hardware, device, hardware_device(hardware, slot)))
			return true;
	}
	return false;
}

static bool has_driver(const struct driver_match *match)
{
	return match->verdict == VERDICT_MODULE || match->verdict == VERDICT_BUILTIN;
}

/* Its disks are NVMe functions behind a bridge of its own: without vmd there is none. That the
 * driver is missing was said already. */
static void check_vmd(struct hazard_search *search, const struct driver_match *match,
		      const struct controller_mode *mode)
{
	_cleanup_free_ char *device = hazard_device(match->device);

	if (has_driver(match))
		hazard_add(search, HAZARD_NOTE,
			   "nothing has to be done: v2p puts it into the initramfs",
			   "disks behind Intel VMD at %s are reached through the module %s", device,
			   mode->module);
	else
		hazard_add(search, hazard_severity_of(search, match), mode->advice,
			   "disks behind Intel VMD at %s are reached through the module %s, which "
			   "kernel %s does not load",
			   device, mode->module, search->kernel->release);
}

/* NVMe disks that it remaps are seen by no driver; SATA disks are. */
static void check_rst(struct hazard_search *search, const struct driver_match *match,
		      const struct controller_mode *mode)
{
	_cleanup_free_ char *device = hazard_device(match->device);
	bool is_known = knows_disks(search->hardware);
	bool is_seen = shows_disk(search->hardware, match->device);

	if (is_seen)
		return;
	hazard_add(search, is_known && search->hardware->disks.count ? HAZARD_NOTE : HAZARD_RISK,
		   mode->advice, "%s is in RAID mode (Intel RST), which hides NVMe disks", device);
}

static void check_raid(struct hazard_search *search, const struct driver_match *match,
		       const struct controller_mode *mode)
{
	_cleanup_free_ char *device = NULL;

	if (!knows_disks(search->hardware) || shows_disk(search->hardware, match->device))
		return;
	device = hazard_device(match->device);
	hazard_add(search, search->hardware->disks.count ? HAZARD_NOTE : HAZARD_FATAL, mode->advice,
		   "%s shows no disk", device);
}

static const struct {
	const char *mode;
	void (*check)(struct hazard_search *search, const struct driver_match *match,
		      const struct controller_mode *mode);
} checks[] = {
	{"vmd", check_vmd},
	{"rst", check_rst},
	{"raid", check_raid},
};

void hazards_of_modes(struct hazard_search *search)
{
	for (size_t i = 0; i < search->matches->count; i++) {
		const struct driver_match *match = &search->matches->item[i];
		const struct controller_mode *mode =
			drivers_db_controller_mode(search->db, match->device);

		for (size_t j = 0; mode && j < array_length(checks); j++)
			if (strcmp(checks[j].mode, mode->mode) == 0)
				checks[j].check(search, match, mode);
	}
}
