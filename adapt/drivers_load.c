// SPDX-License-Identifier: GPL-3.0-or-later
/* From files to the arrays of struct drivers_db. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "adapt/drivers_db_private.h"
#include "base/scope.h"
#include "base/text.h"

#define LOCAL_DIRECTORY "/etc/v2p/drivers-db.d"

static const char *word_or_empty(const char *word)
{
	return strcmp(word, "-") == 0 ? "" : word;
}

static enum need need_of(const char *word)
{
	return (enum need)drivers_word_index(word, drivers_needs);
}

static void fill_class(struct drivers_db *db, size_t i, char *const *column)
{
	db->device_class[i] = (struct device_class){column[0],
						    column[1],
						    column[2],
						    need_of(column[3]),
						    word_or_empty(column[4]),
						    word_or_empty(column[5])};
}

static void fill_controller_mode(struct drivers_db *db, size_t i, char *const *column)
{
	db->controller_mode[i] =
		(struct controller_mode){column[0], column[1], column[2], column[3]};
}

static void fill_device_since(struct drivers_db *db, size_t i, char *const *column)
{
	db->device_since[i] = (struct device_since){column[0], column[1], column[2]};
}

static void fill_disk_module(struct drivers_db *db, size_t i, char *const *column)
{
	db->disk_module[i] = (struct disk_module){column[0], column[1], need_of(column[2])};
}

static void fill_guest_tool(struct drivers_db *db, size_t i, char *const *column)
{
	db->guest_tool[i] = (struct guest_tool){column[0], column[1], word_or_empty(column[2])};
}

static void fill_kernel_flavour(struct drivers_db *db, size_t i, char *const *column)
{
	db->kernel_flavour[i] = (struct kernel_flavour){
		column[0], column[1], word_or_empty(column[2]), column[3], column[4]};
}

static void fill_preference(struct drivers_db *db, size_t i, char *const *column)
{
	db->preference[i] = (struct preference){column[0], column[2], atoi(column[1])};
}

static void fill_quirk(struct drivers_db *db, size_t i, char *const *column)
{
	db->quirk[i] =
		(struct quirk){column[0], column[1],
			       (enum quirk_kind)drivers_word_index(column[2], drivers_quirk_kinds),
			       column[3], column[4]};
}

/* Tables that are not named here are asked row by row. */
static void (*const fill[TABLES])(struct drivers_db *db, size_t i, char *const *column) = {
	[CLASSES] = fill_class,
	[CONTROLLER_MODES] = fill_controller_mode,
	[DEVICE_SINCE] = fill_device_since,
	[DISK_MODULES] = fill_disk_module,
	[GUEST_TOOLS] = fill_guest_tool,
	[KERNEL_FLAVOURS] = fill_kernel_flavour,
	[PREFERENCES] = fill_preference,
	[QUIRKS] = fill_quirk,
};

static void *new_array(size_t count, size_t size)
{
	void *array = calloc(count ? count : 1, size);

	if (!array)
		abort();
	return array;
}

static void fill_arrays(struct drivers_db *db)
{
	const struct table *table = db->table;

	db->device_class = new_array(table[CLASSES].count, sizeof(*db->device_class));
	db->controller_mode =
		new_array(table[CONTROLLER_MODES].count, sizeof(*db->controller_mode));
	db->device_since = new_array(table[DEVICE_SINCE].count, sizeof(*db->device_since));
	db->disk_module = new_array(table[DISK_MODULES].count, sizeof(*db->disk_module));
	db->guest_tool = new_array(table[GUEST_TOOLS].count, sizeof(*db->guest_tool));
	db->kernel_flavour = new_array(table[KERNEL_FLAVOURS].count, sizeof(*db->kernel_flavour));
	db->preference = new_array(table[PREFERENCES].count, sizeof(*db->preference));
	db->quirk = new_array(table[QUIRKS].count, sizeof(*db->quirk));
	for (size_t i = 0; i < TABLES; i++)
		for (size_t row = 0; fill[i] && row < table[i].count; row++)
			fill[i](db, row, table[i].row[row].column.item);
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

static int load_shipped(struct drivers_db *db, const char *from, struct error *err)
{
	_cleanup_free_ char *directory = from ? string_copy(from) : installed_directory();

	for (size_t i = 0; i < TABLES; i++)
		if (table_load(directory, &drivers_formats[i], &db->table[i], err) < 0)
			return -1;
	return 0;
}

static int list_local(const char *directory, struct strings *names, struct error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(directory);
	const struct dirent *entry;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return error_sys(err, errno, "open %s", directory);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && has_suffix(entry->d_name, ".table"))
			strings_add(names, entry->d_name);
	strings_sort(names);
	return 0;
}

static struct table *table_of(struct drivers_db *db, const char *file)
{
	for (size_t i = 0; i < TABLES; i++)
		if (strcmp(drivers_formats[i].file, file) == 0)
			return &db->table[i];
	return NULL;
}

static int unknown_table(const char *path, struct error *err)
{
	_cleanup_strings_ struct strings known = {0};
	_cleanup_free_ char *all = NULL;

	for (size_t i = 0; i < TABLES; i++)
		strings_add(&known, drivers_formats[i].file);
	all = strings_join(&known, ", ");
	return error_set(err, "%s: there is no such table; the tables are %s", path, all);
}

static int load_local(struct drivers_db *db, struct error *err)
{
	const char *override = getenv("V2P_DRIVERS_DB_LOCAL");
	const char *directory = override ? override : LOCAL_DIRECTORY;
	_cleanup_strings_ struct strings names = {0};

	if (*directory && list_local(directory, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_free_ char *path = string_format("%s/%s", directory, names.item[i]);
		struct table *table = table_of(db, names.item[i]);

		if (!table)
			return unknown_table(path, err);
		if (table_add_local(path, table, err) < 0)
			return -1;
	}
	return 0;
}

int drivers_db_load(const char *from, struct drivers_db **out, struct error *err)
{
	struct drivers_db *db = new_array(1, sizeof(*db));

	if (load_shipped(db, from, err) < 0 || load_local(db, err) < 0) {
		drivers_db_free(db);
		return error_in(err, "load the driver tables");
	}
	fill_arrays(db);
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
	free(db->controller_mode);
	free(db->device_since);
	free(db->disk_module);
	free(db->guest_tool);
	free(db->kernel_flavour);
	free(db->preference);
	free(db->quirk);
	free(db);
}
