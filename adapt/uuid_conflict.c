// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/uuid_conflict.h"

#include "base/scope.h"

static bool has_uuid(const struct layout *layout, const char *uuid)
{
	for (size_t i = 0; i < layout->count; i++)
		if (string_equal(layout->partition[i].uuid, uuid))
			return true;
	return false;
}

static void compare(const struct layout *ours, const struct layout *other, const char *disk,
		    struct report *report)
{
	for (size_t i = 0; i < other->count; i++) {
		const struct partition *partition = &other->partition[i];

		if (!partition->uuid || !has_uuid(ours, partition->uuid))
			continue;
		report_warning(
			report,
			"partition %d of %s has the same UUID %s as one on the restored disk: "
			"which of them is mounted is a matter of chance; remove that disk or "
			"wipe it",
			partition->number, disk, partition->uuid);
	}
}

/* The guest's own disk, or what its file systems are mounted from. */
static bool is_of_guest(const struct guest *guest, const char *disk)
{
	if (string_equal(disk, guest->disk))
		return true;
	for (size_t i = 0; i < guest->mount_count; i++)
		if (string_equal(disk, guest->mount[i].device))
			return true;
	return false;
}

void uuid_conflict_warn(const struct guest *guest, const struct hardware *hardware,
			struct report *report)
{
	if (!guest->disk || !hardware->is_live)
		return;
	for (size_t i = 0; i < hardware->disks.count; i++) {
		const char *disk = hardware->disks.item[i].path;
		_cleanup_layout_ struct layout other = {0};

		/* A disk without a table that is understood has nothing to be confused with. */
		if (is_of_guest(guest, disk) || layout_read(disk, &other, NULL) < 0)
			continue;
		compare(&guest->layout, &other, disk, report);
	}
}
