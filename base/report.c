// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/report.h"

#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/scope.h"
#include "base/version.h"

static json_object *member(const struct report *report, const char *name)
{
	return json_object_object_get(report->document, name);
}

void report_init(struct report *report)
{
	json_object *d = json_object_new_object();

	json_object_object_add(d, "v2p", json_object_new_string(V2P_VERSION));
	json_object_object_add(d, "facts", json_object_new_object());
	json_object_object_add(d, "warnings", json_object_new_array());
	json_object_object_add(d, "changes", json_object_new_array());
	json_object_object_add(d, "checks", json_object_new_array());
	json_object_object_add(d, "timings", json_object_new_array());
	report->document = d;
}

void report_release(struct report *report)
{
	if (!report)
		return;
	json_object_put(report->document);
	report->document = NULL;
}

void report_fact(struct report *report, const char *name, json_object *value)
{
	json_object_object_add(member(report, "facts"), name, value);
}

void report_fact_string(struct report *report, const char *name, const char *value)
{
	report_fact(report, name, json_string_or_null(value));
}

void report_warning(struct report *report, const char *format, ...)
{
	_cleanup_text_ struct text text = {0};
	va_list args;

	va_start(args, format);
	text_vaddf(&text, format, args);
	va_end(args);
	json_object_array_add(member(report, "warnings"),
			      json_object_new_string(text_string(&text)));
}

void report_change(struct report *report, const char *step, const char *file, const char *why,
		   const char *diff)
{
	json_object *change = json_object_new_object();

	json_object_object_add(change, "step", json_object_new_string(step));
	json_object_object_add(change, "file", json_object_new_string(file));
	json_object_object_add(change, "why", json_object_new_string(why));
	if (diff && *diff)
		json_object_object_add(change, "diff", json_object_new_string(diff));
	json_object_array_add(member(report, "changes"), change);
}

void report_check(struct report *report, bool ok, const char *name, const char *detail)
{
	json_object *check = json_object_new_object();

	json_object_object_add(check, "name", json_object_new_string(name));
	json_object_object_add(check, "ok", json_object_new_boolean(ok));
	if (detail && *detail)
		json_object_object_add(check, "detail", json_object_new_string(detail));
	json_object_array_add(member(report, "checks"), check);
}

void report_timing(struct report *report, const char *name, double seconds, uint64_t bytes)
{
	json_object *timing = json_object_new_object();

	json_object_object_add(timing, "name", json_object_new_string(name));
	json_object_object_add(timing, "seconds", json_object_new_double(seconds));
	if (bytes)
		json_object_object_add(timing, "bytes", json_object_new_int64((int64_t)bytes));
	json_object_array_add(member(report, "timings"), timing);
}

size_t report_count(const struct report *report, const char *list)
{
	return json_object_array_length(member(report, list));
}

bool report_has_failed_check(const struct report *report)
{
	json_object *checks = member(report, "checks");

	for (size_t i = 0; i < json_object_array_length(checks); i++) {
		json_object *check = json_object_array_get_idx(checks, i);

		if (!json_object_get_boolean(json_object_object_get(check, "ok")))
			return true;
	}
	return false;
}

static const char *string_of(json_object *object, const char *name)
{
	const char *string = json_object_get_string(json_object_object_get(object, name));

	return string ? string : "";
}

static void render_indented(struct text *out, const char *lines)
{
	while (*lines) {
		size_t length = strcspn(lines, "\n");

		text_addf(out, "      %.*s\n", (int)length, lines);
		lines += length;
		lines += *lines == '\n';
	}
}

static void render_fact(struct text *out, const char *name, json_object *value)
{
	if (json_object_is_type(value, json_type_object) ||
	    json_object_is_type(value, json_type_array))
		return; /* nested facts are for the JSON reader; commands render them themselves */
	text_addf(out, "  %-14s %s\n", name, value ? json_object_get_string(value) : "-");
}

static void render_change(struct text *out, json_object *change, enum report_detail detail)
{
	text_addf(out, "  [%s] %s: %s\n", string_of(change, "step"), string_of(change, "file"),
		  string_of(change, "why"));
	if (detail == REPORT_DIFFS)
		render_indented(out, string_of(change, "diff"));
}

static void render_check(struct text *out, json_object *check)
{
	bool ok = json_object_get_boolean(json_object_object_get(check, "ok"));
	const char *detail = string_of(check, "detail");

	text_addf(out, "  %-6s %s%s%s\n", ok ? "ok" : "FAILED", string_of(check, "name"),
		  *detail ? ": " : "", detail);
}

static void render_timing(struct text *out, json_object *timing)
{
	double seconds = json_object_get_double(json_object_object_get(timing, "seconds"));
	uint64_t bytes = (uint64_t)json_object_get_int64(json_object_object_get(timing, "bytes"));

	text_addf(out, "  %-22s %8.1f s", string_of(timing, "name"), seconds);
	if (bytes && seconds > 0)
		text_addf(out, "  %10.1f MiB  %8.1f MiB/s", (double)bytes / 1048576,
			  (double)bytes / 1048576 / seconds);
	text_add(out, "\n");
}

void report_render(const struct report *report, enum report_detail detail, struct text *out)
{
	json_object *list;

	if (json_object_object_length(member(report, "facts")) > 0) {
		text_add(out, "Facts\n");
		json_object_object_foreach(member(report, "facts"), name, value)
			render_fact(out, name, value);
	}
	list = member(report, "changes");
	if (json_object_array_length(list) > 0)
		text_add(out, "Changes\n");
	for (size_t i = 0; i < json_object_array_length(list); i++)
		render_change(out, json_object_array_get_idx(list, i), detail);
	list = member(report, "checks");
	if (json_object_array_length(list) > 0)
		text_add(out, "Proof\n");
	for (size_t i = 0; i < json_object_array_length(list); i++)
		render_check(out, json_object_array_get_idx(list, i));
	list = member(report, "warnings");
	if (json_object_array_length(list) > 0)
		text_add(out, "Warnings\n");
	for (size_t i = 0; i < json_object_array_length(list); i++)
		text_addf(out, "  %s\n",
			  json_object_get_string(json_object_array_get_idx(list, i)));
	list = member(report, "timings");
	if (json_object_array_length(list) > 0)
		text_add(out, "Times\n");
	for (size_t i = 0; i < json_object_array_length(list); i++)
		render_timing(out, json_object_array_get_idx(list, i));
}

void report_json(const struct report *report, struct text *out)
{
	text_add(out, json_object_to_json_string_ext(
			      report->document, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							JSON_C_TO_STRING_NOSLASHESCAPE));
	text_add(out, "\n");
}

double clock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
