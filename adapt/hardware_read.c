// SPDX-License-Identifier: GPL-3.0-or-later
/* What hardware_json() wrote, read back: a file of anybody's, so everything in it is bounded. */
#include <string.h>

#include "adapt/hardware_parts.h"
#include "base/file.h"
#include "base/scope.h"

enum {
	JSON_LIMIT = 32 << 20,
	STRING_LIMIT = 4096,
	LIST_LIMIT = 65536,
};

/*
 * A reader walks one object and remembers the first thing that is wrong with it, so that
 * the list of fields stays a list; the error is asked for once, at the object's end.
 */
struct reader {
	json_object *object; /* NULL: absent, every field reads as unknown */
	const char *where;   /* "devices", for messages */
	size_t number;       /* in that list, from 0 */
	struct error *err;
	bool is_bad;
};

__attribute__((format(printf, 2, 3))) static void complain(struct reader *reader,
							   const char *format, ...)
{
	_cleanup_text_ struct text text = {0};
	va_list args;

	if (reader->is_bad)
		return;
	va_start(args, format);
	text_vaddf(&text, format, args);
	va_end(args);
	error_set(reader->err, "%s[%zu]: %s", reader->where, reader->number, text_string(&text));
	reader->is_bad = true;
}

static json_object *take(struct reader *reader, const char *key, json_type type,
			 const char *type_name)
{
	json_object *value = NULL;

	if (!json_object_object_get_ex(reader->object, key, &value) || !value)
		return NULL;
	if (json_object_get_type(value) == type)
		return value;
	complain(reader, "\"%s\" is not %s", key, type_name);
	return NULL;
}

static char *take_string(struct reader *reader, const char *key)
{
	json_object *value = take(reader, key, json_type_string, "a string");

	if (!value)
		return NULL;
	if (json_object_get_string_len(value) <= STRING_LIMIT)
		return printable_copy(json_object_get_string(value));
	complain(reader, "\"%s\" is longer than %d bytes", key, STRING_LIMIT);
	return NULL;
}

static char *take_needed(struct reader *reader, const char *key)
{
	char *string = take_string(reader, key);

	if (!string)
		complain(reader, "no \"%s\"", key);
	return string;
}

static bool take_bool(struct reader *reader, const char *key)
{
	json_object *value = take(reader, key, json_type_boolean, "true or false");

	return value && json_object_get_boolean(value);
}

static uint64_t take_number(struct reader *reader, const char *key)
{
	json_object *value = take(reader, key, json_type_int, "a number");

	return value ? json_object_get_uint64(value) : 0;
}

static uint32_t take_hex(struct reader *reader, const char *key, size_t digits)
{
	_cleanup_free_ char *string = take_string(reader, key);

	if (!string)
		return 0;
	if (strlen(string) == digits && strspn(string, "0123456789abcdefABCDEF") == digits)
		return (uint32_t)strtoul(string, NULL, 16);
	complain(reader, "\"%s\" is not %zu hexadecimal digits", key, digits);
	return 0;
}

static void read_device(struct reader *reader, struct hardware *hardware)
{
	struct device *device = hardware_add_device(hardware);

	device->bus = take_needed(reader, "bus");
	device->slot = take_needed(reader, "slot");
	device->modalias = take_needed(reader, "modalias");
	device->driver = take_string(reader, "driver");
	device->name = take_string(reader, "name");
	device->parent = take_string(reader, "parent");
	device->class = take_hex(reader, "class", 6);
	device->vendor = (uint16_t)take_hex(reader, "vendor", 4);
	device->device = (uint16_t)take_hex(reader, "device", 4);
	device->subsystem_vendor = (uint16_t)take_hex(reader, "subsystem-vendor", 4);
	device->subsystem_device = (uint16_t)take_hex(reader, "subsystem-device", 4);
	device->revision = (uint8_t)take_hex(reader, "revision", 2);
	device->for_root = take_bool(reader, "for-root");
}

