// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/source_foreign.h"

#include <string.h>

#include "base/scope.h"
#include "base/text.h"

enum place { HEAD, TAIL };

/* A signature and what the file is that carries it. */
struct signature {
	enum place place;
	size_t offset;
	const char *bytes;
	size_t length;
	const char *what;   /* "a VMDK image" */
	const char *format; /* QEMU's name, or NULL where QEMU cannot help */
	const char *advice; /* where it cannot */
};

#define SIGNATURE(place, offset, bytes, ...)                                                       \
	{                                                                                          \
		place, offset, bytes, sizeof(bytes) - 1, __VA_ARGS__                               \
	}

static bool carries(const struct signature *signature, const uint8_t *data, size_t length)
{
	return signature->offset + signature->length <= length &&
	       memcmp(data + signature->offset, signature->bytes, signature->length) == 0;
}

/*
 * A CD image without a partition table. Hybrid ones carry an MBR and are disks as well; they may be
 * written as they are.
 */
static bool is_plain_iso(const uint8_t *head, size_t length)
{
	return length >= 32774 && memcmp(head + 32769, "CD001", 5) == 0 &&
	       !(head[510] == 0x55 && head[511] == 0xaa);
}

static const struct signature signatures[] = {
	SIGNATURE(HEAD, 0, "COWD", "a VMDK image (ESX sparse)", "vmdk", NULL),
	SIGNATURE(HEAD, 0, "# Disk DescriptorFile",
		  "a VMDK descriptor (the data is in other files)", "vmdk", NULL),
	SIGNATURE(HEAD, 64, "\x7f\x10\xda\xbe", "a VDI image", "vdi", NULL),
	SIGNATURE(HEAD, 0, "conectix", "a VHD image", "vpc", NULL),
	SIGNATURE(TAIL, 0, "conectix", "a VHD image (fixed size)", "vpc", NULL),
	SIGNATURE(HEAD, 0, "vhdxfile", "a VHDX image", "vhdx", NULL),
	SIGNATURE(HEAD, 0, "QED\0", "a QED image", "qed", NULL),
	SIGNATURE(HEAD, 0, "WithoutFreeSpace", "a Parallels image", "parallels", NULL),
	SIGNATURE(HEAD, 0, "WithouFreSpacExt", "a Parallels image", "parallels", NULL),
	SIGNATURE(TAIL, 0, "koly", "an Apple DMG image", "dmg", NULL),
	SIGNATURE(HEAD, 0, "Bochs Virtual HD Image", "a Bochs image", "bochs", NULL),
	SIGNATURE(HEAD, 0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop", "a cloop image", "cloop",
		  NULL),
	SIGNATURE(HEAD, 0, "LUKS\xba\xbe", "a LUKS container", NULL,
		  "it is encrypted; open it and take an image of what is in it"),
	SIGNATURE(HEAD, 0, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive", NULL, "unpack it first"),
	SIGNATURE(HEAD, 0, "PK\x03\x04", "a ZIP archive", NULL, "unpack it first"),
	SIGNATURE(HEAD, 0, "MSWIM\0\0\0", "a WIM archive", NULL, "it holds files, not a disk"),
	SIGNATURE(HEAD, 0, "partclone-image", "a partclone image", NULL,
		  "it holds a file system, not a disk; restore it with partclone"),
};

static const struct signature *find(const uint8_t *head, size_t head_length, const uint8_t *tail,
				    size_t tail_length)
{
	for (size_t i = 0; i < array_length(signatures); i++) {
		const struct signature *s = &signatures[i];

		if (s->place == HEAD ? carries(s, head, head_length)
				     : carries(s, tail, tail_length))
			return s;
	}
	return NULL;
}

int source_foreign_find(const uint8_t *head, size_t head_length, const uint8_t *tail,
			size_t tail_length, const char **format, struct error *err)
{
	const struct signature *found = find(head, head_length, tail, tail_length);

	*format = found ? found->format : NULL;
	if (found && !found->format)
		return error_set(err, "this is %s, not a disk image that can be written: %s",
				 found->what, found->advice);
	if (!found && is_plain_iso(head, head_length))
		return error_set(err, "this is an ISO 9660 image without a partition table, "
				      "not the image of a disk");
	return 0;
}
