// SPDX-License-Identifier: GPL-3.0-or-later
/* driver_fixture: one guest whose module index the real depmod made, shared by the tests of a
 * program, and machines to match against it. */
#pragma once

#include "tests/adapt/module-tree.h"
#include "tests/test.h"

#include <fcntl.h>

#include "adapt/drivers.h"
#include "base/error.h"

#define DUMP(name) V2P_SOURCE_DIR "/tests/data/pci-" name ".lspci"

/* Shared by the tests, made once: nothing changes it. */
struct fixture {
	char *root;
	struct guest guest;
	struct drivers_db *db;
};

static inline bool has_tools(void)
{
	static const char *const depmod[] = {"depmod", "--version", NULL};
	static const char *const cc[] = {"cc", "--version", NULL};

	return process_check(depmod, NULL, NULL) == 0 && process_check(cc, NULL, NULL) == 0;
}

static inline int set_up(void **state)
{
	static struct fixture fixture;
	const struct strings none = {0};

	if (!has_tools())
		return 0;
	fixture.root = module_tree_make(&none, false);
	fixture.guest.root = fixture.root;
	fixture.guest.root_fd = open(fixture.root, O_PATH | O_DIRECTORY);
	assert_int_equal(drivers_db_load(V2P_SOURCE_DIR "/drivers-db", &fixture.db, NULL), 0);
	*state = &fixture;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;

	if (!fixture)
		return 0;
	close(fixture->guest.root_fd);
	tree_remove(&fixture->root);
	drivers_db_free(fixture->db);
	return 0;
}

static inline struct fixture *need(void **state)
{
	if (!*state) {
		print_message("depmod or cc is missing\n");
		skip();
	}
	return *state;
}

/* A machine of these devices: modalias strings, ended by NULL. */
static inline struct hardware machine(const char *const *modaliases)
{
	struct hardware hardware = {0};

	hardware.device = calloc(16, sizeof(*hardware.device));
	for (; modaliases[hardware.device_count]; hardware.device_count++) {
		struct device *device = &hardware.device[hardware.device_count];
		const char *modalias = modaliases[hardware.device_count];
		_cleanup_free_ char *slot = string_format("dev%zu", hardware.device_count);
		unsigned int base = 0, sub = 0, interface = 0;
		const char *class = strstr(modalias, "bc");

		device->bus = strndup(modalias, strcspn(modalias, ":"));
		device->slot = steal(&slot);
		device->modalias = string_copy(modalias);
		if (class && sscanf(class, "bc%2xsc%2xi%2x", &base, &sub, &interface) == 3)
			device->class = base << 16 | sub << 8 | interface;
	}
	return hardware;
}

static inline struct hardware read_dump(const char *path)
{
	struct hardware hardware = {0};

	assert_int_equal(hardware_read_pci_dump(path, &hardware, NULL), 0);
	return hardware;
}

/* A fixture with another kernel. */
static inline struct fixture other_kernel(const struct fixture *fixture, const char *builtin,
					  bool has_no_builtin_aliases)
{
	_cleanup_strings_ struct strings modules = {0};
	struct fixture other = {.db = fixture->db};

	strings_split(&modules, builtin, " ");
	other.root = module_tree_make(&modules, has_no_builtin_aliases);
	other.guest.root_fd = open(other.root, O_PATH | O_DIRECTORY);
	return other;
}

static inline void other_release(struct fixture *other)
{
	close(other->guest.root_fd);
	tree_remove(&other->root);
}

static inline char *copy_of(const struct fixture *fixture)
{
	char *root = tree_make();
	const char *const argv[] = {"cp", "-a", fixture->root, root, NULL};

	assert_int_equal(process_check(argv, NULL, NULL), 0);
	return root;
}
