// SPDX-License-Identifier: GPL-3.0-or-later
/* report_output: prints a report as text or JSON, and saves it where the user asked for it. */
#pragma once

#include "base/report.h"
#include "cli/output.h"

/* Saves the report as JSON. A file that cannot be written is a message, not a failure. */
void report_save(const struct report *report, const char *file, struct output *output);
/* file: path for the JSON, or NULL: see report_save(). */
void report_output(const struct report *report, enum report_detail detail, const char *file,
		   struct output *output);
