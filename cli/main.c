// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/scope.h"
#include "base/version.h"
#include "cli/command.h"

/* Commands that have their place and no code yet say so instead of doing half of it. */
static enum exit_status not_supported(const struct options *options, struct output *output,
				      struct error *err)
{
	(void)options;
	(void)output;
	error_set(err, "this command is not supported yet; `v2p restore --dry-run` shows what a "
		       "restore would do, and every restore proves its adaptation");
	return EXIT_USAGE;
}

static const struct command commands[] = {
	{"inspect", "IMAGE|DISK", "what is in there: table, file systems, OS, kernels, network",
	 "Shows format and partition table of an image. Of a disk, a raw image or a tree (--root) "
	 "it "
	 "also shows the Linux system in it; that takes root, and changes nothing.",
	 COMMAND_INSPECT, command_inspect},
	{"detect", "", "this machine: devices, disks, NICs, firmware, DMI",
	 "Shows the hardware that v2p would adapt a system to. The JSON can be saved and given to "
	 "--hardware on another machine.",
	 COMMAND_DETECT, command_detect},
	{"plan", "IMAGE [DISK]",
	 "everything restore would do, and whether it will boot (not "
	 "supported yet)",
	 "Not supported yet.", 0, not_supported},
	{"restore", "IMAGE DISK...", "write the image, adapt the system on it, verify, report",
	 "DISK is a path or a rule that must match exactly one disk: serial=, wwn=, model=, "
	 "transport=, by-id= (shell patterns), size>=200G, rotational=0, removable=0, smallest, "
	 "largest; several joined by commas. A regular file is as good a disk as a device. "
	 "IMAGE is a path, PATH@SNAPSHOT, an http, https or nbd URI, or - for standard input. "
	 "With --profile, IMAGE and DISK come from the profile.",
	 COMMAND_RESTORE, command_restore},
	{"adapt", "DISK | --root DIR", "adaptation alone, on a disk that is already written",
	 "Changes what has to change in the Linux system on DISK so that it starts on this "
	 "machine. "
	 "Running it twice changes nothing the second time.",
	 COMMAND_ADAPT, command_adapt},
	{"drivers", "IMAGE | DISK | --root DIR", "which module of which kernel drives which device",
	 "Matches every device of the machine against every kernel of the system in an image, on a "
	 "disk or below a directory, and says what would keep it from starting there. Changes "
	 "nothing.",
	 COMMAND_DRIVERS, command_drivers},
	{"verify", "IMAGE DISK", "compare what is on the disk with the image",
	 "Reads both and writes nothing. What no file system in the image uses is left out, as "
	 "restore "
	 "leaves it out. A system that was adapted or grown differs by design.",
	 COMMAND_VERIFY, command_verify},
	{"checksum", "IMAGE", "print a block map: checksums of the image's data",
	 "Prints a block map (bmaptool's format) with a SHA-256 of the data in each MiB. With it, "
	 "`v2p restore --resume --checksum MAP` proves the image and reads it only where a disk "
	 "does not hold it already. What no file system in the image uses is left out.",
	 COMMAND_CHECKSUM, command_checksum},
	{"profile", "FILE|DIR|URL", "check profiles and show the one that matches this machine",
	 "Exactly one of the profiles must match. --get prints a single value of it.",
	 COMMAND_PROFILE, command_profile},
};

static void print_help(FILE *file)
{
	fprintf(file,
		"v2p " V2P_VERSION ": restores a virtual machine's image onto physical disks and "
		"makes it start there\n\nUsage: v2p COMMAND [OPTION…] [ARGUMENT…]\n\n");
	for (size_t i = 0; i < array_length(commands); i++)
		fprintf(file, "  %-8s %-18s %s\n", commands[i].name, commands[i].arguments,
			commands[i].summary);
	fprintf(file,
		"\nv2p COMMAND --help lists the options of a command; v2p(8) explains them.\n"
		"Exit status: 0 done; 1 refused, nothing was written; 2 usage; 3 failed after\n"
		"writing began, the disk has no partition table; 4 restored, but the adaptation\n"
		"is incomplete or the machine is not expected to boot.\n");
}

/* Folded at 78 columns, as the paragraph of a help text. */
static void print_folded(const char *text)
{
	_cleanup_strings_ struct strings words = {0};
	size_t column = 0;

	strings_split(&words, text, " ");
	for (size_t i = 0; i < words.count; i++) {
		size_t length = strlen(words.item[i]);

		if (column && column + 1 + length > 78) {
			putchar('\n');
			column = 0;
		}
		column += (size_t)printf("%s%s", column ? " " : "", words.item[i]);
	}
	putchar('\n');
}

static void print_command_help(const struct command *command)
{
	_cleanup_text_ struct text options = {0};

	printf("Usage: v2p %s [OPTION…] %s\n\n", command->name, command->arguments);
	print_folded(command->about);
	options_render(command->bit, &options);
	if (options.length)
		printf("\nOptions:\n%s", text_string(&options));
}

static enum exit_status run(const struct command *command, const struct options *options)
{
	_cleanup_error_ struct error err = {0};
	struct output output;
	enum exit_status status;

	if (options->help) {
		print_command_help(command);
		return EXIT_DONE;
	}
	if (output_open(&output, options->log, options->progress, options->json, &err) < 0) {
		fprintf(stderr, "v2p: %s\n", error_text(&err));
		return EXIT_USAGE;
	}
	status = command->run(options, &output, &err);
	if (status != EXIT_DONE)
		output_error(&output, error_text(&err));
	output_close(&output);
	return status;
}

int main(int argc, char **argv)
{
	_cleanup_error_ struct error err = {0};
	struct options options = {0};
	enum exit_status status;

	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : EXIT_DONE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("v2p " V2P_VERSION);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < array_length(commands); i++) {
		if (strcmp(commands[i].name, argv[1]) != 0)
			continue;
		if (options_parse(argv[1], commands[i].bit, argc - 2, argv + 2, &options, &err) <
		    0) {
			fprintf(stderr, "v2p: %s\n", error_text(&err));
			status = EXIT_USAGE;
		} else {
			status = run(&commands[i], &options);
		}
		options_release(&options);
		return (int)status;
	}
	fprintf(stderr, "v2p: unknown command %s: v2p --help lists the commands\n", argv[1]);
	return EXIT_USAGE;
}
