// SPDX-License-Identifier: GPL-3.0-or-later
/* source_nbd: a disk that an NBD server exports, named by a URI (nbd://, nbds://, nbd+unix://,
 * nbds+unix://; https://github.com/NetworkBlockDevice/nbd/blob/master/doc/uri.md). */
#pragma once

#include <stdbool.h>

#include "restore/source.h"

/* Is the name a URI of the NBD family, readable or not? */
bool source_nbd_is_name(const char *name);
/* Needs no file. A URI can name neither a program nor a file of this machine, a socket apart. */
extern const struct source_ops source_nbd_ops;
