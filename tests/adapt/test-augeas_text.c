// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/augeas_text.h"
#include "base/scope.h"
#include "tests/test.h"

/* Sets the mount point of the first entry, and returns the text; NULL when that was refused. */
static char *edit(const char *content, const char *where)
{
	_cleanup_augeas_text_ struct augeas_text tree = {0};
	_cleanup_text_ struct text in = {0}, out = {0};

	text_add(&in, content);
	assert_int_equal(augeas_text_parse(&tree, "Fstab.lns", &in, NULL), 0);
	if (where)
		augeas_text_set(&tree, where, "*[spec][1]/file");
	return augeas_text_print(&tree, &out, NULL) ? NULL : text_take(&out);
}

static void what_is_not_edited_comes_out_as_it_was(void **state)
{
	static const char *const texts[] = {"",
					    "\n",
					    "# only a comment",
					    "\t \n/dev/x  /y\text4\n\n#\n",
					    "a /b c\r\nd /e f",
					    "a /b c d=e,f 0 0 # comment\n"};

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++) {
		_cleanup_free_ char *out = edit(texts[i], NULL);

		assert_string_equal(out, texts[i]);
	}
}

static void line_ends_are_kept_around_an_edit(void **state)
{
	_cleanup_free_ char *dos = edit("a /b c\r\n", "/z");
	_cleanup_free_ char *open = edit("a /b c", "/z");

	(void)state;
	assert_string_equal(dos, "a /z c\r\n");
	assert_string_equal(open, "a /z c");
}

static void an_edit_that_the_lens_refuses_is_an_error(void **state)
{
	(void)state;
	assert_null(edit("a /b c\n", "two words"));
}

static void a_path_that_is_none_is_an_error_when_printed(void **state)
{
	_cleanup_augeas_text_ struct augeas_text tree = {0};
	_cleanup_text_ struct text in = {0}, out = {0};
	_cleanup_error_ struct error err = {0};

	(void)state;
	text_add(&in, "a /b c\n");
	assert_int_equal(augeas_text_parse(&tree, "Fstab.lns", &in, NULL), 0);
	augeas_text_set(&tree, "x", "*[");
	assert_int_equal(augeas_text_print(&tree, &out, &err), -1);
	assert_non_null(strstr(error_text(&err), "set /parsed/*["));
}

static void assert_refused(const char *content, size_t length, const char *reason)
{
	_cleanup_augeas_text_ struct augeas_text tree = {0};
	_cleanup_text_ struct text in = {0};
	_cleanup_error_ struct error err = {0};

	text_add_bytes(&in, content, length);
	assert_int_equal(augeas_text_parse(&tree, "Fstab.lns", &in, &err), -1);
	assert_string_equal(error_text(&err), reason);
}

static void what_would_take_too_long_is_refused(void **state)
{
	_cleanup_text_ struct text line = {0}, lines = {0};

	(void)state;
	for (int i = 0; i < 10000; i++) {
		text_add(&line, "#");
		text_add(&lines, "# comment\n");
	}
	assert_refused(line.data, line.length, "line 1 is longer than 4096 bytes");
	assert_refused(lines.data, lines.length, "it is larger than 64 KiB");
	assert_refused("a\0b", 3, "it holds a NUL byte");
}

static void the_place_of_an_error_is_named(void **state)
{
	(void)state;
	assert_refused("a /b c\nxyz\n", 11, "line 2, column 3 is not understood");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_edited_comes_out_as_it_was),
		cmocka_unit_test(line_ends_are_kept_around_an_edit),
		cmocka_unit_test(an_edit_that_the_lens_refuses_is_an_error),
		cmocka_unit_test(a_path_that_is_none_is_an_error_when_printed),
		cmocka_unit_test(what_would_take_too_long_is_refused),
		cmocka_unit_test(the_place_of_an_error_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
