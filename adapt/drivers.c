// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/drivers.h"

#include <string.h>

#include "adapt/drivers_db.h"
#include "adapt/module_index.h"
#include "base/scope.h"

struct candidate {
	const struct module_fact *fact;
	int rank;
};

static int compare_candidates(const struct candidate *a, const struct candidate *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	/* What is built in is there before any module. */
	return (int)b->fact->is_builtin - (int)a->fact->is_builtin;
}

/* Inserts behind its equals: the index's own order is the last to decide. */
static void insert_candidate(struct candidate *list, size_t count, struct candidate new)
{
	size_t at = count;

	while (at > 0 && compare_candidates(&list[at - 1], &new) > 0) {
		list[at] = list[at - 1];
		at--;
	}
	list[at] = new;
}

/* What matches the device, best first; the caller frees. */
static struct candidate *find_candidates(const struct drivers_db *db,
					 const struct module_index *index,
					 const struct device *device, size_t *count)
{
	const struct strings *modules = module_index_find(index, device->modalias);
	struct candidate *list = calloc(modules ? modules->count + 1 : 1, sizeof(*list));

	if (!list)
		abort();
	*count = 0;
	for (size_t i = 0; modules && i < modules->count; i++) {
		const struct module_fact *fact = module_index_fact(index, modules->item[i]);

		if (!fact || (!fact->is_builtin && !*fact->file))
			continue;
		insert_candidate(list, (*count)++,
				 (struct candidate){fact, drivers_db_rank(db, fact->name, device)});
	}
	return list;
}

/* A class driver that is built into a kernel whose index does not tell built-in aliases. */
static bool has_usual_builtin(const struct module_index *index, const struct device_class *class)
{
	const struct strings *modules =
		*class->usual ? module_index_find(index, class->usual) : NULL;
	const struct module_fact *fact =
		modules && modules->count ? module_index_fact(index, modules->item[0]) : NULL;

	return !index->knows_builtin_aliases && fact && fact->is_builtin;
}

static void match_device(const struct drivers_db *db, const struct module_index *index,
			 const struct device *device, struct driver_match *out)
{
	size_t count;
	_cleanup_free_ struct candidate *list = find_candidates(db, index, device, &count);

	*out = (struct driver_match){.device = device, .verdict = VERDICT_MISSING};
	if (count > 0)
		out->verdict = list[0].fact->is_builtin ? VERDICT_BUILTIN : VERDICT_MODULE;
	else if (has_usual_builtin(index, drivers_db_class(db, device)))
		out->verdict = VERDICT_BUILTIN;
	if (out->verdict != VERDICT_MODULE)
		return;
	for (size_t i = 0; i < count; i++)
		if (!list[i].fact->is_builtin && (i == 0 || list[i].rank < RANK_FALLBACK))
			strings_add(&out->modules, list[i].fact->name);
}

static void ask_about(const struct drivers_db *db, const struct device *device,
		      struct strings *questions)
{
	const struct device_class *class = drivers_db_class(db, device);

	strings_add_once(questions, device->modalias);
	if (*class->usual)
		strings_add_once(questions, class->usual);
}

int drivers_match(const struct drivers_db *db, const struct hardware *hardware,
		  const struct guest *guest, const char *release, struct driver_matches *out,
		  struct error *err)
{
	_cleanup_strings_ struct strings questions = {0};
	_cleanup_module_index_ struct module_index index = {0};
	struct driver_match match;

	*out = (struct driver_matches){0};
	for (size_t i = 0; i < hardware->device_count; i++)
		if (drivers_db_class(db, &hardware->device[i])->need != NEED_NONE)
			ask_about(db, &hardware->device[i], &questions);
	if (module_index_ask(guest, release, &questions, &index, err) < 0)
		return -1;
	out->item = calloc(hardware->device_count + 1, sizeof(*out->item));
	if (!out->item)
		abort();
	for (size_t i = 0; i < hardware->device_count; i++) {
		enum need need = drivers_db_class(db, &hardware->device[i])->need;

		if (need == NEED_NONE)
			continue;
		match_device(db, &index, &hardware->device[i], &match);
		if (match.verdict != VERDICT_MISSING || need == NEED_REQUIRED)
			out->item[out->count++] = match;
	}
	return 0;
}

