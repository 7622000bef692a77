// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/blacklist.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/boot_arguments.h"
#include "base/scope.h"

enum { RULES_LIMIT = 65536 };

enum rule_kind {
	RULE_BLACKLIST, /* pattern: a module */
	RULE_INSTALL,
	RULE_OFF,    /* pattern: an alias, or a module */
	RULE_KERNEL, /* module_blacklist= */
	RULE_INITCALL,
};

struct blacklist_rule {
	enum rule_kind kind;
	char *pattern;
	char *by;
};

/* In the order of kmod: a file hides those of the same name in directories behind it. */
static const char *const directories[] = {"/etc/modprobe.d", "/run/modprobe.d",
					  "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d",
					  "/lib/modprobe.d"};

static const struct {
	const char *word;
	enum rule_kind kind;
} arguments[] = {
	{"module_blacklist=", RULE_KERNEL},
	{"modprobe.blacklist=", RULE_BLACKLIST},
	{"rd.driver.blacklist=", RULE_BLACKLIST},
	{"rdblacklist=", RULE_BLACKLIST}, /* its name before dracut 008 */
	{"blacklist=", RULE_BLACKLIST},   /* initramfs-tools(7) */
	{"initcall_blacklist=", RULE_INITCALL},
};

/* Modules and aliases are compared as the kernel does it: '-' is '_'. */
static char *with_underscores(const char *name)
{
	char *copy = string_copy(name);

	for (char *c = copy; *c; c++)
		if (*c == '-')
			*c = '_';
	return copy;
}

static void add_rule(struct blacklist *blacklist, enum rule_kind kind, const char *pattern,
		     char *by)
{
	_cleanup_free_ char *owned = by;

	if (blacklist->count >= RULES_LIMIT)
		return;
	/* Twice as many at every power of two, so that a long list costs no square. */
	if ((blacklist->count & (blacklist->count - 1)) == 0) {
		size_t capacity = blacklist->count ? 2 * blacklist->count : 1;

		blacklist->rule = reallocarray(blacklist->rule, capacity, sizeof(*blacklist->rule));
		if (!blacklist->rule)
			abort();
	}
	blacklist->rule[blacklist->count++] =
		(struct blacklist_rule){kind, with_underscores(pattern), string_printable(owned)};
}

/* Does a command of `install` load the module after all? */
static bool loads(const struct strings *words)
{
	for (size_t i = 2; i < words->count; i++)
		if (strstr(words->item[i], "modprobe") || strstr(words->item[i], "insmod"))
			return true;
	return false;
}

static void take_line(struct blacklist *blacklist, const char *line, const char *file, int number)
{
	_cleanup_strings_ struct strings words = {0};
	enum rule_kind kind;

	strings_split(&words, line, " \t\r");
	if (words.count < 2)
		return;
	if (strcmp(words.item[0], "blacklist") == 0)
		kind = RULE_BLACKLIST;
	else if (strcmp(words.item[0], "install") == 0 && words.count > 2 && !loads(&words))
		kind = RULE_INSTALL;
	else if (strcmp(words.item[0], "alias") == 0 && words.count > 2 &&
		 strcmp(words.item[2], "off") == 0)
		kind = RULE_OFF;
	else
		return;
	add_rule(blacklist, kind, words.item[1], string_format("%s line %d", file, number));
}

/* A backslash at the end of a line goes on in the next one. */
static void take_file(struct blacklist *blacklist, const char *file, const char *text)
{
	_cleanup_text_ struct text line = {0};
	int number = 1, first = 1;

	while (*text) {
		const size_t length = strcspn(text, "\n");
		bool goes_on = length > 0 && text[length - 1] == '\\';

		text_add_bytes(&line, text, length - goes_on);
		text += length + (text[length] == '\n');
		number++;
		if (goes_on && *text)
			continue;
		take_line(blacklist, text_string(&line), file, first);
		text_truncate(&line, 0);
		first = number;
	}
}

