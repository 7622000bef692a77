// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/used_blocks_kinds.h"

bool used_window_add(struct used_window *window, uint64_t start, uint64_t end)
{
	if (start < window->start)
		start = window->start;
	if (end > window->end)
		end = window->end;
	if (start >= end || end - start < USED_LEAST)
		return true;
	if (window->count == USED_WINDOW_STRETCHES) {
		window->end = start;
		return false;
	}
	window->unused[window->count++] = (struct used_stretch){.start = start, .end = end};
	return true;
}

/* The first bit from i on that is not like `like` (0 or 0xff: all bits of a byte). */
static uint64_t run_end(const uint8_t *bits, uint64_t i, uint64_t count, uint8_t like)
{
	while (i < count) {
		if (i % 8 == 0 && bits[i / 8] == like) {
			i += 8;
			continue;
		}
		if (((bits[i / 8] ^ like) >> (i % 8)) & 1)
			return i;
		i++;
	}
	return count;
}

void used_window_add_bitmap(struct used_window *window, const uint8_t *bits, uint64_t count,
			    uint64_t unit, uint64_t start)
{
	uint64_t i = run_end(bits, 0, count, 0xff);

	while (i < count) {
		uint64_t end = run_end(bits, i, count, 0);

		if (!used_window_add(window, start + i * unit, start + end * unit))
			return;
		i = run_end(bits, end, count, 0xff);
	}
}
