// SPDX-License-Identifier: GPL-3.0-or-later
/* pack_cover: the cheapest of some offers that together cover all that any of them covers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { PACK_OFFERS_LIMIT = 64 };

struct pack_cover_offer {
	uint64_t covers; /* a set of bits */
	unsigned int cost;
};

/*
 * The indices of the chosen ones as a set of bits. Exact for what packs hold in practice; for
 * offers that were made to be hard the best of a bounded search. count is at most
 * PACK_OFFERS_LIMIT.
 */
uint64_t pack_cover(const struct pack_cover_offer *offers, size_t count, uint64_t wanted);
