// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/grub_menu.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapt/kernel_words.h"
#include "base/scope.h"

/* A menu with more entries is not one that grub-mkconfig wrote; the rest is not looked at. */
enum { ENTRIES_LIMIT = 1024 };

static const char *const linux_commands[] = {"linux", "linux16", "linuxefi"};
static const char *const initrd_commands[] = {"initrd", "initrd16", "initrdefi"};
/* Prefixes of the names that the kernel gives to disks in the order it finds them. */
static const char *const kernel_disk_names[] = {"sd",   "vd",     "hd",    "xvd",
						"nvme", "mmcblk", "cciss/"};

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static struct grub_entry *add_entry(struct grub_menu *menu, const struct strings *words)
{
	struct grub_entry *entry;

	menu->item = reallocarray(menu->item, menu->count + 1, sizeof(*menu->item));
	if (!menu->item)
		abort();
	entry = &menu->item[menu->count++];
	*entry = (struct grub_entry){.kernel = string_copy(words->item[1])};
	for (size_t i = 2; i < words->count; i++)
		strings_add(&entry->arguments, words->item[i]);
	return entry;
}

static void add_search(struct grub_menu *menu, const struct strings *words)
{
	/* search --fs-uuid [options] UUID; search.fs_uuid UUID VARIABLE [hints] */
	if (strcmp(words->item[0], "search.fs_uuid") == 0)
		strings_add_once(&menu->searched, words->item[1]);
	else if (strings_has(words, "--fs-uuid") && words->item[words->count - 1][0] != '-')
		strings_add_once(&menu->searched, words->item[words->count - 1]);
}

static void parse_line(const struct strings *words, struct grub_menu *menu)
{
	const char *command = words->item[0];

	if (strcmp(command, "blscfg") == 0)
		menu->has_boot_loader_entries = true;
	if (words->count < 2)
		return;
	if (is_one_of(command, linux_commands, array_length(linux_commands))) {
		add_entry(menu, words);
	} else if (is_one_of(command, initrd_commands, array_length(initrd_commands))) {
		struct grub_entry *entry = menu->count ? &menu->item[menu->count - 1] : NULL;

		for (size_t i = 1; entry && i < words->count; i++)
			strings_add(&entry->initramfs, words->item[i]);
	} else if (has_prefix(command, "search") && menu->searched.count < ENTRIES_LIMIT) {
		add_search(menu, words);
	}
}

void grub_menu_parse(const char *text, struct grub_menu *out)
{
	while (*text && out->count < ENTRIES_LIMIT) {
		const size_t length = strcspn(text, "\n");
		_cleanup_strings_ struct strings words = {0};

		kernel_line_split(text, length, &words);
		if (words.count && words.item[0][0] != '#')
			parse_line(&words, out);
		text += length + (text[length] == '\n');
	}
}

void grub_menu_release(struct grub_menu *menu)
{
	if (!menu)
		return;
	for (size_t i = 0; i < menu->count; i++) {
		free(menu->item[i].kernel);
		strings_release(&menu->item[i].arguments);
		strings_release(&menu->item[i].initramfs);
	}
	free(menu->item);
	strings_release(&menu->searched);
	*menu = (struct grub_menu){0};
}

bool is_kernel_disk_name(const char *device)
{
	if (!has_prefix(device, "/dev/"))
		return false;
	for (size_t i = 0; i < array_length(kernel_disk_names); i++) {
		const char *prefix = kernel_disk_names[i];
		const size_t length = strlen(prefix);

		/* A letter or digit follows; /dev/sdb-data/root would be a volume. */
		if (strncmp(device + 5, prefix, length) == 0 &&
		    isalnum((unsigned char)device[5 + length]) &&
		    !strchr(device + 5 + length, prefix[length - 1] == '/' ? ' ' : '/'))
			return true;
	}
	return false;
}

