// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/drivers_db.h"

#include <fnmatch.h>
#include <limits.h>
#include <string.h>

#include "adapt/drivers_table.h"
#include "base/scope.h"
#include "base/text.h"

struct preference {
	const char *module, *when;
	int rank;
};

enum { CLASSES, DISK_MODULES, PREFERENCES, VIRTUAL_MODULES, GUEST_TOOLS, XORG_DRIVERS, TABLES };

struct drivers_db {
	struct table table[TABLES]; /* owns the strings that the arrays below borrow */
	struct device_class *device_class;
	struct disk_module *disk_module;
	struct preference *preference;
	struct guest_tool *guest_tool;
};

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static bool is_role(const char *word)
{
	static const char *const roles[] = {"storage", "disk",   "usb",      "network", "display",
					    "audio",   "media",  "input",    "bridge",  "memory",
					    "serial",  "system", "wireless", "other",   NULL};

	return is_one_of(word, roles);
}

static const char *const needs[] = {"none", "optional", "required", NULL};

static bool is_need(const char *word)
{
	return is_one_of(word, needs);
}

static enum need need_of(const char *word)
{
	for (enum need need = NEED_NONE; need < NEED_REQUIRED; need++)
		if (strcmp(needs[need], word) == 0)
			return need;
	return NEED_REQUIRED;
}

static bool is_transport(const char *word)
{
	static const char *const transports[] = {"ata", "scsi", "nvme",   "ufs", "mmc",
						 "usb", "-",    "virtio", NULL};

	return is_one_of(word, transports);
}

static bool is_rank(const char *word)
{
	return strlen(word) <= 2 && strspn(word, "0123456789") == strlen(word);
}

static bool is_when(const char *word)
{
	const char *digits = has_prefix(word, "rev>=")  ? word + strlen("rev>=")
			     : has_prefix(word, "rev<") ? word + strlen("rev<")
							: "";

	return strcmp(word, "*") == 0 ||
	       (strlen(digits) == 2 && strspn(digits, "0123456789abcdef") == 2);
}

static bool is_module(const char *word)
{
	return strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
	       strlen(word);
}

static int check_class(char *const *column, struct error *err)
{
	size_t digits = strspn(column[1], "0123456789abcdef");

	if (strcmp(column[0], "pci") != 0)
		return 0;
	if (column[1][digits] || (digits != 2 && digits != 4 && digits != 6))
		return error_set(err, "\"%s\" is not the beginning of a PCI class", column[1]);
	return 0;
}

static const struct table_format formats[TABLES] = {
	[CLASSES] = {"classes.table",
		     6,
		     {0, 1},
		     {{2, is_role}, {3, is_need}, {4, is_transport}},
		     check_class},
	[DISK_MODULES] = {"disk-modules.table",
			  3,
			  {0, 1},
			  {{0, is_transport}, {1, is_module}, {2, is_need}},
			  NULL},
	[PREFERENCES] = {"preferences.table",
			 3,
			 {0, 2},
			 {{0, is_module}, {1, is_rank}, {2, is_when}},
			 NULL},
	[VIRTUAL_MODULES] = {"virtual-modules.table", 2, {0, 0}, {{0, is_module}}, NULL},
	[GUEST_TOOLS] = {"guest-tools.table", 3, {0, 2}, {{0}}, NULL},
	[XORG_DRIVERS] = {"xorg-drivers.table", 2, {0, 0}, {{0}}, NULL},
};

static const char *word_or_empty(const char *word)
{
	return strcmp(word, "-") == 0 ? "" : word;
}

static void *new_array(size_t count, size_t size)
{
	void *array = calloc(count ? count : 1, size);

	if (!array)
		abort();
	return array;
}

static void fill_classes(struct drivers_db *db)
{
	const struct table *table = &db->table[CLASSES];

	db->device_class = new_array(table->count, sizeof(*db->device_class));
	for (size_t i = 0; i < table->count; i++) {
		char **column = table->row[i].column.item;

		db->device_class[i] = (struct device_class){column[0],
							    column[1],
							    column[2],
							    need_of(column[3]),
							    word_or_empty(column[4]),
							    word_or_empty(column[5])};
	}
}

static void fill_modules(struct drivers_db *db)
{
	const struct table *modules = &db->table[DISK_MODULES];
	const struct table *preferences = &db->table[PREFERENCES];

	db->disk_module = new_array(modules->count, sizeof(*db->disk_module));
	for (size_t i = 0; i < modules->count; i++) {
		char **column = modules->row[i].column.item;

		db->disk_module[i] = (struct disk_module){column[0], column[1], need_of(column[2])};
	}
	db->preference = new_array(preferences->count, sizeof(*db->preference));
	for (size_t i = 0; i < preferences->count; i++) {
		char **column = preferences->row[i].column.item;

		db->preference[i] = (struct preference){column[0], column[2], atoi(column[1])};
	}
}

static void fill_tools(struct drivers_db *db)
{
	const struct table *table = &db->table[GUEST_TOOLS];

	db->guest_tool = new_array(table->count, sizeof(*db->guest_tool));
	for (size_t i = 0; i < table->count; i++) {
		char **column = table->row[i].column.item;

		db->guest_tool[i] =
			(struct guest_tool){column[0], column[1], word_or_empty(column[2])};
	}
}

