// SPDX-License-Identifier: GPL-3.0-or-later
/* The guest's fstab: which of its file systems are needed, and where they are on this disk. */
#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapt/guest_disk.h"
#include "adapt/guest_private.h"
#include "base/scope.h"

enum { MOUNT_LIMIT = 64 };

static const struct {
	const char *tag;
	size_t field;
} tags[] = {
	{"UUID=", offsetof(struct volume, uuid)},
	{"LABEL=", offsetof(struct volume, label)},
	{"PARTUUID=", offsetof(struct volume, partuuid)},
	{"PARTLABEL=", offsetof(struct volume, partlabel)},
	{"/dev/disk/by-uuid/", offsetof(struct volume, uuid)},
	{"/dev/disk/by-label/", offsetof(struct volume, label)},
	{"/dev/disk/by-partuuid/", offsetof(struct volume, partuuid)},
	{"/dev/disk/by-partlabel/", offsetof(struct volume, partlabel)},
};

/* The first disk of a VM, by driver. */
static const char *const first_disks[] = {"vda",     "sda",     "hda",    "xvda",
					  "nvme0n1", "mmcblk0", "mmcblk1"};

/* Where programs of the guest read and write. /home and the like are left alone. */
static const char *const wanted[] = {"/boot", "/efi", "/usr", "/var", "/opt", "/etc"};
/* Without these the adaptation would write into the directory below the mount. */
static const char *const essential[] = {"/boot", "/boot/efi", "/efi", "/usr", "/var", "/etc"};

static const struct volume *find_by_field(const struct volumes *volumes, size_t offset,
					  const char *value)
{
	size_t length = strlen(value);
	_cleanup_free_ char *plain = length > 1 && *value == '"' && value[length - 1] == '"'
					     ? string_format("%.*s", (int)(length - 2), value + 1)
					     : string_copy(value);

	for (size_t i = 0; i < volumes->count; i++) {
		const struct volume *volume = &volumes->item[i];
		const char *have;

		memcpy(&have, (const char *)volume + offset, sizeof(have));
		if (have && strcasecmp(have, plain) == 0)
			return volume;
	}
	return NULL;
}

static const struct volume *find_logical(const struct volumes *volumes, const char *source)
{
	for (size_t i = 0; i < volumes->count; i++) {
		const struct volume *volume = &volumes->item[i];
		_cleanup_free_ char *path = NULL;

		if (!volume->group)
			continue;
		path = string_format("/dev/%s/%s", volume->group, volume->name);
		if (strcmp(volume->device, source) == 0 || strcmp(path, source) == 0)
			return volume;
	}
	return NULL;
}

/* Splits "vda3" and "nvme0n1p3" into the disk's name and 3; "…-part3" of by-path and by-id too.
 * Returns 0 when there is no number. */
static int split_partition(const char *source, char **disk)
{
	const char *name = has_prefix(source, "/dev/") ? source + strlen("/dev/") : source;
	size_t length = strlen(name), digits = length;
	int number;

	while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9')
		digits--;
	if (digits == length || length - digits > 3)
		return 0;
	number = atoi(name + digits);
	if (digits > 5 && strncmp(name + digits - 5, "-part", 5) == 0)
		digits -= 5;
	else if (digits > 1 && name[digits - 1] == 'p' && name[digits - 2] >= '0' &&
		 name[digits - 2] <= '9')
		digits--;
	*disk = string_format("%.*s", (int)digits, name);
	return number;
}

/* Is disk, as the VM called it, the one that was restored? The one that carries the root is; where
 * the root has a stable name, it is the VM's first. */
static bool is_this_disk(const char *disk, const char *root_source)
{
	_cleanup_free_ char *root_disk = NULL;

	if (has_prefix(disk, "disk/by-"))
		return true;
	if (root_source && has_prefix(root_source, "/dev/") &&
	    split_partition(root_source, &root_disk) && !strchr(root_disk, '/'))
		return strcmp(disk, root_disk) == 0;
	for (size_t i = 0; i < array_length(first_disks); i++)
		if (strcmp(disk, first_disks[i]) == 0)
			return true;
	return false;
}

