// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Step quirks: what rows of drivers-db/quirks.table ask for on this machine: kernel arguments,
 * module options, modules that are not to be loaded. The guest's own settings of the same parameter
 * stay.
 *
 * Kernel arguments go where the guest's tools take them from, for kernels to come:
 * /etc/default/grub (GRUB manual, "Simple configuration"), as an assignment of its own at the end,
 * since a value may be quoted and escaped in ways that only a shell takes apart;
 * /etc/kernel/cmdline (kernel-install(8)); and into the entries of the Boot Loader Specification
 * that are there already.
 */
#include <stdlib.h>
#include <string.h>

#include "adapt/config.h"
#include "adapt/drivers_db.h"
#include "base/scope.h"

#define STEP "quirks"
#define MODPROBE_FILE "/etc/modprobe.d/v2p-quirks.conf"
#define GRUB_FILE "/etc/default/grub"
#define CMDLINE_FILE "/etc/kernel/cmdline"
#define GRUB_MARK "# v2p: what this machine needs; written anew by each adaptation\n"
#define GRUB_ASSIGNMENT "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX"

static const char consequence[] = "what this machine needs from the kernel is not set there";

/* Those of boot loaders, below /boot and where an EFI system partition may be mounted. */
static const char *const entry_directories[] = {"/boot/loader/entries", "/boot/efi/loader/entries",
						"/efi/loader/entries"};

struct work {
	struct adaptation *adaptation;
	struct changes *changes;
	const struct quirk **quirk;
	size_t count;
	size_t argument_files; /* that take kernel arguments */
};

static void work_release(struct work *work)
{
	free(work->quirk);
}

static bool has_kernel_for(const struct guest *guest, const char *condition)
{
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (drivers_db_version_fits(condition, guest->kernel[i].release))
			return true;
	return false;
}

static void find_quirks(struct work *work)
{
	struct adaptation *adaptation = work->adaptation;
	size_t all = drivers_db_quirks(adaptation->db, adaptation->hardware, &work->quirk);

	for (size_t i = 0; i < all; i++)
		if (has_kernel_for(adaptation->guest, work->quirk[i]->kernels))
			work->quirk[work->count++] = work->quirk[i];
}

/* "power_save" of "power_save=0". */
static bool is_same_parameter(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strcspn(b, "=") == length && strncmp(a, b, length) == 0;
}

enum setting { SETTING_ABSENT, SETTING_SAME, SETTING_OTHER };

static enum setting find_setting(const struct strings *words, const char *wanted)
{
	for (size_t i = 0; i < words->count; i++) {
		if (strcmp(words->item[i], wanted) == 0)
			return SETTING_SAME;
		if (is_same_parameter(words->item[i], wanted))
			return SETTING_OTHER;
	}
	return SETTING_ABSENT;
}

static void warn_own_setting(const struct work *work, const char *file, const struct quirk *quirk,
			     const char *value)
{
	report_warning(work->adaptation->report,
		       "%s has its own setting in the place of %s, which this machine may need: %s",
		       file, value, quirk->reason);
}

/* The kernel arguments that words lack, and why. words: of the lines that are the guest's own. */
static void list_missing(const struct work *work, const char *file, const struct strings *words,
			 struct strings *arguments, struct strings *reasons)
{
	for (size_t i = 0; i < work->count; i++) {
		const struct quirk *quirk = work->quirk[i];
		enum setting setting;

		if (quirk->kind != QUIRK_ARGUMENT || strings_has(arguments, quirk->value))
			continue;
		setting = find_setting(words, quirk->value);
		if (setting == SETTING_ABSENT)
			setting = find_setting(arguments, quirk->value);
		if (setting == SETTING_OTHER)
			warn_own_setting(work, file, quirk, quirk->value);
		if (setting != SETTING_ABSENT)
			continue;
		strings_add(arguments, quirk->value);
		strings_add_once(reasons, quirk->reason);
	}
}

static int write_file(const struct work *work, const char *path, const struct text *content,
		      const struct strings *reasons, struct error *err)
{
	_cleanup_free_ char *why =
		reasons->count ? strings_join(reasons, "; ")
			       : string_copy("this machine needs no such setting any more");

	return changes_write(work->changes, work->adaptation->guest, STEP, path,
			     text_string(content), why, err);
}

/* What is not a comment, nor made by an earlier run, word by word. */
static void list_words(const char *content, struct strings *words)
{
	_cleanup_strings_ struct strings lines = {0};

	strings_split(&lines, content, "\r\n");
	for (size_t i = 0; i < lines.count; i++)
		if (lines.item[i][strspn(lines.item[i], " \t")] != '#')
			strings_split(words, lines.item[i], " \t\"'");
}

