// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * machine: a made-up machine for the boot tests. The guest's files are those of tests/adapt/tree.h;
 * its disk is a regular file, its layout and mounts are said, not read.
 */
#pragma once

#include "adapt/step.h"
#include "base/scope.h"
#include "tests/adapt/tree.h"

#define ROOT_UUID "aaaaaaaa-1111-4111-8111-111111111111"
#define BOOT_UUID "bbbbbbbb-2222-4222-8222-222222222222"
#define SWAP_UUID "cccccccc-3333-4333-8333-333333333333"
#define ESP_PARTUUID "eeeeeeee-5555-4555-8555-555555555555"

struct machine {
	struct guest guest;
	struct hardware hardware;
	struct report report;
	struct adaptation adaptation;
	struct changes changes;
	struct partition partition[4];
	struct guest_mount mount[4];
	struct disk disk;
	char disk_path[96];
};

static inline void machine_disk(struct machine *machine, const void *head, size_t length)
{
	FILE *file = fopen(machine->disk_path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(head, 1, length, file), length);
	assert_int_equal(ftruncate(fileno(file), 1 << 20), 0);
	fclose(file);
}

/* An MBR disk: swap first, ext4 root second. */
static inline void machine_init(struct machine *machine)
{
	_cleanup_error_ struct error err = {0};

	*machine = (struct machine){0};
	if (guest_open_root(tree, &machine->guest, &err) < 0)
		fail_msg("%s", error_text(&err));
	report_init(&machine->report);
	snprintf(machine->disk_path, sizeof(machine->disk_path), "%s/disk", tree);
	machine_disk(machine, "", 0);
	machine->partition[0] = (struct partition){
		.number = 1, .filesystem = (char *)"swap", .uuid = (char *)SWAP_UUID};
	machine->partition[1] = (struct partition){
		.number = 2, .filesystem = (char *)"ext4", .uuid = (char *)ROOT_UUID};
	machine->mount[0] = (struct guest_mount){.device = (char *)"/dev/sda2",
						 .where = (char *)"/",
						 .filesystem = (char *)"ext4",
						 .uuid = (char *)ROOT_UUID,
						 .partition = 2};
	machine->guest.mount = machine->mount;
	machine->guest.mount_count = 1;
	machine->guest.disk = machine->disk_path;
	machine->guest.layout = (struct layout){.table = (char *)"msdos",
						.disk_size = 1 << 20,
						.sector_size = 512,
						.partition = machine->partition,
						.count = 2};
	machine->disk = (struct disk){.path = machine->disk_path,
				      .by_id = (char *)"/dev/disk/by-id/ata-NEW_1"};
	machine->hardware = (struct hardware){.is_live = true, .disks = {&machine->disk, 1}};
	machine->adaptation = (struct adaptation){.guest = &machine->guest,
						  .hardware = &machine->hardware,
						  .report = &machine->report};
}

/* A GPT disk: ESP, /boot, and a volume group with the root. */
static inline void machine_init_uefi(struct machine *machine)
{
	machine_init(machine);
	machine->hardware.is_uefi = true;
	machine->partition[0] = (struct partition){.number = 1,
						   .start = 1 << 20,
						   .length = 64 << 20,
						   .filesystem = (char *)"vfat",
						   .uuid = (char *)"ABCD-1234",
						   .partuuid = (char *)ESP_PARTUUID,
						   .is_esp = true};
	machine->partition[1] = (struct partition){
		.number = 2, .filesystem = (char *)"ext4", .uuid = (char *)BOOT_UUID};
	machine->partition[2] =
		(struct partition){.number = 3, .filesystem = (char *)"LVM2_member"};
	machine->mount[0] = (struct guest_mount){.device = (char *)"/dev/mapper/vg-root",
						 .where = (char *)"/",
						 .filesystem = (char *)"ext4",
						 .uuid = (char *)ROOT_UUID};
	machine->mount[1] = (struct guest_mount){.device = (char *)"/dev/sda2",
						 .where = (char *)"/boot",
						 .filesystem = (char *)"ext4",
						 .uuid = (char *)BOOT_UUID,
						 .partition = 2};
	machine->mount[2] = (struct guest_mount){.device = (char *)"/dev/sda1",
						 .where = (char *)"/boot/efi",
						 .filesystem = (char *)"vfat",
						 .uuid = (char *)"ABCD-1234",
						 .partition = 1};
	machine->guest.mount_count = 3;
	machine->guest.layout.table = (char *)"gpt";
	machine->guest.layout.count = 3;
}

static inline void machine_release(struct machine *machine)
{
	machine->guest.mount = NULL;
	machine->guest.mount_count = 0;
	machine->guest.disk = NULL;
	machine->guest.layout = (struct layout){0};
	guest_release(&machine->guest);
	changes_release(&machine->changes);
	report_release(&machine->report);
}
#define _cleanup_machine_ __attribute__((cleanup(machine_release)))

/* Boot code as GRUB writes it, with the core image in the second sector. */
static inline void machine_grub_boot_code(struct machine *machine)
{
	uint8_t head[1024] = {0};

	memcpy(head + 0x180, "GRUB ", 5);
	head[0x5c] = 1;
	head[510] = 0x55;
	head[511] = 0xaa;
	head[512] = 0x52;
	head[512 + 0x1fc] = 60;
	head[512 + 0x1fe] = 0x20;
	head[512 + 0x1ff] = 0x08;
	machine_disk(machine, head, sizeof(head));
}

static inline const struct change *machine_change(const struct machine *machine, const char *path)
{
	for (size_t i = 0; i < machine->changes.count; i++)
		if (string_equal(machine->changes.item[i].path, path))
			return &machine->changes.item[i];
	return NULL;
}

/* The document of the report, to search in. */
static inline char *machine_report(const struct machine *machine)
{
	struct text out = {0};

	report_render(&machine->report, REPORT_BRIEF, &out);
	return text_take(&out);
}

static inline void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static inline void assert_report(const struct machine *machine, const char *part)
{
	_cleanup_free_ char *text = machine_report(machine);

	assert_contains(text, part);
}