const struct volume *volumes_find(const struct volumes *volumes, const char *source,
				  const char *root_source)
{
	_cleanup_free_ char *disk = NULL;
	const struct volume *logical;
	int number;

	for (size_t i = 0; i < array_length(tags); i++)
		if (has_prefix(source, tags[i].tag))
			return find_by_field(volumes, tags[i].field, source + strlen(tags[i].tag));
	logical = find_logical(volumes, source);
	if (logical || !has_prefix(source, "/dev/"))
		return logical;
	number = split_partition(source, &disk);
	if (number == 0 || !is_this_disk(disk, root_source))
		return NULL;
	for (size_t i = 0; i < volumes->count; i++)
		if (volumes->item[i].partition == number)
			return &volumes->item[i];
	return NULL;
}

static bool is_at_or_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '\0' || path[length] == '/');
}

static bool is_wanted(const char *where)
{
	for (size_t i = 0; i < array_length(wanted); i++)
		if (is_at_or_below(where, wanted[i]))
			return true;
	return false;
}

/* To read a guest, only what holds its programs is needed. */
static bool is_essential(const char *where, enum guest_mode mode)
{
	if (mode == GUEST_READ_ONLY)
		return strcmp(where, "/usr") == 0;
	for (size_t i = 0; i < array_length(essential); i++)
		if (strcmp(where, essential[i]) == 0)
			return true;
	return false;
}

void guest_add_mount(struct guest *guest, const struct volume *volume, const char *where)
{
	guest->mount = reallocarray(guest->mount, guest->mount_count + 1, sizeof(*guest->mount));
	if (!guest->mount)
		abort();
	guest->mount[guest->mount_count++] = (struct guest_mount){
		.device = string_copy(volume->device),
		.volume =
			volume->group ? string_format("%s/%s", volume->group, volume->name) : NULL,
		.where = string_copy(where),
		.filesystem = string_copy(volume->filesystem),
		.uuid = volume->uuid ? string_copy(volume->uuid) : NULL,
		.partition = volume->partition,
	};
}

/* A subvolume named by fstab, as heap; NULL: none. */
static char *subvolume_of(struct libmnt_fs *fs, const struct volume *volume)
{
	const char *options = mnt_fs_get_options(fs);
	char *value = NULL;
	size_t length = 0;

	if (!options || !string_equal(volume->filesystem, "btrfs") ||
	    mnt_optstr_get_option(options, "subvol", &value, &length) != 0 || !value)
		return NULL;
	return string_format("%.*s", (int)length, value);
}

static int mount_inside(struct guest *guest, const struct volume *volume, const char *where,
			const char *subvolume, enum guest_mode mode, struct error *err)
{
	_cleanup_close_ int fd = guest_resolve(guest, where, O_PATH | O_DIRECTORY);
	_cleanup_free_ char *place = string_format("/proc/self/fd/%d", fd);

	if (fd < 0)
		return error_sys(err, errno, "the mount point %s in the guest", where);
	if (volume_mount(volume, place, guest_mount_mode(guest, mode), subvolume, err) < 0)
		return error_in(err, "mount the guest's %s", where);
	guest_add_mount(guest, volume, where);
	return 0;
}

static int mount_entry(struct guest *guest, const struct volumes *volumes, struct libmnt_fs *fs,
		       const char *root_source, enum guest_mode mode, struct error *err)
{
	const char *source = mnt_fs_get_source(fs), *where = mnt_fs_get_target(fs);
	_cleanup_error_ struct error why = {0};
	_cleanup_free_ char *subvolume = NULL;
	const struct volume *volume = volumes_find(volumes, source, root_source);
	int r;

	if (!volume) {
		r = error_set(&why, "its fstab mounts %s from %s, which is not on %s", where,
			      source, guest_disk_name(guest));
	} else if (!filesystem_is_supported(volume->filesystem)) {
		_cleanup_free_ char *name = volume_describe(volume);

		r = error_set(&why, "%s holds its %s: %s is not supported", name, where,
			      volume->filesystem ? volume->filesystem : "what is there");
	} else {
		subvolume = subvolume_of(fs, volume);
		r = mount_inside(guest, volume, where, subvolume, mode, &why);
	}
	if (r < 0 && is_essential(where, mode)) {
		if (err)
			error_move(err, &why);
		return -1;
	}
	if (r < 0)
		strings_add(&guest->unmounted, error_text(&why));
	return 0;
}

