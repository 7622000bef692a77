// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * bmap_make: the block map of an image, with small ranges (bmap_window.h): the data of each half
 * MiB by itself, or of each MiB where that would be too many (more than 64 GiB of data, and
 * streams). What is known to be zeroes, and what no file system uses (source->used), is not in it.
 */
#pragma once

#include "base/error.h"
#include "restore/bmap.h"
#include "restore/source.h"
#include "restore/write.h"

/*
 * Reads all of the image, in several threads, and asks source_finish(). Of the options, progress
 * and stop count; NULL: none. An image with no data, or with more than a map may describe (128 GiB,
 * less where it is in pieces), is an error. Release out with bmap_release(), after an error, too.
 */
int bmap_make(struct source *source, const struct write_options *options, struct bmap *out,
	      struct error *err);
