// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/driver_candidates.h"

#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

static int compare_candidates(const struct candidate *a, const struct candidate *b)
{
	if (a->blacklisting != b->blacklisting)
		return a->blacklisting < b->blacklisting ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	/* What is built in is there before any module. */
	return (int)b->fact->is_builtin - (int)a->fact->is_builtin;
}

/* Inserts behind its equals: the index's own order is the last to decide. */
static void insert(struct candidate *list, size_t count, struct candidate new)
{
	size_t at = count;

	while (at > 0 && compare_candidates(&list[at - 1], &new) > 0) {
		list[at] = list[at - 1];
		at--;
	}
	list[at] = new;
}

/* The kernel takes - and _ in a module name for the same; the index has the latter. */
static char *module_of_driver(const struct device *device)
{
	char *name = string_copy(device->driver ? device->driver : "");

	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

/* The module of that name if it is part of the kernel. */
static const struct module_fact *find_builtin(const struct module_index *index, const char *name)
{
	const struct strings *modules = *name ? module_index_find(index, name) : NULL;
	const struct module_fact *fact =
		modules && modules->count ? module_index_fact(index, modules->item[0]) : NULL;

	return fact && fact->is_builtin ? fact : NULL;
}

void candidates_ask(const struct drivers_db *db, const struct device *device,
		    struct strings *questions)
{
	const struct device_class *class = drivers_db_class(db, device);

	_cleanup_free_ char *driver = module_of_driver(device);

	strings_add_once(questions, device->modalias);
	if (*class->usual)
		strings_add_once(questions, class->usual);
	if (*driver)
		strings_add_once(questions, driver);
}

static struct candidate judge(const struct drivers_db *db, const struct blacklist *blacklist,
			      const struct device *device, const struct module_fact *fact)
{
	struct candidate new = {.fact = fact, .rank = drivers_db_rank(db, fact->name, device)};

	new.blacklisting =
		fact->is_builtin ? blacklist_find_builtin(blacklist, fact->name, &new.by)
				 : blacklist_find(blacklist, fact->name, device->modalias, &new.by);
	return new;
}

static bool has_candidate(const struct candidates *candidates, const struct module_fact *fact)
{
	for (size_t i = 0; i < candidates->count; i++)
		if (candidates->item[i].fact == fact)
			return true;
	return false;
}

void candidates_find(const struct drivers_db *db, const struct module_index *index,
		     const struct blacklist *blacklist, const struct device *device,
		     struct candidates *out)
{
	const struct strings *modules = module_index_find(index, device->modalias);
	_cleanup_free_ char *driver = module_of_driver(device);
	const char *const builtin[] = {drivers_db_class(db, device)->usual, driver};

	*out = (struct candidates){0};
	out->item =
		calloc((modules ? modules->count : 0) + array_length(builtin), sizeof(*out->item));
	if (!out->item)
		abort();
	for (size_t i = 0; modules && i < modules->count; i++) {
		const struct module_fact *fact = module_index_fact(index, modules->item[i]);

		if (fact && (fact->is_builtin || *fact->file))
			insert(out->item, out->count++, judge(db, blacklist, device, fact));
	}
	for (size_t i = 0; i < array_length(builtin); i++) {
		const struct module_fact *fact = find_builtin(index, builtin[i]);

		if (fact && !has_candidate(out, fact))
			insert(out->item, out->count++, judge(db, blacklist, device, fact));
	}
}

void candidates_release(struct candidates *candidates)
{
	if (!candidates)
		return;
	free(candidates->item);
	*candidates = (struct candidates){0};
}
