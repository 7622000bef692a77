// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_modinfo.h"

#include <elf.h>
#include <string.h>

#include "adapt/pack_archive.h"
#include "base/number.h"
#include "base/scope.h"

enum { STRINGS_LIMIT = 20000 }; /* the largest driver of a distribution has some 1500 */

struct elf {
	const uint8_t *data;
	size_t length;
	Elf64_Ehdr header;
};

static bool is_within(const struct elf *elf, uint64_t offset, uint64_t length)
{
	return offset <= elf->length && length <= elf->length - offset;
}

static int read_section(const struct elf *elf, unsigned int index, Elf64_Shdr *out)
{
	uint64_t offset = (uint64_t)index * sizeof(*out);

	if (index >= elf->header.e_shnum || elf->header.e_shoff > elf->length ||
	    !is_within(elf, elf->header.e_shoff + offset, sizeof(*out)))
		return -1;
	memcpy(out, elf->data + elf->header.e_shoff + offset, sizeof(*out));
	return is_within(elf, out->sh_offset, out->sh_type == SHT_NOBITS ? 0 : out->sh_size) ? 0
											     : -1;
}

static int read_header(struct elf *elf, struct error *err)
{
	Elf64_Ehdr *header = &elf->header;

	if (elf->length < sizeof(*header) || memcmp(elf->data, ELFMAG, SELFMAG) != 0)
		return error_set(err, "it is no kernel module: no ELF file");
	memcpy(header, elf->data, sizeof(*header));
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return error_set(err, "modules of 32-bit and of big-endian kernels are not "
				      "supported");
	if (header->e_shentsize != sizeof(Elf64_Shdr))
		return error_set(err, "it is no kernel module: it has no sections");
	return 0;
}

static bool is_modinfo(const struct elf *elf, const Elf64_Shdr *names, const Elf64_Shdr *section)
{
	static const char name[] = ".modinfo";

	return section->sh_type == SHT_PROGBITS && section->sh_name < names->sh_size &&
	       names->sh_size - section->sh_name >= sizeof(name) &&
	       memcmp(elf->data + names->sh_offset + section->sh_name, name, sizeof(name)) == 0;
}

static int split(const struct elf *elf, const Elf64_Shdr *section, struct strings *out,
		 struct error *err)
{
	const char *at = (const char *)elf->data + section->sh_offset;
	const char *end = at + section->sh_size;

	while (at < end) {
		size_t length = strnlen(at, (size_t)(end - at));

		if (length && out->count >= STRINGS_LIMIT)
			return error_set(err, "it says more about itself than any module");
		if (length)
			strings_addf(out, "%.*s", (int)smaller(length, 4096), at);
		at += length + 1;
	}
	return 0;
}

int pack_modinfo_read(const void *data, size_t length, struct strings *out, struct error *err)
{
	struct elf elf = {.data = data, .length = length};
	Elf64_Shdr names, section;

	if (read_header(&elf, err) < 0)
		return -1;
	if (read_section(&elf, elf.header.e_shstrndx, &names) < 0 || names.sh_type != SHT_STRTAB)
		return error_set(err, "it is no kernel module: its sections have no names");
	for (unsigned int i = 0; i < elf.header.e_shnum; i++)
		if (read_section(&elf, i, &section) == 0 && is_modinfo(&elf, &names, &section))
			return split(&elf, &section, out, err);
	return error_set(err, "it is no kernel module: it has no .modinfo");
}

struct memory {
	const uint8_t *data;
	size_t length;
};

static int give(void *context, void *data, size_t capacity, size_t *got, struct error *err)
{
	struct memory *memory = context;

	(void)err;
	*got = (size_t)smaller(capacity, memory->length);
	memcpy(data, memory->data, *got);
	memory->data += *got;
	memory->length -= *got;
	return 0;
}

int pack_modinfo_read_file(const void *file, size_t length, struct strings *out, struct error *err)
{
	struct memory memory = {file, length};
	_cleanup_pack_archive_ struct pack_archive archive = {0};
	_cleanup_text_ struct text content = {0};
	int r;

	if (length >= SELFMAG && memcmp(file, ELFMAG, SELFMAG) == 0)
		return pack_modinfo_read(file, length, out, err);
	if (pack_archive_open(&archive, PACK_ARCHIVE_NONE, give, &memory, err) < 0)
		return -1;
	r = pack_archive_next(&archive, err);
	if (r == 0)
		return error_set(err, "it is empty");
	if (r < 0 || pack_archive_text(&archive, PACK_MODULE_LIMIT, &content, err) < 0)
		return -1;
	return pack_modinfo_read(text_string(&content), content.length, out, err);
}

const char *pack_modinfo_value(const struct strings *modinfo, const char *key)
{
	size_t length = strlen(key);

	for (size_t i = 0; i < modinfo->count; i++)
		if (strncmp(modinfo->item[i], key, length) == 0 && modinfo->item[i][length] == '=')
			return modinfo->item[i] + length + 1;
	return NULL;
}