/* Appends content without the two lines that an earlier run left. */
static void drop_own_lines(const char *content, struct text *out)
{
	const char *mark = strstr(content, GRUB_MARK);
	const char *line = mark ? mark + strlen(GRUB_MARK) : NULL;

	if (!mark) {
		text_add(out, content);
		return;
	}
	text_add_bytes(out, content, (size_t)(mark - content));
	if (has_prefix(line, GRUB_ASSIGNMENT))
		line += strcspn(line, "\n");
	text_add(out, *line == '\n' ? line + 1 : line);
}

static int plan_grub_file(struct work *work, const char *path, struct error *err)
{
	_cleanup_text_ struct text before = {0}, after = {0};
	_cleanup_strings_ struct strings words = {0}, arguments = {0}, reasons = {0};
	_cleanup_free_ char *joined = NULL;

	if (!config_read(work->adaptation, work->changes, path, consequence, &before))
		return 0;
	work->argument_files++;
	drop_own_lines(text_string(&before), &after);
	list_words(text_string(&after), &words);
	list_missing(work, path, &words, &arguments, &reasons);
	if (arguments.count) {
		joined = strings_join(&arguments, " ");
		if (after.length && after.data[after.length - 1] != '\n')
			text_add(&after, "\n");
		text_addf(&after, GRUB_MARK GRUB_ASSIGNMENT " %s\"\n", joined);
	}
	return write_file(work, path, &after, &reasons, err);
}

/* Does a file that is read behind GRUB_FILE begin the arguments anew? */
static bool begins_anew(const struct work *work, const char *path)
{
	_cleanup_text_ struct text content = {0}, own = {0};
	_cleanup_strings_ struct strings lines = {0};
	bool begins = false;

	if (!config_read(work->adaptation, work->changes, path, consequence, &content))
		return false;
	drop_own_lines(text_string(&content), &own);
	strings_split(&lines, text_string(&own), "\r\n");
	for (size_t i = 0; i < lines.count; i++)
		begins = begins || (has_prefix(lines.item[i], "GRUB_CMDLINE_LINUX=") &&
				    !strstr(lines.item[i], "$GRUB_CMDLINE_LINUX"));
	return begins;
}

static int plan_grub(struct work *work, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	if (guest_glob(work->adaptation->guest, GRUB_FILE ".d", "*.cfg", &files, err) ||
	    plan_grub_file(work, GRUB_FILE, err))
		return -1;
	for (size_t i = 0; i < files.count; i++)
		if (begins_anew(work, files.item[i]) && plan_grub_file(work, files.item[i], err))
			return -1;
	return 0;
}

/* Does a line hold kernel arguments? key: "options", or "" where every line does. */
static bool holds_arguments(const char *line, const char *key)
{
	const char *rest = line + strlen(key);

	return has_prefix(line, key) && *line != '#' && (!*key || *rest == ' ' || *rest == '\t') &&
	       rest[strspn(rest, " \t\r")];
}

/* Appends arguments to the first line that holds some; the others of a file continue it. */
static void append_arguments(const char *content, const char *key, const struct strings *arguments,
			     struct text *out)
{
	_cleanup_free_ char *joined = strings_join(arguments, " ");
	size_t end;

	while (*content) {
		size_t length = strcspn(content, "\n");
		_cleanup_free_ char *line = string_format("%.*s", (int)length, content);

		if (holds_arguments(line, key))
			break;
		length += content[length] == '\n';
		text_add_bytes(out, content, length);
		content += length;
	}
	end = strcspn(content, "\n");
	while (end > 0 && strchr(" \t\r", content[end - 1]))
		end--;
	text_add_bytes(out, content, end);
	text_addf(out, " %s", joined);
	text_add(out, content + end);
}

static int plan_lines(struct work *work, const char *path, const char *key, struct error *err)
{
	_cleanup_text_ struct text before = {0}, after = {0};
	_cleanup_strings_ struct strings lines = {0}, words = {0}, arguments = {0}, reasons = {0};

	if (!config_read(work->adaptation, work->changes, path, consequence, &before))
		return 0;
	strings_split(&lines, text_string(&before), "\n");
	for (size_t i = 0; i < lines.count; i++)
		if (holds_arguments(lines.item[i], key))
			strings_split(&words, lines.item[i], " \t\r\"");
	if (!words.count)
		return 0;
	work->argument_files++;
	list_missing(work, path, &words, &arguments, &reasons);
	if (!arguments.count)
		return 0;
	append_arguments(text_string(&before), key, &arguments, &after);
	return write_file(work, path, &after, &reasons, err);
}

