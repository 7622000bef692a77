// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include <libnbd.h>

#include "base/scope.h"
#include "restore/nbd_map.h"

static struct nbd_map *new_map(uint64_t start)
{
	struct nbd_map *map = calloc(1, sizeof(*map));

	assert_non_null(map);
	nbd_map_restart(map, start);
	return map;
}

static void ranges_of_one_kind_become_one(void **state)
{
	static const uint32_t entries[] = {100, 0, 50, LIBNBD_STATE_HOLE,
					   25,  3, 25, LIBNBD_STATE_ZERO};
	_cleanup_free_ struct nbd_map *map = new_map(1000);

	(void)state;
	assert_int_equal(nbd_map_add_status(map, entries, 4, 1 << 20, NULL), 0);
	assert_int_equal(map->count, 2);
	assert_int_equal(nbd_map_end(map), 1200);
	assert_null(nbd_map_find(map, 999));
	assert_null(nbd_map_find(map, 1200));
	assert_false(nbd_map_find(map, 1000)->is_zero);
	assert_int_equal(nbd_map_find(map, 1149)->end, 1150);
	assert_true(nbd_map_find(map, 1150)->is_zero);
	assert_int_equal(nbd_map_find(map, 1199)->end, 1200);
}

static void what_lies_behind_the_end_of_the_disk_is_cut(void **state)
{
	static const uint32_t entries[] = {UINT32_MAX, 3, UINT32_MAX, 0};
	_cleanup_free_ struct nbd_map *map = new_map(0);

	(void)state;
	assert_int_equal(nbd_map_add_status(map, entries, 2, 4096, NULL), 0);
	assert_int_equal(nbd_map_end(map), 4096);
	assert_int_equal(map->count, 1);
}

static void a_range_of_no_length_is_an_error(void **state)
{
	static const uint32_t entries[] = {512, 0, 0, 3};
	_cleanup_free_ struct nbd_map *map = new_map(0);
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(nbd_map_add_status(map, entries, 2, 4096, &err), -1);
	assert_string_equal(error_text(&err),
			    "the NBD server describes 0 bytes at offset 512, which cannot be");
}

static void ranges_without_end_take_bounded_memory(void **state)
{
	_cleanup_free_ struct nbd_map *map = new_map(0);

	(void)state;
	for (uint32_t i = 0; i < 3 * NBD_MAP_RANGES; i++) {
		const uint32_t entry[] = {1, i & 1 ? LIBNBD_STATE_ZERO : 0};

		assert_int_equal(nbd_map_add_status(map, entry, 1, UINT64_MAX, NULL), 0);
	}
	assert_int_equal(map->count, NBD_MAP_RANGES);
	assert_int_equal(nbd_map_end(map), NBD_MAP_RANGES);
	for (uint64_t i = 0; i < NBD_MAP_RANGES; i++)
		assert_int_equal(nbd_map_find(map, i)->end, i + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_of_one_kind_become_one),
		cmocka_unit_test(what_lies_behind_the_end_of_the_disk_is_cut),
		cmocka_unit_test(a_range_of_no_length_is_an_error),
		cmocka_unit_test(ranges_without_end_take_bounded_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
