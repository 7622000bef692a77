// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/esp.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/scope.h"
#include "boot/grub_menu.h"

enum { PROGRAM_LIMIT = 8 << 20 }; /* signed GRUBs have 2 to 4 MiB */

/* The names of an architecture in file names and GRUB's targets; the first row is the default. */
static const struct {
	const char *architecture, *suffix, *target;
} architectures[] = {
	{"x86_64", "x64", "x86_64-efi"},
	{"aarch64", "aa64", "arm64-efi"},
	{"i386", "ia32", "i386-efi"},
	{"i686", "ia32", "i386-efi"},
};

/* Where distributions mount it. */
static const char *const mount_points[] = {"/boot/efi", "/efi", "/boot"};

/* Directories on the ESP that are not called as os-release's ID. */
static const struct {
	const char *id, *vendor;
} vendors[] = {
	{"rhel", "redhat"},
	{"ol", "redhat"},
	{"opensuse-leap", "opensuse"},
	{"opensuse-tumbleweed", "opensuse"},
	{"linuxmint", "ubuntu"},
};

static void choose_architecture(const struct guest *guest, struct esp *out)
{
	size_t row = 0;

	for (size_t i = 0; i < array_length(architectures); i++)
		if (string_equal(guest->architecture, architectures[i].architecture))
			row = i;
	out->suffix = architectures[row].suffix;
	out->target = architectures[row].target;
}

static const struct partition *find_partition(const struct layout *layout, int number)
{
	for (size_t i = 0; i < layout->count; i++)
		if (layout->partition[i].number == number)
			return &layout->partition[i];
	return NULL;
}

/* The mount point of an ESP of the disk, else a FAT at the usual places (an ESP need not be marked
 * as one for GRUB, but it must be for the firmware). */
static const struct guest_mount *find_mount(const struct guest *guest)
{
	for (size_t i = 0; i < guest->mount_count; i++) {
		const struct partition *partition =
			find_partition(&guest->layout, guest->mount[i].partition);

		if (guest->mount[i].device && partition && partition->is_esp)
			return &guest->mount[i];
	}
	for (size_t i = 0; i < guest->mount_count; i++)
		for (size_t j = 0; j < array_length(mount_points); j++)
			if (string_equal(guest->mount[i].where, mount_points[j]) &&
			    string_equal(guest->mount[i].filesystem, "vfat"))
				return &guest->mount[i];
	return NULL;
}

static const struct partition *find_esp(const struct layout *layout)
{
	for (size_t i = 0; i < layout->count; i++)
		if (layout->partition[i].is_esp)
			return &layout->partition[i];
	return NULL;
}

static char *program_path(const struct esp *esp, const char *vendor, const char *program)
{
	return string_format("%s/EFI/%s/%s%s.efi", esp->where, vendor, program, esp->suffix);
}

static bool has_program(const struct guest *guest, const struct esp *esp, const char *vendor,
			const char *program)
{
	_cleanup_free_ char *path = program_path(esp, vendor, program);

	return guest_has(guest, path);
}

static bool is_vendor(const struct guest *guest, const struct esp *esp, const char *vendor)
{
	if (strcasecmp(vendor, "BOOT") == 0)
		return false;
	return has_program(guest, esp, vendor, "shim") || has_program(guest, esp, vendor, "grub");
}

static const char *vendor_of_id(const char *id)
{
	for (size_t i = 0; i < array_length(vendors); i++)
		if (strcmp(id, vendors[i].id) == 0)
			return vendors[i].vendor;
	return id;
}

/* The guest's own directory; another one only when it is the only one. */
static char *choose_vendor(const struct guest *guest, const struct strings *candidates)
{
	_cleanup_strings_ struct strings ids = {0};

	if (guest->os_id)
		strings_add(&ids, guest->os_id);
	if (guest->os_id_like)
		strings_split(&ids, guest->os_id_like, " ");
	for (size_t i = 0; i < ids.count; i++)
		for (size_t j = 0; j < candidates->count; j++)
			if (strcasecmp(candidates->item[j], vendor_of_id(ids.item[i])) == 0)
				return string_copy(candidates->item[j]);
	return candidates->count == 1 ? string_copy(candidates->item[0]) : NULL;
}

