// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * report: what was found, warned about, changed, proven and how long it took. One JSON document,
 * also rendered for people. A warning says what was skipped and what follows from it.
 *
 * The document: { "v2p": VERSION, "facts": {…}, "warnings": ["…"], "changes": [{"step","file",
 * "why","diff"}], "checks": [{"name","ok","detail"}], "timings": [{"name","seconds","bytes"}] }.
 * Used from one thread.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct report {
	json_object *document; /* borrowed by readers; owned by the report */
};

void report_init(struct report *report);
void report_release(struct report *report);

/* facts[name] = value; takes ownership of value; an earlier value is replaced. */
void report_fact(struct report *report, const char *name, json_object *value);
void report_fact_string(struct report *report, const char *name, const char *value);
void report_warning(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* diff may be NULL. file is a path in the guest, "disk", or a program's command line. */
void report_change(struct report *report, const char *step, const char *file, const char *why,
		   const char *diff);
/* A proof and its outcome, e.g. "initramfs of 6.1.0-9-amd64 holds ahci". */
void report_check(struct report *report, bool ok, const char *name, const char *detail);
/* bytes 0: not a transfer. */
void report_timing(struct report *report, const char *name, double seconds, uint64_t bytes);

size_t report_count(const struct report *report, const char *list); /* "warnings", "changes", … */
bool report_has_failed_check(const struct report *report);

/* For people: sections with one line an entry; diffs are included when asked for. */
enum report_detail { REPORT_BRIEF, REPORT_DIFFS };
void report_render(const struct report *report, enum report_detail detail, struct text *out);
/* As JSON, pretty-printed, ending in a newline. */
void report_json(const struct report *report, struct text *out);

/* Seconds of CLOCK_MONOTONIC. */
double clock_seconds(void);