void driver_matches_release(struct driver_matches *matches)
{
	if (!matches)
		return;
	for (size_t i = 0; i < matches->count; i++)
		strings_release(&matches->item[i].modules);
	free(matches->item);
	*matches = (struct driver_matches){0};
}

static void put_string(json_object *object, const char *key, const char *value)
{
	if (value)
		json_object_object_add(object, key, json_object_new_string(value));
}

static json_object *match_json(const struct driver_match *match)
{
	static const char *const verdicts[] = {"module", "builtin", "missing"};
	json_object *object = json_object_new_object();
	json_object *modules = json_object_new_array();

	put_string(object, "slot", match->device->slot);
	put_string(object, "name", match->device->name);
	put_string(object, "modalias", match->device->modalias);
	put_string(object, "verdict", verdicts[match->verdict]);
	for (size_t i = 0; i < match->modules.count; i++)
		json_object_array_add(modules, json_object_new_string(match->modules.item[i]));
	json_object_object_add(object, "modules", modules);
	return object;
}

json_object *driver_matches_json(const struct driver_matches *matches)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < matches->count; i++)
		json_object_array_add(array, match_json(&matches->item[i]));
	return array;
}

/* What drivers_for_boot() works on. */
struct boot {
	const struct drivers_db *db;
	const struct hardware *hardware;
	const char *release;
	struct module_index index;
	bool knows_way; /* some device is marked for_root */
	struct driver_set *set;
};

static void boot_release(struct boot *boot)
{
	module_index_release(&boot->index);
}

static bool is_role(const struct device_class *class, const char *role)
{
	return strcmp(class->role, role) == 0;
}

/*
 * Every storage controller, so that a disk that is moved to another port is still found. What hangs
 * on controllers, and USB, is left out where the way to the disk is known: a disk there is the
 * rescue medium.
 */
static bool is_wanted(const struct boot *boot, const struct device *device)
{
	const struct device_class *class = drivers_db_class(boot->db, device);

	if (class->need == NEED_NONE)
		return false;
	if (device->for_root || is_role(class, "storage"))
		return true;
	return !boot->knows_way && (is_role(class, "usb") || is_role(class, "disk"));
}

/* Does the machine not start without a driver for this? */
static bool is_on_way(const struct boot *boot, const struct device *device)
{
	const struct device_class *class = drivers_db_class(boot->db, device);

	if (boot->knows_way)
		return device->for_root && class->need == NEED_REQUIRED;
	return is_role(class, "storage");
}

/* Adds the modules that must be there before this one, and its own file. */
static void require(struct boot *boot, const struct module_fact *fact)
{
	_cleanup_strings_ struct strings queue = {0};

	strings_add(&queue, fact->name);
	/* Breadth first over names, each once: soft dependencies may form a circle. */
	for (size_t i = 0; i < queue.count; i++) {
		const struct module_fact *next = module_index_fact(&boot->index, queue.item[i]);

		if (!next || next->is_builtin)
			continue;
		if (*next->file)
			strings_add_once(&boot->set->required, next->file);
		for (size_t j = 0; j < next->needs.count; j++)
			strings_add_once(&queue, next->needs.item[j]);
	}
}

static void add_named(struct boot *boot, const char *name)
{
	const struct module_fact *fact = module_index_fact(&boot->index, name);

	if (!fact || fact->is_builtin || !*fact->file)
		return;
	strings_add_once(&boot->set->listed, name);
	require(boot, fact);
}

