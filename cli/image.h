// SPDX-License-Identifier: GPL-3.0-or-later
/* image: the image that a command line or a profile names, opened and proven to be the one that its
 * maker published, as far as checksums or a signature were given. */
#pragma once

#include "base/error.h"
#include "cli/options.h"
#include "restore/integrity.h"
#include "restore/layout.h"
#include "restore/source.h"

struct image_request {
	const char *name; /* as source_open() takes it */
	const char *format, *ca_file;
	const char *checksum, *signature, *key; /* see integrity.h; files may be named by URL */
	enum integrity_moment moment;
};

/* The options of the command line. name is the caller's. */
struct image_request image_request_from(const struct options *options);
int image_open(const struct image_request *request, struct source **out, struct error *err);
/* The first argument, for what reads images without writing: with its partitions, and what its file
 * systems do not use unless the options want all. Release layout after an error, too. */
int image_open_used(const struct options *options, struct source **out, struct layout *layout,
		    struct error *err);
