// SPDX-License-Identifier: GPL-3.0-or-later
/* What the columns of each table of drivers-db/ may hold. */
#include <string.h>

#include "adapt/drivers_db_private.h"
#include "base/scope.h"
#include "base/text.h"

#define DIGITS "0123456789"
#define HEXADECIMAL DIGITS "abcdef"

const char *const drivers_needs[] = {"none", "optional", "required", NULL};
const char *const drivers_quirk_kinds[] = {"argument", "option", "blacklist", NULL};

size_t drivers_word_index(const char *word, const char *const *words)
{
	size_t index = 0;

	while (words[index] && strcmp(words[index], word) != 0)
		index++;
	return index;
}

static bool is_one_of(const char *word, const char *const *words)
{
	return words[drivers_word_index(word, words)];
}

static bool is_of(const char *word, const char *characters)
{
	return *word && word[strspn(word, characters)] == '\0';
}

static bool is_role(const char *word)
{
	static const char *const roles[] = {"storage", "disk",   "usb",      "network", "display",
					    "audio",   "media",  "input",    "bridge",  "memory",
					    "serial",  "system", "wireless", "other",   NULL};

	return is_one_of(word, roles);
}

static bool is_need(const char *word)
{
	return is_one_of(word, drivers_needs);
}

static bool is_quirk_kind(const char *word)
{
	return is_one_of(word, drivers_quirk_kinds);
}

static bool is_mode(const char *word)
{
	static const char *const modes[] = {"vmd", "rst", "raid", NULL};

	return is_one_of(word, modes);
}

static bool is_transport(const char *word)
{
	static const char *const transports[] = {"ata", "scsi", "nvme",   "ufs", "mmc",
						 "usb", "-",    "virtio", NULL};

	return is_one_of(word, transports);
}

static bool is_rank(const char *word)
{
	return strlen(word) <= 2 && is_of(word, DIGITS);
}

static bool is_when(const char *word)
{
	const char *digits = has_prefix(word, "rev>=")  ? word + strlen("rev>=")
			     : has_prefix(word, "rev<") ? word + strlen("rev<")
							: "";

	return strcmp(word, "*") == 0 || (strlen(digits) == 2 && is_of(digits, HEXADECIMAL));
}

static bool is_module(const char *word)
{
	return is_of(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "_");
}

static bool is_version(const char *word)
{
	return is_of(word, DIGITS ".") && *word != '.';
}

static bool is_condition(const char *word)
{
	_cleanup_strings_ struct strings parts = {0};

	if (strcmp(word, "*") == 0)
		return true;
	strings_split(&parts, word, ",");
	for (size_t i = 0; i < parts.count; i++) {
		const char *part = parts.item[i];

		if (!has_prefix(part, "<") && !has_prefix(part, ">="))
			return false;
		if (!is_version(part + strspn(part, "<>=")))
			return false;
	}
	return parts.count > 0;
}

/* One or more as os-release(5) has ID, with commas between. */
static bool is_family(const char *word)
{
	return is_of(word, "abcdefghijklmnopqrstuvwxyz" DIGITS "._-,");
}

/* "modalias of one bus": a pattern without a bus would look at every device. */
static bool is_modalias(const char *word)
{
	return strchr(word, ':') && *word != ':';
}

/* A sentence for a message that goes on behind it. */
static bool is_sentence(const char *word)
{
	return strlen(word) > 10 && word[strlen(word) - 1] != '.';
}

static bool is_id(const char *word)
{
	return strcmp(word, "*") == 0 || (strlen(word) == 4 && is_of(word, HEXADECIMAL));
}

static bool is_dmi_match(const char *word)
{
	static const char *const keys[] = {
		"vendor=", "product=", "version=", "board-vendor=", "board=", "bios="};

	for (size_t i = 0; i < array_length(keys); i++)
		if (has_prefix(word, keys[i]) && word[strlen(keys[i])])
			return true;
	return false;
}

static bool is_quirk_match(const char *word)
{
	_cleanup_strings_ struct strings parts = {0};

	if (has_prefix(word, "dmi:"))
		return is_dmi_match(word + strlen("dmi:"));
	strings_split(&parts, word, ":");
	if (parts.count != 3 && !(parts.count == 5 && strcmp(parts.item[0], "pci") == 0))
		return false;
	for (size_t i = 1; i < parts.count; i++)
		if (!is_id(parts.item[i]))
			return false;
	return strcmp(parts.item[0], "pci") == 0 || strcmp(parts.item[0], "usb") == 0;
}

