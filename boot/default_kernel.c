// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/default_kernel.h"

#include <fnmatch.h>
#include <string.h>

#include "base/scope.h"
#include "boot/boot_entries.h"

/* Where GRUB has its configuration; the block beside it may be a link to the ESP. */
static const struct {
	const char *config, *environment;
} grub_places[] = {
	{"/boot/grub/grub.cfg", "/boot/grub/grubenv"},
	{"/boot/grub2/grub.cfg", "/boot/grub2/grubenv"},
};

/* Where systemd-boot's loader/ can be: on the ESP, or on the partition for /boot beside it. */
static const char *const loader_places[] = {"/boot/loader", "/efi/loader", "/boot/efi/loader"};

static const char bls_entries[] = "/boot/loader/entries";

/* GRUB's paths begin at the file system that holds them, and a link may lead to the kernel. */
static bool is_same_file(const struct guest *guest, const char *path, const char *image)
{
	_cleanup_free_ char *below_boot = string_format("/boot%s", path);
	struct stat ours, theirs;

	if (*path != '/' || guest_stat(guest, image, 1, &ours) < 0)
		return false;
	for (const char *const *p = (const char *const[]){path, below_boot, NULL}; *p; p++)
		if (guest_stat(guest, *p, 1, &theirs) == 0 && theirs.st_dev == ours.st_dev &&
		    theirs.st_ino == ours.st_ino)
			return true;
	return false;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool starts(const struct guest *guest, const struct boot_entry *entry,
		   const struct guest_kernel *kernel)
{
	if (entry->version && strcmp(entry->version, kernel->release) == 0)
		return true;
	return kernel->image && entry->kernel &&
	       (strcmp(base_name(entry->kernel), base_name(kernel->image)) == 0 ||
		is_same_file(guest, entry->kernel, kernel->image));
}

static const struct guest_kernel *kernel_of(const struct guest *guest,
					    const struct boot_entry *entry)
{
	for (size_t i = 0; entry && i < guest->kernel_count; i++)
		if (starts(guest, entry, &guest->kernel[i]))
			return &guest->kernel[i];
	return NULL;
}

/* Takes the entry's kernel, if it is one whose modules are there. */
static bool take(const struct guest *guest, const struct boot_entry *entry, const char *where,
		 struct default_kernel *out)
{
	out->kernel = kernel_of(guest, entry);
	if (!out->kernel)
		return false;
	out->is_certain = true;
	out->how = *entry->title
			   ? string_format("\"%s\" in %s", entry->title, where)
			   : string_format("%s in %s", *entry->id ? entry->id : "the first", where);
	return true;
}

static int try_grub(const struct guest *guest, size_t place, struct default_kernel *out,
		    struct error *err)
{
	_cleanup_boot_entries_ struct boot_entries entries = {0};
	_cleanup_text_ struct text config = {0}, environment = {0};
	_cleanup_free_ char *chosen = NULL;
	const char *where = grub_places[place].config;
	int found = guest_read(guest, where, &config, err);

	if (found <= 0)
		return found;
	if (guest_read(guest, grub_places[place].environment, &environment, err) < 0)
		return -1;
	/* blscfg adds its entries where it stands: before those that the file has itself. */
	if (grub_entries_has_bls(text_string(&config)) &&
	    bls_entries_read(guest, bls_entries, &entries, err) < 0)
		return -1;
	where = entries.count ? bls_entries : where;
	grub_entries_parse(text_string(&config), &entries);
	chosen = grub_entries_default(text_string(&config), text_string(&environment));
	return take(guest, boot_entries_choose(&entries, chosen), where, out);
}

/* `default PATTERN` of loader.conf(5); the firmware's variables, which may overrule it, stay with
 * the virtual machine. */
static char *loader_default(const char *config)
{
	_cleanup_strings_ struct strings lines = {0};
	char *found = NULL;

	strings_split(&lines, config, "\r\n");
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_strings_ struct strings words = {0};

		strings_split(&words, lines.item[i], " \t");
		if (words.count != 2 || strcmp(words.item[0], "default") != 0)
			continue;
		free(found);
		found = string_copy(words.item[1]);
	}
	return found;
}

static const struct boot_entry *match_entry(const struct boot_entries *entries, const char *pattern)
{
	for (size_t i = 0; pattern && i < entries->count; i++) {
		_cleanup_free_ char *file = string_format("%s.conf", entries->item[i].id);

		if (fnmatch(pattern, file, FNM_CASEFOLD) == 0 ||
		    fnmatch(pattern, entries->item[i].id, FNM_CASEFOLD) == 0)
			return &entries->item[i];
	}
	return entries->count ? &entries->item[0] : NULL;
}

static int try_loader(const struct guest *guest, const char *place, struct default_kernel *out,
		      struct error *err)
{
	_cleanup_free_ char *directory = string_format("%s/entries", place);
	_cleanup_free_ char *path = string_format("%s/loader.conf", place);
	_cleanup_free_ char *pattern = NULL;
	_cleanup_boot_entries_ struct boot_entries entries = {0};
	_cleanup_text_ struct text config = {0};

	if (guest_read(guest, path, &config, err) < 0 ||
	    bls_entries_read(guest, directory, &entries, err) < 0)
		return -1;
	pattern = loader_default(text_string(&config));
	return take(guest, match_entry(&entries, pattern), directory, out);
}

/* Directories of modules without a kernel may be newer. */
static const struct guest_kernel *newest(const struct guest *guest)
{
	for (size_t i = 0; i < guest->kernel_count; i++)
		if (guest->kernel[i].image)
			return &guest->kernel[i];
	return NULL;
}

int default_kernel_find(const struct guest *guest, struct default_kernel *out, struct error *err)
{
	int found = 0;

	*out = (struct default_kernel){0};
	for (size_t i = 0; found == 0 && i < array_length(grub_places); i++)
		found = try_grub(guest, i, out, err);
	for (size_t i = 0; found == 0 && i < array_length(loader_places); i++)
		found = try_loader(guest, loader_places[i], out, err);
	if (found)
		return found < 0 ? error_in(err, "find the kernel that starts") : 0;
	out->kernel = newest(guest);
	out->how = string_copy("the newest: the boot loader's configuration names none that is "
			       "here");
	return 0;
}

void default_kernel_release(struct default_kernel *kernel)
{
	free(kernel->how);
	*kernel = (struct default_kernel){0};
}
