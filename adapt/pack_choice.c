// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The choice among packs. For the guest's own kernel, and for each kernel that a pack brings and
 * that drives all the machine starts by, the cheapest set of entries is found; the ways are then
 * compared by what they drive, and the guest's own kernel wins a draw.
 */
#include <stdlib.h>
#include <string.h>

#include "adapt/firmware_files.h"
#include "adapt/pack_cover.h"
#include "adapt/pack_depends.h"
#include "adapt/pack_need.h"
#include "adapt/packs.h"
#include "base/scope.h"

enum { KERNELS_LIMIT = 64 };

/* What all of the choice works on. */
struct choosing {
	const struct packs *packs;
	const struct guest *guest;
	const struct guest_kernel *kernel;
	struct driver_matches matches;
	struct pack_needs needs, to_start;
	struct pack_depends depends;
	uint64_t critical;   /* a bit for each need */
	struct strings left; /* why what would help was not chosen */
};

/* One way to help: with the guest's kernel, or with one of a pack. */
struct way {
	struct pack_item kernel; /* entry NULL: the guest's own */
	const char *release;
	struct pack_items items;
	uint64_t met;
};

static void way_release(struct way *way)
{
	pack_items_release(&way->items);
	*way = (struct way){0};
}

static void choosing_release(struct choosing *choosing)
{
	driver_matches_release(&choosing->matches);
	pack_depends_release(&choosing->depends);
	strings_release(&choosing->left);
}

static uint64_t meets(const struct choosing *choosing, const struct pack_entry *entry)
{
	uint64_t set = 0;
	const char *by;

	for (size_t i = 0; i < choosing->needs.count; i++)
		if (pack_entry_meets(entry, &choosing->needs.item[i], &by))
			set |= 1ULL << i;
	return set;
}

/* With all that the package needs; -1 when it cannot be had, and why is in choosing->left. */
static int close_items(struct choosing *choosing, const struct pack *pack,
		       const struct pack_entry *entry, struct pack_items *out)
{
	_cleanup_error_ struct error err = {0};
	_cleanup_free_ char *why_not = NULL, *sentence = NULL;

	if (entry->kind == PACK_PACKAGE &&
	    !pack_depends_can_install(&choosing->depends, entry, &why_not)) {
		if (why_not)
			sentence = string_format("package %s of %s would help, but %s",
						 entry->package, pack->place, why_not);
	} else if (pack_depends_close(&choosing->depends, pack, entry, out, &err) == 0) {
		return 0;
	} else {
		sentence = string_format("[%s] of %s would help, but %s", entry->label, pack->place,
					 error_text(&err));
	}
	if (sentence)
		strings_add_once(&choosing->left, sentence);
	return -1;
}

struct offers {
	struct pack_cover_offer cover[PACK_OFFERS_LIMIT];
	struct pack_items items[PACK_OFFERS_LIMIT];
	size_t count;
};

static void offers_release(struct offers *offers)
{
	for (size_t i = 0; i < offers->count; i++)
		pack_items_release(&offers->items[i]);
}

static void offer(struct choosing *choosing, const struct way *way, const struct pack *pack,
		  const struct pack_entry *entry, struct offers *offers)
{
	uint64_t set = meets(choosing, entry) & ~way->met;
	struct pack_items items = {0};

	if (!set || entry->release || offers->count >= PACK_OFFERS_LIMIT ||
	    !pack_entry_fits(entry, choosing->guest, way->release))
		return;
	if (close_items(choosing, pack, entry, &items) < 0) {
		pack_items_release(&items);
		return;
	}
	offers->items[offers->count] = items;
	offers->cover[offers->count++] = (struct pack_cover_offer){set, (unsigned int)items.count};
}

static void find_offers(struct choosing *choosing, const struct way *way, struct offers *offers)
{
	for (size_t i = 0; i < packs_count(choosing->packs); i++) {
		const struct pack *pack = packs_get(choosing->packs, i);

		for (size_t j = 0; j < pack->index.count; j++)
			offer(choosing, way, pack, &pack->index.entry[j], offers);
	}
}