static int check_class(char *const *column, struct error *err)
{
	size_t digits = strspn(column[1], HEXADECIMAL);

	if (strcmp(column[0], "pci") != 0)
		return 0;
	if (column[1][digits] || (digits != 2 && digits != 4 && digits != 6))
		return error_set(err, "\"%s\" is not the beginning of a PCI class", column[1]);
	return 0;
}

static int check_quirk(char *const *column, struct error *err)
{
	_cleanup_strings_ struct strings words = {0};

	strings_split(&words, column[3], " ");
	if (strcmp(column[2], "argument") == 0 && strpbrk(column[3], " \t"))
		return error_set(err, "\"%s\" is more than one kernel argument", column[3]);
	if (strcmp(column[2], "blacklist") == 0 && !is_module(column[3]))
		return error_set(err, "\"%s\" is no module to be blacklisted", column[3]);
	if (strcmp(column[2], "option") == 0 &&
	    (words.count < 2 || !is_module(words.item[0]) || !strchr(words.item[1], '=')))
		return error_set(err, "\"%s\" is not MODULE OPTION=VALUE", column[3]);
	/* The value goes into files with a grammar of their own. */
	if (strpbrk(column[3], "\"'\\`$\n"))
		return error_set(err, "\"%s\" holds a character that a shell would take apart",
				 column[3]);
	return 0;
}

static int check_renamed(char *const *column, struct error *err)
{
	if (strcmp(column[0], column[1]) == 0)
		return error_set(err, "\"%s\" is renamed to itself", column[0]);
	return 0;
}

const struct table_format drivers_formats[TABLES] = {
	[CLASSES] = {"classes.table",
		     6,
		     {{0, 1}, 2},
		     {{2, is_role}, {3, is_need}, {4, is_transport}},
		     check_class},
	[CONTROLLER_MODES] = {"controller-modes.table",
			      4,
			      {{0}, 1},
			      {{0, is_modalias}, {1, is_mode}, {2, is_module}, {3, is_sentence}},
			      NULL},
	[DEVICE_SINCE] = {"device-since.table",
			  3,
			  {{0}, 1},
			  {{0, is_modalias}, {1, is_version}, {2, is_module}},
			  NULL},
	[DISK_MODULES] = {"disk-modules.table",
			  3,
			  {{0, 1}, 2},
			  {{0, is_transport}, {1, is_module}, {2, is_need}},
			  NULL},
	[FIRMWARE_OPTIONAL] = {"firmware-optional.table",
			       2,
			       {{0, 1}, 2},
			       {{0, is_module}, {1, is_modalias}},
			       NULL},
	[FIRMWARE_PACKAGES] = {"firmware-packages.table",
			       4,
			       {{0, 1, 2}, 3},
			       {{0, is_family}, {1, is_condition}},
			       NULL},
	[GUEST_TOOLS] = {"guest-tools.table", 3, {{0, 2}, 2}, {{0}}, NULL},
	[KERNEL_FLAVOURS] =
		{"kernel-flavours.table", 5, {{0, 1}, 2}, {{0, is_family}, {4, is_sentence}}, NULL},
	[PREFERENCES] = {"preferences.table",
			 3,
			 {{0, 2}, 2},
			 {{0, is_module}, {1, is_rank}, {2, is_when}},
			 NULL},
	[PRELOAD_MODULES] = {"preload-modules.table",
			     2,
			     {{0, 1}, 2},
			     {{0, is_module}, {1, is_module}},
			     check_renamed},
	[QUIRKS] = {"quirks.table",
		    5,
		    {{0, 2, 3}, 3},
		    {{0, is_quirk_match}, {1, is_condition}, {2, is_quirk_kind}, {4, is_sentence}},
		    check_quirk},
	[RENAMED_MODULES] = {"renamed-modules.table",
			     3,
			     {{0, 1}, 2},
			     {{0, is_module}, {1, is_module}, {2, is_version}},
			     check_renamed},
	[VIRTUAL_MODULES] = {"virtual-modules.table", 2, {{0}, 1}, {{0, is_module}}, NULL},
	[XORG_DRIVERS] = {"xorg-drivers.table", 2, {{0}, 1}, {{0}}, NULL},
};