/* /dev/vg/lv as /dev/mapper has it: hyphens of the names are doubled. Others as they are. */
static char *mapper_name(const char *device)
{
	const char *slash;
	struct text out = {0};

	if (!has_prefix(device, "/dev/") || has_prefix(device, "/dev/mapper/") ||
	    has_prefix(device, "/dev/disk/") || !(slash = strchr(device + 5, '/')))
		return string_copy(device);
	text_add(&out, "/dev/mapper/");
	for (const char *p = device + 5; *p; p++)
		text_add(&out, p == slash ? "-" : *p == '-' ? "--" : (char[]){*p, '\0'});
	return text_take(&out);
}

static const struct guest_mount *find_mount(const struct guest *guest, const char *where)
{
	for (size_t i = 0; i < guest->mount_count; i++)
		if (string_equal(guest->mount[i].where, where))
			return &guest->mount[i];
	return NULL;
}

/* The root file system's name in fstab, where it is one that does not change with the hardware. */
static int root_from_fstab(const struct guest *guest, const struct changes *changes, char **out,
			   struct error *err)
{
	_cleanup_text_ struct text fstab = {0};
	_cleanup_strings_ struct strings lines = {0};

	if (changes_read(changes, guest, "/etc/fstab", &fstab, err) < 0)
		return -1;
	strings_split(&lines, text_string(&fstab), "\n");
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_strings_ struct strings fields = {0};

		strings_split(&fields, lines.item[i], " \t");
		if (fields.count < 2 || fields.item[0][0] == '#' || *out ||
		    strcmp(fields.item[1], "/") != 0 || is_kernel_disk_name(fields.item[0]))
			continue;
		*out = string_copy(fields.item[0]);
	}
	return 0;
}

static void names_of_partitions(const struct guest *guest, const struct guest_mount *root,
				struct grub_names *out)
{
	const struct layout *layout = &guest->layout;
	const char *swap = NULL;
	size_t swaps = 0;

	for (size_t i = 0; i < layout->count; i++) {
		const struct partition *partition = &layout->partition[i];

		if (partition->uuid)
			strings_add_once(&out->uuids, partition->uuid);
		out->has_volumes |= string_equal(partition->filesystem, "LVM2_member");
		if (string_equal(partition->filesystem, "swap") && partition->uuid) {
			swap = partition->uuid;
			swaps++;
		}
		if (root && root->device && partition->number == root->partition) {
			if (partition->partuuid)
				out->root_partuuid = string_copy(partition->partuuid);
			if (partition->label)
				out->root_label = string_copy(partition->label);
		}
	}
	if (swaps == 1)
		out->resume = string_format("UUID=%s", swap);
}

/* In an image no volume is active: what it is mounted from does not tell its name. */
static char *volume_name(const char *volume)
{
	_cleanup_free_ char *device = string_format("/dev/%s", volume);

	return mapper_name(device);
}

int grub_names_make(const struct guest *guest, const struct changes *changes,
		    struct grub_names *out, struct error *err)
{
	const struct guest_mount *root = find_mount(guest, "/");

	out->guest = guest;
	for (size_t i = 0; i < guest->mount_count; i++)
		if (guest->mount[i].uuid)
			strings_add_once(&out->uuids, guest->mount[i].uuid);
	names_of_partitions(guest, root, out);
	if (root && root->volume)
		out->root = volume_name(root->volume);
	else if (root && root->device && !root->partition)
		out->root = mapper_name(root->device);
	else if (root && root->uuid)
		out->root = string_format("UUID=%s", root->uuid);
	if (!out->root)
		return root_from_fstab(guest, changes, &out->root, err);
	return 0;
}

void grub_names_release(struct grub_names *names)
{
	if (!names)
		return;
	free(names->root);
	free(names->resume);
	free(names->root_partuuid);
	free(names->root_label);
	strings_release(&names->uuids);
	*names = (struct grub_names){0};
}