static void add_device(struct boot *boot, const struct device *device)
{
	struct driver_match match;

	match_device(boot->db, &boot->index, device, &match);
	for (size_t i = 0; i < match.modules.count; i++)
		add_named(boot, match.modules.item[i]);
	strings_release(&match.modules);
	if (match.verdict == VERDICT_MISSING && is_on_way(boot, device))
		strings_addf(&boot->set->missing, "kernel %s has no driver for %s %s (%s)",
			     boot->release, device->slot, device->name ? device->name : "",
			     device->modalias);
}

static void add_disk_module(struct boot *boot, const struct disk_module *row, bool is_needed)
{
	const struct strings *modules = module_index_find(&boot->index, row->module);

	for (size_t i = 0; modules && i < modules->count; i++)
		add_named(boot, modules->item[i]);
	if (is_needed && row->need == NEED_REQUIRED && (!modules || modules->count == 0))
		strings_addf(&boot->set->missing, "kernel %s has no %s, which %s disks need",
			     boot->release, row->module, row->transport);
}

/* The disk drivers for what the wanted controllers carry. */
static void add_disk_modules(struct boot *boot)
{
	size_t count;
	const struct disk_module *rows = drivers_db_disk_modules(boot->db, &count);

	for (size_t i = 0; i < count; i++) {
		bool is_present = false, is_needed = false;

		for (size_t j = 0; j < boot->hardware->device_count; j++) {
			const struct device *device = &boot->hardware->device[j];
			const char *transport = drivers_db_class(boot->db, device)->transport;

			if (strcmp(transport, rows[i].transport) != 0 || !is_wanted(boot, device))
				continue;
			is_present = true;
			is_needed = is_needed || is_on_way(boot, device);
		}
		if (is_present)
			add_disk_module(boot, &rows[i], is_needed);
	}
}

static int ask_for_boot(struct boot *boot, const struct guest *guest,
			const struct strings *extra_modules, struct error *err)
{
	_cleanup_strings_ struct strings questions = {0};
	size_t count;
	const struct disk_module *rows = drivers_db_disk_modules(boot->db, &count);

	for (size_t i = 0; i < count; i++)
		strings_add_once(&questions, rows[i].module);
	for (size_t i = 0; i < extra_modules->count; i++)
		strings_add_once(&questions, extra_modules->item[i]);
	for (size_t i = 0; i < boot->hardware->device_count; i++)
		if (is_wanted(boot, &boot->hardware->device[i]))
			ask_about(boot->db, &boot->hardware->device[i], &questions);
	return module_index_ask(guest, boot->release, &questions, &boot->index, err);
}

int drivers_for_boot(const struct drivers_db *db, const struct hardware *hardware,
		     const struct guest *guest, const char *release,
		     const struct strings *extra_modules, struct driver_set *out, struct error *err)
{
	_cleanup_(boot_release) struct boot boot = {
		.db = db, .hardware = hardware, .release = release, .set = out};

	*out = (struct driver_set){0};
	for (size_t i = 0; i < hardware->device_count; i++)
		boot.knows_way = boot.knows_way || hardware->device[i].for_root;
	if (ask_for_boot(&boot, guest, extra_modules, err) < 0)
		return -1;
	for (size_t i = 0; i < hardware->device_count; i++)
		if (is_wanted(&boot, &hardware->device[i]))
			add_device(&boot, &hardware->device[i]);
	add_disk_modules(&boot);
	for (size_t i = 0; i < extra_modules->count; i++) {
		const struct strings *modules =
			module_index_find(&boot.index, extra_modules->item[i]);

		for (size_t j = 0; modules && j < modules->count; j++)
			add_named(&boot, modules->item[j]);
	}
	return 0;
}

void driver_set_release(struct driver_set *set)
{
	if (!set)
		return;
	strings_release(&set->listed);
	strings_release(&set->required);
	strings_release(&set->missing);
	*set = (struct driver_set){0};
}