/* Does the class of a PCI device begin with these digits? */
static bool class_begins_with(uint32_t class, const char *digits)
{
	char text[16];

	snprintf(text, sizeof(text), "%06x", class);
	return has_prefix(text, digits);
}

static const struct device_class *pci_class(const struct drivers_db *db,
					    const struct device *device)
{
	const struct device_class *best = NULL;

	for (size_t i = 0; i < db->table[CLASSES].count; i++) {
		const struct device_class *row = &db->device_class[i];

		if (strcmp(row->bus, "pci") == 0 && class_begins_with(device->class, row->match) &&
		    (!best || strlen(row->match) > strlen(best->match)))
			best = row;
	}
	return best;
}

static const struct device_class *bus_class(const struct drivers_db *db,
					    const struct device *device)
{
	for (size_t i = 0; i < db->table[CLASSES].count; i++) {
		const struct device_class *row = &db->device_class[i];

		if (strcmp(row->bus, device->bus) == 0 &&
		    fnmatch(row->match, device->modalias, 0) == 0)
			return row;
	}
	return NULL;
}

const struct device_class *drivers_db_class(const struct drivers_db *db,
					    const struct device *device)
{
	static const struct device_class unknown = {"", "", "other", NEED_OPTIONAL, "", ""};
	const struct device_class *row =
		strcmp(device->bus, "pci") == 0 ? pci_class(db, device) : bus_class(db, device);

	return row ? row : &unknown;
}

const char *drivers_db_role(const struct drivers_db *db, const struct device *device)
{
	return drivers_db_class(db, device)->role;
}

static bool holds(const char *when, const struct device *device)
{
	if (strcmp(when, "*") == 0)
		return true;
	if (strcmp(device->bus, "pci") != 0)
		return false;
	if (has_prefix(when, "rev<"))
		return device->revision < strtoul(when + strlen("rev<"), NULL, 16);
	return device->revision >= strtoul(when + strlen("rev>="), NULL, 16);
}

int drivers_db_rank(const struct drivers_db *db, const char *module, const struct device *device)
{
	for (size_t i = 0; i < db->table[PREFERENCES].count; i++) {
		const struct preference *row = &db->preference[i];

		if (strcmp(row->module, module) == 0 && holds(row->when, device))
			return row->rank;
	}
	return RANK_DEFAULT;
}

const struct disk_module *drivers_db_disk_modules(const struct drivers_db *db, size_t *count)
{
	*count = db->table[DISK_MODULES].count;
	return db->disk_module;
}

/* The kernel takes - and _ in a module name for the same. */
static bool is_same_module(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !(*a == '_' && *b == '-'))
			return false;
	return *a == *b;
}

bool drivers_db_is_virtual_module(const struct drivers_db *db, const char *module)
{
	const struct table *table = &db->table[VIRTUAL_MODULES];

	for (size_t i = 0; i < table->count; i++)
		if (is_same_module(table->row[i].column.item[0], module))
			return true;
	return false;
}

bool drivers_db_is_virtual_xorg_driver(const struct drivers_db *db, const char *driver)
{
	const struct table *table = &db->table[XORG_DRIVERS];

	for (size_t i = 0; i < table->count; i++)
		if (strcasecmp(table->row[i].column.item[0], driver) == 0)
			return true;
	return false;
}

const struct guest_tool *drivers_db_guest_tools(const struct drivers_db *db, size_t *count)
{
	*count = db->table[GUEST_TOOLS].count;
	return db->guest_tool;
}

/* Beside the program, so that an install tree works wherever it lies; heap. */
static char *installed_directory(void)
{
	const char *override = getenv("V2P_DRIVERS_DB");
	char program[PATH_MAX] = "";
	char *slash;

	if (override && *override)
		return string_copy(override);
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) > 0) {
		_cleanup_free_ char *beside = NULL;

		slash = strrchr(program, '/');
		beside = string_format("%.*s/../share/v2p/drivers-db", (int)(slash - program),
				       program);
		if (access(beside, R_OK) == 0)
			return steal(&beside);
	}
	return string_copy(V2P_DATA_DIR "/drivers-db");
}

int drivers_db_load(const char *from, struct drivers_db **out, struct error *err)
{
	_cleanup_free_ char *directory = from ? string_copy(from) : installed_directory();
	struct drivers_db *db = new_array(1, sizeof(*db));

	for (size_t i = 0; i < TABLES; i++) {
		if (table_load(directory, &formats[i], &db->table[i], err) < 0) {
			drivers_db_free(db);
			return error_in(err, "load the driver tables");
		}
	}
	fill_classes(db);
	fill_modules(db);
	fill_tools(db);
	*out = db;
	return 0;
}

void drivers_db_free(struct drivers_db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < TABLES; i++)
		table_release(&db->table[i]);
	free(db->device_class);
	free(db->disk_module);
	free(db->preference);
	free(db->guest_tool);
	free(db);
}
