// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/root_chain.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/drivers_db.h"
#include "adapt/root_volumes.h"
#include "base/scope.h"

static void mark_up(const struct hardware *hardware, const struct device *device,
		    struct root_chain *chain)
{
	for (; device; device = hardware_parent(hardware, device))
		chain->is_critical[device - hardware->device] = true;
}

static bool mark_followed(const struct hardware *hardware, struct root_chain *chain)
{
	bool is_any = false;

	for (size_t i = 0; i < hardware->device_count; i++) {
		chain->is_critical[i] = hardware->device[i].for_root;
		is_any = is_any || hardware->device[i].for_root;
	}
	return is_any;
}

/* A stick is the rescue medium, or will not be there when the machine starts. */
static bool is_target(const struct disk *disk)
{
	return disk->hangs_on && !disk->removable && !string_equal(disk->transport, "usb");
}

static bool mark_disks(const struct hardware *hardware, struct root_chain *chain)
{
	bool is_any = false;

	for (size_t i = 0; i < hardware->disks.count; i++) {
		const struct disk *disk = &hardware->disks.item[i];
		const struct device *device =
			is_target(disk) ? hardware_device(hardware, disk->hangs_on) : NULL;

		if (!device)
			continue;
		mark_up(hardware, device, chain);
		is_any = true;
	}
	return is_any;
}

static void mark_storage(const struct drivers_db *db, const struct hardware *hardware,
			 struct root_chain *chain)
{
	for (size_t i = 0; i < hardware->device_count; i++)
		if (strcmp(drivers_db_role(db, &hardware->device[i]), "storage") == 0)
			mark_up(hardware, &hardware->device[i], chain);
}

static void mark_devices(const struct drivers_db *db, const struct hardware *hardware,
			 struct root_chain *chain)
{
	chain->is_critical = calloc(hardware->device_count + 1, sizeof(*chain->is_critical));
	if (!chain->is_critical)
		abort();
	if (mark_followed(hardware, chain) || mark_disks(hardware, chain))
		return;
	chain->is_way_assumed = true;
	mark_storage(db, hardware, chain);
}

void root_chain_add(struct root_chain *chain, const char *module, const char *alias,
		    enum root_need need, const char *format, ...)
{
	struct root_link *link;
	va_list args;
	_cleanup_text_ struct text why = {0};
	_cleanup_free_ char *printable = NULL;

	for (size_t i = 0; i < chain->link_count; i++)
		if (strcmp(chain->link[i].module, module) == 0)
			return;
	chain->link = reallocarray(chain->link, chain->link_count + 1, sizeof(*chain->link));
	if (!chain->link)
		abort();
	va_start(args, format);
	text_vaddf(&why, format, args);
	va_end(args);
	printable = string_printable(text_string(&why));
	link = &chain->link[chain->link_count++];
	*link = (struct root_link){.module = string_copy(module),
				   .why = steal(&printable),
				   .is_required = need == ROOT_REQUIRED};
	if (alias)
		strings_add(&link->names, alias);
	strings_add_once(&link->names, module);
}

/* A VMD domain carries controllers, and these the disks. */
static bool carries_disks(const struct drivers_db *db, const struct hardware *hardware,
			  const struct root_chain *chain, size_t index)
{
	for (size_t i = 0; i < hardware->device_count; i++) {
		const struct device *device = &hardware->device[i];

		if (i == index || !chain->is_critical[i] ||
		    strcmp(drivers_db_role(db, device), "storage") != 0)
			continue;
		while ((device = hardware_parent(hardware, device)))
			if (device == &hardware->device[index])
				return false;
	}
	return true;
}

/* The disk drivers for what the controllers of the chain carry. */
static void add_disk_modules(const struct drivers_db *db, const struct hardware *hardware,
			     struct root_chain *chain)
{
	size_t count;
	const struct disk_module *rows = drivers_db_disk_modules(db, &count);
	size_t before = chain->link_count;

	for (size_t i = 0; i < hardware->device_count; i++) {
		const struct device_class *class = drivers_db_class(db, &hardware->device[i]);

		if (!chain->is_critical[i] || !*class->transport ||
		    !carries_disks(db, hardware, chain, i))
			continue;
		for (size_t j = 0; j < count; j++)
			if (strcmp(class->transport, rows[j].transport) == 0)
				root_chain_add(chain, rows[j].module, NULL,
					       rows[j].need == NEED_REQUIRED ? ROOT_REQUIRED
									     : ROOT_OPTIONAL,
					       "disks of %s", rows[j].transport);
	}
	for (size_t i = before; i < chain->link_count; i++)
		chain->link[i].is_of_disk = true;
}

int root_chain_find(const struct drivers_db *db, const struct hardware *hardware,
		    const struct guest *guest, struct root_chain *out, struct error *err)
{
	*out = (struct root_chain){0};
	if (root_volumes_find(guest, out, err) < 0) {
		root_chain_release(out);
		return error_in(err, "find out what the root file system is on");
	}
	mark_devices(db, hardware, out);
	add_disk_modules(db, hardware, out);
	for (size_t i = 0; i < out->link_count; i++)
		drivers_db_aliases_of(db, out->link[i].module, &out->link[i].names);
	return 0;
}

void root_chain_ask(const struct root_chain *chain, struct strings *questions)
{
	for (size_t i = 0; i < chain->link_count; i++)
		for (size_t j = 0; j < chain->link[i].names.count; j++)
			strings_add_once(questions, chain->link[i].names.item[j]);
}

void root_chain_release(struct root_chain *chain)
{
	if (!chain)
		return;
	for (size_t i = 0; i < chain->link_count; i++) {
		free(chain->link[i].module);
		strings_release(&chain->link[i].names);
		free(chain->link[i].why);
	}
	free(chain->link);
	free(chain->is_critical);
	*chain = (struct root_chain){0};
}
