// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "adapt/driver_candidates.h"
#include "adapt/drivers.h"
#include "base/scope.h"

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
	_cleanup_candidates_ struct candidates candidates = {0};

	candidates_find(boot->db, &boot->index, device, &candidates);
	for (size_t i = 0; i < candidates.count; i++)
		if (i == 0 || candidates.item[i].rank < RANK_FALLBACK)
			add_named(boot, candidates.item[i].fact->name);
	if (!candidates.count && !candidates.usual && is_on_way(boot, device))
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
			candidates_ask(boot->db, &boot->hardware->device[i], &questions);
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
