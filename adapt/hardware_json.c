// SPDX-License-Identifier: GPL-3.0-or-later
/* The hardware as JSON, written and read back. */
#include <string.h>

#include "adapt/hardware_parts.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"

enum { JSON_LIMIT = 32 << 20 };

static void put_string(json_object *object, const char *key, const char *value)
{
	if (value)
		json_object_object_add(object, key, json_object_new_string(value));
}

static void put_bool(json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

static void put_hex(json_object *object, const char *key, int digits, unsigned int value)
{
	_cleanup_free_ char *text = string_format("%0*x", digits, value);

	put_string(object, key, text);
}

static json_object *device_json(const struct device *device)
{
	json_object *object = json_object_new_object();

	put_string(object, "bus", device->bus);
	put_string(object, "slot", device->slot);
	put_string(object, "modalias", device->modalias);
	put_string(object, "driver", device->driver);
	put_string(object, "name", device->name);
	if (device->vendor || device->device) {
		put_hex(object, "vendor", 4, device->vendor);
		put_hex(object, "device", 4, device->device);
	}
	if (string_equal(device->bus, "pci")) {
		put_hex(object, "class", 6, device->class);
		put_hex(object, "subsystem-vendor", 4, device->subsystem_vendor);
		put_hex(object, "subsystem-device", 4, device->subsystem_device);
		put_hex(object, "revision", 2, device->revision);
	}
	if (device->for_root)
		put_bool(object, "for-root", true);
	return object;
}

static json_object *nic_json(const struct nic *nic)
{
	json_object *object = json_object_new_object();

	put_string(object, "name", nic->name);
	put_string(object, "mac", nic->mac);
	put_string(object, "slot", nic->slot);
	put_string(object, "driver", nic->driver);
	put_bool(object, "link", nic->has_link);
	put_bool(object, "wireless", nic->is_wireless);
	return object;
}

static json_object *firmware_json(const struct hardware *hardware)
{
	json_object *object = json_object_new_object();

	put_string(object, "mode", hardware->is_uefi ? "uefi" : "bios");
	put_bool(object, "secure-boot", hardware->has_secure_boot);
	return object;
}

static json_object *dmi_json(const struct hardware *hardware)
{
	json_object *object = json_object_new_object();

	put_string(object, "vendor", hardware->dmi_vendor);
	put_string(object, "product", hardware->dmi_product);
	put_string(object, "serial", hardware->dmi_serial);
	put_string(object, "board", hardware->dmi_board);
	put_string(object, "bios", hardware->dmi_bios);
	return object;
}

json_object *hardware_json(const struct hardware *hardware)
{
	json_object *object = json_object_new_object();
	json_object *devices = json_object_new_array();
	json_object *nics = json_object_new_array();
	json_object *disks = json_object_new_array();

	for (size_t i = 0; i < hardware->device_count; i++)
		json_object_array_add(devices, device_json(&hardware->device[i]));
	for (size_t i = 0; i < hardware->nic_count; i++)
		json_object_array_add(nics, nic_json(&hardware->nic[i]));
	for (size_t i = 0; i < hardware->disks.count; i++)
		json_object_array_add(disks, disk_json(&hardware->disks.item[i]));
	json_object_object_add(object, "hardware-version",
			       json_object_new_int(HARDWARE_JSON_VERSION));
	put_string(object, "source", hardware->source);
	json_object_object_add(object, "firmware", firmware_json(hardware));
	put_string(object, "cpu", hardware->cpu_vendor);
	json_object_object_add(object, "dmi", dmi_json(hardware));
	json_object_object_add(object, "devices", devices);
	json_object_object_add(object, "network", nics);
	json_object_object_add(object, "disks", disks);
	return object;
}

/*
 * Reading. A reader walks one object and remembers the first thing that is wrong with it, so that
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

	return value ? printable_copy(json_object_get_string(value)) : NULL;
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
	nic->slot = take_string(reader, "slot");
	nic->driver = take_string(reader, "driver");
	nic->has_link = take_bool(reader, "link");
	nic->is_wireless = take_bool(reader, "wireless");
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

static void read_firmware(struct reader *reader, struct hardware *hardware)
{
	_cleanup_free_ char *mode = take_string(reader, "mode");

	hardware->is_uefi = string_equal(mode, "uefi");
	hardware->has_secure_boot = take_bool(reader, "secure-boot");
}

static void read_dmi(struct reader *reader, struct hardware *hardware)
{
	hardware->dmi_vendor = take_string(reader, "vendor");
	hardware->dmi_product = take_string(reader, "product");
	hardware->dmi_serial = take_string(reader, "serial");
	hardware->dmi_board = take_string(reader, "board");
	hardware->dmi_bios = take_string(reader, "bios");
}

static void read_cpu(json_object *document, struct hardware *hardware)
{
	json_object *cpu = json_object_object_get(document, "cpu");

	if (json_object_is_type(cpu, json_type_string))
		hardware->cpu_vendor = printable_copy(json_object_get_string(cpu));
}

static int check_version(json_object *document, struct error *err)
{
	json_object *version = NULL;

	if (!json_object_is_type(document, json_type_object) ||
	    !json_object_object_get_ex(document, "hardware-version", &version) ||
	    !json_object_is_type(version, json_type_int))
		return error_set(err, "no \"hardware-version\": it was not saved by v2p detect");
	if (json_object_get_int(version) != HARDWARE_JSON_VERSION)
		return error_set(err, "has version %d, and this v2p reads version %d",
				 json_object_get_int(version), HARDWARE_JSON_VERSION);
	return 0;
}

static int read_document(json_object *document, struct hardware *hardware, struct error *err)
{
	if (check_version(document, err) < 0 ||
	    read_part(document, "firmware", read_firmware, hardware, err) < 0 ||
	    read_part(document, "dmi", read_dmi, hardware, err) < 0 ||
	    read_list(document, "devices", read_device, hardware, err) < 0 ||
	    read_list(document, "network", read_nic, hardware, err) < 0)
		return -1;
	read_cpu(document, hardware);
	return read_list(document, "disks", read_disk, hardware, err);
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
