// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The entries of grub.cfg and its default. Lines are looked at one by one, as grub-mkconfig writes
 * them: a block is opened by '{' at the end of a line and closed by '}' alone on one.
 */
#include <string.h>

#include "base/scope.h"
#include "boot/boot_entries.h"

enum { DEPTH_LIMIT = 16 };

/* What a '{' opened: an entry of the menu, or something else (a function). */
struct block {
	int entry; /* index, or -1 */
};

struct parse {
	struct boot_entries *out;
	struct block block[DEPTH_LIMIT];
	size_t depth;
	bool is_lost; /* deeper than anything that grub-mkconfig writes */
};

/* Words as GRUB's shell splits them: quotes hold words together and are left out. */
static void split_words(const char *line, size_t length, struct strings *words)
{
	_cleanup_text_ struct text word = {0};
	bool has_word = false;
	char quote = '\0';

	for (size_t i = 0; i <= length; i++) {
		char c = i < length ? line[i] : ' ';
		bool is_space = strchr(" \t\r", c) && c;

		if (quote ? c == quote : (c == '\'' || c == '"')) {
			quote = quote ? '\0' : c;
			has_word = true;
		} else if (!quote && is_space) {
			if (has_word)
				strings_add(words, text_string(&word));
			text_truncate(&word, 0);
			has_word = false;
		} else {
			if (c == '\\' && quote != '\'' && i + 1 < length)
				c = line[++i];
			text_add_bytes(&word, &c, 1);
			has_word = true;
		}
	}
}

static int enclosing_menu(const struct parse *parse)
{
	for (size_t i = parse->depth; i-- > 0;)
		if (parse->block[i].entry >= 0)
			return parse->block[i].entry;
	return BOOT_ENTRIES_TOP;
}

/* menuentry 'Title' --class x $menuentry_id_option 'id' {, or --id 'id'. */
static const char *entry_id(const struct strings *words)
{
	for (size_t i = 2; i + 1 < words->count; i++)
		if (!strcmp(words->item[i], "--id") ||
		    !strcmp(words->item[i], "$menuentry_id_option") ||
		    !strcmp(words->item[i], "${menuentry_id_option}"))
			return words->item[i + 1];
	return "";
}

static void open_block(struct parse *parse, const struct strings *words)
{
	const char *command = words->item[0];
	bool is_menu = strcmp(command, "submenu") == 0;
	struct boot_entry *entry = NULL;

	if (parse->depth == DEPTH_LIMIT) {
		parse->is_lost = true;
		return;
	}
	if ((is_menu || strcmp(command, "menuentry") == 0) && words->count > 2)
		entry = boot_entries_add(parse->out, enclosing_menu(parse), words->item[1],
					 entry_id(words));
	if (entry)
		entry->is_menu = is_menu;
	parse->block[parse->depth++].entry = entry ? (int)(entry - parse->out->item) : -1;
}

static void set_kernel(struct parse *parse, const char *path)
{
	int at = enclosing_menu(parse);
	struct boot_entry *entry = at >= 0 ? &parse->out->item[at] : NULL;

	if (entry && !entry->is_menu && !entry->kernel)
		entry->kernel = string_copy(path);
}

static void parse_line(struct parse *parse, const struct strings *words)
{
	static const char *const linux_commands[] = {"linux", "linux16", "linuxefi"};
	const char *last = words->item[words->count - 1];

	if (words->count == 1 && strcmp(last, "}") == 0) {
		parse->depth -= parse->depth > 0;
		return;
	}
	if (strcmp(last, "{") == 0) {
		open_block(parse, words);
		return;
	}
	for (size_t i = 0; i < array_length(linux_commands) && words->count > 1; i++)
		if (strcmp(words->item[0], linux_commands[i]) == 0)
			set_kernel(parse, words->item[1]);
}

typedef void line_method(void *context, const struct strings *words);

static void each_line(const char *text, line_method *method, void *context)
{
	while (*text) {
		const size_t length = strcspn(text, "\n");
		_cleanup_strings_ struct strings words = {0};

		split_words(text, length, &words);
		if (words.count && words.item[0][0] != '#')
			method(context, &words);
		text += length + (text[length] == '\n');
	}
}

static void on_line(void *context, const struct strings *words)
{
	struct parse *parse = context;

	if (!parse->is_lost)
		parse_line(parse, words);
}

void grub_entries_parse(const char *config, struct boot_entries *out)
{
	struct parse parse = {.out = out};

	each_line(config, on_line, &parse);
}

static void on_bls_line(void *context, const struct strings *words)
{
	*(bool *)context |= strcmp(words->item[0], "blscfg") == 0;
}

bool grub_entries_has_bls(const char *config)
{
	bool found = false;

	each_line(config, on_bls_line, &found);
	return found;
}

/* The value of NAME=VALUE in the block; heap, NULL: not there or empty. */
static char *variable(const char *environment, const char *name)
{
	_cleanup_strings_ struct strings lines = {0};
	size_t length = strlen(name);

	strings_split(&lines, environment, "\n");
	for (size_t i = 0; i < lines.count; i++)
		if (lines.item[i][0] != '#' && !strncmp(lines.item[i], name, length) &&
		    lines.item[i][length] == '=' && lines.item[i][length + 1])
			return string_copy(lines.item[i] + length + 1);
	return NULL;
}

struct setting {
	const char *environment;
	char *value;
};

/* "$saved_entry" and "${saved_entry}" alone; what else a value may be made of is not evaluated. */
static char *expand(const char *value, const char *environment)
{
	_cleanup_free_ char *name = NULL;

	if (*value != '$')
		return string_copy(value);
	value += value[1] == '{' ? 2 : 1;
	name = string_format("%.*s", (int)strcspn(value, "}"), value);
	return variable(environment, name);
}

static void on_set_line(void *context, const struct strings *words)
{
	struct setting *setting = context;
	char *value;

	if (words->count != 2 || strcmp(words->item[0], "set") != 0 ||
	    !has_prefix(words->item[1], "default="))
		return;
	/* The entry for one start only: when it is set, the lines behind it are for the others. */
	if (setting->value && strstr(words->item[1], "next_entry") == NULL) {
		_cleanup_free_ char *once = variable(setting->environment, "next_entry");

		if (once)
			return;
	}
	value = expand(words->item[1] + strlen("default="), setting->environment);
	if (!value)
		return;
	free(setting->value);
	setting->value = value;
}

char *grub_entries_default(const char *config, const char *environment)
{
	struct setting setting = {.environment = environment};

	each_line(config, on_set_line, &setting);
	return setting.value;
}
