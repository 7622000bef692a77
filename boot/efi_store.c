// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/efi_store.h"

#include <efivar/efiboot.h>
#include <efivar/efivar.h>
#include <errno.h>
#include <string.h>

#include "base/scope.h"

enum {
	VARIABLE_LIMIT = 64 << 10, /* boot variables are a few hundred bytes */
	NAMES_LIMIT = 4096,
	LOAD_OPTION_ACTIVE = 1,
};

static const uint32_t variable_attributes =
	EFI_VARIABLE_NON_VOLATILE | EFI_VARIABLE_BOOTSERVICE_ACCESS | EFI_VARIABLE_RUNTIME_ACCESS;

/* libefivar keeps a stack of the errors of its own layers; errno says all that a user needs. */
static int store_error(struct error *err, int number, const char *what, const char *name)
{
	efi_error_clear();
	if (number == ENOSPC)
		return error_sys(err, number,
				 "%s firmware variable %s: the firmware's store is full", what,
				 name);
	if (number == EROFS)
		return error_sys(err, number,
				 "%s firmware variable %s: efivarfs is mounted read-only", what,
				 name);
	return error_sys(err, number ? number : EIO, "%s firmware variable %s", what, name);
}

static int check_supported(struct error *err)
{
	if (efi_variables_supported())
		return 0;
	efi_error_clear();
	return error_set(err, "the firmware's variables cannot be reached: efivarfs is not mounted "
			      "on /sys/firmware/efi/efivars");
}

static int firmware_list(void *context, struct strings *names, struct error *err)
{
	const efi_guid_t global = EFI_GLOBAL_GUID;
	efi_guid_t *guid = NULL;
	char *name = NULL;
	size_t seen = 0;
	int more;

	(void)context;
	if (check_supported(err) < 0)
		return -1;
	/* The iterator is closed by its last call only: read on even past the limit. */
	errno = 0;
	while ((more = efi_get_next_variable_name(&guid, &name)) > 0) {
		if (seen++ < NAMES_LIMIT && efi_guid_cmp(guid, &global) == 0 &&
		    has_prefix(name, "Boot"))
			strings_add(names, name);
		errno = 0;
	}
	if (more < 0)
		return store_error(err, errno, "list", "Boot*");
	efi_error_clear();
	strings_sort(names);
	return 0;
}

static int firmware_get(void *context, const char *name, struct text *value, struct error *err)
{
	_cleanup_free_ uint8_t *data = NULL;
	uint32_t attributes = 0;
	size_t length = 0;

	(void)context;
	if (check_supported(err) < 0)
		return -1;
	if (efi_get_variable(EFI_GLOBAL_GUID, name, &data, &length, &attributes) < 0) {
		int number = errno;

		efi_error_clear();
		return number == ENOENT ? 0 : store_error(err, number, "read", name);
	}
	if (length > VARIABLE_LIMIT)
		return error_set(err, "read firmware variable %s: %zu bytes are too many", name,
				 length);
	text_add_bytes(value, data, length);
	return 1;
}

static int firmware_set(void *context, const char *name, const void *data, size_t length,
			struct error *err)
{
	(void)context;
	if (check_supported(err) < 0)
		return -1;
	/* libefivar does not write to data, its prototype only forgets to say so. */
	if (efi_set_variable(EFI_GLOBAL_GUID, name, (uint8_t *)(uintptr_t)data, length,
			     variable_attributes, 0644) < 0)
		return store_error(err, errno, "write", name);
	efi_error_clear();
	return 0;
}

static int firmware_remove(void *context, const char *name, struct error *err)
{
	(void)context;
	if (check_supported(err) < 0)
		return -1;
	if (efi_del_variable(EFI_GLOBAL_GUID, name) < 0 && errno != ENOENT)
		return store_error(err, errno, "remove", name);
	efi_error_clear();
	return 0;
}

/* How the firmware recognises the partition: GPT by GUID, MBR by the disk's signature. */
static int partition_signature(const struct layout *layout, const struct partition *esp,
			       uint8_t signature[16], uint8_t *format, uint8_t *type,
			       struct error *err)
{
	efi_guid_t guid;

	memset(signature, 0, 16);
	if (string_equal(layout->table, "gpt")) {
		if (!esp->partuuid || efi_str_to_guid(esp->partuuid, &guid) < 0) {
			efi_error_clear();
			return error_set(err, "partition %d has no GUID", esp->number);
		}
		memcpy(signature, &guid, sizeof(guid));
		*format = EFIDP_HD_FORMAT_GPT;
		*type = EFIDP_HD_SIGNATURE_GUID;
		return 0;
	}
	if (!layout->disk_id)
		return error_set(err, "the disk has no MBR signature");
	for (unsigned int i = 0, id = (unsigned int)strtoul(layout->disk_id, NULL, 16); i < 4; i++)
		signature[i] = (uint8_t)(id >> 8 * i);
	*format = EFIDP_HD_FORMAT_PCAT;
	*type = EFIDP_HD_SIGNATURE_MBR;
	return 0;
}

static int add_path(const struct layout *layout, const struct partition *esp, const char *file,
		    uint8_t *buffer, size_t size, size_t *length, struct error *err)
{
	const uint32_t sector = layout->sector_size ? layout->sector_size : 512;
	_cleanup_free_ char *name = string_copy(file);
	uint8_t signature[16], format, type;
	size_t used = 0;
	ssize_t n;

	if (partition_signature(layout, esp, signature, &format, &type, err) < 0)
		return -1;
	n = efidp_make_hd(buffer, (ssize_t)size, (uint32_t)esp->number, esp->start / sector,
			  esp->length / sector, signature, format, type);
	if (n > 0) {
		used = (size_t)n;
		n = efidp_make_file(buffer + used, (ssize_t)(size - used), name);
	}
	if (n > 0) {
		used += (size_t)n;
		n = efidp_make_end_entire(buffer + used, (ssize_t)(size - used));
	}
	if (n <= 0)
		return store_error(err, errno, "make the device path of", file);
	*length = used + (size_t)n;
	return 0;
}

int efi_option_make(const struct layout *layout, const struct partition *esp, const char *label,
		    const char *file, struct text *out, struct error *err)
{
	_cleanup_free_ char *description = string_copy(label);
	uint8_t path[1024], option[2048];
	size_t length = 0;
	ssize_t n;

	if (strlen(file) > 255 || strlen(label) > 255)
		return error_set(err, "firmware entry %s: name too long", label);
	if (add_path(layout, esp, file, path, sizeof(path), &length, err) < 0)
		return error_in(err, "firmware entry %s", label);
	n = efi_loadopt_create(option, sizeof(option), LOAD_OPTION_ACTIVE, (efidp)path,
			       (ssize_t)length, (unsigned char *)description, NULL, 0);
	if (n <= 0)
		return store_error(err, errno, "make", label);
	efi_error_clear();
	text_add_bytes(out, option, (size_t)n);
	return 0;
}

static const struct efi_store_ops firmware_ops = {
	.list = firmware_list,
	.get = firmware_get,
	.set = firmware_set,
	.remove = firmware_remove,
};

const struct efi_store efi_store_firmware = {.ops = &firmware_ops};
