// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Swap space: nothing behind its header is worth keeping, unless a system was suspended into it;
 * libblkid calls that swsuspend or tuxonice, which are not understood here. Layout: mkswap(8) and
 * the kernel's include/linux/swap.h: the signature ends the first page, whatever its size.
 */
#include <string.h>

#include "restore/used_blocks_kinds.h"

enum {
	PAGE_LEAST = 4 << 10,
	PAGE_MOST = 64 << 10,
	SIGNATURE = 10,
};

static int swap_open(const struct used_region *region, void **state, struct error *err)
{
	char signature[SIGNATURE];

	for (uint64_t page = PAGE_LEAST; page <= PAGE_MOST && page <= region->length; page *= 2) {
		int r = used_region_read(region, signature, SIGNATURE, page - SIGNATURE, err);

		if (r != USED_KNOWN)
			return r;
		if (memcmp(signature, "SWAPSPACE2", SIGNATURE) == 0) {
			*state = NULL;
			return USED_KNOWN;
		}
	}
	return used_decline(err, "its swap signature is missing or of another version");
}

static int swap_window(void *state, uint64_t offset, struct used_window *window, struct error *err)
{
	(void)state;
	(void)offset;
	(void)err;
	used_window_add(window, PAGE_MOST, window->end);
	return USED_KNOWN;
}

static void swap_close(void *state)
{
	(void)state;
}

static const char *const names[] = {"swap", NULL};

const struct used_ops used_swap_ops = {
	.names = names,
	.open = swap_open,
	.window = swap_window,
	.close = swap_close,
};
