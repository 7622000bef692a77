// SPDX-License-Identifier: GPL-3.0-or-later
/* A saved machine: what is taken can be followed to its end, and is written so that it is read. */
#include <stdlib.h>
#include <string.h>

#include "adapt/hardware.h"
#include "tests/fuzz/memory-path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void follow(struct hardware *hardware)
{
	for (size_t i = 0; i < hardware->device_count; i++) {
		const struct device *device = &hardware->device[i];
		size_t depth = 0;

		while ((device = hardware_parent(hardware, device)))
			if (++depth > HARDWARE_DEPTH)
				abort();
	}
	for (size_t i = 0; i < hardware->disks.count; i++)
		hardware_follow_disk(hardware, &hardware->disks.item[i], NULL);
}

static void read_again(const struct hardware *hardware)
{
	json_object *json = hardware_json(hardware);
	const char *text = json_object_to_json_string(json);
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = memory_path(text, strlen(text), &fd);
	_cleanup_hardware_ struct hardware again = {0};

	if (path && (hardware_read_json(path, &again, NULL) < 0 ||
		     again.device_count != hardware->device_count ||
		     again.disks.count != hardware->disks.count))
		abort();
	json_object_put(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = memory_path(data, size, &fd);
	_cleanup_hardware_ struct hardware hardware = {0};

	if (!path || hardware_read_json(path, &hardware, NULL) < 0)
		return 0;
	follow(&hardware);
	read_again(&hardware);
	return 0;
}
