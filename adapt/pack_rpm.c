// SPDX-License-Identifier: GPL-3.0-or-later
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapt/pack_package_kinds.h"
#include "base/file.h"
#include "base/scope.h"

enum {
	LEAD = 96,
	INTRO = 16,
	ROW = 16,
	ROWS_LIMIT = 65536,
	STORE_LIMIT = 64 << 20, /* kernel packages list thousands of files */
	SENSE_LESS = 0x02,
	SENSE_GREATER = 0x04,
	SENSE_EQUAL = 0x08,
	SENSE_RPMLIB = 1 << 24, /* what rpm itself must be able to do */
};

enum type { TYPE_INT32 = 4, TYPE_INT64 = 5, TYPE_STRING = 6, TYPE_STRINGS = 8 };

enum tag {
	TAG_NAME = 1000,
	TAG_VERSION = 1001,
	TAG_RELEASE = 1002,
	TAG_EPOCH = 1003,
	TAG_SIZE = 1009,
	TAG_ARCH = 1022,
	TAG_PROVIDENAME = 1047,
	TAG_REQUIREFLAGS = 1048,
	TAG_REQUIRENAME = 1049,
	TAG_REQUIREVERSION = 1050,
	TAG_PROVIDEFLAGS = 1112,
	TAG_PROVIDEVERSION = 1113,
	TAG_LONGSIZE = 5009,
};

struct header {
	uint32_t rows;
	uint32_t store; /* bytes */
	uint8_t *data;  /* rows, then the store; one NUL more behind it */
};

struct row {
	uint32_t tag, type, offset, count;
};

static uint32_t be32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static void header_release(struct header *header)
{
	free(header->data);
}

/* The sizes of the header at offset. */
static int read_intro(int fd, uint64_t offset, struct header *header, struct error *err)
{
	static const uint8_t magic[] = {0x8e, 0xad, 0xe8, 0x01};
	uint8_t intro[INTRO];

	if (read_exactly(fd, "header", intro, sizeof(intro), offset, err) < 0)
		return -1;
	header->rows = be32(intro + 8);
	header->store = be32(intro + 12);
	if (memcmp(intro, magic, sizeof(magic)) != 0 || header->rows > ROWS_LIMIT ||
	    header->store > STORE_LIMIT)
		return error_set(err, "it is no RPM package: its header is broken");
	return 0;
}

static uint64_t header_size(const struct header *header)
{
	return INTRO + (uint64_t)header->rows * ROW + header->store;
}

/* The second of the two: the first holds signatures, and is padded to eight bytes. */
static int read_header(int fd, struct header *header, struct error *err)
{
	struct header signature = {0};
	uint64_t offset = LEAD;
	uint8_t lead[4];

	if (read_exactly(fd, "lead", lead, sizeof(lead), 0, err) < 0)
		return -1;
	if (be32(lead) != 0xedabeedb)
		return error_set(err, "it is no RPM package");
	if (read_intro(fd, offset, &signature, err) < 0)
		return -1;
	offset += (header_size(&signature) + 7) / 8 * 8;
	if (read_intro(fd, offset, header, err) < 0)
		return -1;
	header->data = calloc(1, header_size(header) + 1);
	if (!header->data)
		abort();
	return read_exactly(fd, "header", header->data, header_size(header) - INTRO, offset + INTRO,
			    err);
}

static bool find_row(const struct header *header, enum tag tag, enum type type, struct row *out)
{
	for (uint32_t i = 0; i < header->rows; i++) {
		const uint8_t *at = header->data + (size_t)i * ROW;

		*out = (struct row){be32(at), be32(at + 4), be32(at + 8), be32(at + 12)};
		if (out->tag == (uint32_t)tag && out->type == (uint32_t)type)
			return out->offset < header->store;
	}
	return false;
}

static const char *store_of(const struct header *header)
{
	return (const char *)header->data + (size_t)header->rows * ROW;
}

static char *get_string(const struct header *header, enum tag tag)
{
	struct row row;

	return find_row(header, tag, TYPE_STRING, &row) ? string_copy(store_of(header) + row.offset)
							: NULL;
}

enum { STRINGS_LIMIT = 16384 }; /* names of one kind; a large package has some hundred */

