// SPDX-License-Identifier: GPL-3.0-or-later
/* used_ext_io: libext2fs reads from a region, and writes nowhere. */
#pragma once

#include <ext2fs/ext2fs.h>

#include "restore/used_blocks_kinds.h"

/* What an io_manager of libext2fs reads from. */
struct used_ext_io {
	const struct used_region *region;
	int verdict; /* of the first read that did not succeed */
	struct error *err;
};

/* ext2fs_open2() from there. io is used until it returns. */
errcode_t used_ext_io_open(struct used_ext_io *io, ext2_filsys *out);
