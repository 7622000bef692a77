// SPDX-License-Identifier: GPL-3.0-or-later
/* command: one file per command, one table in main.c. */
#pragma once

#include "cli/options.h"
#include "cli/output.h"

/* DESIGN of the exit status: what a script can rely on. See v2p(8). */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1, /* refused or failed, nothing was written */
	EXIT_USAGE = 2,
	EXIT_WRITTEN = 3,    /* failed after writing began: the disk has no partition table */
	EXIT_INCOMPLETE = 4, /* restored, but the adaptation is incomplete */
};

struct command {
	const char *name;
	const char *arguments;
	const char *summary; /* one line of the list */
	const char *about;   /* a paragraph of the command's own help */
	unsigned int bit;
	/* Prints its result; the reason of a status that is not 0 is in err. */
	enum exit_status (*run)(const struct options *options, struct output *output,
				struct error *err);
};

enum exit_status command_inspect(const struct options *options, struct output *output,
				 struct error *err);
enum exit_status command_detect(const struct options *options, struct output *output,
				struct error *err);
enum exit_status command_restore(const struct options *options, struct output *output,
				 struct error *err);
enum exit_status command_adapt(const struct options *options, struct output *output,
			       struct error *err);
enum exit_status command_verify(const struct options *options, struct output *output,
				struct error *err);
enum exit_status command_checksum(const struct options *options, struct output *output,
				  struct error *err);
enum exit_status command_profile(const struct options *options, struct output *output,
				 struct error *err);
enum exit_status command_drivers(const struct options *options, struct output *output,
				 struct error *err);