static void read_nic(struct reader *reader, struct hardware *hardware)
{
	struct nic *nic = hardware_add_nic(hardware);

	nic->name = take_needed(reader, "name");
	nic->mac = take_string(reader, "mac");
	nic->current_mac = take_string(reader, "current-mac");
	nic->permanent_mac = take_string(reader, "permanent-mac");
	nic->slot = take_string(reader, "slot");
	nic->driver = take_string(reader, "driver");
	nic->has_link = take_bool(reader, "link");
	nic->is_wireless = take_bool(reader, "wireless");
}

static void read_display(struct reader *reader, struct hardware *hardware)
{
	struct display *display = hardware_add_display(hardware);

	display->name = take_needed(reader, "name");
	display->slot = take_string(reader, "slot");
	display->monitor = take_string(reader, "monitor");
	display->mode = take_string(reader, "mode");
	display->is_connected = take_bool(reader, "connected");
}

static void read_disk(struct reader *reader, struct hardware *hardware)
{
	struct disks *disks = &hardware->disks;
	struct disk *disk;

	disks->item = realloc(disks->item, (disks->count + 1) * sizeof(*disks->item));
	if (!disks->item)
		abort();
	disk = &disks->item[disks->count++];
	*disk = (struct disk){0};
	disk->path = take_needed(reader, "path");
	disk->name = take_string(reader, "name");
	if (!disk->name && disk->path)
		disk->name = string_copy(strrchr(disk->path, '/') ? strrchr(disk->path, '/') + 1
								  : disk->path);
	disk->model = take_string(reader, "model");
	disk->serial = take_string(reader, "serial");
	disk->wwn = take_string(reader, "wwn");
	disk->transport = take_string(reader, "transport");
	disk->by_id = take_string(reader, "by-id");
	disk->by_path = take_string(reader, "by-path");
	disk->hangs_on = take_string(reader, "hangs-on");
	disk->size = take_number(reader, "size");
	disk->logical_sector = (uint32_t)take_number(reader, "logical-sector");
	disk->physical_sector = (uint32_t)take_number(reader, "physical-sector");
	disk->rotational = take_bool(reader, "rotational");
	disk->removable = take_bool(reader, "removable");
	disk->read_only = take_bool(reader, "read-only");
}

typedef void read_entry(struct reader *reader, struct hardware *hardware);

static int read_list(json_object *document, const char *key, read_entry *read,
		     struct hardware *hardware, struct error *err)
{
	json_object *list = json_object_object_get(document, key);

	if (!list)
		return 0;
	if (!json_object_is_type(list, json_type_array))
		return error_set(err, "\"%s\" is not a list", key);
	if (json_object_array_length(list) > LIST_LIMIT)
		return error_set(err, "\"%s\" has more than %d entries", key, LIST_LIMIT);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct reader reader = {json_object_array_get_idx(list, i), key, i, err, false};

		if (!json_object_is_type(reader.object, json_type_object))
			return error_set(err, "%s[%zu] is not an object", key, i);
		read(&reader, hardware);
		if (reader.is_bad)
			return -1;
	}
	return 0;
}

/* A part of the document that is an object, and may be absent. */
static int read_part(json_object *document, const char *key, read_entry *read,
		     struct hardware *hardware, struct error *err)
{
	struct reader reader = {json_object_object_get(document, key), key, 0, err, false};

	if (reader.object && !json_object_is_type(reader.object, json_type_object))
		return error_set(err, "\"%s\" is not an object", key);
	read(&reader, hardware);
	return reader.is_bad ? -1 : 0;
}

/* Version 1 says no more than whether it is on, and BIOS has none of it. */
static enum secure_boot take_secure_boot(struct reader *reader, const char *mode)
{
	_cleanup_free_ char *name = take_string(reader, "secure-boot-state");
	bool is_on = take_bool(reader, "secure-boot");

