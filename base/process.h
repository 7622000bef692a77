// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * process: run a program from an argv array and capture what it says.
 *
 * Never a shell string. stdin is /dev/null or `input`; stdout and stderr are captured, each bounded
 * (the rest is read and dropped). A program that outlives its time limit is killed with its
 * process group. The environment is a short fixed one (PATH, LC_ALL=C.UTF-8, HOME=/root) plus
 * `environment`.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

struct process {
	const char *const *argv;        /* NULL-terminated; argv[0] is looked up in PATH */
	const char *input;              /* text for stdin, or NULL */
	const char *const *environment; /* more NAME=VALUE strings, NULL-terminated, or NULL */
	int timeout_ms;                 /* 0: ten minutes */
	/*
	 * Runs in the child before exec (enter a root, drop capabilities). Returns 0, or -1 with
	 * the reason; the reason reaches the caller of process_run() as its error.
	 */
	int (*prepare)(void *context, struct error *err);
	void *context;
};

struct process_result {
	int status;         /* exit status; 128 + signal when killed by one */
	struct text output; /* stdout */
	struct text errors; /* stderr */
};

/*
 * 0 when the program was started and ended by itself, whatever its status; -1 when it could not be
 * started or had to be killed. The caller releases result in both cases.
 */
int process_run(const struct process *process, struct process_result *result, struct error *err);

/*
 * Runs argv with default options and wants status 0; otherwise the error names the program, the
 * status and the last lines it wrote to stderr. out (may be NULL) receives stdout.
 */
int process_check(const char *const *argv, struct text *out, struct error *err);

/* The error for a program that ended with a status that is not 0. Returns -1. */
int process_complain(const char *const *argv, const struct process_result *result,
		     struct error *err);

void process_result_release(struct process_result *result);
#define _cleanup_process_result_ __attribute__((cleanup(process_result_release)))
