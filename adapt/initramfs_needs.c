// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/initramfs_needs.h"

#include <string.h>

#include "base/scope.h"

#define MAPPER "/dev/mapper/"

/* What the search knows. */
struct search {
	const struct guest *guest;
	const struct initramfs_content *old;
	struct text fstab, crypttab;
	struct strings devices; /* of / and /usr: a mounted device, or as fstab names it */
	bool is_direct;         /* the root is a partition of the disk: nothing lies between */
	struct initramfs_needs *needs;
};

/* Columns of fstab and crypttab; 0 for comments and empty lines. */
static size_t split_line(const char *line, struct strings *fields)
{
	strings_split(fields, line, " \t\r");
	return fields->count && *fields->item[0] != '#' ? fields->count : 0;
}

static void find_in_fstab(struct search *search, const char *where)
{
	_cleanup_strings_ struct strings lines = {0};

	strings_split(&lines, text_string(&search->fstab), "\n");
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_strings_ struct strings fields = {0};

		if (split_line(lines.item[i], &fields) >= 2 && strcmp(fields.item[1], where) == 0)
			strings_add_once(&search->devices, fields.item[0]);
	}
}

static void find_devices(struct search *search)
{
	static const char *const places[] = {"/", "/usr"};
	const struct guest *guest = search->guest;

	for (size_t i = 0; i < array_length(places); i++) {
		const struct guest_mount *mount = NULL;

		for (size_t j = 0; j < guest->mount_count; j++)
			if (strcmp(guest->mount[j].where, places[i]) == 0)
				mount = &guest->mount[j];
		if (mount && mount->volume)
			strings_addf(&search->devices, "/dev/%s", mount->volume);
		else if (mount && mount->device)
			strings_add_once(&search->devices, mount->device);
		else
			find_in_fstab(search, places[i]);
		if (i == 0)
			search->is_direct = mount && mount->partition > 0;
	}
}

/* "vg-0/root" of "vg--0-root": the device mapper writes each '-' of a name twice. */
static char *split_mapped_name(const char *name)
{
	_cleanup_text_ struct text out = {0};
	size_t parts = 1;

	for (; *name; name++) {
		bool is_dash = *name == '-' && name[1] == '-';

		parts += *name == '-' && !is_dash;
		text_add_bytes(&out, *name == '-' && !is_dash ? "/" : name, 1);
		name += is_dash;
	}
	return parts == 2 ? text_take(&out) : NULL;
}

/* "vg0/root" of /dev/mapper/vg0-root and /dev/vg0/root; NULL: not a volume's name. */
static char *logical_volume(const char *device)
{
	static const char *const others[] = {"/dev/disk/", "/dev/md/", "/dev/block/",
					     "/dev/cciss/"};
	const char *slash;

	if (has_prefix(device, MAPPER))
		return split_mapped_name(device + strlen(MAPPER));
	for (size_t i = 0; i < array_length(others); i++)
		if (has_prefix(device, others[i]))
			return NULL;
	slash = has_prefix(device, "/dev/") ? strchr(device + strlen("/dev/"), '/') : NULL;
	return slash && slash[1] && !strchr(slash + 1, '/') ? string_copy(device + strlen("/dev/"))
							    : NULL;
}

/* Words become part of a shell file of the guest. */
static void add_word(struct initramfs_needs *needs, const char *word)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._:/=+@,-";

	if (strspn(word, allowed) == strlen(word))
		strings_add_once(&needs->words, word);
}

/* Is this name in crypttab? */
static bool is_encrypted(const struct search *search, const char *name)
{
	_cleanup_strings_ struct strings lines = {0};

	strings_split(&lines, text_string(&search->crypttab), "\n");
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_strings_ struct strings fields = {0};

		if (split_line(lines.item[i], &fields) && strcmp(fields.item[0], name) == 0)
			return true;
	}
	return false;
}

static void judge_device(struct search *search, const char *device)
{
	_cleanup_free_ char *volume = NULL;
	struct initramfs_needs *needs = search->needs;

	if (has_prefix(device, "/dev/md"))
		needs->has_raid = true;
	if (has_prefix(device, MAPPER) && is_encrypted(search, device + strlen(MAPPER))) {
		strings_add_once(&needs->crypt, device + strlen(MAPPER));
		return;
	}
	/* This is how systemd names an encrypted one that crypttab does not know. */
	if (has_prefix(device, MAPPER "luks-")) {
		needs->has_crypt = true;
		return;
	}
	volume = logical_volume(device);
	if (volume) {
		_cleanup_free_ char *word = string_format("rd.lvm.lv=%s", volume);

		needs->has_lvm = true;
		add_word(needs, word);
	}
}

static bool has_option(const char *options, const char *const *names, size_t count)
{
	_cleanup_strings_ struct strings words = {0};

	strings_split(&words, options, ",");
	for (size_t i = 0; i < count; i++)
		if (strings_has(&words, names[i]))
			return true;
	return false;
}