/* The part behind the first of the prefixes that spec has, or NULL. */
static const char *behind(const char *spec, const char *first, const char *second)
{
	if (has_prefix(spec, first))
		return spec + strlen(first);
	return has_prefix(spec, second) ? spec + strlen(second) : NULL;
}

static bool is_known_uuid(const struct grub_names *names, const char *uuid)
{
	for (size_t i = 0; i < names->uuids.count; i++)
		if (strcasecmp(names->uuids.item[i], uuid) == 0)
			return true;
	return false;
}

static bool same_or_unknown(const char *known, const char *value)
{
	return !known || strcasecmp(known, value) == 0;
}

bool grub_names_has_root(const struct grub_names *names, const char *spec)
{
	const struct guest_mount *root = find_mount(names->guest, "/");
	_cleanup_free_ char *device = mapper_name(spec);
	const char *value;

	if (is_kernel_disk_name(spec))
		return false;
	if (strchr(spec, '$') || !root || !root->device)
		return true;
	if ((value = behind(spec, "UUID=", "/dev/disk/by-uuid/")))
		return same_or_unknown(root->uuid, value);
	if ((value = behind(spec, "PARTUUID=", "/dev/disk/by-partuuid/")))
		return same_or_unknown(names->root_partuuid, value);
	if ((value = behind(spec, "LABEL=", "/dev/disk/by-label/")))
		return same_or_unknown(names->root_label, value);
	if (has_prefix(spec, "/dev/disk/"))
		return false;
	return !has_prefix(device, "/dev/mapper/") || string_equal(device, names->root);
}

bool grub_names_has_resume(const struct grub_names *names, const char *spec)
{
	const char *uuid = behind(spec, "UUID=", "/dev/disk/by-uuid/");

	if (is_kernel_disk_name(spec))
		return false;
	return !uuid || names->has_volumes || !names->uuids.count || is_known_uuid(names, uuid);
}

char *grub_names_find_file(const struct grub_names *names, const char *path)
{
	_cleanup_free_ char *below_boot = NULL;
	const char *second;

	if (has_prefix(path, "($root)"))
		path += strlen("($root)");
	if (path[0] != '/')
		return NULL;
	below_boot = string_format("/boot%s", path);
	if (find_mount(names->guest, "/boot") && guest_has(names->guest, below_boot))
		return steal(&below_boot);
	if (guest_has(names->guest, path))
		return string_copy(path);
	if (guest_has(names->guest, below_boot))
		return steal(&below_boot);
	/* btrfs: the path begins with the subvolume (/@rootfs/boot/…). */
	second = strchr(path + 1, '/');
	return second && guest_has(names->guest, second) ? string_copy(second) : NULL;
}

static void file_problem(const struct grub_names *names, const char *path, const char *what,
			 struct strings *problems)
{
	_cleanup_free_ char *found = NULL;

	if (strchr(path, '$') && !has_prefix(path, "($root)/"))
		return;
	found = grub_names_find_file(names, path);
	if (!found)
		strings_addf(problems, "the %s %s does not exist", what, path);
}

/* A Linux of the guest that is started without the initramfs that its tool makes. */
static bool lacks_initramfs(const struct grub_entry *entry, const struct grub_names *names)
{
	const struct guest *guest = names->guest;
	_cleanup_free_ char *path = NULL;

	if (entry->initramfs.count || guest->initramfs_tool == INITRAMFS_NONE)
		return false;
	path = grub_names_find_file(names, entry->kernel);
	for (size_t i = 0; path && i < guest->kernel_count; i++)
		if (string_equal(guest->kernel[i].image, path))
			return true;
	return false;
}

/* os-prober lists the other systems on the disk: their kernels are not among the guest's files. */
static bool is_of_other_system(const struct grub_entry *entry, const struct grub_names *names)
{
	for (size_t i = 0; i < entry->arguments.count; i++) {
		const char *spec =
			behind(entry->arguments.item[i], "root=UUID=", "root=/dev/disk/by-uuid/");

		if (spec && is_known_uuid(names, spec) &&
		    !grub_names_has_root(names, entry->arguments.item[i] + strlen("root=")))
			return true;
	}
	return false;
}