static void merge(struct pack_items *to, const struct pack_items *from)
{
	for (size_t i = 0; i < from->count; i++)
		if (!pack_items_have(to, from->item[i].entry))
			pack_items_add(to, from->item[i]);
}

/* The cheapest entries that complete the way. */
static void complete(struct choosing *choosing, struct way *way)
{
	struct offers *offers = calloc(1, sizeof(*offers));
	uint64_t all = 0, chosen;

	if (!offers)
		abort();
	find_offers(choosing, way, offers);
	for (size_t i = 0; i < offers->count; i++)
		all |= offers->cover[i].covers;
	chosen = pack_cover(offers->cover, offers->count, all);
	for (size_t i = 0; i < offers->count; i++)
		if (chosen & 1ULL << i)
			merge(&way->items, &offers->items[i]);
	way->met |= all;
	offers_release(offers);
	free(offers);
}

/* Greater: the way a helps more than b does. */
static int compare_ways(const struct choosing *choosing, const struct way *a, const struct way *b)
{
	int critical_a = __builtin_popcountll(a->met & choosing->critical);
	int critical_b = __builtin_popcountll(b->met & choosing->critical);
	int all_a = __builtin_popcountll(a->met), all_b = __builtin_popcountll(b->met);

	if (critical_a != critical_b)
		return critical_a - critical_b;
	if (all_a != all_b)
		return all_a - all_b;
	if ((a->kernel.entry == NULL) != (b->kernel.entry == NULL))
		return a->kernel.entry ? -1 : 1;
	if (a->items.count != b->items.count)
		return a->items.count < b->items.count ? 1 : -1;
	return a->kernel.entry ? strverscmp(a->release, b->release) : 0;
}

static bool is_installed(const struct guest *guest, const char *release)
{
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (guest->kernel[i].image && strcmp(guest->kernel[i].release, release) == 0)
			return true;
	return false;
}

static bool is_met_by(const struct pack_need *need, const struct pack_items *items)
{
	const char *by;

	for (size_t i = 0; i < items->count; i++)
		if (pack_entry_meets(items->item[i].entry, need, &by))
			return true;
	return false;
}

/* A kernel that helps with one device and cannot start here helps nobody. */
static bool can_start(struct choosing *choosing, const struct way *way)
{
	_cleanup_strings_ struct strings lacking = {0};
	_cleanup_free_ char *names = NULL;

	for (size_t i = 0; i < choosing->to_start.count; i++) {
		_cleanup_free_ char *what = pack_need_describe(&choosing->to_start.item[i]);

		if (!is_met_by(&choosing->to_start.item[i], &way->items))
			strings_add(&lacking, what);
	}
	if (!lacking.count)
		return true;
	names = strings_join(&lacking, ", ");
	strings_addf(&choosing->left, "kernel %s of %s was left out: it has nothing for %s",
		     way->release, way->kernel.pack->place, names);
	return false;
}

/* Its modules may be in packages of their own, which its package needs, or which it does not. */
static void try_kernel(struct choosing *choosing, const struct pack *pack,
		       const struct pack_entry *entry, struct way *best)
{
	struct way way = {.kernel = {pack, entry, NULL}, .release = entry->release};

	if (close_items(choosing, pack, entry, &way.items) == 0) {
		for (size_t i = 0; i < way.items.count; i++)
			way.met |= meets(choosing, way.items.item[i].entry);
		complete(choosing, &way);
		if (way.met && compare_ways(choosing, &way, best) > 0 &&
		    can_start(choosing, &way)) {
			struct way old = *best;

			*best = way;
			way = old;
		}
	}
	way_release(&way);
}

static bool is_candidate(const struct choosing *choosing, const struct pack_entry *entry)
{
	return entry->release && pack_entry_fits(entry, choosing->guest, NULL) &&
	       !is_installed(choosing->guest, entry->release);
}

