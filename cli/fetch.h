// SPDX-License-Identifier: GPL-3.0-or-later
/* fetch: a small file over HTTP or HTTPS (libcurl). Other protocols are refused, in redirects too.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

/* ca_file: PEM certificates to trust instead of the system's, or NULL. More than limit bytes, a
 * status that is not 2xx, and half a minute without a byte are errors. */
int fetch_url(const char *url, const char *ca_file, size_t limit, struct text *out,
	      struct error *err);