/* Lines that are no fstab lines are left to the guest: 1 goes on with the next. */
static int skip_line(struct libmnt_table *table, const char *name, int line)
{
	(void)table;
	(void)name;
	(void)line;
	return 1;
}

static struct libmnt_table *parse(const struct text *content, struct error *err)
{
	_cleanup_fclose_ FILE *file = fmemopen(content->data, content->length, "r");
	struct libmnt_table *table = mnt_new_table();

	if (!file || !table) {
		mnt_unref_table(table);
		error_set(err, "read the guest's fstab: out of memory");
		return NULL;
	}
	mnt_table_set_parser_errcb(table, skip_line);
	if (mnt_table_parse_stream(table, file, "fstab") != 0) {
		mnt_unref_table(table);
		error_set(err, "read the guest's fstab: it is not understood");
		return NULL;
	}
	return table;
}

static bool is_candidate(struct libmnt_fs *fs)
{
	const char *where = mnt_fs_get_target(fs), *source = mnt_fs_get_source(fs);
	const char *options = mnt_fs_get_options(fs);

	return where && source && !mnt_fs_is_swaparea(fs) && !mnt_fs_is_netfs(fs) &&
	       !mnt_fs_is_pseudofs(fs) && is_wanted(where) &&
	       !(options && (mnt_optstr_get_option(options, "bind", NULL, NULL) == 0 ||
			     mnt_optstr_get_option(options, "rbind", NULL, NULL) == 0));
}

static int by_target(const void *a, const void *b)
{
	return strcmp(mnt_fs_get_target(*(struct libmnt_fs *const *)a),
		      mnt_fs_get_target(*(struct libmnt_fs *const *)b));
}

/* What is to be mounted, parents before what lies below them, whatever the order of the lines. */
static size_t candidates(struct libmnt_table *table, struct libmnt_fs *list[MOUNT_LIMIT])
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	size_t count = 0;

	if (!iter)
		abort();
	while (count < MOUNT_LIMIT && mnt_table_next_fs(table, iter, &fs) == 0)
		if (is_candidate(fs))
			list[count++] = fs;
	mnt_free_iter(iter);
	qsort(list, count, sizeof(*list), by_target);
	return count;
}

static int mount_table(struct guest *guest, const struct volumes *volumes,
		       struct libmnt_table *table, enum guest_mode mode, struct error *err)
{
	struct libmnt_fs *root = mnt_table_find_target(table, "/", MNT_ITER_FORWARD);
	const char *root_source = root ? mnt_fs_get_source(root) : NULL;
	struct libmnt_fs *list[MOUNT_LIMIT];
	size_t count = candidates(table, list);

	for (size_t i = 0; i < count; i++)
		if (mount_entry(guest, volumes, list[i], root_source, mode, err) < 0)
			return -1;
	return 0;
}

int guest_mount_fstab(struct guest *guest, const struct volumes *volumes, enum guest_mode mode,
		      struct error *err)
{
	_cleanup_text_ struct text content = {0};
	struct libmnt_table *table;
	int r = guest_read(guest, "/etc/fstab", &content, err);

	if (r < 0)
		return -1;
	if (r == 0 || !content.length)
		return 0;
	table = parse(&content, err);
	if (!table)
		return -1;
	r = mount_table(guest, volumes, table, mode, err);
	mnt_unref_table(table);
	return r;
}
