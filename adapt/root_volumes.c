// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/root_volumes.h"

#include <string.h>

#include "base/scope.h"

/* mdadm.conf(5) level=, md(4). */
static const struct {
	const char *level, *module;
} raid_levels[] = {
	{"raid1", "raid1"},   {"raid0", "raid0"},   {"raid10", "raid10"}, {"raid5", "raid456"},
	{"raid6", "raid456"}, {"raid4", "raid456"}, {"linear", "linear"}, {"1", "raid1"},
	{"mirror", "raid1"},  {"0", "raid0"},       {"stripe", "raid0"},  {"10", "raid10"},
	{"5", "raid456"},     {"6", "raid456"},
};

static const char *const md_files[] = {"/etc/mdadm/mdadm.conf", "/etc/mdadm.conf"};

static bool is_of_initramfs(const char *where)
{
	return strcmp(where, "/") == 0 || strcmp(where, "/usr") == 0;
}

/* Lines without comments, split at white space. */
static int read_lines(const struct guest *guest, const char *path, struct strings *lines,
		      struct error *err)
{
	_cleanup_text_ struct text content = {0};
	_cleanup_strings_ struct strings all = {0};

	if (guest_read(guest, path, &content, err) < 0)
		return -1;
	strings_split(&all, text_string(&content), "\n");
	for (size_t i = 0; i < all.count; i++)
		if (all.item[i][strspn(all.item[i], " \t\r")] != '#')
			strings_add(lines, all.item[i]);
	return 0;
}

static bool crypttab_names(const struct strings *crypttab, const char *device)
{
	for (size_t i = 0; i < crypttab->count; i++) {
		_cleanup_strings_ struct strings fields = {0};
		_cleanup_free_ char *path = NULL;

		strings_split(&fields, crypttab->item[i], " \t\r");
		if (!fields.count)
			continue;
		path = string_format("/dev/mapper/%s", fields.item[0]);
		if (strcmp(path, device) == 0)
			return true;
	}
	return false;
}

static void add_filesystem(struct root_chain *chain, const char *filesystem, const char *where)
{
	_cleanup_free_ char *alias = string_format("fs-%s", filesystem);
	bool is_ext = strcmp(filesystem, "ext2") == 0 || strcmp(filesystem, "ext3") == 0;

	if (strcmp(filesystem, "auto") == 0 || strcmp(filesystem, "none") == 0 ||
	    strpbrk(filesystem, ",/"))
		return;
	/* Distributions leave the old drivers out: ext4's answers to their names. */
	root_chain_add(chain, is_ext ? "ext4" : filesystem, alias, ROOT_REQUIRED,
		       "file system %s of %s", filesystem, where);
}

/* Every level that mdadm.conf names; the usual ones when it names none. */
static int add_raid(const struct guest *guest, struct root_chain *chain, enum root_need need,
		    struct error *err)
{
	_cleanup_strings_ struct strings lines = {0}, words = {0};
	_cleanup_free_ char *all = NULL;
	bool is_any = false;

	for (size_t i = 0; i < array_length(md_files); i++)
		if (read_lines(guest, md_files[i], &lines, err) < 0)
			return -1;
	all = strings_join(&lines, " ");
	strings_split(&words, all, " \t\r");
	root_chain_add(chain, "md_mod", NULL, need, "software RAID");
	for (size_t i = 0; i < words.count; i++)
		for (size_t j = 0; j < array_length(raid_levels); j++)
			if (has_prefix(words.item[i], "level=") &&
			    strcmp(words.item[i] + strlen("level="), raid_levels[j].level) == 0) {
				root_chain_add(chain, raid_levels[j].module, NULL, need,
					       "software RAID, %s", words.item[i]);
				is_any = true;
			}
	for (size_t j = 0; !is_any && j < array_length(raid_levels); j++)
		root_chain_add(chain, raid_levels[j].module, NULL, ROOT_OPTIONAL, "software RAID");
	return 0;
}

/* /dev/mapper/x, and /dev/GROUP/VOLUME. */
static bool is_mapped(const char *device)
{
	const char *slash =
		has_prefix(device, "/dev/") ? strchr(device + strlen("/dev/"), '/') : NULL;

	return slash && !has_prefix(device, "/dev/disk/") && !has_prefix(device, "/dev/md/") &&
	       !has_prefix(device, "/dev/cciss/");
}

static int add_device(const struct guest *guest, struct root_chain *chain, const char *device,
		      struct error *err)
{
	_cleanup_strings_ struct strings crypttab = {0};

	if (has_prefix(device, "/dev/md"))
		return add_raid(guest, chain, ROOT_REQUIRED, err);
	if (read_lines(guest, "/etc/crypttab", &crypttab, err) < 0)
		return -1;
	if (crypttab_names(&crypttab, device))
		root_chain_add(chain, "dm_crypt", NULL, ROOT_REQUIRED, "encryption of %s", device);
	if (is_mapped(device))
		root_chain_add(chain, "dm_mod", NULL, ROOT_REQUIRED, "volume %s", device);
	/* Whether a volume group, or a UUID, lies on an encrypted partition is not told. */
	if (crypttab.count)
		root_chain_add(chain, "dm_crypt", NULL, ROOT_OPTIONAL, "encryption (crypttab)");
	return 0;
}

static int add_mounted(const struct guest *guest, struct root_chain *chain, bool *is_known,
		       struct error *err)
{
	for (size_t i = 0; i < guest->mount_count; i++) {
		const struct guest_mount *mount = &guest->mount[i];

		if (!mount->device || !mount->filesystem || !is_of_initramfs(mount->where))
			continue;
		*is_known = true;
		add_filesystem(chain, mount->filesystem, mount->where);
		if (mount->volume)
			root_chain_add(chain, "dm_mod", NULL, ROOT_REQUIRED, "volume %s",
				       mount->volume);
		if (add_device(guest, chain, mount->device, err) < 0)
			return -1;
	}
	return 0;
}

static int add_from_fstab(const struct guest *guest, struct root_chain *chain, struct error *err)
{
	_cleanup_strings_ struct strings lines = {0};

	if (read_lines(guest, "/etc/fstab", &lines, err) < 0)
		return -1;
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_strings_ struct strings fields = {0};

		strings_split(&fields, lines.item[i], " \t\r");
		if (fields.count < 3 || !is_of_initramfs(fields.item[1]))
			continue;
		add_filesystem(chain, fields.item[2], fields.item[1]);
		if (add_device(guest, chain, fields.item[0], err) < 0)
			return -1;
	}
	return 0;
}

int root_volumes_find(const struct guest *guest, struct root_chain *chain, struct error *err)
{
	bool is_known = false;

	if (add_mounted(guest, chain, &is_known, err) < 0 ||
	    (!is_known && add_from_fstab(guest, chain, err) < 0))
		return -1;
	for (size_t i = 0; i < guest->layout.count; i++)
		if (string_equal(guest->layout.partition[i].filesystem, "linux_raid_member"))
			return add_raid(guest, chain, ROOT_OPTIONAL, err);
	return 0;
}