static int read_directory(struct blacklist *blacklist, const struct guest *guest,
			  const char *directory, struct strings *seen, struct error *err)
{
	_cleanup_strings_ struct strings files = {0};

	if (guest_glob(guest, directory, "*.conf", &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.count; i++) {
		const char *name = strrchr(files.item[i], '/') + 1;
		_cleanup_text_ struct text content = {0};

		if (strings_has(seen, name))
			continue;
		strings_add(seen, name);
		if (guest_read(guest, files.item[i], &content, NULL) > 0)
			take_file(blacklist, files.item[i], text_string(&content));
	}
	return 0;
}

static void take_word(struct blacklist *blacklist, const char *word, const char *file)
{
	for (size_t i = 0; i < array_length(arguments); i++) {
		_cleanup_strings_ struct strings names = {0};
		const char *name = arguments[i].word;

		if (!has_prefix(word, name))
			continue;
		strings_split(&names, word + strlen(name), ",");
		for (size_t j = 0; j < names.count; j++)
			add_rule(blacklist, arguments[i].kind, names.item[j],
				 string_format("%.*s on the kernel command line in %s",
					       (int)strlen(name) - 1, name, file));
	}
}

static int read_arguments(struct blacklist *blacklist, const struct guest *guest,
			  const char *release, struct error *err)
{
	_cleanup_boot_arguments_ struct boot_arguments lines = {0};

	if (boot_arguments_read(guest, release, &lines, err) < 0)
		return -1;
	for (size_t i = 0; i < lines.count; i++)
		for (size_t j = 0; j < lines.line[i].words.count; j++)
			take_word(blacklist, lines.line[i].words.item[j], lines.line[i].file);
	return 0;
}

int blacklist_read(const struct guest *guest, const char *release, struct blacklist *out,
		   struct error *err)
{
	_cleanup_strings_ struct strings seen = {0};
	int result = 0;

	*out = (struct blacklist){0};
	for (size_t i = 0; result == 0 && i < array_length(directories); i++)
		result = read_directory(out, guest, directories[i], &seen, err);
	if (result == 0)
		result = read_arguments(out, guest, release, err);
	if (result < 0) {
		blacklist_release(out);
		return error_in(err, "read which modules are blacklisted");
	}
	return 0;
}

/* The name of a module's init function is its own; most have its name in front. */
static bool is_initcall_of(const char *function, const char *module)
{
	_cleanup_free_ char *before = string_format("%s_", module);
	_cleanup_free_ char *behind = string_format("init_%s", module);

	return (has_prefix(function, before) && has_suffix(function, "_init")) ||
	       strcmp(function, behind) == 0;
}

static enum blacklisting judge(const struct blacklist_rule *rule, const char *module,
			       const char *modalias)
{
	bool is_name = strcmp(rule->pattern, module) == 0;

	switch (rule->kind) {
	case RULE_BLACKLIST:
		return is_name ? BLACKLIST_AUTOMATIC : BLACKLIST_NONE;
	case RULE_INSTALL:
	case RULE_KERNEL:
		return is_name ? BLACKLIST_ALWAYS : BLACKLIST_NONE;
	case RULE_INITCALL:
		return is_initcall_of(rule->pattern, module) ? BLACKLIST_ALWAYS : BLACKLIST_NONE;
	case RULE_OFF:
		if (string_matches(rule->pattern, module))
			return BLACKLIST_ALWAYS;
		return modalias && string_matches(rule->pattern, modalias) ? BLACKLIST_AUTOMATIC
									   : BLACKLIST_NONE;
	}
	return BLACKLIST_NONE;
}

enum blacklisting blacklist_find(const struct blacklist *blacklist, const char *module,
				 const char *modalias, const char **by)
{
	_cleanup_free_ char *name = with_underscores(module);
	_cleanup_free_ char *alias = modalias ? with_underscores(modalias) : NULL;
	enum blacklisting worst = BLACKLIST_NONE;

	for (size_t i = 0; i < blacklist->count; i++) {
		enum blacklisting found = judge(&blacklist->rule[i], name, alias);

		if (found <= worst)
			continue;
		worst = found;
		if (by)
			*by = blacklist->rule[i].by;
	}
	return worst;
}

enum blacklisting blacklist_find_builtin(const struct blacklist *blacklist, const char *module,
					 const char **by)
{
	for (size_t i = 0; i < blacklist->count; i++) {
		const struct blacklist_rule *rule = &blacklist->rule[i];

		if (rule->kind != RULE_INITCALL || !is_initcall_of(rule->pattern, module))
			continue;
		if (by)
			*by = rule->by;
		return BLACKLIST_ALWAYS;
	}
	return BLACKLIST_NONE;
}

void blacklist_release(struct blacklist *blacklist)
{
	if (!blacklist)
		return;
	for (size_t i = 0; i < blacklist->count; i++) {
		free(blacklist->rule[i].pattern);
		free(blacklist->rule[i].by);
	}
	free(blacklist->rule);
	*blacklist = (struct blacklist){0};
}
