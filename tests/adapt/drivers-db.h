// SPDX-License-Identifier: GPL-3.0-or-later
/* drivers-db: the shipped tables, and the questions that more than one test asks them. */
#pragma once

#include "adapt/drivers_db_private.h"
#include "base/error.h"
#include "base/scope.h"
#include "tests/test.h"

#define FOLDER V2P_SOURCE_DIR "/drivers-db"

static inline void release_db(struct drivers_db **db)
{
	drivers_db_free(*db);
}

static inline struct drivers_db *load(void)
{
	_cleanup_error_ struct error err = {0};
	struct drivers_db *db = NULL;

	if (drivers_db_load(FOLDER, &db, &err) < 0)
		fail_msg("%s", error_text(&err));
	return db;
}

static inline struct guest guest_of(const char *id, const char *like, const char *version)
{
	return (struct guest){.os_id = (char *)id,
			      .os_id_like = (char *)like,
			      .os_version = (char *)version,
			      .root_fd = -1};
}

static inline const char *package(const struct drivers_db *db, const char *id, const char *like,
				  const char *version, const char *file)
{
	struct guest guest = guest_of(id, like, version);

	return drivers_db_firmware_package(db, &guest, file);
}

/* The values of the quirks of this machine, joined. */
static inline char *quirks(const struct drivers_db *db, const struct hardware *hardware)
{
	const struct quirk **found = NULL;
	size_t count = drivers_db_quirks(db, hardware, &found);
	_cleanup_strings_ struct strings values = {0};

	for (size_t i = 0; i < count; i++) {
		assert_true(strlen(found[i]->reason) > 10);
		strings_add(&values, found[i]->value);
	}
	free(found);
	return strings_join(&values, "; ");
}
