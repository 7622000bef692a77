// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/tar_walk.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/scope.h"
#include "base/text.h"

#define BLOCK 512U
#define EXTENDED_LIMIT (64U << 10) /* bytes of a pax header or long name */
#define EXTENDED_MAX 16            /* such headers before one member */
#define MEMBERS_MAX 4096U

struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
	char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8];
	char prefix[155], pad[12];
};

static_assert(sizeof(struct tar_header) == BLOCK, "a header is a block");

/* What extended headers say about the member that follows; it goes before the header's own. */
struct extended {
	char *name; /* NULL: nothing */
	uint64_t size;
	bool has_size;
};

static void extended_release(struct extended *extended)
{
	free(extended->name);
}

static bool is_zero(const struct tar_header *header)
{
	const char *bytes = (const char *)header;

	return bytes[0] == 0 && memcmp(bytes, bytes + 1, BLOCK - 1) == 0;
}

/* Octal digits, or GNU's base 256 where the first bit is set. */
static int parse_number(const char *field, size_t length, uint64_t *out)
{
	const uint8_t *bytes = (const uint8_t *)field;
	bool is_binary = bytes[0] & 0x80;
	size_t i = is_binary ? 1 : strspn(field, " ");

	*out = 0;
	if (is_binary && bytes[0] != 0x80)
		return -1;
	for (; i < length && (is_binary || (bytes[i] != ' ' && bytes[i] != 0)); i++) {
		unsigned int digit = is_binary ? bytes[i] : bytes[i] - (unsigned int)'0';

		if (*out > INT64_MAX / 256 || (!is_binary && digit > 7))
			return -1;
		*out = is_binary ? *out * 256 + digit : *out * 8 + digit;
	}
	return 0;
}

static bool has_checksum(const struct tar_header *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	size_t first = offsetof(struct tar_header, checksum);
	size_t end = first + sizeof(header->checksum);
	uint64_t sum = 0, expected;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= first && i < end ? ' ' : bytes[i];
	return parse_number(header->checksum, sizeof(header->checksum), &expected) == 0 &&
	       sum == expected;
}

static int check_header(const struct tar_header *header, uint64_t at, uint64_t *size,
			struct error *err)
{
	if (memcmp(header->magic, "ustar", 5) != 0 || !has_checksum(header))
		return error_set(err,
				 "the archive is corrupt: what is at file offset %" PRIu64
				 " is not a tar header",
				 at);
	if (parse_number(header->size, sizeof(header->size), size) < 0)
		return error_set(err,
				 "the archive is corrupt: the member at file offset %" PRIu64
				 " has no valid size",
				 at);
	return 0;
}

/* Only POSIX has a prefix; GNU keeps other things there. Heap. */
static char *header_name(const struct tar_header *header)
{
	if (header->magic[5] == '\0' && header->prefix[0])
		return string_format("%.*s/%.*s", (int)sizeof(header->prefix), header->prefix,
				     (int)sizeof(header->name), header->name);
	return string_format("%.*s", (int)sizeof(header->name), header->name);
}

static int take_record(struct extended *extended, const char *key, const char *value,
		       struct error *err)
{
	char *end;

	if (has_prefix(key, "GNU.sparse."))
		return error_set(err, "the archive has sparse members, which are not supported: "
				      "make it with `tar --format=ustar`");
	if (string_equal(key, "path")) {
		free(extended->name);
		extended->name = string_copy(value);
	}
	if (string_equal(key, "size")) {
		extended->has_size = true;
		extended->size = strtoull(value, &end, 10);
		if (*value < '0' || *value > '9' || *end || extended->size > INT64_MAX)
			return error_set(err,
					 "the archive is corrupt: a member has the size '%.40s'",
					 value);
	}
	return 0;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts all of it. text is changed. */
static int parse_pax(struct extended *extended, struct text *text, struct error *err)
{
	size_t at = 0;

	while (at < text->length) {
		char *record = text->data + at, *key, *value;
		unsigned long length = strtoul(record, &key, 10);

		if (*record < '0' || *record > '9' || *key != ' ' ||
		    length <= (size_t)(key - record) + 1 || length > text->length - at ||
		    record[length - 1] != '\n')
			return error_set(err, "the archive is corrupt: a pax header in it is not "
					      "a list of records");
		record[length - 1] = '\0';
		key++;
		value = strchr(key, '=');
		at += length;
		if (!value)
			continue;
		*value++ = '\0';
		if (take_record(extended, key, value, err) < 0)
			return -1;
	}
	return 0;
}

static uint64_t padded(uint64_t length)
{
	return (length + BLOCK - 1) / BLOCK * BLOCK;
}

static int read_extended(struct tar_walk *walk, char type, uint64_t size, struct extended *extended,
			 struct error *err)
{
	const struct tar_member member = {.length = size, .offset = walk->cursor.offset};
	_cleanup_text_ struct text text = {0};

