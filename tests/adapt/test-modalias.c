// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/modalias.h"
#include "base/scope.h"
#include "base/text.h"
#include "tests/test.h"

static const char ahci[] = "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01";

static void patterns_match_as_libkmod_matches_them(void **state)
{
	static const struct {
		const char *pattern, *modalias;
		bool matches;
	} rows[] = {
		{"pci:v00008086d00002922sv*sd*bc*sc*i*", ahci, true},
		{"pci:v*d*sv*sd*bc01sc06i01*", ahci, true},
		{"pci:v00008086d00002923sv*sd*bc*sc*i*", ahci, false},
		{"pci:v00008086d00002922sv*sd*bc*sc*i", ahci, false},
		{"usb:v0BDAp8153d30[0-9]*dc*", "usb:v0BDAp8153d3055dc00dsc00", true},
		{"usb:v0BDAp8153d30[!0-9]*dc*", "usb:v0BDAp8153d3055dc00dsc00", false},
		{"acpi*:PNP0A0?:*", "acpi:PNP0A08:PNP0A03:", true},
		{"platform:intel-lpss", "platform:intel_lpss", true},
		{"a[", "a[", true},
		{"a[b", "ab", false},
		{"*", "", true},
		{"", "", true},
		{"", "a", false},
		{"?", "", false},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-b-b-", false},
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++)
		if (modalias_matches(rows[i].pattern, rows[i].modalias) != rows[i].matches)
			fail_msg("%s and %s", rows[i].pattern, rows[i].modalias);
}

/* fnmatch(3) would not come back from this. */
static void a_pattern_of_many_stars_is_answered(void **state)
{
	_cleanup_text_ struct text pattern = {0}, modalias = {0};

	(void)state;
	for (int i = 0; i < 60; i++)
		text_add(&pattern, "*a");
	text_add(&pattern, "b");
	for (int i = 0; i < 4000; i++)
		text_add(&modalias, "a");
	assert_false(modalias_matches(text_string(&pattern), text_string(&modalias)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_as_libkmod_matches_them),
		cmocka_unit_test(a_pattern_of_many_stars_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
