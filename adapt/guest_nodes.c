// SPDX-License-Identifier: GPL-3.0-or-later
/* Which devices a program of the guest sees. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "adapt/guest_private.h"
#include "adapt/guest_sandbox.h"
#include "base/file.h"
#include "base/scope.h"
#include "restore/disk.h"

static const struct {
	const char *path, *target;
	unsigned int major, minor;
} basic_nodes[] = {
	{"null", NULL, 1, 3},
	{"zero", NULL, 1, 5},
	{"full", NULL, 1, 7},
	{"random", NULL, 1, 8},
	{"urandom", NULL, 1, 9},
	{"tty", NULL, 5, 0},
	{"fd", "/proc/self/fd", 0, 0},
	{"stdin", "/proc/self/fd/0", 0, 0},
	{"stdout", "/proc/self/fd/1", 0, 0},
	{"stderr", "/proc/self/fd/2", 0, 0},
};

static void add_node(struct sandbox *sandbox, const char *path, const char *target, mode_t mode,
		     dev_t device)
{
	sandbox->node = reallocarray(sandbox->node, sandbox->count + 1, sizeof(*sandbox->node));
	if (!sandbox->node)
		abort();
	sandbox->node[sandbox->count++] = (struct sandbox_node){
		.path = string_copy(path),
		.target = target ? string_copy(target) : NULL,
		.mode = mode,
		.device = device,
	};
}

static void add_basic(struct sandbox *sandbox)
{
	for (size_t i = 0; i < array_length(basic_nodes); i++)
		add_node(sandbox, basic_nodes[i].path, basic_nodes[i].target, S_IFCHR | 0666,
			 makedev(basic_nodes[i].major, basic_nodes[i].minor));
}

/* The node at /dev/… of the rescue system; what is not there is left out. */
static void add_device(struct sandbox *sandbox, const char *path)
{
	struct stat st;

	if (!has_prefix(path, "/dev/") || strstr(path, "/../") || stat(path, &st) < 0)
		return;
	if (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode))
		add_node(sandbox, path + strlen("/dev/"), NULL, (st.st_mode & S_IFMT) | 0600,
			 st.st_rdev);
}

static void add_disk(struct sandbox *sandbox, const struct guest *guest)
{
	_cleanup_free_ char *real = realpath(guest->disk, NULL);
	_cleanup_free_ char *directory = NULL;
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	const char *name;

	add_device(sandbox, guest->disk);
	if (!real || !has_prefix(real, "/dev/"))
		return;
	add_device(sandbox, real);
	name = strrchr(real, '/') + 1;
	directory = string_format("/sys/class/block/%s", name);
	dir = opendir(directory);
	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *node = string_format("/dev/%s", entry->d_name);

		if (has_prefix(entry->d_name, name))
			add_device(sandbox, node);
	}
}

char *guest_mapper_prefix(const char *volume_group)
{
	struct text out = {0};

	for (; *volume_group; volume_group++)
		text_addf(&out, "%s%c", *volume_group == '-' ? "-" : "", *volume_group);
	text_add(&out, "-");
	return text_take(&out);
}

static void add_volumes(struct sandbox *sandbox, const char *volume_group)
{
	_cleanup_free_ char *prefix = guest_mapper_prefix(volume_group);
	_cleanup_closedir_ DIR *dir = opendir("/dev/mapper");
	const struct dirent *entry;
	size_t length = strlen(prefix);

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *node = string_format("/dev/mapper/%s", entry->d_name);

		/* "vg--two" is another group than "vg". */
		if (has_prefix(entry->d_name, prefix) && entry->d_name[length] != '-')
			add_device(sandbox, node);
	}
}

static void add_link(struct sandbox *sandbox, const char *kind, const char *id, const char *device)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-";

	if (id && *id && strspn(id, allowed) == strlen(id) && has_prefix(device, "/dev/")) {
		_cleanup_free_ char *path = string_format("disk/%s/%s", kind, id);

		add_node(sandbox, path, device, 0, 0);
	}
}

/* What udev would have made: grub-mkconfig tests that /dev/disk/by-uuid/… exists. */
static void add_links(struct sandbox *sandbox, const struct guest *guest)
{
	for (size_t i = 0; i < guest->mount_count; i++)
		if (guest->mount[i].device)
			add_link(sandbox, "by-uuid", guest->mount[i].uuid, guest->mount[i].device);
	for (size_t i = 0; i < guest->layout.count; i++) {
		const struct partition *partition = &guest->layout.partition[i];
		_cleanup_free_ char *device = guest_partition_path(guest->disk, partition->number);

		add_link(sandbox, "by-uuid", partition->uuid, device);
		add_link(sandbox, "by-partuuid", partition->partuuid, device);
	}
}

char *guest_partition_path(const char *disk, int number)
{
	return number ? disk_partition_path(disk, number) : string_copy(disk);
}

int sandbox_init(struct sandbox *sandbox, const struct guest *guest,
		 enum guest_permission permission, struct error *err)
{
	*sandbox = (struct sandbox){.root_fd = guest->root_fd,
				    .permission = permission,
				    .has_volumes = guest->volume_groups.count > 0};
	add_basic(sandbox);
	if (permission != GUEST_RUN_DISKS)
		return 0;
	if (!guest->disk)
		return error_set(err, "%s is a directory, there is no disk to work on",
				 guest->root);
	add_disk(sandbox, guest);
	for (size_t i = 0; i < guest->mount_count; i++)
		if (guest->mount[i].device)
			add_device(sandbox, guest->mount[i].device);
	for (size_t i = 0; i < guest->volume_groups.count; i++)
		add_volumes(sandbox, guest->volume_groups.item[i]);
	if (guest->volume_groups.count)
		add_device(sandbox, "/dev/mapper/control");
	add_links(sandbox, guest);
	return 0;
}

void sandbox_release(struct sandbox *sandbox)
{
	for (size_t i = 0; i < sandbox->count; i++) {
		free(sandbox->node[i].path);
		free(sandbox->node[i].target);
	}
	free(sandbox->node);
	*sandbox = (struct sandbox){0};
}
