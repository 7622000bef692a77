// SPDX-License-Identifier: GPL-3.0-or-later
/* options: one table of all options; each row says which commands take it. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"

enum command_bit {
	COMMAND_INSPECT = 1 << 0,
	COMMAND_DETECT = 1 << 1,
	COMMAND_RESTORE = 1 << 2,
	COMMAND_ADAPT = 1 << 3,
	COMMAND_PROFILE = 1 << 4,
	COMMAND_VERIFY = 1 << 5,
	COMMAND_CHECKSUM = 1 << 6,
	COMMAND_DRIVERS = 1 << 7,
	COMMAND_ALL = ~0,
};

struct options {
	bool help, json, yes, dry_run, no_adapt, no_verify, resume, used_blocks, no_used_blocks;
	char *format, *ca_file, *checksum, *signature, *key;
	char *hardware, *pci_dump, *log, *progress, *root, *get, *report;
	struct strings profiles;
	struct strings arguments; /* what is not an option */
};

/* Parses what follows the command's name. An unknown option names the command's --help. */
int options_parse(const char *command, unsigned int bit, int argc, char **argv, struct options *out,
		  struct error *err);
/* The lines of --help for one command's options. */
void options_render(unsigned int bit, struct text *out);
void options_release(struct options *options);
