// SPDX-License-Identifier: GPL-3.0-or-later
/* What the machine says of itself: firmware, DMI, processor. */
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "adapt/hardware_parts.h"
#include "base/file.h"
#include "base/scope.h"

#define EFI_VARIABLES "sys/firmware/efi/efivars"
#define EFI_GLOBAL "8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* The value of the first line of cpuinfo with this key: "vendor_id	: GenuineIntel". */
static char *read_cpu(const char *root, const char *key)
{
	_cleanup_free_ char *path = string_format("%s/proc/cpuinfo", root);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon = '\0';
		if (strcmp(string_trim(line), key) == 0)
			return printable_copy(string_trim(colon + 1));
	}
	return NULL;
}

/* A variable of one byte behind four of attributes (UEFI 2.10, 3.3); -1 when it is not there. */
static int read_flag(const char *root, const char *name)
{
	_cleanup_free_ char *path =
		string_format("%s/" EFI_VARIABLES "/%s-" EFI_GLOBAL, root, name);
	_cleanup_text_ struct text value = {0};

	if (file_read(path, 64, &value, NULL) < 0 || value.length < 5)
		return -1;
	return (unsigned char)value.data[4];
}

static enum secure_boot read_secure_boot(const char *root)
{
	_cleanup_free_ char *directory = string_format("%s/" EFI_VARIABLES, root);
	_cleanup_strings_ struct strings variables = {0};
	int secure_boot = read_flag(root, "SecureBoot");

	if (secure_boot == 1)
		return SECURE_BOOT_ON;
	if (read_flag(root, "SetupMode") == 1)
		return SECURE_BOOT_SETUP;
	if (secure_boot == 0)
		return SECURE_BOOT_OFF;
	/* Firmware from before Secure Boot has other variables; without any, nothing is mounted. */
	sysfs_list(directory, &variables);
	return variables.count ? SECURE_BOOT_OFF : SECURE_BOOT_UNKNOWN;
}

/* Kernels before 6.5 do not tell: their efivarfs says that it has no blocks. */
static uint64_t read_variable_space(const char *root)
{
	_cleanup_free_ char *directory = string_format("%s/" EFI_VARIABLES, root);
	struct statfs status;

	if (statfs(directory, &status) < 0 || status.f_type != EFIVARFS_MAGIC)
		return 0;
	return (uint64_t)status.f_bavail * (uint64_t)status.f_bsize;
}

static void read_efi(const char *root, struct hardware *hardware)
{
	_cleanup_free_ char *bits = file_line("%s/sys/firmware/efi/fw_platform_size", root);

	hardware->secure_boot = read_secure_boot(root);
	hardware->has_secure_boot = hardware->secure_boot == SECURE_BOOT_ON;
	hardware->efi_bits = bits ? (unsigned int)strtoul(bits, NULL, 10) : 0;
	hardware->efi_variable_space = read_variable_space(root);
}

static char *read_dmi(const char *root, const char *name)
{
	_cleanup_free_ char *line = file_line("%s/sys/class/dmi/id/%s", root, name);

	return line && *line ? printable_copy(line) : NULL;
}

void hardware_read_firmware(const char *root, struct hardware *hardware)
{
	_cleanup_free_ char *efi = string_format("%s/sys/firmware/efi", root);

	hardware->is_uefi = access(efi, F_OK) == 0;
	hardware->secure_boot = SECURE_BOOT_OFF;
	if (hardware->is_uefi)
		read_efi(root, hardware);
	for (size_t i = 0; i < DMI_FIELDS; i++)
		*dmi_field(hardware, &dmi_fields[i]) = read_dmi(root, dmi_fields[i].file);
	hardware->cpu_vendor = read_cpu(root, "vendor_id");
	hardware->cpu_model = read_cpu(root, "model name");
}
