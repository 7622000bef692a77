// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/boot_entries.h"

#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

static int next_index(const struct boot_entries *entries, int menu)
{
	int index = 0;

	for (size_t i = 0; i < entries->count; i++)
		index += entries->item[i].menu == menu;
	return index;
}

struct boot_entry *boot_entries_add(struct boot_entries *entries, int menu, const char *title,
				    const char *id)
{
	struct boot_entry entry = {.menu = menu, .index = next_index(entries, menu)};

	if (entries->count >= BOOT_ENTRIES_LIMIT)
		return NULL;
	entries->item = reallocarray(entries->item, entries->count + 1, sizeof(*entries->item));
	if (!entries->item)
		abort();
	entry.title = string_copy(title ? title : "");
	entry.id = string_copy(id ? id : "");
	entries->item[entries->count] = entry;
	return &entries->item[entries->count++];
}

void boot_entries_release(struct boot_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++) {
		free(entries->item[i].title);
		free(entries->item[i].id);
		free(entries->item[i].kernel);
		free(entries->item[i].version);
		free(entries->item[i].sort_key);
	}
	free(entries->item);
	*entries = (struct boot_entries){0};
}

/* The first component of a path through menus; *rest is behind its '>', or NULL at the end. */
static char *first_component(const char *path, const char **rest)
{
	struct text out = {0};

	*rest = NULL;
	for (const char *p = path; *p; p++) {
		if (*p != '>') {
			text_add_bytes(&out, p, 1);
			continue;
		}
		if (p[1] != '>') {
			*rest = p + 1;
			break;
		}
		text_add(&out, ">");
		p++;
	}
	return text_take(&out);
}

/* GRUB takes what begins with a digit for a number if it is one to its end. */
static bool is_number(const char *text, int *number)
{
	char *end;
	long value = strtol(text, &end, 10);

	*number = (int)value;
	return *text >= '0' && *text <= '9' && *end == '\0' && value < BOOT_ENTRIES_LIMIT;
}

static int find_in_menu(const struct boot_entries *entries, int menu, const char *name)
{
	int number;
	bool by_number = is_number(name, &number);

	for (size_t i = 0; i < entries->count; i++) {
		const struct boot_entry *entry = &entries->item[i];

		if (entry->menu != menu)
			continue;
		if (by_number ? entry->index == number
			      : !strcmp(entry->title, name) || !strcmp(entry->id, name))
			return (int)i;
	}
	return -1;
}

/* An entry may be anything (memtest, firmware setup): then it starts no Linux. A submenu starts its
 * first entry. */
static const struct boot_entry *settle(const struct boot_entries *entries, int at)
{
	for (size_t depth = 0; at >= 0 && depth < entries->count; depth++) {
		if (!entries->item[at].is_menu)
			return entries->item[at].kernel || entries->item[at].version
				       ? &entries->item[at]
				       : NULL;
		at = find_in_menu(entries, at, "0");
	}
	return NULL;
}

const struct boot_entry *boot_entries_choose(const struct boot_entries *entries, const char *chosen)
{
	const char *rest = chosen;
	int menu = BOOT_ENTRIES_TOP, at = -1;

	while (rest && *rest) {
		_cleanup_free_ char *name = first_component(rest, &rest);

		at = find_in_menu(entries, menu, name);
		if (at < 0)
			break;
		menu = at;
	}
	if (at < 0)
		at = find_in_menu(entries, BOOT_ENTRIES_TOP, "0");
	return settle(entries, at);
}
