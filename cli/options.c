// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/options.h"

#include <stddef.h>
#include <string.h>

#include "base/scope.h"

enum option_kind { OPTION_FLAG, OPTION_STRING, OPTION_LIST };

struct option_row {
	const char *name;
	const char *argument; /* NULL: a flag */
	const char *help;
	unsigned int commands;
	enum option_kind kind;
	size_t offset;
};

#define FLAG(field) OPTION_FLAG, offsetof(struct options, field)
#define STRING(field) OPTION_STRING, offsetof(struct options, field)
#define LIST(field) OPTION_LIST, offsetof(struct options, field)

enum {
	READS_IMAGE = COMMAND_RESTORE | COMMAND_VERIFY | COMMAND_CHECKSUM,
	LOOKS_INTO_IMAGE = COMMAND_INSPECT | COMMAND_DRIVERS,
};

static const struct option_row rows[] = {
	{"--ca-file", "FILE", "certificates (PEM) to trust for https and nbds",
	 LOOKS_INTO_IMAGE | READS_IMAGE, STRING(ca_file)},
	{"--checksum", "SUM", "sha256:HEX, or a file: sha256sum list, block map (.bmap)",
	 READS_IMAGE, STRING(checksum)},
	{"--dry-run", NULL, "show what would be done, write nothing",
	 COMMAND_RESTORE | COMMAND_ADAPT, FLAG(dry_run)},
	{"--format", "FORMAT", "of the image, instead of finding out by content",
	 LOOKS_INTO_IMAGE | READS_IMAGE, STRING(format)},
	{"--get", "SECTION.KEY", "print one value of the chosen profile", COMMAND_PROFILE,
	 STRING(get)},
	{"--hardware", "FILE", "a saved `v2p detect --json`: adapt for that machine",
	 COMMAND_DETECT | COMMAND_RESTORE | COMMAND_ADAPT | COMMAND_PROFILE | COMMAND_DRIVERS,
	 STRING(hardware)},
	{"--help", NULL, "this text", (unsigned int)COMMAND_ALL, FLAG(help)},
	{"--json", NULL, "one JSON document instead of text",
	 (unsigned int)COMMAND_ALL & ~COMMAND_CHECKSUM, FLAG(json)},
	{"--key", "FILE", "key of --signature: OpenPGP keyring or minisign public key", READS_IMAGE,
	 STRING(key)},
	{"--log", "FILE", "append everything that is said to FILE", COMMAND_RESTORE | COMMAND_ADAPT,
	 STRING(log)},
	{"--no-adapt", NULL, "write the image only", COMMAND_RESTORE, FLAG(no_adapt)},
	{"--no-used-blocks", NULL, "also what no file system in the image uses", READS_IMAGE,
	 FLAG(no_used_blocks)},
	{"--no-verify", NULL, "do not read back what was written", COMMAND_RESTORE,
	 FLAG(no_verify)},
	{"--pci-dump", "FILE", "text of `lspci -x`: adapt for those PCI devices",
	 COMMAND_DETECT | COMMAND_RESTORE | COMMAND_ADAPT | COMMAND_DRIVERS, STRING(pci_dump)},
	{"--profile", "FILE|DIR|URL", "take the answers from the profile that matches this machine",
	 COMMAND_RESTORE, LIST(profiles)},
	{"--progress", "MODE", "auto, bar, json or none", READS_IMAGE, STRING(progress)},
	{"--report", "FILE", "write the report to FILE as JSON", COMMAND_RESTORE | COMMAND_ADAPT,
	 STRING(report)},
	{"--resume", NULL, "compare first, write only what differs", COMMAND_RESTORE, FLAG(resume)},
	{"--root", "DIR", "a directory tree instead of a disk", LOOKS_INTO_IMAGE | COMMAND_ADAPT,
	 STRING(root)},
	{"--signature", "FILE", "of the --checksum file, or of the image itself", READS_IMAGE,
	 STRING(signature)},
	{"--used-blocks", NULL, "leave out what no file system in the image uses (default)",
	 READS_IMAGE, FLAG(used_blocks)},
	{"--yes", NULL, "do not ask; no safety check is skipped", COMMAND_RESTORE | COMMAND_ADAPT,
	 FLAG(yes)},
};

static const struct option_row *find_row(unsigned int bit, const char *word, size_t length)
{
	for (size_t i = 0; i < array_length(rows); i++)
		if (strlen(rows[i].name) == length && strncmp(rows[i].name, word, length) == 0 &&
		    (rows[i].commands & bit))
			return &rows[i];
	return NULL;
}

static void store(const struct option_row *row, const char *value, struct options *out)
{
	void *field = (char *)out + row->offset;

	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		break;
	case OPTION_STRING:
		free(*(char **)field);
		*(char **)field = string_copy(value);
		break;
	case OPTION_LIST:
		strings_add(field, value);
		break;
	}
}

static int parse_one(const char *command, unsigned int bit, int argc, char **argv, int *i,
		     struct options *out, struct error *err)
{
	const char *word = argv[*i], *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	const struct option_row *row = find_row(bit, word, length);

	if (!row)
		return error_set(err, "unknown option %.*s: see v2p %s --help", (int)length, word,
				 command);
	if (!row->argument && equals)
		return error_set(err, "option %s takes no value", row->name);
	if (!row->argument) {
		store(row, NULL, out);
		return 0;
	}
	if (!equals && *i + 1 >= argc)
		return error_set(err, "option %s wants a value: %s", row->name, row->argument);
	store(row, equals ? equals + 1 : argv[++*i], out);
	return 0;
}

int options_parse(const char *command, unsigned int bit, int argc, char **argv, struct options *out,
		  struct error *err)
{
	bool only_arguments = false;

	for (int i = 0; i < argc; i++) {
		if (!only_arguments && strcmp(argv[i], "--") == 0) {
			only_arguments = true;
		} else if (only_arguments || argv[i][0] != '-' || argv[i][1] == '\0') {
			strings_add(&out->arguments, argv[i]);
		} else if (strcmp(argv[i], "-h") == 0) {
			out->help = true;
		} else if (parse_one(command, bit, argc, argv, &i, out, err) < 0) {
			return -1;
		}
	}
	return 0;
}

void options_render(unsigned int bit, struct text *out)
{
	for (size_t i = 0; i < array_length(rows); i++) {
		_cleanup_free_ char *left = NULL;

		if (!(rows[i].commands & bit))
			continue;
		left = string_format("%s%s%s", rows[i].name, rows[i].argument ? " " : "",
				     rows[i].argument ? rows[i].argument : "");
		text_addf(out, "  %-24s %s\n", left, rows[i].help);
	}
}

void options_release(struct options *options)
{
	for (size_t i = 0; i < array_length(rows); i++) {
		void *field = (char *)options + rows[i].offset;

		if (rows[i].kind == OPTION_STRING)
			scope_free(field);
		else if (rows[i].kind == OPTION_LIST)
			strings_release(field);
	}
	strings_release(&options->arguments);
	*options = (struct options){0};
}
