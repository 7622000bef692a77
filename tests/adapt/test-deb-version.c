// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/deb_version.h"
#include "base/scope.h"
#include "tests/test.h"

static void versions_are_ordered_as_dpkg_orders_them(void **state)
{
	/* Each less than the next. */
	static const char *const versions[] = {
		"0~~",
		"0~",
		"0",
		"0.1~rc1-1",
		"0.1-1",
		"0.1-1+b1",
		"0.9",
		"0.10",
		"0.10+deb12u1",
		"4.3~",
		"4.3",
		"6.1.0-9",
		"6.1.0-56",
		"6.1.0-56-cloud-1",
		"6.1.192-2",
		"1:0.1",
		"1:0.1+",
		"1:0.1.a",
		"2:0",
	};

	(void)state;
	for (size_t i = 0; i < array_length(versions); i++)
		for (size_t j = 0; j < array_length(versions); j++) {
			int got = deb_version_compare(versions[i], versions[j]);

			if ((got > 0) - (got < 0) != (i > j) - (i < j))
				fail_msg("%s and %s: %d", versions[i], versions[j], got);
		}
}

static void zeroes_in_front_and_missing_revisions_make_no_difference(void **state)
{
	(void)state;
	assert_int_equal(deb_version_compare("1.02", "1.2"), 0);
	assert_int_equal(deb_version_compare("0:1.2", "1.2"), 0);
	assert_int_equal(deb_version_compare("1.2-0", "1.2"), 0);
	assert_true(deb_version_compare("1.20000000000000000000000000000001",
					"1.20000000000000000000000000000000") > 0);
}

static void a_clause_is_read_with_its_alternatives(void **state)
{
	_cleanup_deb_relations_ struct deb_relations relations = {0};

	(void)state;
	deb_relations_parse("initramfs-tools:any (>= 0.120+deb8u2) | linux-initramfs-tool",
			    &relations);
	assert_int_equal(relations.count, 2);
	assert_string_equal(relations.item[0].package, "initramfs-tools");
	assert_string_equal(relations.item[1].package, "linux-initramfs-tool");
	assert_null(relations.item[1].operator);
	assert_true(deb_relation_accepts(&relations.item[0], "0.142"));
	assert_false(deb_relation_accepts(&relations.item[0], "0.120"));
	assert_false(deb_relation_accepts(&relations.item[0], NULL));
	assert_true(deb_relation_accepts(&relations.item[1], NULL));
}

static void each_operator_accepts_what_it_says(void **state)
{
	static const struct {
		const char *clause;
		bool one, two, three;
	} rows[] = {
		{"a (<< 2)", true, false, false}, {"a (<= 2)", true, true, false},
		{"a (= 2)", false, true, false},  {"a (>= 2)", false, true, true},
		{"a (>> 2)", false, false, true}, {"a (~ 2)", false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		_cleanup_deb_relations_ struct deb_relations relations = {0};

		deb_relations_parse(rows[i].clause, &relations);
		assert_int_equal(deb_relation_accepts(&relations.item[0], "1"), rows[i].one);
		assert_int_equal(deb_relation_accepts(&relations.item[0], "2"), rows[i].two);
		assert_int_equal(deb_relation_accepts(&relations.item[0], "3"), rows[i].three);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_ordered_as_dpkg_orders_them),
		cmocka_unit_test(zeroes_in_front_and_missing_revisions_make_no_difference),
		cmocka_unit_test(a_clause_is_read_with_its_alternatives),
		cmocka_unit_test(each_operator_accepts_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