static void get_strings(const struct header *header, enum tag tag, struct strings *out)
{
	const char *end = store_of(header) + header->store, *at;
	struct row row;

	if (!find_row(header, tag, TYPE_STRINGS, &row))
		return;
	at = store_of(header) + row.offset;
	for (uint32_t i = 0; i < row.count && i < STRINGS_LIMIT && at < end; i++) {
		strings_add(out, at);
		at += strlen(at) + 1;
	}
}

static bool get_int32(const struct header *header, enum tag tag, uint32_t i, uint32_t *out)
{
	struct row row;

	if (!find_row(header, tag, TYPE_INT32, &row) || i >= row.count ||
	    row.offset + 4ULL * i + 4 > header->store)
		return false;
	*out = be32((const uint8_t *)store_of(header) + row.offset + 4 * (size_t)i);
	return true;
}

static uint64_t get_size(const struct header *header)
{
	uint32_t size = 0;
	uint64_t large;
	struct row row;

	if (find_row(header, TAG_LONGSIZE, TYPE_INT64, &row) &&
	    row.offset + 8ULL <= header->store) {
		memcpy(&large, store_of(header) + row.offset, sizeof(large));
		return be64toh(large);
	}
	get_int32(header, TAG_SIZE, 0, &size);
	return size;
}

static const char *sign_of(uint32_t flags)
{
	static const struct {
		uint32_t flags;
		const char *name;
	} signs[] = {
		{SENSE_LESS | SENSE_EQUAL, "<="},
		{SENSE_GREATER | SENSE_EQUAL, ">="},
		{SENSE_LESS, "<"},
		{SENSE_GREATER, ">"},
		{SENSE_EQUAL, "="},
	};

	for (size_t i = 0; i < array_length(signs); i++)
		if ((flags & signs[i].flags) == signs[i].flags)
			return signs[i].name;
	return NULL;
}

/* "name", "name >= 1.2". */
static void get_relations(const struct header *header, enum tag name, enum tag flags_tag,
			  enum tag version, struct strings *out)
{
	_cleanup_strings_ struct strings names = {0}, versions = {0};

	get_strings(header, name, &names);
	get_strings(header, version, &versions);
	for (size_t i = 0; i < names.count; i++) {
		uint32_t flags = 0;
		const char *sign;

		get_int32(header, flags_tag, (uint32_t)i, &flags);
		sign = sign_of(flags);
		if (flags & SENSE_RPMLIB)
			continue;
		if (sign && i < versions.count && *versions.item[i])
			strings_addf(out, "%s %s %s", names.item[i], sign, versions.item[i]);
		else
			strings_add(out, names.item[i]);
	}
}

static int take_names(const struct header *header, struct pack_entry *entry, struct error *err)
{
	_cleanup_free_ char *version = get_string(header, TAG_VERSION);
	_cleanup_free_ char *release = get_string(header, TAG_RELEASE);
	uint32_t epoch = 0;

	entry->package = get_string(header, TAG_NAME);
	entry->architecture = get_string(header, TAG_ARCH);
	if (!version || !release || !entry->package || !entry->architecture)
		return error_set(err, "it is no RPM package: it has no name, version, release and "
				      "architecture");
	if (get_int32(header, TAG_EPOCH, 0, &epoch))
		entry->version = string_format("%u:%s-%s", epoch, version, release);
	else
		entry->version = string_format("%s-%s", version, release);
	return 0;
}

int pack_rpm_describe(int fd, struct pack_entry *entry, struct error *err)
{
	_cleanup_(header_release) struct header header = {0};

	if (read_header(fd, &header, err) < 0 || take_names(&header, entry, err) < 0)
		return -1;
	entry->installed_size = get_size(&header);
	get_relations(&header, TAG_REQUIRENAME, TAG_REQUIREFLAGS, TAG_REQUIREVERSION,
		      &entry->depends);
	get_relations(&header, TAG_PROVIDENAME, TAG_PROVIDEFLAGS, TAG_PROVIDEVERSION,
		      &entry->provides);
	return 0;
}

int pack_rpm_walk(int fd, pack_visit visit, void *context, struct error *err)
{
	_cleanup_pack_archive_ struct pack_archive archive = {0};
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, errno, "read it from its start");
	if (pack_archive_open(&archive, PACK_ARCHIVE_CPIO, pack_archive_fd, &fd, err) < 0)
		return -1;
	while ((r = pack_archive_next(&archive, err)) > 0)
		if (visit(context, &archive, err) < 0)
			return -1;
	return r;
}
