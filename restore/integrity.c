// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/integrity.h"

int integrity_require(struct source *source, const struct integrity_options *options,
		      struct error *err)
{
	(void)source;
	if (options->checksum || options->signature || options->key)
		return error_set(err, "checksums and signatures are not supported yet");
	return 0;
}
