// SPDX-License-Identifier: GPL-3.0-or-later
/* The volume groups on the guest's disk, through the lvm of the system that v2p runs on. */
#include <blkid/blkid.h>
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "adapt/guest_disk.h"
#include "adapt/guest_private.h"
#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"

/* The rescue system keeps no backups of the metadata; lvm makes nodes itself where udev does not.
 */
#define CONFIG "backup{backup=0 archive=0} activation{verify_udev_operations=1}"

enum {
	LVM_TIMEOUT_MS = 60000,
	DEACTIVATE_TRIES = 20, /* a killed program's mounts go away a moment later */
};

static void json_releasep(json_object **object)
{
	json_object_put(*object);
}
#define _cleanup_json_ _cleanup_(json_releasep)

/* The disk's physical volumes with commas between, "" when it has none. */
static char *physical_volumes(const struct guest *guest)
{
	struct text out = {0};

	for (size_t i = 0; i < guest->layout.count; i++) {
		const struct partition *partition = &guest->layout.partition[i];
		_cleanup_free_ char *device = guest_partition_path(guest->disk, partition->number);

		if (string_equal(partition->filesystem, "LVM2_member"))
			text_addf(&out, "%s%s", out.length ? "," : "", device);
	}
	return text_take(&out);
}

/*
 * lvm COMMAND --devices OURS …: every other disk is out of sight, so that a group of the same name
 * on another disk, and the rescue system's own, stay untouched.
 */
static int lvm_with(const struct guest *guest, const char *config, const char *const *words,
		    struct text *out, struct error *err)
{
	_cleanup_free_ char *devices = physical_volumes(guest);
	static const char *const environment[] = {"LVM_SUPPRESS_FD_WARNINGS=1", NULL};
	const char *argv[24] = {"lvm", words[0], "--devices", devices, "--config", config};
	const struct process process = {
		.argv = argv, .environment = environment, .timeout_ms = LVM_TIMEOUT_MS};
	_cleanup_process_result_ struct process_result result = {0};

	for (size_t i = 1, n = 6; words[i]; i++)
		argv[n++] = words[i];
	if (process_run(&process, &result, err) < 0)
		return -1;
	if (result.status != 0)
		return process_complain(argv, &result, err);
	if (out)
		text_add(out, text_string(&result.output));
	return 0;
}

static int lvm(const struct guest *guest, const char *const *words, struct text *out,
	       struct error *err)
{
	return lvm_with(guest, CONFIG, words, out, err);
}

/* lvmreport(7): { "report": [ { KIND: [ {field: "text", …}, … ] } ] }. rows is borrowed from
 * document. */
static int ask(const struct guest *guest, const char *command, const char *kind, const char *fields,
	       json_object **document, json_object **rows, struct error *err)
{
	const char *words[] = {command, "--reportformat", "json", "-o", fields, NULL};
	_cleanup_text_ struct text out = {0};
	json_object *list = NULL;

	if (lvm(guest, words, &out, err) < 0)
		return -1;
	*document = json_tokener_parse(text_string(&out));
	if (json_object_object_get_ex(*document, "report", &list) &&
	    json_object_is_type(list, json_type_array))
		list = json_object_array_get_idx(list, 0);
	if (!json_object_object_get_ex(list, kind, rows) ||
	    !json_object_is_type(*rows, json_type_array))
		return error_set(err, "lvm %s answered nothing that is understood", command);
	return 0;
}

static const char *field(json_object *row, const char *name)
{
	const char *value = json_object_get_string(json_object_object_get(row, name));

	return value ? value : "";
}

/* lvm(8), VALID NAMES. A name becomes a word of a command and part of paths. */
static bool is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789+_.-";

	return *name && *name != '-' && *name != '.' && strspn(name, allowed) == strlen(name);
}

static bool is_same_uuid(const char *mapper_uuid, const char *group_uuid)
{
	for (; *group_uuid; group_uuid++)
		if (*group_uuid != '-' && *mapper_uuid++ != *group_uuid)
			return false;
	return true;
}

/*
 * Is a volume of a group of this name active now? 1: of this very group; -1: of another group,
 * which is an error; 0: none. The device mapper calls a volume by "LVM-" GROUP-UUID VOLUME-UUID.
 */
static int is_active(const char *group, const char *uuid, struct error *err)
{
	_cleanup_free_ char *prefix = guest_mapper_prefix(group);
	_cleanup_closedir_ DIR *dir = opendir("/sys/class/block");
	const struct dirent *entry;
	int found = 0;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *name = file_line("/sys/class/block/%s/dm/name", entry->d_name);
		_cleanup_free_ char *id = file_line("/sys/class/block/%s/dm/uuid", entry->d_name);

		if (!name || !id || !has_prefix(name, prefix) || name[strlen(prefix)] == '-')
			continue;
		if (!has_prefix(id, "LVM-") || !is_same_uuid(id + strlen("LVM-"), uuid))
			return error_set(err,
					 "the volume group %s is already active on another disk of "
					 "this machine: take that disk out, or rename its group",
					 group);
		found = 1;
	}
	return found;
}

