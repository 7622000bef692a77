// SPDX-License-Identifier: GPL-3.0-or-later
/* Connectors for screens, as drivers with kernel mode setting show them in /sys/class/drm. */
#include <string.h>

#include "adapt/hardware_parts.h"
#include "base/file.h"
#include "base/scope.h"

/* VESA E-EDID A.2: a base block of 128 bytes, in it four descriptors of 18 from offset 54 on. */
enum {
	EDID_BLOCK = 128,
	EDID_LIMIT = 256 * EDID_BLOCK,
	EDID_MAKER = 8,
	EDID_DESCRIPTORS = 54,
	EDID_DESCRIPTOR = 18,
	EDID_NAME_TAG = 0xfc,
	EDID_NAME_LENGTH = 13,
};

static char *edid_name(const unsigned char *block)
{
	for (size_t at = EDID_DESCRIPTORS; at + EDID_DESCRIPTOR < EDID_BLOCK;
	     at += EDID_DESCRIPTOR) {
		const unsigned char *descriptor = block + at;
		char name[EDID_NAME_LENGTH + 1];

		if (descriptor[0] || descriptor[1] || descriptor[3] != EDID_NAME_TAG)
			continue;
		memcpy(name, descriptor + 5, EDID_NAME_LENGTH);
		name[EDID_NAME_LENGTH] = '\0';
		name[strcspn(name, "\n")] = '\0';
		return printable_copy(string_trim(name));
	}
	return NULL;
}

/* Three letters of five bits each, 1 for A (E-EDID A.2, 3.4.1), and the name the screen has. */
static char *describe_edid(const unsigned char *block)
{
	unsigned int maker = (unsigned int)(block[EDID_MAKER] << 8 | block[EDID_MAKER + 1]);
	_cleanup_free_ char *name = edid_name(block);
	_cleanup_free_ char *whole = string_format("%c%c%c %s", (int)('@' + (maker >> 10 & 31)),
						   (int)('@' + (maker >> 5 & 31)),
						   (int)('@' + (maker & 31)), name ? name : "");

	return string_copy(string_trim(whole));
}

static char *read_monitor(const char *path)
{
	static const unsigned char start[] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
	_cleanup_free_ char *file = string_format("%s/edid", path);
	_cleanup_text_ struct text edid = {0};

	if (file_read(file, EDID_LIMIT, &edid, NULL) < 0 || edid.length < EDID_BLOCK ||
	    memcmp(edid.data, start, sizeof(start)) != 0)
		return NULL;
	return describe_edid((const unsigned char *)edid.data);
}

/* file_line() gives the first line of a list as well. */
static char *read_mode(const char *path)
{
	_cleanup_free_ char *mode = file_line("%s/modes", path);

	return mode && *mode ? printable_copy(mode) : NULL;
}

/* card0-HDMI-A-1: what is no connector (card0, renderD128, version) has no status. */
static void add_display(const char *directory, const char *entry, struct hardware *hardware)
{
	_cleanup_free_ char *path = string_format("%s/%s", directory, entry);
	/* A connector's own device is its card. */
	_cleanup_free_ char *card = string_format("%s/device", path);
	_cleanup_free_ char *status = file_line("%s/status", path);
	const char *name = strchr(entry, '-');
	struct display *display;

	if (!status || !name)
		return;
	display = hardware_add_display(hardware);
	display->name = printable_copy(name + 1);
	display->slot = sysfs_link(card, "device");
	display->monitor = read_monitor(path);
	display->mode = read_mode(path);
	display->is_connected = strcmp(status, "connected") == 0;
}

void hardware_scan_displays(const char *root, struct hardware *hardware)
{
	_cleanup_free_ char *directory = string_format("%s/sys/class/drm", root);
	_cleanup_strings_ struct strings entries = {0};

	sysfs_list(directory, &entries);
	for (size_t i = 0; i < entries.count; i++)
		add_display(directory, entries.item[i], hardware);
}
