// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * GRUB on BIOS: boot code in the first sector, its core image behind it or in a BIOS boot
 * partition, the rest in /boot/grub.
 *
 * Boot code that came with the image is right as it is: the restore copied the first sector, the
 * core image and /boot/grub byte for byte, and the core image finds /boot/grub by UUID or by the
 * partition's number, neither of which a restore changes. So GRUB is installed anew only when the
 * disk does not hold it; everything else is proven, not repeated.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/scope.h"
#include "boot/grub_config.h"
#include "boot/loader.h"

enum {
	SECTOR = 512,               /* boot.img reads through INT 13h in these */
	CORE_ADDRESS = 0x5c,        /* in boot.img: sector of the core image, 64 bits */
	BLOCK_LIST_LENGTH = 0x1fc,  /* in diskboot.img: first block list, sectors */
	BLOCK_LIST_SEGMENT = 0x1fe, /* and the segment it is loaded to … */
	CORE_SEGMENT = 0x820,       /* … which is this one on i386-pc */
	PUSH_DX = 0x52,             /* what diskboot.img begins with, in all versions */
};

static const char step[] = "grub-bios";
static const char debconf_database[] = "/var/cache/debconf/config.dat";
static const char debconf_question[] = "grub-pc/install_devices";

static const char *const module_directories[] = {
	"/usr/lib/grub/i386-pc",
	"/boot/grub/i386-pc",
	"/boot/grub2/i386-pc",
};

static const char *const install_programs[] = {"grub-install", "grub2-install"};

static int grub_bios_detect(struct adaptation *adaptation, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < array_length(module_directories); i++)
		if (guest_has(adaptation->guest, module_directories[i]))
			return 1;
	return 0;
}

static uint64_t get_le(const uint8_t *p, size_t bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | p[bytes];
	return value;
}

/* boot.img: the signature of a boot sector, and GRUB's name among its messages. */
static bool is_boot_sector(const uint8_t sector[SECTOR])
{
	return sector[510] == 0x55 && sector[511] == 0xaa &&
	       memmem(sector, SECTOR, "GRUB ", 5) != NULL;
}

/* diskboot.img: the first sector of every core image that is started from a disk. */
static bool is_core_image(const uint8_t sector[SECTOR])
{
	return sector[0] == PUSH_DX && get_le(sector + BLOCK_LIST_LENGTH, 2) != 0 &&
	       get_le(sector + BLOCK_LIST_SEGMENT, 2) == CORE_SEGMENT;
}

/* 1 the disk starts GRUB, 0 it does not, and why; -1 it cannot be read. */
static int check_boot_code(const struct guest *guest, char **why, struct error *err)
{
	_cleanup_close_ int fd = open(guest->disk, O_RDONLY | O_CLOEXEC);
	uint8_t sector[SECTOR];
	uint64_t core;

	if (fd < 0)
		return error_sys(err, errno, "open %s", guest->disk);
	if (read_exactly(fd, guest->disk, sector, SECTOR, 0, err) < 0)
		return -1;
	if (!is_boot_sector(sector)) {
		*why = string_copy("the first sector of the disk is not GRUB's");
		return 0;
	}
	core = get_le(sector + CORE_ADDRESS, 8);
	if (!core || core >= guest->layout.disk_size / SECTOR) {
		*why = string_format("GRUB's boot sector names sector %llu, which is not on the "
				     "disk",
				     (unsigned long long)core);
		return 0;
	}
	if (read_exactly(fd, guest->disk, sector, SECTOR, core * SECTOR, err) < 0)
		return -1;
	if (!is_core_image(sector)) {
		*why = string_format("there is no GRUB core image at sector %llu, where the boot "
				     "sector looks for it",
				     (unsigned long long)core);
		return 0;
	}
	return 1;
}

static bool has_bios_boot_partition(const struct layout *layout)
{
	for (size_t i = 0; i < layout->count; i++)
		if (layout->partition[i].is_bios_boot)
			return true;
	return false;
}

static int plan_install(struct adaptation *adaptation, struct changes *changes, const char *why,
			struct error *err)
{
	const struct guest *guest = adaptation->guest;
	const char *program = NULL;

	if (string_equal(guest->layout.table, "gpt") && !has_bios_boot_partition(&guest->layout))
		return error_set(
			err,
			"%s cannot start by BIOS: it has a GPT without a BIOS boot "
			"partition, and %s; set the machine's firmware to UEFI if the image "
			"can do that, or add such a partition (type ef02, 1 MiB) to the "
			"image",
			guest->disk, why);
	for (size_t i = 0; i < array_length(install_programs) && !program; i++)
		if (guest_has_program(guest, install_programs[i]))
			program = install_programs[i];
	if (!program)
		return error_set(
			err,
			"%s does not start GRUB (%s), and the guest has no grub-install to "
			"put it there: install grub-pc in the image",
			guest->disk, why);
	const char *const argv[] = {program, "--target=i386-pc", guest->disk, NULL};
	struct change *change = changes_run(changes, step, "boot code", why, argv);

