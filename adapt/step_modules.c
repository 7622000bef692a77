// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * step modules: modules that drive only a hypervisor's devices are no longer loaded by name. Names
 * in /etc/modules-load.d are left: systemd notes there that a module found no device, and goes on.
 */
#include <string.h>

#include "adapt/drivers_db.h"
#include "adapt/step.h"
#include "base/scope.h"

#define STEP "modules"

static const char *const lists[] = {"/etc/initramfs-tools/modules", "/etc/modules"};

/* A machine that has such devices after all (v2p is tried in a VM) keeps the module. */
static bool has_device(const struct hardware *hardware, const char *module)
{
	for (size_t i = 0; i < hardware->device_count; i++) {
		const struct device *device = &hardware->device[i];

		if (device->driver && drivers_is_same_module(device->driver, module))
			return true;
		if (string_equal(device->bus, "virtio") && has_prefix(module, "virtio"))
			return true;
	}
	return false;
}

static bool is_useless(const struct adaptation *adaptation, const char *line)
{
	_cleanup_strings_ struct strings words = {0};

	strings_split(&words, line, " \t\r");
	return words.count > 0 && *words.item[0] != '#' &&
	       drivers_db_is_virtual_module(adaptation->db, words.item[0]) &&
	       !has_device(adaptation->hardware, words.item[0]);
}

static int plan_list(struct adaptation *adaptation, struct changes *changes, const char *path,
		     struct error *err)
{
	_cleanup_text_ struct text before = {0}, after = {0};
	const char *line;

	if (changes_read(changes, adaptation->guest, path, &before, err) < 0)
		return -1;
	for (line = text_string(&before); *line;) {
		size_t length = strcspn(line, "\n");
		_cleanup_free_ char *copy = string_format("%.*s", (int)length, line);

		length += line[length] == '\n';
		if (!is_useless(adaptation, copy))
			text_add_bytes(&after, line, length);
		line += length;
	}
	if (after.length == before.length)
		return 0;
	return changes_write(changes, adaptation->guest, STEP, path, text_string(&after),
			     "these modules drive a hypervisor's devices only", err);
}

static int modules_plan(struct adaptation *adaptation, struct changes *changes, struct error *err)
{
	for (size_t i = 0; i < array_length(lists); i++)
		if (plan_list(adaptation, changes, lists[i], err) < 0)
			return -1;
	return 0;
}

const struct step_ops step_modules = {
	.name = STEP,
	.plan = modules_plan,
};
