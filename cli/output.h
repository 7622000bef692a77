// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * output: the only place that prints. Results go to stdout, what happens meanwhile to stderr; both
 * also go to the log when there is one.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "restore/write.h"

enum progress_mode { PROGRESS_NONE, PROGRESS_BAR, PROGRESS_LINES, PROGRESS_JSON };

struct output {
	FILE *log; /* or NULL */
	bool json; /* stdout carries one JSON document */
	enum progress_mode progress;
	double last_progress; /* clock of the last line or redraw; 0: none yet */
	enum write_phase phase;
	double phase_start; /* clock as in struct write_progress */
	uint64_t last_done;
	bool bar_is_drawn;
};

/* mode: auto (a bar on a terminal, lines elsewhere), bar, json, none, or NULL for auto. */
int output_open(struct output *output, const char *log, const char *mode, bool json,
		struct error *err);
void output_close(struct output *output);

/* A line about what is going on; with --json it goes to the log only. */
void output_say(struct output *output, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The result. */
void output_result(struct output *output, const char *text);
/* The result as a document; takes ownership of object. */
void output_json(struct output *output, json_object *object);
/* "v2p: " and the reason, on stderr. */
void output_error(struct output *output, const char *text);
/* For struct write_options. context is the struct output. */
void output_progress(void *context, const struct write_progress *progress);