static void try_kernels(struct choosing *choosing, struct way *best)
{
	unsigned int tried = 0;

	for (size_t i = 0; i < packs_count(choosing->packs); i++) {
		const struct pack *pack = packs_get(choosing->packs, i);

		for (size_t j = 0; j < pack->index.count && tried < KERNELS_LIMIT; j++) {
			if (!is_candidate(choosing, &pack->index.entry[j]))
				continue;
			try_kernel(choosing, pack, &pack->index.entry[j], best);
			tried++;
		}
	}
}

/* Is one of the files there, or will be? */
static bool has_firmware(const struct choosing *choosing, const struct way *way,
			 const struct strings *files)
{
	const char *by;

	for (size_t i = 0; i < files->count; i++)
		if (firmware_exists(choosing->guest, way->release, files->item[i]))
			return true;
	for (size_t i = 0; i < way->items.count; i++)
		if (pack_entry_brings_firmware(way->items.item[i].entry, files, &by))
			return true;
	return false;
}

static bool add_firmware(struct choosing *choosing, struct way *way, const struct strings *files,
			 const struct pack_entry *for_entry)
{
	const char *by;

	for (size_t i = 0; i < packs_count(choosing->packs); i++) {
		const struct pack *pack = packs_get(choosing->packs, i);

		for (size_t j = 0; j < pack->index.count; j++) {
			const struct pack_entry *entry = &pack->index.entry[j];
			_cleanup_pack_items_ struct pack_items items = {0};

			if (!pack_entry_brings_firmware(entry, files, &by) ||
			    !pack_entry_fits(entry, choosing->guest, way->release) ||
			    close_items(choosing, pack, entry, &items) < 0)
				continue;
			items.item[0].needed_by = for_entry;
			merge(&way->items, &items);
			return true;
		}
	}
	return false;
}

/* A driver that is chosen may ask for files that only a pack has. */
static void add_wanted(struct choosing *choosing, struct way *way, const struct pack_entry *entry,
		       const char *module)
{
	_cleanup_strings_ struct strings files = {0};
	_cleanup_free_ char *names = NULL;

	for (size_t i = 0; i < entry->wants.count; i++)
		if (strcmp(entry->wants.item[i].first, module) == 0)
			strings_add(&files, entry->wants.item[i].second);
	if (!files.count || has_firmware(choosing, way, &files) ||
	    add_firmware(choosing, way, &files, entry))
		return;
	names = strings_join(&files, ", ");
	strings_addf(&choosing->left,
		     "%s asks for firmware (%.200s) that neither the guest nor a driver pack has",
		     module, names);
}

static void add_all_wanted(struct choosing *choosing, struct way *way)
{
	for (size_t i = 0; i < choosing->needs.count; i++) {
		const char *by = NULL;

		if (choosing->needs.item[i].kind != PACK_NEED_DRIVER)
			continue;
		for (size_t j = 0; j < way->items.count; j++) {
			const struct pack_entry *entry = way->items.item[j].entry;

			if (!pack_entry_meets(entry, &choosing->needs.item[i], &by))
				continue;
			if (by)
				add_wanted(choosing, way, entry, by);
			break;
		}
	}
}

/* Which needs the entry meets, in words. */
static char *why(const struct choosing *choosing, const struct pack_item *item)
{
	_cleanup_strings_ struct strings reasons = {0};
	const char *by = NULL;

	for (size_t i = 0; i < choosing->needs.count; i++) {
		const struct pack_need *need = &choosing->needs.item[i];
		_cleanup_free_ char *what = pack_need_describe(need);

		if (!pack_entry_meets(item->entry, need, &by))
			continue;
		if (need->kind == PACK_NEED_FIRMWARE)
			strings_addf(&reasons, "%s for %s", by, what);
		else if (need->kind == PACK_NEED_MODULE || !by)
			strings_addf(&reasons, "has %s", what);
		else
			strings_addf(&reasons, "%s drives %s", by, what);
	}
	if (!reasons.count && item->needed_by)
		strings_addf(&reasons, "needed by %s",
			     item->needed_by->package ? item->needed_by->package
						      : item->needed_by->label);
	return strings_join(&reasons, "; ");
}

