// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "adapt/driver_candidates.h"
#include "adapt/drivers.h"
#include "adapt/root_chain.h"
#include "base/scope.h"

/* An index is hostile; a real module needs a dozen others, a real machine lists some dozens. */
enum { NEEDS_LIMIT = 256, LISTED_LIMIT = 1024 };

/* What drivers_for_boot() works on. */
struct boot {
	const struct drivers_db *db;
	const struct hardware *hardware;
	const struct guest *guest;
	const char *release;
	struct root_chain chain;
	struct blacklist blacklist;
	struct module_index index;
	struct driver_set *set;
};

static void boot_release(struct boot *boot)
{
	root_chain_release(&boot->chain);
	blacklist_release(&boot->blacklist);
	module_index_release(&boot->index);
}

static bool is_role(const struct device_class *class, const char *role)
{
	return strcmp(class->role, role) == 0;
}

/*
 * Every storage controller, so that a disk that is moved to another port is still found, and the
 * way to the root. What hangs on controllers, and USB, is left out where that way is known: a disk
 * there is the rescue medium.
 */
static bool is_wanted(const struct boot *boot, size_t index)
{
	const struct device_class *class =
		drivers_db_class(boot->db, &boot->hardware->device[index]);

	if (class->need == NEED_NONE)
		return false;
	/* Bridges work without a driver of their own. */
	if ((boot->chain.is_critical[index] && class->need == NEED_REQUIRED) ||
	    is_role(class, "storage"))
		return true;
	return boot->chain.is_way_assumed && (is_role(class, "usb") || is_role(class, "disk"));
}

/* Does the machine not start without a driver for this? */
static bool is_needed(const struct boot *boot, size_t index)
{
	const struct device_class *class =
		drivers_db_class(boot->db, &boot->hardware->device[index]);

	return boot->chain.is_critical[index] && class->need == NEED_REQUIRED;
}

/* Adds the modules that must be there before this one, and its own file. */
static void require(struct boot *boot, const struct module_fact *fact)
{
	_cleanup_strings_ struct strings queue = {0};

	strings_add(&queue, fact->name);
	/* Breadth first over names, each once: soft dependencies may form a circle. */
	for (size_t i = 0; i < queue.count && i < NEEDS_LIMIT; i++) {
		const struct module_fact *next = module_index_fact(&boot->index, queue.item[i]);

		if (!next || next->is_builtin)
			continue;
		if (*next->file)
			strings_add_once(&boot->set->required, next->file);
		for (size_t j = 0; j < next->needs.count && queue.count < NEEDS_LIMIT; j++)
			strings_add_once(&queue, next->needs.item[j]);
	}
}

static void add_named(struct boot *boot, const char *name)
{
	const struct module_fact *fact = module_index_fact(&boot->index, name);

	if (!fact || fact->is_builtin || !*fact->file || strings_has(&boot->set->listed, name) ||
	    boot->set->listed.count >= LISTED_LIMIT)
		return;
	strings_add(&boot->set->listed, name);
	require(boot, fact);
}

/* By name or alias; false: this kernel has nothing of that name. */
static bool add_asked(struct boot *boot, const char *question)
{
	const struct strings *modules = module_index_find(&boot->index, question);

	for (size_t i = 0; modules && i < modules->count; i++)
		add_named(boot, modules->item[i]);
	return modules && modules->count;
}

static void add_before(struct boot *boot, const char *module)
{
	_cleanup_strings_ struct strings before = {0};

	drivers_db_preloads(boot->db, module, &before);
	for (size_t i = 0; i < before.count; i++)
		add_asked(boot, before.item[i]);
}

static void complain(struct boot *boot, const struct device *device,
		     const struct candidate *refused)
{
	const char *name = device->name ? device->name : "";

	if (!refused)
		strings_addf(&boot->set->missing, "kernel %s has no driver for %s %s (%s)",
			     boot->release, device->slot, name, device->modalias);
	else
		strings_addf(&boot->set->missing,
			     "kernel %s does not load %s, the driver for %s %s: %s", boot->release,
			     refused->fact->name, device->slot, name, refused->by);
}

static void add_device(struct boot *boot, size_t index)
{
	const struct device *device = &boot->hardware->device[index];
	_cleanup_candidates_ struct candidates candidates = {0};
	const struct candidate *first;

	candidates_find(boot->db, &boot->index, &boot->blacklist, device, &candidates);
	first = candidates.count ? &candidates.item[0] : NULL;
	for (size_t i = 0; i < candidates.count; i++) {
		if (i > 0 && candidates.item[i].rank >= RANK_FALLBACK)
			continue;
		add_before(boot, candidates.item[i].fact->name);
		add_named(boot, candidates.item[i].fact->name);
	}
	if ((!first || first->blacklisting == BLACKLIST_ALWAYS) && is_needed(boot, index))
		complain(boot, device, first);
}

