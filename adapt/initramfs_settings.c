// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/initramfs_settings.h"

#include <string.h>

#include "adapt/drivers_db.h"
#include "base/scope.h"

enum { SETTINGS_LIMIT = 1024 }; /* of one file */

/* Where the value begins in "  NAME+=value", or NULL. */
static const char *value_of(const char *line, const char *name)
{
	line += strspn(line, " \t");
	if (!has_prefix(line, name))
		return NULL;
	line += strlen(name);
	line += *line == '+';
	return *line == '=' ? line + 1 : NULL;
}

/* How long the value is: up to the end of the line, of the quotes, or of the list. */
static size_t value_length(const char *value)
{
	const char *end = NULL;

	if (*value == '(')
		end = strchr(value, ')');
	if (*value == '"' || *value == '\'')
		end = strchr(value + 1, *value);
	return end ? (size_t)(end - value) : strcspn(value, "\n#");
}

static void add_setting(struct settings *out, const char *file, const char *name, const char *value)
{
	_cleanup_free_ char *text = string_format("%.*s", (int)value_length(value), value);
	struct setting setting = {.file = string_copy(file), .name = string_copy(name)};

	strings_split(&setting.words, text, " \t\r\n\"'();");
	out->item = reallocarray(out->item, out->count + 1, sizeof(*out->item));
	if (!out->item)
		abort();
	out->item[out->count++] = setting;
}

/* The setting that stands in the line, and where its value begins; NULL: none. */
static const char *find_setting(const char *line, const char *const *names, const char **name)
{
	for (size_t i = 0; names[i]; i++) {
		const char *value = value_of(line, names[i]);

		*name = names[i];
		if (value)
			return value;
	}
	return NULL;
}

void settings_parse(const char *file, const char *content, const char *const *names,
		    struct settings *out)
{
	size_t before = out->count;
	const char *name;

	for (const char *line = content; *line && out->count - before < SETTINGS_LIMIT;
	     line += strspn(line, "\n")) {
		const char *value = find_setting(line, names, &name);

		/* What is inside a value is no setting, as for the shell. */
		if (value) {
			add_setting(out, file, name, value);
			line = value + value_length(value);
		}
		line += strcspn(line, "\n");
	}
}

static bool is_ours(const char *path)
{
	return has_prefix(strrchr(path, '/') + 1, "zz-v2p");
}

static int list_files(const struct guest *guest, const char *path, const char *suffix,
		      struct strings *out, struct error *err)
{
	_cleanup_free_ char *pattern = string_format("*%s", suffix);
	_cleanup_free_ char *directory = NULL;

	if (!has_suffix(path, "/")) {
		strings_add(out, path);
		return 0;
	}
	directory = string_format("%.*s", (int)strlen(path) - 1, path);
	return guest_glob(guest, directory, pattern, out, err);
}

int settings_read(const struct guest *guest, const struct changes *changes,
		  const char *const *files, const char *suffix, const char *const *names,
		  struct settings *out, struct error *err)
{
	_cleanup_strings_ struct strings paths = {0};

	for (size_t i = 0; files[i]; i++)
		if (list_files(guest, files[i], suffix, &paths, err) < 0)
			return -1;
	for (size_t i = 0; i < paths.count; i++) {
		_cleanup_text_ struct text content = {0};

		if (!is_ours(paths.item[i]) &&
		    changes_read(changes, guest, paths.item[i], &content, NULL) > 0)
			settings_parse(paths.item[i], text_string(&content), names, out);
	}
	return 0;
}

void settings_release(struct settings *settings)
{
	for (size_t i = 0; i < settings->count; i++) {
		free(settings->item[i].file);
		free(settings->item[i].name);
		strings_release(&settings->item[i].words);
	}
	free(settings->item);
	*settings = (struct settings){0};
}

char *setting_text(const struct setting *setting, const char *word)
{
	return string_format("%s=%s in %s", setting->name, word, setting->file);
}

char *module_of_file(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *name = string_copy(slash ? slash + 1 : file);

	name[strcspn(name, ".")] = '\0';
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

const char *find_module(const struct strings *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (drivers_is_same_module(list->item[i], name))
			return list->item[i];
	return NULL;
}

char *settings_with_block(const char *content, const char *title, const char *lines)
{
	const char *begin = strstr(content, BLOCK_BEGIN);
	const char *end = begin ? strstr(begin, BLOCK_END) : NULL;
	struct text out = {0};

	if (end) {
		text_add_bytes(&out, content, (size_t)(begin - content));
		text_add(&out, end + strlen(BLOCK_END));
	} else {
		text_add(&out, content);
	}
	if (out.length && out.data[out.length - 1] != '\n')
		text_add(&out, "\n");
	text_addf(&out, "%s: %s\n%s%s", BLOCK_BEGIN, title, lines, BLOCK_END);
	return text_take(&out);
}
