// SPDX-License-Identifier: GPL-3.0-or-later
#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/disk.h"
#include "restore/grow_tool.h"

/*
 * --devices keeps every other disk out of sight: a volume group of the same name on another disk,
 * and the rescue system's own, stay untouched. The rescue system keeps no backups of the metadata,
 * and lvm makes device nodes itself where udev does not.
 */
#define LVM_CONFIG "backup{backup=0 archive=0} activation{verify_udev_operations=1 monitoring=0}"

struct lvm {
	char *devices; /* the disk's physical volumes, with commas */
	char *device;  /* the one that has grown */
	char *group;
	struct report *report;
};

struct volume {
	char *name;
	char *path; /* /dev/mapper/… */
	uint64_t size;
};

static void lvm_release(struct lvm *lvm)
{
	free(lvm->devices);
	free(lvm->device);
	free(lvm->group);
}

static void volume_release(struct volume *volume)
{
	free(volume->name);
	free(volume->path);
	*volume = (struct volume){0};
}

static void json_releasep(json_object **object)
{
	json_object_put(*object);
}
#define _cleanup_json_ _cleanup_(json_releasep)

/* lvm COMMAND with the options that every command gets; more words may be added. */
static void lvm_command(const struct lvm *lvm, const char *command, struct strings *argv)
{
	const char *const words[] = {"lvm",      command,    "--devices", lvm->devices,
				     "--config", LVM_CONFIG, NULL};

	for (size_t i = 0; words[i]; i++)
		strings_add(argv, words[i]);
}

/* why: what is reported of it; NULL: nothing that lasts. The last word is what is acted on. */
static int lvm_change(const struct lvm *lvm, const char *command, const char *const *words,
		      const char *why, struct error *err)
{
	_cleanup_strings_ struct strings argv = {0};
	_cleanup_process_result_ struct process_result result = {0};

	lvm_command(lvm, command, &argv);
	for (; *words; words++)
		strings_add(&argv, *words);
	if (grow_run((const char *const *)argv.item, &result, err) < 0)
		return -1;
	if (result.status != 0)
		return process_complain((const char *const *)argv.item, &result, err);
	if (why)
		report_change(lvm->report, "grow", argv.item[argv.count - 1], why, NULL);
	return 0;
}

/*
 * { "report": [ { KIND: [ {field: "text", …}, … ] } ] } (lvmreport(7)). out is the array, borrowed
 * from document.
 */
static int lvm_ask(const struct lvm *lvm, const char *command, const char *kind, const char *fields,
		   const char *of, json_object **document, json_object **out, struct error *err)
{
	const char *const words[] = {"--reportformat", "json", "--units", "b",
				     "--nosuffix",     "-o",   fields,    of};
	_cleanup_strings_ struct strings argv = {0};
	_cleanup_process_result_ struct process_result result = {0};
	json_object *reports, *first;

	lvm_command(lvm, command, &argv);
	for (size_t i = 0; i < array_length(words); i++)
		strings_add(&argv, words[i]);
	if (grow_run((const char *const *)argv.item, &result, err) < 0)
		return -1;
	if (result.status != 0)
		return process_complain((const char *const *)argv.item, &result, err);
	*document = json_tokener_parse(text_string(&result.output));
	if (!json_object_object_get_ex(*document, "report", &reports) ||
	    !(first = json_object_array_get_idx(reports, 0)) ||
	    !json_object_object_get_ex(first, kind, out) ||
	    !json_object_is_type(*out, json_type_array))
		return error_set(err, "lvm %s answered nothing that is understood", command);
	return 0;
}

static const char *field(json_object *row, const char *name)
{
	json_object *value;

	return row && json_object_object_get_ex(row, name, &value) ? json_object_get_string(value)
								   : "";
}

/* Names come from the disk and become words of a command (lvm(8), VALID NAMES). */
static bool is_name(const char *name)
{
	if (!*name || *name == '-' || strlen(name) > 127)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("+_.-", *name))
			return false;
	return true;
}

/* 1: the group is whole and its name is known; 0: it cannot grow, reported. */
static int find_group(struct lvm *lvm, struct error *err)
{
	_cleanup_json_ json_object *document = NULL;
	json_object *rows, *row;

	if (lvm_ask(lvm, "pvs", "pv", "vg_name,vg_missing_pv_count", lvm->device, &document, &rows,
		    err) < 0)
		return -1;
	row = json_object_array_get_idx(rows, 0);
	if (!is_name(field(row, "vg_name"))) {
		report_warning(lvm->report,
			       "the LVM physical volume %s belongs to no volume group: nothing in "
			       "it grew",
			       lvm->device);
		return 0;
	}
	lvm->group = string_copy(field(row, "vg_name"));
	if (string_equal(field(row, "vg_missing_pv_count"), "0"))
		return 1;
	report_warning(lvm->report,
		       "volume group %s spans disks that are not this one: nothing in it grew",
		       lvm->group);
	return 0;
}