static void add_link(struct boot *boot, const struct root_link *link)
{
	add_before(boot, link->module);
	for (size_t i = 0; i < link->names.count; i++)
		if (add_asked(boot, link->names.item[i]))
			return;
	if (link->is_required)
		strings_addf(&boot->set->missing, "kernel %s has no %s (%s)", boot->release,
			     link->module, link->why);
}

/* Disks that hang on controllers which do not lead to the root: named where the module exists. */
static void add_disk_modules(struct boot *boot)
{
	size_t count;
	const struct disk_module *rows = drivers_db_disk_modules(boot->db, &count);

	for (size_t i = 0; i < boot->hardware->device_count; i++) {
		const struct device_class *class =
			drivers_db_class(boot->db, &boot->hardware->device[i]);

		for (size_t j = 0; is_wanted(boot, i) && j < count; j++)
			if (strcmp(class->transport, rows[j].transport) == 0)
				add_asked(boot, rows[j].module);
	}
}

static void add_questions(struct boot *boot, const struct strings *extra_modules,
			  struct strings *questions)
{
	size_t count;
	const struct disk_module *rows = drivers_db_disk_modules(boot->db, &count);

	for (size_t i = 0; i < count; i++)
		strings_add_once(questions, rows[i].module);
	root_chain_ask(&boot->chain, questions);
	for (size_t i = 0; i < extra_modules->count; i++)
		strings_add_once(questions, extra_modules->item[i]);
	for (size_t i = 0; i < boot->hardware->device_count; i++)
		if (is_wanted(boot, i))
			candidates_ask(boot->db, &boot->hardware->device[i], questions);
}

static void add_preloads(const struct boot *boot, const struct strings *extra_modules,
			 struct strings *questions)
{
	for (size_t i = 0; i < extra_modules->count; i++)
		drivers_db_preloads(boot->db, extra_modules->item[i], questions);
	for (size_t i = 0; i < boot->chain.link_count; i++)
		drivers_db_preloads(boot->db, boot->chain.link[i].module, questions);
	for (size_t i = 0; i < boot->hardware->device_count; i++) {
		_cleanup_candidates_ struct candidates candidates = {0};

		if (!is_wanted(boot, i))
			continue;
		candidates_find(boot->db, &boot->index, &boot->blacklist,
				&boot->hardware->device[i], &candidates);
		for (size_t j = 0; j < candidates.count; j++)
			drivers_db_preloads(boot->db, candidates.item[j].fact->name, questions);
	}
}

/* Twice: what has to be loaded before a driver is known when the driver is. */
static int ask_index(struct boot *boot, const struct strings *extra_modules, struct error *err)
{
	_cleanup_strings_ struct strings questions = {0};
	size_t before;

	add_questions(boot, extra_modules, &questions);
	if (module_index_ask(boot->guest, boot->release, &questions, &boot->index, err) < 0)
		return -1;
	before = questions.count;
	add_preloads(boot, extra_modules, &questions);
	if (questions.count == before)
		return 0;
	module_index_release(&boot->index);
	return module_index_ask(boot->guest, boot->release, &questions, &boot->index, err);
}

static void add_all(struct boot *boot, const struct strings *extra_modules)
{
	for (size_t i = 0; i < boot->hardware->device_count; i++)
		if (is_wanted(boot, i))
			add_device(boot, i);
	add_disk_modules(boot);
	for (size_t i = 0; i < boot->chain.link_count; i++)
		add_link(boot, &boot->chain.link[i]);
	for (size_t i = 0; i < extra_modules->count; i++) {
		add_before(boot, extra_modules->item[i]);
		add_asked(boot, extra_modules->item[i]);
	}
}

int drivers_for_boot(const struct drivers_db *db, const struct hardware *hardware,
		     const struct guest *guest, const char *release,
		     const struct strings *extra_modules, struct driver_set *out, struct error *err)
{
	_cleanup_(boot_release) struct boot boot = {
		.db = db, .hardware = hardware, .guest = guest, .release = release, .set = out};

	*out = (struct driver_set){0};
	if (root_chain_find(db, hardware, guest, &boot.chain, err) < 0 ||
	    blacklist_read(guest, release, &boot.blacklist, err) < 0 ||
	    ask_index(&boot, extra_modules, err) < 0)
		return -1;
	add_all(&boot, extra_modules);
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