static int activate_group(struct guest *guest, const char *group, enum guest_mode mode,
			  struct error *err)
{
	/* lvm takes one --config only. */
	_cleanup_free_ char *read_only =
		string_format(CONFIG " activation{read_only_volume_list=[\"%s\"]}", group);
	const char *config = mode == GUEST_READ_ONLY ? read_only : CONFIG;
	const char *words[] = {"vgchange", "--activate", "y", group, NULL};
	const char *nodes[] = {"vgmknodes", group, NULL};

	/* Before: a group that was activated in part must not stay so, and hold the disk. */
	strings_add_once(&guest->volume_groups, group);
	if (lvm_with(guest, config, words, NULL, err) < 0)
		return error_in(err, "activate the volume group %s", group);
	return lvm(guest, nodes, NULL, err);
}

static int consider_group(struct guest *guest, json_object *row, enum guest_mode mode,
			  struct error *err)
{
	const char *group = field(row, "vg_name");
	int active;

	if (!is_name(group))
		return error_set(err, "%s holds a volume group with an invalid name", guest->disk);
	if (strcmp(field(row, "vg_missing_pv_count"), "0") != 0)
		return error_set(err,
				 "the volume group %s is incomplete: some of its physical volumes "
				 "are not on %s",
				 group, guest->disk);
	active = is_active(group, field(row, "vg_uuid"), err);
	if (active < 0)
		return -1;
	return active ? 0 : activate_group(guest, group, mode, err);
}

static char *probe_value(blkid_probe probe, const char *name)
{
	const char *value = NULL;

	if (blkid_probe_lookup_value(probe, name, &value, NULL) < 0)
		return NULL;
	return string_copy(value);
}

void volume_probe(struct volume *volume)
{
	blkid_probe probe = blkid_new_probe_from_filename(volume->device);

	if (!probe)
		return;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID |
							 BLKID_SUBLKS_LABEL);
	if (blkid_do_safeprobe(probe) == 0) {
		volume->filesystem = probe_value(probe, "TYPE");
		volume->uuid = probe_value(probe, "UUID");
		volume->label = probe_value(probe, "LABEL");
	}
	blkid_free_probe(probe);
}

static int add_volumes(const struct guest *guest, struct volumes *volumes, struct error *err)
{
	_cleanup_json_ json_object *document = NULL;
	json_object *rows = NULL;

	if (ask(guest, "lvs", "lv", "vg_name,lv_name,lv_dm_path", &document, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		json_object *row = json_object_array_get_idx(rows, i);
		const char *path = field(row, "lv_dm_path");
		struct volume *volume;

		if (!has_prefix(path, "/dev/mapper/") || access(path, F_OK) < 0)
			continue;
		volume = volumes_add(volumes);
		volume->device = string_copy(path);
		volume->group = string_copy(field(row, "vg_name"));
		volume->name = string_copy(field(row, "lv_name"));
		volume_probe(volume);
	}
	return 0;
}

static int activate(struct guest *guest, enum guest_mode mode, struct volumes *volumes,
		    struct error *err)
{
	_cleanup_json_ json_object *document = NULL;
	json_object *rows = NULL;

	if (ask(guest, "vgs", "vg", "vg_name,vg_uuid,vg_missing_pv_count", &document, &rows, err) <
	    0)
		return -1;
	for (size_t i = 0; i < json_object_array_length(rows); i++)
		if (consider_group(guest, json_object_array_get_idx(rows, i), mode, err) < 0)
			return -1;
	return add_volumes(guest, volumes, err);
}

int volumes_add_logical(struct guest *guest, enum guest_mode mode, struct volumes *volumes,
			struct error *err)
{
	_cleanup_free_ char *devices = physical_volumes(guest);
	struct stat st;

	if (!*devices)
		return 0;
	if (stat(guest->disk, &st) == 0 && !S_ISBLK(st.st_mode))
		return error_set(err,
				 "%s is a regular file that holds LVM volumes: not supported, "
				 "attach it as a block device first",
				 guest->disk);
	if (activate(guest, mode, volumes, err) < 0)
		return error_in(err, "LVM on %s", guest->disk);
	return 0;
}

static int deactivate(const struct guest *guest, const char *group, struct error *err)
{
	const struct timespec pause = {.tv_nsec = 100000000};
	const char *words[] = {"vgchange", "--activate", "n", group, NULL};

	for (int i = 1; lvm(guest, words, NULL, err) < 0; i++) {
		if (i == DEACTIVATE_TRIES)
			return error_in(err, "deactivate the volume group %s", group);
		nanosleep(&pause, NULL);
	}
	return 0;
}

int volumes_deactivate(const struct guest *guest, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < guest->volume_groups.count; i++)
		if (deactivate(guest, guest->volume_groups.item[i], err) < 0)
			r = -1;
	return r;
}
