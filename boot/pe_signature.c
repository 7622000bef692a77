// SPDX-License-Identifier: GPL-3.0-or-later
#include "boot/pe_signature.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"

enum {
	HEAD = 4096, /* all headers of the programs in question lie in it */
	PE_OFFSET = 0x3c,
	OPTIONAL_HEADER = 24, /* behind "PE\0\0" and the file header */
	MAGIC_PE32 = 0x10b,
	MAGIC_PE32_PLUS = 0x20b,
	DIRECTORIES_PE32 = 96, /* in the optional header; their number is in the 4 bytes before */
	DIRECTORIES_PE32_PLUS = 112,
	DIRECTORY = 8, /* address, size */
	CERTIFICATES = 4,
};

struct head {
	uint8_t data[HEAD];
	size_t length;
};

/* Little-endian; 0 behind the end. */
static uint32_t get(const struct head *head, size_t offset, size_t bytes)
{
	uint32_t value = 0;

	if (offset > head->length || head->length - offset < bytes)
		return 0;
	while (bytes--)
		value = value << 8 | head->data[offset + bytes];
	return value;
}

static int has_certificates(const struct head *head)
{
	size_t pe = get(head, PE_OFFSET, 4), optional, directories;
	uint32_t magic;

	if (get(head, 0, 2) != ('M' | 'Z' << 8) || pe > HEAD ||
	    get(head, pe, 4) != ('P' | 'E' << 8))
		return 0;
	optional = pe + OPTIONAL_HEADER;
	magic = get(head, optional, 2);
	if (magic != MAGIC_PE32 && magic != MAGIC_PE32_PLUS)
		return 0;
	directories = optional + (magic == MAGIC_PE32 ? DIRECTORIES_PE32 : DIRECTORIES_PE32_PLUS);
	if (get(head, directories - 4, 4) <= CERTIFICATES)
		return 0;
	return get(head, directories + CERTIFICATES * DIRECTORY, 4) != 0 &&
	       get(head, directories + CERTIFICATES * DIRECTORY + 4, 4) != 0;
}

int pe_is_signed(const struct guest *guest, const char *path, struct error *err)
{
	_cleanup_close_ int fd = guest_open_file(guest, path, 0, err);
	struct head head = {0};
	ssize_t length;

	if (fd < 0)
		return -1;
	length = pread(fd, head.data, HEAD, 0);
	if (length < 0)
		return error_sys(err, errno, "read %s in the guest", path);
	head.length = (size_t)length;
	return has_certificates(&head);
}
