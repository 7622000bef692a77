// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "base/scope.h"
#include "restore/record.h"
#include "restore/window.h"

static const uint64_t far = 1ULL << 50;

static void a_record_fits_what_it_was_taken_from_only(void **state)
{
	_cleanup_(records_release) struct records records = {0};
	_cleanup_free_ uint8_t *data = calloc(1, WINDOW);

	(void)state;
	assert_int_equal(records_init(&records, NULL), 0);
	memset(data, 1, WINDOW);
	records_add(&records, far, 0x8005, data);
	assert_int_equal(record_offset(records.item), far);
	assert_int_equal(record_pieces(records.item), 0x8005);
	assert_int_equal(record_bytes(records.item), 3 * PIECE);
	assert_true(record_fits(records.item, data));
	/* Another piece. */
	data[PIECE] = 2;
	assert_true(record_fits(records.item, data));
	data[WINDOW - 1] = 2;
	assert_false(record_fits(records.item, data));
	data[WINDOW - 1] = 1;
	assert_true(record_fits(records.item, data));
}

static void the_same_bytes_elsewhere_do_not_fit(void **state)
{
	_cleanup_(records_release) struct records records = {0};
	_cleanup_free_ uint8_t *data = calloc(1, WINDOW);

	(void)state;
	assert_int_equal(records_init(&records, NULL), 0);
	records_add(&records, 0, 1, data);
	records_add(&records, WINDOW, 1, data);
	assert_true(records.item[0].checksum != records.item[1].checksum);
}

static void records_are_read_in_the_order_of_the_disk(void **state)
{
	_cleanup_(records_release) struct records records = {0};
	_cleanup_free_ uint8_t *data = calloc(1, WINDOW);

	(void)state;
	assert_int_equal(records_init(&records, NULL), 0);
	for (uint64_t i = 0; i < 100; i++)
		records_add(&records, i * 37 % 100 * WINDOW, 1, data);
	records_sort(&records);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(record_offset(&records.item[i]), i * WINDOW);
}

static void records_are_full_before_memory_ends(void **state)
{
	_cleanup_(records_release) struct records records = {0};
	_cleanup_free_ uint8_t *data = calloc(1, WINDOW);
	uint64_t count = 0;

	(void)state;
	assert_int_equal(records_init(&records, NULL), 0);
	while (!records_are_full(&records))
		records_add(&records, count++ * WINDOW, 1, data);
	assert_true(count * WINDOW > 100ULL << 30);
	for (int i = 0; i < 2048; i++)
		records_add(&records, count++ * WINDOW, 1, data);
	records_clear(&records);
	assert_false(records_are_full(&records));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_fits_what_it_was_taken_from_only),
		cmocka_unit_test(the_same_bytes_elsewhere_do_not_fit),
		cmocka_unit_test(records_are_read_in_the_order_of_the_disk),
		cmocka_unit_test(records_are_full_before_memory_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
