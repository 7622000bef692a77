// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_depends.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/pack_need.h"
#include "base/scope.h"

enum { CLOSURE_LIMIT = 256 }; /* packages for the sake of one */

static bool is_deb(const struct pack_entry *entry)
{
	return has_suffix(entry->file[0].path, ".deb");
}

int pack_depends_init(struct pack_depends *depends, const struct packs *packs,
		      const struct guest *guest, struct error *err)
{
	int r;

	*depends = (struct pack_depends){.packs = packs, .guest = guest};
	r = deb_installed_read(guest, &depends->installed, err);
	if (r < 0)
		return error_in(err, "packages of the guest");
	depends->has_dpkg = r > 0 && guest_has_program(guest, "dpkg");
	depends->has_rpm = guest_has_program(guest, "rpm");
	return 0;
}

void pack_depends_release(struct pack_depends *depends)
{
	deb_installed_release(&depends->installed);
}

void pack_items_add(struct pack_items *items, struct pack_item item)
{
	items->item = reallocarray(items->item, items->count + 1, sizeof(*items->item));
	if (!items->item)
		abort();
	items->item[items->count++] = item;
}

bool pack_items_have(const struct pack_items *items, const struct pack_entry *entry)
{
	for (size_t i = 0; i < items->count; i++)
		if (items->item[i].entry == entry)
			return true;
	return false;
}

void pack_items_release(struct pack_items *items)
{
	free(items->item);
	*items = (struct pack_items){0};
}

bool pack_depends_can_install(const struct pack_depends *depends, const struct pack_entry *entry,
			      char **why_not)
{
	const struct deb_package *old;

	if (is_deb(entry) ? !depends->has_dpkg : !depends->has_rpm) {
		*why_not = string_format("the guest has no %s", is_deb(entry) ? "dpkg" : "rpm");
		return false;
	}
	old = is_deb(entry) ? deb_installed_find(&depends->installed, entry->package) : NULL;
	return !old || deb_version_compare(old->version, entry->version) < 0;
}

static bool is_candidate(const struct pack_depends *depends, const struct pack_entry *entry,
			 bool deb)
{
	_cleanup_free_ char *why_not = NULL;

	return entry->kind == PACK_PACKAGE && is_deb(entry) == deb &&
	       pack_entry_fits(entry, depends->guest, NULL) &&
	       pack_depends_can_install(depends, entry, &why_not);
}

/* The package of the packs that satisfies the relation; of several, the newest. */
static bool find_in_packs(const struct pack_depends *depends, const struct deb_relation *relation,
			  struct pack_item *out)
{
	*out = (struct pack_item){0};
	for (size_t i = 0; i < packs_count(depends->packs); i++) {
		const struct pack *pack = packs_get(depends->packs, i);

		for (size_t j = 0; j < pack->index.count; j++) {
			const struct pack_entry *entry = &pack->index.entry[j];

			if (!is_candidate(depends, entry, true) ||
			    !deb_provides(entry->package, entry->version, &entry->provides,
					  relation))
				continue;
			if (!out->entry ||
			    deb_version_compare(out->entry->version, entry->version) < 0)
				*out = (struct pack_item){pack, entry, NULL};
		}
	}
	return out->entry != NULL;
}

static bool is_met(const struct pack_depends *depends, const struct pack_items *chosen,
		   const struct deb_relation *relation)
{
	for (size_t i = 0; i < chosen->count; i++) {
		const struct pack_entry *entry = chosen->item[i].entry;

		if (deb_provides(entry->package, entry->version, &entry->provides, relation))
			return true;
	}
	return deb_installed_satisfies(&depends->installed, relation);
}

static int meet_clause(const struct pack_depends *depends, const struct pack_entry *entry,
		       const char *clause, struct pack_items *out, struct error *err)
{
	_cleanup_deb_relations_ struct deb_relations relations = {0};
	struct pack_item found;

	deb_relations_parse(clause, &relations);
	for (size_t i = 0; i < relations.count; i++)
		if (is_met(depends, out, &relations.item[i]))
			return 0;
	for (size_t i = 0; i < relations.count; i++) {
		if (!find_in_packs(depends, &relations.item[i], &found))
			continue;
		found.needed_by = entry;
		pack_items_add(out, found);
		return 0;
	}
	return error_set(err, "package %s needs %s, which neither the guest nor a driver pack has",
			 entry->package, clause);
}

/* "name" of "name >= 1". */
static bool has_name(const char *relation, const char *name, size_t length)
{
	return strncmp(relation, name, length) == 0 &&
	       (relation[length] == ' ' || relation[length] == '\0');
}

static bool rpm_provides(const struct pack_entry *entry, const char *relation)
{
	size_t length = strcspn(relation, " ");

	if (has_name(entry->package, relation, length))
		return true;
	for (size_t i = 0; i < entry->provides.count; i++)
		if (has_name(entry->provides.item[i], relation, length))
			return true;
	return false;
}

static int take_provider(const struct pack_depends *depends, const struct pack_entry *entry,
			 const char *relation, struct pack_items *out, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < out->count; i++)
		if (rpm_provides(out->item[i].entry, relation))
			return 0;
	for (size_t i = 0; i < packs_count(depends->packs); i++) {
		const struct pack *pack = packs_get(depends->packs, i);

		for (size_t j = 0; j < pack->index.count; j++) {
			const struct pack_entry *other = &pack->index.entry[j];

			if (!is_candidate(depends, other, false) || !rpm_provides(other, relation))
				continue;
			pack_items_add(out, (struct pack_item){pack, other, entry});
			return 0;
		}
	}
	return 0;
}

int pack_depends_close(const struct pack_depends *depends, const struct pack *pack,
		       const struct pack_entry *entry, struct pack_items *out, struct error *err)
{
	int (*meet)(const struct pack_depends *, const struct pack_entry *, const char *,
		    struct pack_items *, struct error *) = take_provider;

	pack_items_add(out, (struct pack_item){pack, entry, NULL});
	if (entry->kind != PACK_PACKAGE)
		return 0;
	if (is_deb(entry))
		meet = meet_clause;
	/* What is added on the way has needs of its own. */
	for (size_t i = 0; i < out->count; i++) {
		const struct pack_entry *next = out->item[i].entry;

		if (out->count > CLOSURE_LIMIT)
			return error_set(err, "package %s needs more than %d others",
					 entry->package, CLOSURE_LIMIT);
		for (size_t j = 0; j < next->depends.count; j++)
			if (meet(depends, next, next->depends.item[j], out, err) < 0)
				return -1;
	}
	return 0;
}
