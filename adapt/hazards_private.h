// SPDX-License-Identifier: GPL-3.0-or-later
/* hazards_private: what the files hazards*.c share, and nobody else includes. */
#pragma once

#include "adapt/drivers_db.h"
#include "adapt/hazards.h"
#include "base/text.h"

struct hazard_search {
	const struct drivers_db *db;
	const struct hardware *hardware;
	const struct guest *guest;
	const struct guest_kernel *kernel;
	const struct driver_matches *matches;
	struct hazards *out;
};

/* Adds one; advice may be any text, what is formatted. */
void hazard_add(struct hazard_search *search, enum hazard_severity severity, const char *advice,
		const char *format, ...) __attribute__((format(printf, 4, 5)));
/* How bad it is that this device does not work. */
enum hazard_severity hazard_severity_of(const struct hazard_search *search,
					const struct driver_match *match);
enum hazard_severity hazard_severity_of_root(const struct hazard_search *search,
					     const struct root_module *module);
/* "0000:00:1f.2 (Intel 82801I SATA, 8086:2922)": heap, the caller frees. */
char *hazard_device(const struct device *device);

/* hazards_drivers.c: devices and parts of the root without a driver that may be loaded. */
void hazards_of_missing(struct hazard_search *search);
void hazards_of_blacklists(struct hazard_search *search);
void hazards_of_firmware(struct hazard_search *search);
void hazards_of_signatures(struct hazard_search *search);
/* hazards_controllers.c: VMD, RST, RAID. */
void hazards_of_modes(struct hazard_search *search);
