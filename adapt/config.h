// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * config: one configuration file of the guest on its way through a step. A file that cannot be read
 * or understood is left alone, with a warning that says so and what follows from it; that is no
 * error, since a system with an odd xorg.conf is still worth restoring.
 */
#pragma once

#include "adapt/augeas_text.h"
#include "adapt/step.h"

/*
 * 1 and the content as the changes so far leave it, or 0: absent (silently) or unreadable, a
 * symbolic link that leads nowhere in the guest, NUL bytes (with a warning). consequence: what
 * follows for the user, as the end of the warning.
 */
int config_read(const struct adaptation *adaptation, const struct changes *changes,
		const char *path, const char *consequence, struct text *out);
/* config_read() and parse: 1, or 0 and a warning unless the file is absent. */
int config_parse(const struct adaptation *adaptation, const struct changes *changes,
		 const char *path, const char *lens, const char *consequence,
		 struct augeas_text *tree);
/* Adds the change if the tree was edited. An edit that the lens refuses is a warning. */
int config_save(const struct adaptation *adaptation, struct changes *changes, const char *step,
		const char *path, struct augeas_text *tree, const char *why,
		const char *consequence, struct error *err);