	change->permission = GUEST_RUN_DISKS;
	return 0;
}

static int plan_boot_code(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	_cleanup_free_ char *why = NULL;
	int found = check_boot_code(adaptation->guest, &why, err);

	if (found < 0)
		return -1;
	return found ? 0 : plan_install(adaptation, changes, why, err);
}

/* The new disk's name that stays the same, or NULL. */
static const char *stable_name(const struct adaptation *adaptation)
{
	const struct disks *disks = &adaptation->hardware->disks;

	for (size_t i = 0; i < disks->count && adaptation->hardware->is_live; i++)
		if (string_equal(disks->item[i].path, adaptation->guest->disk))
			return disks->item[i].by_id;
	return NULL;
}

/* The value of one question in debconf's database of stanzas; heap, or NULL. */
static char *debconf_value(const char *database, const char *question)
{
	_cleanup_free_ char *heading = string_format("Name: %s\n", question);
	const char *stanza = database, *value, *end;

	while ((stanza = strstr(stanza, heading)) && stanza != database && stanza[-1] != '\n')
		stanza++;
	if (!stanza)
		return NULL;
	end = strstr(stanza, "\n\n");
	value = strstr(stanza, "\nValue: ");
	if (!value || (end && value > end))
		return NULL;
	value += strlen("\nValue: ");
	return strndup(value, strcspn(value, "\n"));
}

/*
 * grub-pc's postinst installs to the disks named here at the next upgrade, and fails when they do
 * not exist. An empty answer is left alone: upgrades are not to touch the boot code.
 */
static int plan_debconf(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	const char *const argv[] = {"debconf-set-selections", NULL};
	const char *disk = stable_name(adaptation);
	_cleanup_text_ struct text database = {0};
	_cleanup_free_ char *value = NULL;
	struct change *change;

	if (changes_read(changes, adaptation->guest, debconf_database, &database, err) < 0)
		return -1;
	value = debconf_value(text_string(&database), debconf_question);
	if (!value || !*value || string_equal(value, disk))
		return 0;
	if (!disk || !guest_has_program(adaptation->guest, argv[0])) {
		report_warning(adaptation->report,
			       "the package grub-pc is set to install to %s, which is not the name "
			       "of this machine's disk: its next upgrade will ask; run "
			       "dpkg-reconfigure grub-pc there",
			       value);
		return 0;
	}
	change = changes_run(changes, step, debconf_question,
			     "the package grub-pc would install to the virtual machine's disk",
			     argv);
	change->input = string_format("grub-pc %s multiselect %s\n", debconf_question, disk);
	return 0;
}

/* A device map overrides what GRUB finds by itself, so one that names another disk is worse than
 * none. */
static int plan_device_map(struct adaptation *adaptation, struct changes *changes,
			   struct error *err)
{
	const char *directory = grub_directory(adaptation->guest);
	const char *disk = stable_name(adaptation);
	_cleanup_free_ char *path = NULL;
	_cleanup_text_ struct text map = {0};
	_cleanup_strings_ struct strings words = {0};
	int found;

	if (!directory)
		return 0;
	path = string_format("%s/device.map", directory);
	found = changes_read(changes, adaptation->guest, path, &map, err);
	if (found <= 0)
		return found;
	strings_split(&words, text_string(&map), " \t\r\n");
	for (size_t i = 0; i < words.count; i++)
		if (has_prefix(words.item[i], "/dev/") && !string_equal(words.item[i], disk))
			return changes_remove(changes, adaptation->guest, step, path,
					      "it names disks of the virtual machine", err);
	return 0;
}

static int grub_bios_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	const uint32_t sector = adaptation->guest->layout.sector_size;

	if (sector > SECTOR)
		report_warning(adaptation->report,
			       "%s has sectors of %u bytes: most machines cannot start from such a "
			       "disk by BIOS; set the firmware to UEFI if the image can do that",
			       adaptation->guest->disk, sector);
	if (plan_device_map(adaptation, changes, err) < 0 ||
	    plan_boot_code(adaptation, changes, err) < 0 ||
	    grub_config_plan(adaptation, changes, step, err) < 0)
		return -1;
	return plan_debconf(adaptation, changes, err);
}

static int grub_bios_verify(struct adaptation *adaptation, struct error *err)
{
	_cleanup_free_ char *why = NULL;
	int found = check_boot_code(adaptation->guest, &why, err);

	if (found < 0)
		return -1;
	report_check(adaptation->report, found, "the disk starts GRUB by BIOS", why);
	return grub_config_verify(adaptation, err);
}

const struct loader_ops loader_grub_bios = {
	.name = step,
	.firmware = FIRMWARE_BIOS,
	.detect = grub_bios_detect,
	.plan = grub_bios_plan,
	.verify = grub_bios_verify,
};