	if (tar_walk_read(walk, &member, EXTENDED_LIMIT, &text, err) < 0)
		return -1;
	if (image_cursor_skip(&walk->cursor, "padding", padded(size) - size, err) < 0)
		return -1;
	if (type == 'x')
		return parse_pax(extended, &text, err);
	if (type == 'L') {
		free(extended->name);
		extended->name = string_copy(text_string(&text));
	}
	return 0;
}

static bool is_extended(char type)
{
	return type == 'x' || type == 'g' || type == 'L';
}

/* Headers up to the one of a member, which is taken apart. 1, 0 at the end, -1. */
static int read_headers(struct tar_walk *walk, struct tar_header *header, uint64_t *size,
			struct extended *extended, struct error *err)
{
	for (int i = 0; i < EXTENDED_MAX; i++) {
		uint64_t at = walk->cursor.offset;

		if (image_cursor_read(&walk->cursor, "tar header", header, BLOCK, err) < 0)
			return -1;
		if (is_zero(header))
			return 0;
		if (check_header(header, at, size, err) < 0)
			return -1;
		if (!is_extended(header->type))
			return 1;
		if (read_extended(walk, header->type, *size, extended, err) < 0)
			return -1;
	}
	return error_set(err,
			 "the archive is corrupt: there is no member behind %d extended "
			 "headers at file offset %" PRIu64,
			 EXTENDED_MAX, walk->cursor.offset);
}

static int take_member(struct tar_walk *walk, const struct tar_header *header, uint64_t size,
		       struct extended *extended, struct tar_member *member, struct error *err)
{
	member->name = extended->name ? steal(&extended->name) : header_name(header);
	member->offset = walk->cursor.offset;
	member->length = extended->has_size ? extended->size : size;
	if (header->type != '0' && header->type != '\0')
		return error_set(err,
				 "the archive's member %.200s is not a regular file (its type is "
				 "%#x)",
				 member->name, (unsigned int)(uint8_t)header->type);
	if (++walk->members > MEMBERS_MAX)
		return error_set(err, "the archive has more than %u members", MEMBERS_MAX);
	if (member->length > INT64_MAX - member->offset - BLOCK)
		return error_set(err,
				 "the archive is corrupt: its member %.200s has a size of %" PRIu64
				 " bytes",
				 member->name, member->length);
	walk->next_header = member->offset + padded(member->length);
	return 1;
}

int tar_walk_next(struct tar_walk *walk, struct tar_member *member, struct error *err)
{
	_cleanup_(extended_release) struct extended extended = {0};
	struct tar_header header;
	uint64_t size;
	int r;

	tar_member_release(member);
	/* Others read members from the same stream. */
	if (!walk->cursor.file->is_seekable)
		walk->cursor.offset = walk->cursor.file->position;
	if (image_cursor_skip(&walk->cursor, "member", walk->next_header - walk->cursor.offset,
			      err) < 0)
		return -1;
	r = read_headers(walk, &header, &size, &extended, err);
	return r > 0 ? take_member(walk, &header, size, &extended, member, err) : r;
}

int tar_walk_read(struct tar_walk *walk, const struct tar_member *member, size_t limit,
		  struct text *text, struct error *err)
{
	if (member->length > limit)
		return error_set(err,
				 "%.200s at file offset %" PRIu64 " has %" PRIu64
				 " bytes, at most %zu are possible",
				 member->name ? member->name : "the archive's extended header",
				 member->offset, member->length, limit);
	if (image_cursor_read(&walk->cursor, "member", text_reserve(text, (size_t)member->length),
			      (size_t)member->length, err) < 0)
		return -1;
	text->length += (size_t)member->length;
	text->data[text->length] = '\0';
	return 0;
}

void tar_member_release(struct tar_member *member)
{
	free(member->name);
	*member = (struct tar_member){0};
}

static bool ends_with(const char *name, size_t length, const char *suffix)
{
	size_t suffix_length = strlen(suffix);

	return length >= suffix_length &&
	       strncasecmp(name + length - suffix_length, suffix, suffix_length) == 0;
}

/* The name in a pax header is not looked at: it is there for names that do not fit, and those of
 * what is looked for do. */
bool tar_begins_with(const uint8_t *head, size_t length, const char *suffix)
{
	struct tar_header header;
	uint64_t size;

	for (size_t at = 0; length >= BLOCK && at <= length - BLOCK; at += BLOCK + padded(size)) {
		memcpy(&header, head + at, BLOCK);
		if (check_header(&header, at, &size, NULL) < 0 || size > length)
			return false;
		if (!is_extended(header.type))
			return ends_with(header.name, strnlen(header.name, sizeof(header.name)),
					 suffix);
	}
	return false;
}
