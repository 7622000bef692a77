// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_cover.h"

#include <limits.h>

enum { STEPS_LIMIT = 200000 };

struct search {
	const struct pack_cover_offer *offer;
	size_t count;
	unsigned int steps;
	uint64_t best;
	unsigned int best_cost;
};

/* The bit that the fewest offers cover: what has one way only is decided first. */
static uint64_t rarest_bit(const struct search *search, uint64_t open)
{
	uint64_t rarest = 0;
	size_t fewest = SIZE_MAX;

	for (uint64_t left = open; left; left &= left - 1) {
		uint64_t bit = left & -left;
		size_t ways = 0;

		for (size_t i = 0; i < search->count; i++)
			ways += (search->offer[i].covers & bit) != 0;
		if (ways < fewest) {
			fewest = ways;
			rarest = bit;
		}
	}
	return rarest;
}

/* Branch and bound; as deep as there are bits, at most 64. */
static void extend(struct search *search, uint64_t open, uint64_t chosen, unsigned int cost)
{
	uint64_t bit;

	if (cost >= search->best_cost || (search->steps++ > STEPS_LIMIT && search->best))
		return;
	if (!open) {
		search->best = chosen;
		search->best_cost = cost;
		return;
	}
	bit = rarest_bit(search, open);
	for (size_t i = 0; i < search->count; i++)
		if (search->offer[i].covers & bit)
			extend(search, open & ~search->offer[i].covers, chosen | 1ULL << i,
			       cost + search->offer[i].cost);
}

uint64_t pack_cover(const struct pack_cover_offer *offers, size_t count, uint64_t wanted)
{
	struct search search = {.offer = offers, .count = count, .best_cost = UINT_MAX};
	uint64_t possible = 0;

	for (size_t i = 0; i < count; i++)
		possible |= offers[i].covers;
	extend(&search, wanted & possible, 0, 0);
	return search.best;
}
