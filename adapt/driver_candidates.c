// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/driver_candidates.h"

#include <stdlib.h>

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

static const struct module_fact *find_usual(const struct module_index *index,
					    const struct device_class *class)
{
	const struct strings *modules =
		*class->usual ? module_index_find(index, class->usual) : NULL;
	const struct module_fact *fact =
		modules && modules->count ? module_index_fact(index, modules->item[0]) : NULL;

	return !index->knows_builtin_aliases && fact && fact->is_builtin ? fact : NULL;
}

void candidates_ask(const struct drivers_db *db, const struct device *device,
		    struct strings *questions)
{
	const struct device_class *class = drivers_db_class(db, device);

	strings_add_once(questions, device->modalias);
	if (*class->usual)
		strings_add_once(questions, class->usual);
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

void candidates_find(const struct drivers_db *db, const struct module_index *index,
		     const struct blacklist *blacklist, const struct device *device,
		     struct candidates *out)
{
	const struct strings *modules = module_index_find(index, device->modalias);
	const struct module_fact *usual;

	*out = (struct candidates){0};
	out->item = calloc(modules ? modules->count + 1 : 1, sizeof(*out->item));
	if (!out->item)
		abort();
	for (size_t i = 0; modules && i < modules->count; i++) {
		const struct module_fact *fact = module_index_fact(index, modules->item[i]);

		if (fact && (fact->is_builtin || *fact->file))
			insert(out->item, out->count++, judge(db, blacklist, device, fact));
	}
	usual = out->count ? NULL : find_usual(index, drivers_db_class(db, device));
	if (usual)
		out->item[out->count++] = judge(db, blacklist, device, usual);
}

void candidates_release(struct candidates *candidates)
{
	if (!candidates)
		return;
	free(candidates->item);
	*candidates = (struct candidates){0};
}