/* Packages and firmware first: depmod runs behind the last module. */
static void put_picks(const struct choosing *choosing, const struct way *way,
		      struct pack_choice *out)
{
	static const enum pack_kind order[] = {PACK_FIRMWARE, PACK_PACKAGE, PACK_MODULES};

	out->pick = calloc(way->items.count + 1, sizeof(*out->pick));
	if (!out->pick)
		abort();
	for (size_t i = 0; i < array_length(order); i++) {
		for (size_t j = 0; j < way->items.count; j++) {
			const struct pack_item *item = &way->items.item[j];

			if (item->entry->kind == order[i])
				out->pick[out->count++] = (struct pack_pick){
					item->pack, item->entry, why(choosing, item)};
		}
	}
}

static void put_left(struct choosing *choosing, const struct way *way, struct pack_choice *out)
{
	static const char *const lacks[] = {"driver", "module", "firmware"};

	for (size_t i = 0; i < choosing->needs.count; i++) {
		const struct pack_need *need = &choosing->needs.item[i];
		_cleanup_free_ char *what = pack_need_describe(need);

		if (way->met & 1ULL << i)
			continue;
		out->critical_left += need->is_critical;
		strings_addf(&out->left, "no driver pack has a %s for %s", lacks[need->kind], what);
	}
	for (size_t i = 0; i < choosing->left.count; i++)
		strings_add(&out->left, choosing->left.item[i]);
}

static void choose(struct choosing *choosing, struct pack_choice *out)
{
	_cleanup_(way_release) struct way best = {.release = choosing->kernel->release};

	for (size_t i = 0; i < choosing->needs.count; i++)
		if (choosing->needs.item[i].is_critical)
			choosing->critical |= 1ULL << i;
	complete(choosing, &best);
	try_kernels(choosing, &best);
	add_all_wanted(choosing, &best);
	put_picks(choosing, &best, out);
	put_left(choosing, &best, out);
	if (!out->count)
		return;
	out->release = string_copy(best.release);
	out->is_new_kernel = best.kernel.entry != NULL;
}

int packs_choose(const struct packs *packs, const struct drivers_db *db,
		 const struct hardware *hardware, const struct guest *guest,
		 const struct guest_kernel *kernel, struct pack_choice *out, struct error *err)
{
	_cleanup_(choosing_release) struct choosing choosing = {
		.packs = packs, .guest = guest, .kernel = kernel};

	*out = (struct pack_choice){0};
	if (drivers_match(db, hardware, guest, kernel->release, &choosing.matches, err) < 0)
		return error_in(err, "drivers of kernel %s", kernel->release);
	pack_needs_find(&choosing.matches, &choosing.needs);
	pack_needs_to_start(&choosing.matches, &choosing.to_start);
	if (choosing.needs.count == 0)
		return 0;
	if (pack_depends_init(&choosing.depends, packs, guest, err) < 0)
		return -1;
	choose(&choosing, out);
	return 0;
}

static void add_word(json_object *object, const char *key, const char *value)
{
	if (value)
		json_object_object_add(object, key, json_object_new_string(value));
}

json_object *pack_choice_json(const struct pack_choice *choice)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < choice->count; i++) {
		const struct pack_pick *pick = &choice->pick[i];
		json_object *object = json_object_new_object();

		add_word(object, "pack", pick->pack->place);
		add_word(object, "entry", pick->entry->label);
		add_word(object, "kind", pack_kind_name(pick->entry->kind));
		add_word(object, "package", pick->entry->package);
		add_word(object, "version", pick->entry->version);
		add_word(object, "why", pick->why);
		json_object_array_add(array, object);
	}
	return array;
}

void pack_choice_release(struct pack_choice *choice)
{
	for (size_t i = 0; i < choice->count; i++)
		free(choice->pick[i].why);
	free(choice->pick);
	free(choice->release);
	strings_release(&choice->left);
	*choice = (struct pack_choice){0};
}