/* 1: there are; 0: none. */
static int has_free_extents(const struct lvm *lvm, struct error *err)
{
	_cleanup_json_ json_object *document = NULL;
	json_object *rows;

	if (lvm_ask(lvm, "vgs", "vg", "vg_free_count", lvm->group, &document, &rows, err) < 0)
		return -1;
	return strtoull(field(json_object_array_get_idx(rows, 0), "vg_free_count"), NULL, 10) > 0;
}

static bool holds_ext(const char *path)
{
	_cleanup_layout_ struct layout layout = {0};

	if (layout_read(path, &layout, NULL) < 0 || layout.count != 1 ||
	    layout.partition[0].number != 0)
		return false;
	return has_prefix(layout.partition[0].filesystem, "ext");
}

/* Thin pools, snapshots and mirrors have rules of their own. */
static bool is_plain(const char *volume_layout)
{
	return string_equal(volume_layout, "linear") || string_equal(volume_layout, "striped");
}

/* A volume that is called root is the root; else the largest one is the best guess. */
static bool is_better(const struct volume *best, const char *name, uint64_t size)
{
	if (!best->name)
		return true;
	if (string_equal(best->name, "root") || string_equal(name, "root"))
		return string_equal(name, "root");
	return size > best->size;
}

static int find_volume(const struct lvm *lvm, struct volume *out, struct error *err)
{
	_cleanup_json_ json_object *document = NULL;
	json_object *rows;

	if (lvm_ask(lvm, "lvs", "lv", "lv_name,lv_dm_path,lv_size,lv_layout", lvm->group, &document,
		    &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		json_object *row = json_object_array_get_idx(rows, i);
		const char *name = field(row, "lv_name"), *path = field(row, "lv_dm_path");
		uint64_t size = strtoull(field(row, "lv_size"), NULL, 10);

		if (!is_name(name) || !is_plain(field(row, "lv_layout")) ||
		    !is_better(out, name, size) || !holds_ext(path))
			continue;
		volume_release(out);
		*out = (struct volume){string_copy(name), string_copy(path), size};
	}
	return 0;
}

static int grow_volume(const struct lvm *lvm, struct error *err)
{
	_cleanup_(volume_release) struct volume volume = {0};
	_cleanup_free_ char *name = NULL;

	if (find_volume(lvm, &volume, err) < 0)
		return -1;
	if (!volume.name) {
		report_warning(lvm->report,
			       "volume group %s has no plain volume with an ext file system: its "
			       "new space stays free",
			       lvm->group);
		return 0;
	}
	name = string_format("%s/%s", lvm->group, volume.name);
	if (lvm_change(lvm, "lvextend", (const char *const[]){"-l", "+100%FREE", name, NULL},
		       "the root volume uses the new space", err) < 0)
		return -1;
	return grow_ext(volume.path, lvm->report, err);
}

/* The group is let go in every case: the adaptation and the next boot activate it themselves. */
static int grow_active(const struct lvm *lvm, struct error *err)
{
	_cleanup_error_ struct error quiet = {0};
	int r;

	if (lvm_change(lvm, "vgchange", (const char *const[]){"-ay", lvm->group, NULL}, NULL, err) <
	    0)
		return -1;
	r = grow_volume(lvm, err);
	if (lvm_change(lvm, "vgchange", (const char *const[]){"-an", lvm->group, NULL}, NULL,
		       &quiet) < 0)
		report_warning(lvm->report, "volume group %s stays active: %s", lvm->group,
			       error_text(&quiet));
	return r;
}

static int grow_group(struct lvm *lvm, struct error *err)
{
	int r = find_group(lvm, err);

	if (r <= 0)
		return r;
	if (lvm_change(lvm, "pvresize", (const char *const[]){lvm->device, NULL},
		       "the LVM physical volume uses the grown partition", err) < 0)
		return -1;
	r = has_free_extents(lvm, err);
	if (r != 0)
		return r < 0 ? -1 : grow_active(lvm, err);
	report_warning(lvm->report, "volume group %s has no free extent: nothing in it grew",
		       lvm->group);
	return 0;
}

/* All of them: a group may span several partitions of the disk. */
static char *physical_volumes(const char *disk, const struct layout *layout)
{
	_cleanup_strings_ struct strings devices = {0};

	for (size_t i = 0; i < layout->count; i++) {
		_cleanup_free_ char *path = NULL;

		if (!string_equal(layout->partition[i].filesystem, "LVM2_member"))
			continue;
		path = disk_partition_path(disk, layout->partition[i].number);
		strings_add(&devices, path);
	}
	return strings_join(&devices, ",");
}

int grow_lvm(const char *disk, const struct layout *layout, int partition, struct report *report,
	     struct error *err)
{
	_cleanup_(lvm_release) struct lvm lvm = {
		.devices = physical_volumes(disk, layout),
		.device = disk_partition_path(disk, partition),
		.report = report,
	};

	return grow_group(&lvm, err);
}