	if (!name && is_on)
		return SECURE_BOOT_ON;
	if (!name)
		return string_equal(mode, "bios") ? SECURE_BOOT_OFF : SECURE_BOOT_UNKNOWN;
	for (size_t i = 0; i < SECURE_BOOT_STATES; i++)
		if (strcmp(name, secure_boot_names[i]) == 0)
			return (enum secure_boot)i;
	complain(reader, "\"secure-boot-state\" is none of unknown, off, on, setup");
	return SECURE_BOOT_UNKNOWN;
}

static void read_firmware(struct reader *reader, struct hardware *hardware)
{
	_cleanup_free_ char *mode = take_string(reader, "mode");

	hardware->is_uefi = string_equal(mode, "uefi");
	hardware->secure_boot = take_secure_boot(reader, mode);
	hardware->has_secure_boot = hardware->secure_boot == SECURE_BOOT_ON;
	hardware->efi_bits = (unsigned int)take_number(reader, "bits");
	hardware->efi_variable_space = take_number(reader, "variable-space");
}

static void read_dmi(struct reader *reader, struct hardware *hardware)
{
	for (size_t i = 0; i < DMI_FIELDS; i++)
		*dmi_field(hardware, &dmi_fields[i]) = take_string(reader, dmi_fields[i].key);
}

static int read_cpu(json_object *document, struct hardware *hardware, struct error *err)
{
	struct reader reader = {document, "document", 0, err, false};

	hardware->cpu_vendor = take_string(&reader, "cpu");
	hardware->cpu_model = take_string(&reader, "cpu-model");
	return reader.is_bad ? -1 : 0;
}

static int check_version(json_object *document, struct error *err)
{
	json_object *version = NULL;

	if (!json_object_is_type(document, json_type_object) ||
	    !json_object_object_get_ex(document, "hardware-version", &version) ||
	    !json_object_is_type(version, json_type_int))
		return error_set(err, "no \"hardware-version\": it was not saved by v2p detect");
	if (json_object_get_int(version) < 1 ||
	    json_object_get_int(version) > HARDWARE_JSON_VERSION)
		return error_set(err, "has version %d, and this v2p reads versions 1 to %d",
				 json_object_get_int(version), HARDWARE_JSON_VERSION);
	return 0;
}

static int read_document(json_object *document, struct hardware *hardware, struct error *err)
{
	if (check_version(document, err) < 0 ||
	    read_part(document, "firmware", read_firmware, hardware, err) < 0 ||
	    read_part(document, "dmi", read_dmi, hardware, err) < 0 ||
	    read_list(document, "devices", read_device, hardware, err) < 0 ||
	    read_list(document, "network", read_nic, hardware, err) < 0 ||
	    read_list(document, "displays", read_display, hardware, err) < 0 ||
	    read_list(document, "disks", read_disk, hardware, err) < 0 ||
	    read_cpu(document, hardware, err) < 0)
		return -1;
	return hardware_check_parents(hardware, err);
}

static int read_file(const char *path, struct hardware *hardware, struct error *err)
{
	_cleanup_text_ struct text text = {0};
	enum json_tokener_error reason = json_tokener_success;
	json_object *document;
	int result;

	if (file_read(path, JSON_LIMIT, &text, err) < 0)
		return -1;
	document = json_tokener_parse_verbose(text_string(&text), &reason);
	if (!document)
		return error_set(err, "%s", json_tokener_error_desc(reason));
	result = read_document(document, hardware, err);
	json_object_put(document);
	return result;
}

int hardware_read_json(const char *path, struct hardware *out, struct error *err)
{
	_cleanup_hardware_ struct hardware hardware = {0};

	hardware.source = string_copy(path);
	if (read_file(path, &hardware, err) < 0)
		return error_in(err, "read the hardware file %s", path);
	*out = hardware;
	hardware = (struct hardware){0};
	return 0;
}
