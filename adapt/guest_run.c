// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/guest_private.h"

int guest_run(struct guest *guest, enum guest_permission permission, const char *const *argv,
	      const char *input, int timeout_ms, struct text *out, struct error *err)
{
	(void)guest;
	(void)permission;
	(void)input;
	(void)timeout_ms;
	(void)out;
	return error_set(err, "run %s in the guest: not supported yet", argv[0]);
}
