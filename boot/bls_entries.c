// SPDX-License-Identifier: GPL-3.0-or-later
/* Entries in files: uapi-group.org Boot Loader Specification, type 1. */
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "boot/boot_entries.h"

struct field {
	const char *name;
	size_t offset; /* of a char * in struct boot_entry */
};

static const struct field fields[] = {
	{"title", offsetof(struct boot_entry, title)},
	{"version", offsetof(struct boot_entry, version)},
	{"linux", offsetof(struct boot_entry, kernel)},
	{"efi", offsetof(struct boot_entry, kernel)},
	{"sort-key", offsetof(struct boot_entry, sort_key)},
};

static void parse_line(char *line, struct boot_entry *entry)
{
	char *key = string_trim(line), *value = key + strcspn(key, " \t");

	if (!*key || *key == '#' || !*value)
		return;
	*value++ = '\0';
	value = string_trim(value);
	for (size_t i = 0; i < array_length(fields); i++) {
		char **field = (char **)((char *)entry + fields[i].offset);

		if (strcmp(key, fields[i].name) != 0)
			continue;
		free(*field);
		*field = string_copy(value);
	}
}

static int read_entry(const struct guest *guest, const char *path, struct boot_entries *out,
		      struct error *err)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_free_ char *id =
		string_format("%.*s", (int)(strlen(name) - strlen(".conf")), name);
	_cleanup_text_ struct text text = {0};
	_cleanup_strings_ struct strings lines = {0};
	struct boot_entry *entry;

	if (guest_read(guest, path, &text, err) < 0)
		return -1;
	entry = boot_entries_add(out, BOOT_ENTRIES_TOP, "", id);
	strings_split(&lines, text_string(&text), "\r\n");
	for (size_t i = 0; entry && i < lines.count; i++)
		parse_line(lines.item[i], entry);
	return 0;
}

/* "Sorting" in the specification: by sort-key where both have one, those with one before those
 * without, then the newest version, then the file's name. */
static int compare(const void *a, const void *b)
{
	const struct boot_entry *left = a, *right = b;
	int r;

	if (!left->sort_key != !right->sort_key)
		return left->sort_key ? -1 : 1;
	r = left->sort_key ? strcmp(left->sort_key, right->sort_key) : 0;
	if (r == 0 && left->version && right->version)
		r = strverscmp(right->version, left->version);
	return r ? r : strverscmp(right->id, left->id);
}

int bls_entries_read(const struct guest *guest, const char *directory, struct boot_entries *out,
		     struct error *err)
{
	_cleanup_strings_ struct strings paths = {0};

	if (guest_glob(guest, directory, "*.conf", &paths, err) < 0)
		return -1;
	for (size_t i = 0; i < paths.count && i < BOOT_ENTRIES_LIMIT; i++)
		if (read_entry(guest, paths.item[i], out, err) < 0)
			return -1;
	if (out->count > 1)
		qsort(out->item, out->count, sizeof(*out->item), compare);
	for (size_t i = 0; i < out->count; i++)
		out->item[i].index = (int)i;
	return 0;
}
