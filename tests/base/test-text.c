// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "base/diff.h"
#include "base/error.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"

static void an_error_reads_as_one_sentence(void **state)
{
	_cleanup_error_ struct error err = {0};

	(void)state;
	assert_int_equal(error_sys(&err, ENOSPC, "write %d bytes at offset %d", 5, 7), -1);
	error_in(&err, "restore %s", "a.raw");
	assert_string_equal(error_text(&err),
			    "restore a.raw: write 5 bytes at offset 7: No space left on device");
	assert_int_equal(err.number, ENOSPC);
}

static void sizes_are_parsed_in_powers_of_1024(void **state)
{
	uint64_t n = 0;

	(void)state;
	assert_int_equal(size_parse("512", &n), 0);
	assert_int_equal(n, 512);
	assert_int_equal(size_parse("200G", &n), 0);
	assert_int_equal(n, 200ULL << 30);
	assert_int_equal(size_parse("3MiB", &n), 0);
	assert_int_equal(n, 3 << 20);
	assert_int_equal(size_parse("G", &n), -1);
	assert_int_equal(size_parse("1X", &n), -1);
	assert_int_equal(size_parse("99999999999P", &n), -1);
}

static void a_diff_shows_the_change_with_context(void **state)
{
	_cleanup_text_ struct text out = {0};

	(void)state;
	diff_unified("/etc/fstab", "a\nb\nc\nd\ne\nf\n", "a\nb\nc\nD\ne\nf\n", &out);
	assert_string_equal(text_string(&out), "--- /etc/fstab\n+++ /etc/fstab\n"
					       "@@ -1,6 +1,6 @@\n a\n b\n c\n-d\n+D\n e\n f\n");
}

static void a_new_file_is_all_additions(void **state)
{
	_cleanup_text_ struct text out = {0};

	(void)state;
	diff_unified("/x", "", "one\ntwo\n", &out);
	assert_string_equal(text_string(&out), "--- /x\n+++ /x\n@@ -0,0 +1,2 @@\n+one\n+two\n");
}

static void a_program_is_run_with_its_output_captured(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};
	const char *argv[] = {"sh", "-c", "cat; echo bad >&2; exit 3", NULL};
	const struct process process = {.argv = argv, .input = "hello"};

	(void)state;
	assert_int_equal(process_run(&process, &result, NULL), 0);
	assert_int_equal(result.status, 3);
	assert_string_equal(text_string(&result.output), "hello");
	assert_string_equal(text_string(&result.errors), "bad\n");
}

static void a_missing_program_is_named(void **state)
{
	_cleanup_error_ struct error err = {0};
	const char *argv[] = {"/no/such/program", NULL};

	(void)state;
	assert_int_equal(process_check(argv, NULL, &err), -1);
	assert_string_equal(error_text(&err), "start /no/such/program: No such file or directory");
}

static void a_program_that_hangs_is_killed(void **state)
{
	_cleanup_process_result_ struct process_result result = {0};
	_cleanup_error_ struct error err = {0};
	const char *argv[] = {"sh", "-c", "sleep 60 & sleep 60", NULL};
	const struct process process = {.argv = argv, .timeout_ms = 200};

	(void)state;
	assert_int_equal(process_run(&process, &result, &err), -1);
	assert_string_equal(error_text(&err), "sh did not end within 0 s and was killed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_reads_as_one_sentence),
		cmocka_unit_test(sizes_are_parsed_in_powers_of_1024),
		cmocka_unit_test(a_diff_shows_the_change_with_context),
		cmocka_unit_test(a_new_file_is_all_additions),
		cmocka_unit_test(a_program_is_run_with_its_output_captured),
		cmocka_unit_test(a_missing_program_is_named),
		cmocka_unit_test(a_program_that_hangs_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