/* What is opened by a passphrase and that fstab does not mount itself may carry the root. */
static bool may_carry_root(const struct search *search, const struct strings *fields)
{
	_cleanup_free_ char *mapped = string_format(MAPPER "%s", fields->item[0]);
	const char *key = fields->count > 2 ? fields->item[2] : "none";

	return (strcmp(key, "none") == 0 || strcmp(key, "-") == 0) &&
	       !strstr(text_string(&search->fstab), mapped);
}

static bool is_in_old_crypttab(const struct search *search, const char *name)
{
	for (size_t i = 0; i < search->old->settings.count; i++) {
		_cleanup_strings_ struct strings words = {0};

		if (!has_suffix(search->old->settings.item[i], "crypttab"))
			continue;
		strings_split(&words, search->old->texts.item[i], " \t\n");
		if (strings_has(&words, name))
			return true;
	}
	return false;
}

static bool is_opened_for_root(const struct search *search, const struct strings *fields)
{
	static const char *const marks[] = {"initramfs", "x-initrd.attach", "force"};

	if (fields->count > 3 && has_option(fields->item[3], marks, array_length(marks)))
		return true;
	if (search->is_direct)
		return false;
	if (search->old)
		return is_in_old_crypttab(search, fields->item[0]);
	return may_carry_root(search, fields);
}

static void judge_crypttab(struct search *search)
{
	_cleanup_strings_ struct strings lines = {0};

	strings_split(&lines, text_string(&search->crypttab), "\n");
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_strings_ struct strings fields = {0};

		if (split_line(lines.item[i], &fields) >= 2 && is_opened_for_root(search, &fields))
			strings_add_once(&search->needs->crypt, fields.item[0]);
	}
	if (search->needs->crypt.count)
		search->needs->has_crypt = true;
}

/* Words that name volumes which the disk still has. */
static void take_words(struct search *search, const char *text)
{
	static const char *const prefixes[] = {"rd.lvm.lv=",    "rd.lvm.vg=",       "rd.luks.uuid=",
					       "rd.luks.name=", "rd.luks.options=", "rd.md.uuid="};
	_cleanup_strings_ struct strings words = {0};

	strings_split(&words, text, " \t\r\n\"'");
	for (size_t i = 0; i < words.count; i++)
		for (size_t j = 0; j < array_length(prefixes); j++)
			if (has_prefix(words.item[i], prefixes[j]))
				add_word(search->needs, words.item[i]);
}

/* The command line says so, or an image of the VM gave them to itself. */
static void judge_words(struct search *search, const struct changes *changes)
{
	static const char *const files[] = {"/etc/default/grub", "/etc/kernel/cmdline"};
	struct initramfs_needs *needs = search->needs;

	for (size_t i = 0; i < array_length(files); i++) {
		_cleanup_text_ struct text content = {0};

		if (changes_read(changes, search->guest, files[i], &content, NULL) > 0)
			take_words(search, text_string(&content));
	}
	for (size_t i = 0; search->old && i < search->old->settings.count; i++)
		if (has_prefix(search->old->settings.item[i], "etc/cmdline"))
			take_words(search, search->old->texts.item[i]);
	for (size_t i = 0; i < needs->words.count; i++) {
		const char *word = needs->words.item[i];

		needs->has_lvm = needs->has_lvm || has_prefix(word, "rd.lvm.");
		needs->has_crypt = needs->has_crypt || has_prefix(word, "rd.luks.");
		needs->has_raid = needs->has_raid || has_prefix(word, "rd.md.");
	}
}

static void judge_partitions(struct search *search)
{
	const struct layout *layout = &search->guest->layout;

	for (size_t i = 0; !search->is_direct && i < layout->count; i++)
		if (string_equal(layout->partition[i].filesystem, "linux_raid_member"))
			search->needs->has_raid = true;
}

void initramfs_needs_find(const struct guest *guest, const struct changes *changes,
			  const struct initramfs_content *old, struct initramfs_needs *out)
{
	struct search search = {.guest = guest, .old = old, .needs = out};

	*out = (struct initramfs_needs){0};
	/* Those that cannot be read were warned about by step fstab. */
	changes_read(changes, guest, "/etc/fstab", &search.fstab, NULL);
	changes_read(changes, guest, "/etc/crypttab", &search.crypttab, NULL);
	find_devices(&search);
	for (size_t i = 0; i < search.devices.count; i++)
		judge_device(&search, search.devices.item[i]);
	judge_partitions(&search);
	judge_crypttab(&search);
	judge_words(&search, changes);
	strings_release(&search.devices);
	text_release(&search.fstab);
	text_release(&search.crypttab);
}

void initramfs_needs_release(struct initramfs_needs *needs)
{
	strings_release(&needs->words);
	strings_release(&needs->crypt);
	*needs = (struct initramfs_needs){0};
}

char *initramfs_crypttab(const struct initramfs_needs *needs, const char *crypttab)
{
	_cleanup_strings_ struct strings lines = {0};
	struct text out = {0};

	strings_split(&lines, crypttab, "\n");
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_strings_ struct strings fields = {0};

		if (split_line(lines.item[i], &fields) &&
		    strings_has(&needs->crypt, fields.item[0]))
			text_addf(&out, "%s\n", lines.item[i]);
	}
	return text_take(&out);
}
