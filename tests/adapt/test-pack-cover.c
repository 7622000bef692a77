// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_cover.h"
#include "base/scope.h"
#include "tests/test.h"

static void one_offer_that_covers_all_beats_two_that_cover_parts(void **state)
{
	static const struct pack_cover_offer offers[] = {{1, 1}, {2, 1}, {3, 1}};

	(void)state;
	assert_int_equal(pack_cover(offers, array_length(offers), 3), 4);
}

static void two_cheap_offers_beat_a_dear_one(void **state)
{
	static const struct pack_cover_offer offers[] = {{3, 5}, {1, 1}, {2, 1}};

	(void)state;
	assert_int_equal(pack_cover(offers, array_length(offers), 3), 6);
}

/* Greedy would begin with the largest and need three. */
static void the_smallest_set_is_found_where_the_largest_offer_misleads(void **state)
{
	static const struct pack_cover_offer offers[] = {{0x1e, 1}, {0x15, 1}, {0x2a, 1}};

	(void)state;
	assert_int_equal(pack_cover(offers, array_length(offers), 0x3f), 1 << 1 | 1 << 2);
}

static void what_nothing_covers_is_left_out(void **state)
{
	static const struct pack_cover_offer offers[] = {{1, 1}};

	(void)state;
	assert_int_equal(pack_cover(offers, 1, 7), 1);
	assert_int_equal(pack_cover(offers, 1, 6), 0);
	assert_int_equal(pack_cover(offers, 0, 7), 0);
}

static void offers_that_are_all_alike_end_the_search(void **state)
{
	struct pack_cover_offer offers[PACK_OFFERS_LIMIT];
	uint64_t chosen, covered = 0;

	(void)state;
	for (unsigned int i = 0; i < PACK_OFFERS_LIMIT; i++)
		offers[i] = (struct pack_cover_offer){0x10001ULL << i | 1ULL << (i * 7 % 64), 1};
	chosen = pack_cover(offers, PACK_OFFERS_LIMIT, UINT64_MAX);
	for (unsigned int i = 0; i < PACK_OFFERS_LIMIT; i++)
		covered |= chosen & 1ULL << i ? offers[i].covers : 0;
	assert_true(covered == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_offer_that_covers_all_beats_two_that_cover_parts),
		cmocka_unit_test(two_cheap_offers_beat_a_dear_one),
		cmocka_unit_test(the_smallest_set_is_found_where_the_largest_offer_misleads),
		cmocka_unit_test(what_nothing_covers_is_left_out),
		cmocka_unit_test(offers_that_are_all_alike_end_the_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