static void entry_problems(const struct grub_entry *entry, const struct grub_names *names,
			   struct strings *problems)
{
	if (is_of_other_system(entry, names))
		return;
	file_problem(names, entry->kernel, "kernel", problems);
	for (size_t i = 0; i < entry->initramfs.count; i++)
		file_problem(names, entry->initramfs.item[i], "initramfs", problems);
	if (lacks_initramfs(entry, names))
		strings_addf(problems, "the kernel %s has no initramfs", entry->kernel);
	for (size_t i = 0; i < entry->arguments.count; i++) {
		const char *argument = entry->arguments.item[i];

		if (has_prefix(argument, "root=") && !grub_names_has_root(names, argument + 5))
			strings_addf(problems, "%s is not the root file system of this disk",
				     argument);
		if (has_prefix(argument, "resume=") && !grub_names_has_resume(names, argument + 7))
			strings_addf(problems, "%s is not on this disk", argument);
	}
}

void grub_menu_problems(const struct grub_menu *menu, const struct grub_names *names,
			struct strings *problems)
{
	for (size_t i = 0; i < menu->count; i++) {
		_cleanup_strings_ struct strings found = {0};

		entry_problems(&menu->item[i], names, &found);
		for (size_t j = 0; j < found.count; j++)
			strings_add_once(problems, found.item[j]);
	}
	for (size_t i = 0; i < menu->searched.count; i++) {
		const char *uuid = menu->searched.item[i];

		if (names->uuids.count && !strchr(uuid, '$') && !is_known_uuid(names, uuid))
			strings_addf(problems, "the file system %s is not on this disk", uuid);
	}
}

/* One word of a linux line. Returns false when it is to be left out. */
static bool correct_word(const char *word, const struct grub_names *names, struct text *out,
			 struct strings *corrections)
{
	_cleanup_free_ char *bare = kernel_word_unquote(word);

	_cleanup_free_ char *what = NULL;

	if (has_prefix(bare, "root=") && names->root && !grub_names_has_root(names, bare + 5)) {
		text_addf(out, "root=%s", names->root);
		what = string_format("%s is now root=%s", bare, names->root);
		strings_add_once(corrections, what);
		return true;
	}
	if (!has_prefix(bare, "resume=") || grub_names_has_resume(names, bare + 7)) {
		text_add(out, word);
		return true;
	}
	what = names->resume ? string_format("%s is now resume=%s", bare, names->resume)
			     : string_format("%s is left out: there is no such swap", bare);
	strings_add_once(corrections, what);
	if (names->resume)
		text_addf(out, "resume=%s", names->resume);
	return names->resume != NULL;
}

static void correct_line(const char *line, size_t length, const struct grub_names *names,
			 struct text *out, struct strings *corrections)
{
	for (size_t i = 0; i < length;) {
		const size_t space = strspn(line + i, " \t\r");
		const size_t end = i + space + strcspn(line + i + space, " \t\r\n");
		_cleanup_free_ char *word = strndup(line + i + space, end - i - space);
		const size_t before = out->length;

		if (!word)
			abort();
		text_add_bytes(out, line + i, space);
		if (!correct_word(word, names, out, corrections))
			text_truncate(out, before);
		i = end;
	}
}

void grub_menu_correct(const char *text, const struct grub_names *names, struct text *out,
		       struct strings *corrections)
{
	while (*text) {
		const size_t length = strcspn(text, "\n");
		_cleanup_strings_ struct strings words = {0};

		kernel_line_split(text, length, &words);
		if (words.count &&
		    is_one_of(words.item[0], linux_commands, array_length(linux_commands)))
			correct_line(text, length, names, out, corrections);
		else
			text_add_bytes(out, text, length);
		if (text[length])
			text_add(out, "\n");
		text += length + (text[length] == '\n');
	}
}
