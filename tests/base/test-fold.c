// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/fold.h"
#include "base/scope.h"
#include "tests/test.h"

static void words_that_fit_stay_in_one_line(void **state)
{
	_cleanup_text_ struct text out = {0};

	(void)state;
	fold(&out, "  head  ", "a\tb\n c");
	assert_string_equal(text_string(&out), "  head  a b c\n");
}

static void the_lines_that_follow_are_indented(void **state)
{
	_cleanup_text_ struct text out = {0}, words = {0};

	(void)state;
	for (int i = 0; i < 20; i++)
		text_add(&words, "four ");
	fold(&out, "head: ", text_string(&words));
	assert_string_equal(
		text_string(&out),
		"head: four four four four four four four four four four four four four "
		"four\n"
		"      four four four four four four\n");
}

static void no_line_is_wider_than_a_terminal(void **state)
{
	_cleanup_text_ struct text out = {0}, words = {0};
	_cleanup_strings_ struct strings lines = {0};

	(void)state;
	for (int i = 0; i < 200; i++)
		text_addf(&words, "%.*s ", i % 17, "abcdefghijklmnopq");
	fold(&out, "  ", text_string(&words));
	strings_split(&lines, text_string(&out), "\n");
	assert_true(lines.count > 20);
	for (size_t i = 0; i < lines.count; i++)
		assert_in_range(strlen(lines.item[i]), 1, FOLD_WIDTH);
}

static void a_character_of_several_bytes_is_one_column(void **state)
{
	_cleanup_text_ struct text out = {0}, words = {0};

	(void)state;
	for (int i = 0; i < FOLD_WIDTH; i++)
		text_add(&words, "ü");
	text_add(&words, " x");
	fold(&out, "", text_string(&words));
	assert_string_equal(text_string(&out) + 2 * FOLD_WIDTH, "\nx\n");
}

static void a_word_that_is_too_wide_stays_whole(void **state)
{
	_cleanup_text_ struct text out = {0};
	_cleanup_free_ char *word = string_format("%0100d", 7);

	(void)state;
	fold(&out, "- ", word);
	assert_int_equal(out.length, 2 + 100 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_that_fit_stay_in_one_line),
		cmocka_unit_test(the_lines_that_follow_are_indented),
		cmocka_unit_test(no_line_is_wider_than_a_terminal),
		cmocka_unit_test(a_character_of_several_bytes_is_one_column),
		cmocka_unit_test(a_word_that_is_too_wide_stays_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
