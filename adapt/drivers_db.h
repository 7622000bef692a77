// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * drivers_db: the rows of drivers-db/, as adapt/drivers.c asks for them; drivers-db/README.md says
 * what the columns mean. All strings are borrowed from the tables.
 */
#pragma once

#include "adapt/drivers.h"

enum need { NEED_NONE, NEED_OPTIONAL, NEED_REQUIRED };

struct device_class {
	const char *bus, *match, *role;
	enum need need;
	const char *transport; /* "" for none, as usual */
	const char *usual;
};

struct disk_module {
	const char *transport, *module;
	enum need need;
};

enum { RANK_DEFAULT = 50, RANK_FALLBACK = 90 };

/* The row of a device; one that no row matches is "other" and optional. Never NULL. */
const struct device_class *drivers_db_class(const struct drivers_db *db,
					    const struct device *device);
/* Of a module that matches device: lower binds first. */
int drivers_db_rank(const struct drivers_db *db, const char *module, const struct device *device);
/* All rows; those of one transport are to be picked. */
const struct disk_module *drivers_db_disk_modules(const struct drivers_db *db, size_t *count);
