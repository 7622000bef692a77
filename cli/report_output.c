// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/report_output.h"

#include "base/file.h"
#include "base/scope.h"

void report_save(const struct report *report, const char *file, struct output *output)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_text_ struct text json = {0};

	report_json(report, &json);
	if (file_replace(file, text_string(&json), json.length, 0644, &err) < 0) {
		error_in(&err, "save the report");
		output_error(output, error_text(&err));
	}
}

void report_output(const struct report *report, enum report_detail detail, const char *file,
		   struct output *output)
{
	_cleanup_text_ struct text text = {0};

	if (output->json)
		report_json(report, &text);
	else
		report_render(report, detail, &text);
	output_result(output, text_string(&text));
	if (file)
		report_save(report, file, output);
}
