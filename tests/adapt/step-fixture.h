// SPDX-License-Identifier: GPL-3.0-or-later
/* step-fixture: one step run on a throw-away guest, with a disk and NICs made up by the test. */
#pragma once

#include "adapt/step.h"
#include "tests/adapt/tree.h"

struct fixture {
	struct guest guest;
	struct hardware hardware;
	struct drivers_db *db;
	struct changes changes;
	struct report report;
	struct adaptation adaptation;
};

static inline struct fixture *fixture_open(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct error err = {0};

	assert_non_null(f);
	if (guest_open_root(tree, &f->guest, &err))
		fail_msg("%s", error_text(&err));
	if (drivers_db_load(NULL, &f->db, &err))
		fail_msg("%s", error_text(&err));
	report_init(&f->report);
	f->adaptation = (struct adaptation){
		.guest = &f->guest, .hardware = &f->hardware, .db = f->db, .report = &f->report};
	return f;
}

static inline void fixture_close(struct fixture *f)
{
	changes_release(&f->changes);
	report_release(&f->report);
	drivers_db_free(f->db);
	hardware_release(&f->hardware);
	layout_release(&f->guest.layout);
	guest_release(&f->guest);
	free(f);
}

/* uuid, partuuid: NULL for none. */
static inline void fixture_partition(struct fixture *f, int number, const char *filesystem,
				     const char *uuid, const char *partuuid)
{
	struct layout *layout = &f->guest.layout;

	layout->partition =
		reallocarray(layout->partition, layout->count + 1, sizeof(*layout->partition));
	layout->partition[layout->count++] = (struct partition){
		.number = number,
		.type = string_copy("0x83"),
		.filesystem = filesystem ? string_copy(filesystem) : NULL,
		.uuid = uuid ? string_copy(uuid) : NULL,
		.partuuid = partuuid ? string_copy(partuuid) : NULL,
	};
}

enum fixture_link { NO_LINK, LINK, WIRELESS };

static inline void fixture_nic(struct fixture *f, const char *name, const char *mac,
			       const char *slot, enum fixture_link link)
{
	struct hardware *hardware = &f->hardware;

	hardware->nic =
		reallocarray(hardware->nic, hardware->nic_count + 1, sizeof(*hardware->nic));
	hardware->nic[hardware->nic_count++] = (struct nic){.name = string_copy(name),
							    .mac = string_copy(mac),
							    .slot = string_copy(slot),
							    .has_link = link == LINK,
							    .is_wireless = link == WIRELESS};
}

static inline void fixture_device(struct fixture *f, const char *slot, uint32_t class)
{
	struct hardware *hardware = &f->hardware;

	hardware->device = reallocarray(hardware->device, hardware->device_count + 1,
					sizeof(*hardware->device));
	hardware->device[hardware->device_count++] = (struct device){
		.bus = string_copy("pci"), .slot = string_copy(slot), .class = class};
}

static inline bool fixture_warned(const struct fixture *f, const char *words)
{
	json_object *warnings;

	json_object_object_get_ex(f->report.document, "warnings", &warnings);
	for (size_t i = 0; i < json_object_array_length(warnings); i++) {
		if (strstr(json_object_get_string(json_object_array_get_idx(warnings, i)), words))
			return true;
	}
	return false;
}

static inline void fixture_plan(struct fixture *f, const struct step_ops *step)
{
	struct error err = {0};

	changes_release(&f->changes);
	if (step->plan(&f->adaptation, &f->changes, &err))
		fail_msg("%s", error_text(&err));
}

/* Plans, applies, and checks that a second plan has nothing to do. */
static inline void fixture_run(struct fixture *f, const struct step_ops *step)
{
	struct error err = {0};

	fixture_plan(f, step);
	if (changes_apply(&f->changes, &f->adaptation, &err))
		fail_msg("%s", error_text(&err));
	fixture_plan(f, step);
	for (size_t i = 0; i < f->changes.count; i++)
		print_error("second plan: %s: %s\n%s\n", f->changes.item[i].path,
			    f->changes.item[i].why,
			    f->changes.item[i].diff ? f->changes.item[i].diff : "");
	assert_int_equal(f->changes.count, 0);
}

/* One file through one step, on the disk and NICs of f. */
static inline void fixture_file(struct fixture *f, const struct step_ops *step, const char *path,
				const char *before, const char *after)
{
	tree_file(path, before);
	fixture_run(f, step);
	assert_tree_file(path, after);
}

static inline bool tree_has(const char *path)
{
	_cleanup_free_ char *full = tree_path(path);
	struct stat st;

	return lstat(full, &st) == 0;
}

#define step_test(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)