static int find_vendor(const struct guest *guest, struct esp *esp, struct error *err)
{
	_cleanup_free_ char *directory = string_format("%s/EFI", esp->where);
	_cleanup_strings_ struct strings names = {0}, candidates = {0};
	const char *program;

	if (guest_list(guest, directory, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (is_vendor(guest, esp, names.item[i]))
			strings_add(&candidates, names.item[i]);
	esp->vendor = choose_vendor(guest, &candidates);
	if (!esp->vendor && candidates.count) {
		_cleanup_free_ char *list = strings_join(&candidates, ", ");

		return error_set(err,
				 "%s holds the boot loaders of several systems (%s), and none "
				 "is called after the guest (%s)",
				 directory, list, guest->os_id);
	}
	if (!esp->vendor)
		return 0;
	esp->has_shim = has_program(guest, esp, esp->vendor, "shim");
	program = esp->has_shim ? "shim" : "grub";
	esp->loader = program_path(esp, esp->vendor, program);
	esp->file = string_format("\\EFI\\%s\\%s%s.efi", esp->vendor, program, esp->suffix);
	return 0;
}

int esp_find(const struct guest *guest, struct esp *out, struct error *err)
{
	const struct guest_mount *mount = find_mount(guest);
	const struct partition *unmounted = find_esp(&guest->layout);

	if (!mount && unmounted && esp_has_grub_package(guest))
		return error_set(err,
				 "partition %d is an EFI system partition, but nothing in the "
				 "guest's /etc/fstab mounts it (at /boot/efi)",
				 unmounted->number);
	if (!mount)
		return 0;
	out->where = mount->where;
	if (mount->device && mount->partition)
		out->partition = find_partition(&guest->layout, mount->partition);
	choose_architecture(guest, out);
	return find_vendor(guest, out, err) < 0 ? -1 : 1;
}

void esp_release(struct esp *esp)
{
	if (!esp)
		return;
	free(esp->vendor);
	free(esp->loader);
	free(esp->file);
	*esp = (struct esp){0};
}

bool esp_has_grub_package(const struct guest *guest)
{
	struct esp esp = {0};
	_cleanup_free_ char *modules = NULL;

	choose_architecture(guest, &esp);
	modules = string_format("/usr/lib/grub/%s", esp.target);
	return guest_has(guest, modules);
}

const char *esp_boot_uuid(const struct guest *guest)
{
	const char *root = NULL;

	for (size_t i = 0; i < guest->mount_count; i++) {
		if (string_equal(guest->mount[i].where, "/boot"))
			return guest->mount[i].uuid;
		if (string_equal(guest->mount[i].where, "/"))
			root = guest->mount[i].uuid;
	}
	return root;
}

char *esp_unknown_search(const struct guest *guest, const char *text)
{
	_cleanup_grub_menu_ struct grub_menu menu = {0};
	_cleanup_strings_ struct strings known = {0};

	for (size_t i = 0; i < guest->mount_count; i++)
		if (guest->mount[i].uuid)
			strings_add(&known, guest->mount[i].uuid);
	for (size_t i = 0; i < guest->layout.count; i++)
		if (guest->layout.partition[i].uuid)
			strings_add(&known, guest->layout.partition[i].uuid);
	grub_menu_parse(text, &menu);
	for (size_t i = 0; i < menu.searched.count && known.count; i++)
		if (!strchr(menu.searched.item[i], '$') &&
		    !strings_has(&known, menu.searched.item[i]))
			return string_copy(menu.searched.item[i]);
	return NULL;
}

static int read_program(const struct guest *guest, const char *path, struct text *out,
			struct error *err)
{
	_cleanup_close_ int fd = guest_open_file(guest, path, 0, err);

	if (fd < 0)
		return -1;
	return file_read_fd(fd, path, PROGRAM_LIMIT, out, err);
}

/* What is copied where. */
struct copy {
	char *from, *to; /* in the guest */
	char *name;      /* of to, in EFI/BOOT */
};

struct copies {
	struct copy item[4];
	size_t count;
};

static void copies_release(struct copies *copies)
{
	for (size_t i = 0; i < copies->count; i++) {
		free(copies->item[i].from);
		free(copies->item[i].to);
		free(copies->item[i].name);
	}
}

/* Adds a copy of a file of the vendor's directory, if that file exists and its copy does not. */
static void add_copy(const struct guest *guest, const struct esp *esp, const char *from,
		     const char *to, struct copies *copies)
{
	struct copy copy = {
		.from = string_format("%s/EFI/%s/%s", esp->where, esp->vendor, from),
		.to = string_format("%s/EFI/BOOT/%s", esp->where, to),
		.name = string_copy(to),
	};

	if (guest_has(guest, copy.from) && !guest_has(guest, copy.to)) {
		copies->item[copies->count++] = copy;
		return;
	}
	free(copy.from);
	free(copy.to);
	free(copy.name);
}

/* A GRUB that knows its directory by name finds its configuration from anywhere on the ESP. */
static bool knows_directory(const struct guest *guest, const struct esp *esp, struct error *err)
{
	_cleanup_free_ char *path = program_path(esp, esp->vendor, "grub");
	_cleanup_free_ char *directory = string_format("/EFI/%s", esp->vendor);
	_cleanup_text_ struct text program = {0};

	if (read_program(guest, path, &program, err) < 0)
		return true;
	return memmem(program.data, program.length, directory, strlen(directory)) != NULL;
}

static int is_same_file(const struct guest *guest, const char *a, const char *b, struct error *err)
{
	_cleanup_text_ struct text first = {0}, second = {0};

	if (read_program(guest, a, &first, err) < 0 || read_program(guest, b, &second, err) < 0)
		return -1;
	return first.length == second.length && memcmp(first.data, second.data, first.length) == 0;
}

static int find_copies(const struct guest *guest, const struct esp *esp, struct copies *out,
		       struct error *err)
{
	_cleanup_free_ char *boot = string_format("BOOT%s.EFI", esp->suffix);
	_cleanup_free_ char *grub = string_format("grub%s.efi", esp->suffix);
	_cleanup_free_ char *shim = string_format("shim%s.efi", esp->suffix);
	_cleanup_free_ char *mok = string_format("mm%s.efi", esp->suffix);
	_cleanup_free_ char *path = NULL;

	for (char *p = boot + 4; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	path = string_format("%s/EFI/BOOT/%s", esp->where, boot);
	if (guest_has(guest, path)) {
		int same = esp->has_shim ? is_same_file(guest, path, esp->loader, err) : 0;

		/* fbx64.efi needs nothing else: it leads to the vendor's directory. */
		if (same <= 0 || has_program(guest, esp, "BOOT", "fb"))
			return same < 0 ? -1 : 0;
	}
	add_copy(guest, esp, esp->has_shim ? shim : grub, boot, out);
	if (esp->has_shim) {
		add_copy(guest, esp, grub, grub, out);
		add_copy(guest, esp, mok, mok, out);
	}
	if (!knows_directory(guest, esp, err))
		add_copy(guest, esp, "grub.cfg", "grub.cfg", out);
	return 0;
}

int esp_missing_removable(const struct guest *guest, const struct esp *esp, struct strings *names,
			  struct error *err)
{
	_cleanup_(copies_release) struct copies copies = {0};

	if (find_copies(guest, esp, &copies, err) < 0)
		return error_in(err, "look at %s/EFI/BOOT", esp->where);
	for (size_t i = 0; i < copies.count; i++)
		strings_add(names, copies.item[i].name);
	return 0;
}

static int copy_program(struct guest *guest, const struct copy *copy, struct error *err)
{
	_cleanup_text_ struct text data = {0};
	uint64_t available = 0;

	if (read_program(guest, copy->from, &data, err) < 0)
		return -1;
	if (guest_free_space(guest, copy->from, &available, err) < 0)
		return -1;
	if (available < data.length) {
		_cleanup_free_ char *size = size_format(data.length);
		_cleanup_free_ char *space = size_format(available);

		return error_set(err, "%s needs %s, and %s are free on the EFI system partition",
				 copy->to, size, space);
	}
	return guest_write(guest, copy->to, data.data, data.length, err);
}

int esp_copy_removable(struct guest *guest, const struct esp *esp, struct error *err)
{
	_cleanup_(copies_release) struct copies copies = {0};

	if (find_copies(guest, esp, &copies, err) < 0)
		return error_in(err, "look at %s/EFI/BOOT", esp->where);
	for (size_t i = 0; i < copies.count; i++)
		if (copy_program(guest, &copies.item[i], err) < 0)
			return error_in(err, "copy %s to %s", copies.item[i].from,
					copies.item[i].to);
	return 0;
}