static int plan_entries(struct work *work, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	for (size_t i = 0; i < array_length(entry_directories); i++)
		if (guest_glob(work->adaptation->guest, entry_directories[i], "*.conf", &files,
			       err))
			return -1;
	for (size_t i = 0; i < files.count; i++)
		if (plan_lines(work, files.item[i], "options", err))
			return -1;
	return 0;
}

static void warn_no_place(const struct work *work)
{
	for (size_t i = 0; i < work->count; i++)
		if (work->quirk[i]->kind == QUIRK_ARGUMENT)
			report_warning(work->adaptation->report,
				       "the kernel argument %s is not set, since the guest has "
				       "neither " GRUB_FILE " nor " CMDLINE_FILE
				       " nor boot loader entries: %s",
				       work->quirk[i]->value, work->quirk[i]->reason);
}

static int plan_arguments(struct work *work, struct error *err)
{
	if (plan_grub(work, err) || plan_lines(work, CMDLINE_FILE, "", err) ||
	    plan_entries(work, err))
		return -1;
	if (!work->argument_files)
		warn_no_place(work);
	return 0;
}

/* The options that the guest itself sets for module, as "name=value". */
static int list_options(const struct work *work, const char *module, struct strings *options,
			struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	if (guest_glob(work->adaptation->guest, "/etc/modprobe.d", "*.conf", &files, err))
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		_cleanup_text_ struct text content = {0};
		_cleanup_strings_ struct strings lines = {0};

		if (strcmp(files.item[i], MODPROBE_FILE) == 0 ||
		    !config_read(work->adaptation, work->changes, files.item[i],
				 "what it says of modules is not known", &content))
			continue;
		strings_split(&lines, text_string(&content), "\r\n");
		for (size_t j = 0; j < lines.count; j++) {
			_cleanup_strings_ struct strings words = {0};

			strings_split(&words, lines.item[j], " \t");
			if (words.count < 3 || strcmp(words.item[0], "options") != 0 ||
			    !drivers_is_same_module(words.item[1], module))
				continue;
			for (size_t k = 2; k < words.count; k++)
				strings_add(options, words.item[k]);
		}
	}
	return 0;
}

static int add_option(const struct work *work, const struct quirk *quirk, struct text *out,
		      struct strings *reasons, struct error *err)
{
	_cleanup_strings_ struct strings words = {0}, own = {0};
	_cleanup_text_ struct text line = {0};

	strings_split(&words, quirk->value, " ");
	if (list_options(work, words.item[0], &own, err))
		return -1;
	for (size_t i = 1; i < words.count; i++) {
		enum setting setting = find_setting(&own, words.item[i]);

		if (setting == SETTING_OTHER)
			warn_own_setting(work, "/etc/modprobe.d", quirk, words.item[i]);
		if (setting == SETTING_ABSENT)
			text_addf(&line, " %s", words.item[i]);
	}
	if (!line.length)
		return 0;
	text_addf(out, "# %s\noptions %s%s\n", quirk->reason, words.item[0], text_string(&line));
	strings_add_once(reasons, quirk->reason);
	return 0;
}

/* The whole file is ours: what an earlier machine needed goes. */
static int plan_modprobe(struct work *work, struct error *err)
{
	_cleanup_text_ struct text after = {0};
	_cleanup_strings_ struct strings reasons = {0};

	text_add(&after, "# By v2p: what this machine needs; written anew by each adaptation.\n");
	for (size_t i = 0; i < work->count; i++) {
		const struct quirk *quirk = work->quirk[i];

		if (quirk->kind == QUIRK_OPTION &&
		    add_option(work, quirk, &after, &reasons, err) < 0)
			return -1;
		if (quirk->kind != QUIRK_BLACKLIST)
			continue;
		text_addf(&after, "# %s\nblacklist %s\n", quirk->reason, quirk->value);
		strings_add_once(&reasons, quirk->reason);
	}
	if (reasons.count)
		return write_file(work, MODPROBE_FILE, &after, &reasons, err);
	if (!guest_has(work->adaptation->guest, MODPROBE_FILE))
		return 0;
	return changes_remove(work->changes, work->adaptation->guest, STEP, MODPROBE_FILE,
			      "this machine needs no such setting any more", err);
}

static int quirks_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	_cleanup_(work_release) struct work work = {.adaptation = adaptation, .changes = changes};

	find_quirks(&work);
	if (plan_arguments(&work, err) < 0)
		return -1;
	return plan_modprobe(&work, err);
}

const struct step_ops step_quirks = {
	.name = STEP,
	.plan = quirks_plan,
};
