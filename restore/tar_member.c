// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/tar_member.h"

#include <archive.h>
#include <archive_entry.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"

enum {
	INPUT = 256 << 10,
	HEADER_LIMIT = 2 << 20,
	MEMBERS_LIMIT = 1000,
	TAIL_LIMIT = 16 << 20, /* tar pads to records of 10 KiB, tapes to a MiB */
};

struct tar_member {
	struct archive *archive;
	tar_reader *reader;
	void *context;
	uint8_t *input;
	uint64_t budget; /* bytes of the archive that may still be read for a header */
	struct error input_error;
	char *name;
	uint64_t size, position;
	/* What libarchive has given, and was not given on. */
	const uint8_t *block;
	size_t block_length;
	uint64_t block_offset;
};

bool tar_is_begin(const uint8_t *head, size_t length)
{
	return length >= 512 && memcmp(head + 257, "ustar", 5) == 0;
}

static la_ssize_t give_input(struct archive *archive, void *context, const void **out)
{
	struct tar_member *member = context;
	size_t got;

	*out = member->input;
	if (member->reader(member->context, member->input, INPUT, &got, &member->input_error) < 0) {
		archive_set_error(archive, EIO, "the archive cannot be read");
		return -1;
	}
	if (got > member->budget) {
		error_set(&member->input_error,
			  "tar archive: it has more headers than a disk image needs");
		archive_set_error(archive, EFBIG, "header");
		return -1;
	}
	member->budget -= got;
	return (la_ssize_t)got;
}

static int complain(struct tar_member *member, struct error *err)
{
	const char *why = archive_error_string(member->archive);

	if (member->input_error.text) {
		error_move(err, &member->input_error);
		return -1;
	}
	return error_set(err, "tar archive: %s", why ? why : "it is damaged");
}

/* Names are printed. */
static char *name_of(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);
	char *copy = string_copy(name ? name : "?");

	for (char *c = copy; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return copy;
}

/* 1: entry is a regular file; 0: there is none any more. */
static int find_file(struct tar_member *member, struct archive_entry **entry, struct error *err)
{
	for (int i = 0; i < MEMBERS_LIMIT; i++) {
		int r;

		member->budget = INPUT + HEADER_LIMIT;
		r = archive_read_next_header(member->archive, entry);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return complain(member, err);
		if (archive_entry_filetype(*entry) == AE_IFREG && !archive_entry_hardlink(*entry))
			return 1;
	}
	return error_set(err, "tar archive: it has more than %d directories and links",
			 MEMBERS_LIMIT);
}

static int open_archive(struct tar_member *member, struct error *err)
{
	member->archive = archive_read_new();
	member->input = malloc(INPUT);
	if (!member->archive || !member->input)
		return error_sys(err, ENOMEM, "read a tar archive");
	member->budget = INPUT + HEADER_LIMIT;
	if (archive_read_support_format_tar(member->archive) != ARCHIVE_OK ||
	    archive_read_open(member->archive, member, NULL, give_input, NULL) != ARCHIVE_OK)
		return complain(member, err);
	return 0;
}

static void close_p(struct tar_member **member)
{
	tar_member_close(*member);
}

int tar_member_open(tar_reader *reader, void *context, struct tar_member **out, struct error *err)
{
	_cleanup_(close_p) struct tar_member *member = calloc(1, sizeof(*member));
	struct archive_entry *entry;
	int r;

	if (!member)
		abort();
	member->reader = reader;
	member->context = context;
	if (open_archive(member, err) < 0)
		return -1;
	r = find_file(member, &entry, err);
	if (r < 0)
		return -1;
	if (r == 0)
		return error_set(err, "tar archive: there is no file in it");
	if (archive_entry_size(entry) <= 0)
		return error_set(err, "tar archive: the file in it is empty");
	member->name = name_of(entry);
	member->size = (uint64_t)archive_entry_size(entry);
	member->budget = UINT64_MAX;
	*out = steal(&member);
	return 0;
}

const char *tar_member_name(const struct tar_member *member)
{
	return member->name;
}

uint64_t tar_member_size(const struct tar_member *member)
{
	return member->size;
}

/* Padding, and whatever makes the compressed file around the archive complete. */
static int read_tail(struct tar_member *member, struct error *err)
{
	size_t got = 1;

	for (uint64_t sum = 0; got > 0; sum += got) {
		if (sum > TAIL_LIMIT)
			return error_set(err, "tar archive: more than %d MiB follow its end",
					 TAIL_LIMIT >> 20);
		if (member->reader(member->context, member->input, INPUT, &got, err) < 0)
			return -1;
	}
	return 0;
}

static int end(struct tar_member *member, struct error *err)
{
	_cleanup_free_ char *name = NULL;
	struct archive_entry *entry;
	int r = find_file(member, &entry, err);

	if (r < 0)
		return -1;
	if (r == 0)
		return read_tail(member, err);
	name = name_of(entry);
	return error_set(err,
			 "tar archive: there are several files in it (%s, %s): which of them is "
			 "the image? Unpack it, or make an archive of the image alone",
			 member->name, name);
}

/* 1: there is a block; 0: the end. A block may be empty; its offset counts all the same. */
static int take_block(struct tar_member *member, struct error *err)
{
	const void *block;
	la_int64_t offset;
	int r = archive_read_data_block(member->archive, &block, &member->block_length, &offset);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		return complain(member, err);
	member->block = block;
	member->block_offset = (uint64_t)offset;
	if (offset < 0 || member->block_offset < member->position ||
	    member->block_offset > member->size ||
	    member->block_length > member->size - member->block_offset)
		return error_set(err, "tar archive: the map of holes of %s contradicts itself",
				 member->name);
	return 1;
}

static void give_hole(struct tar_member *member, uint64_t until, struct extent *out)
{
	*out = (struct extent){.length = until - member->position, .kind = EXTENT_ZERO};
	member->position = until;
}

static void give_block(struct tar_member *member, void *data, size_t capacity, struct extent *out)
{
	size_t length = member->block_length < capacity ? member->block_length : capacity;

	memcpy(data, member->block, length);
	member->block += length;
	member->block_length -= length;
	member->block_offset += length;
	member->position += length;
	*out = (struct extent){.length = length, .kind = EXTENT_DATA};
}

int tar_member_next(struct tar_member *member, void *data, size_t capacity, struct extent *out,
		    struct error *err)
{
	int r = 1;

	while (member->block_length == 0 && r > 0 && member->block_offset <= member->position) {
		r = take_block(member, err);
		if (r < 0)
			return -1;
	}
	if (r > 0 && member->block_offset > member->position)
		give_hole(member, member->block_offset, out);
	else if (r > 0)
		give_block(member, data, capacity, out);
	else if (member->position < member->size)
		give_hole(member, member->size, out);
	else {
		*out = (struct extent){0};
		return end(member, err);
	}
	return 0;
}

void tar_member_close(struct tar_member *member)
{
	if (!member)
		return;
	archive_read_free(member->archive);
	error_release(&member->input_error);
	free(member->input);
	free(member->name);
	free(member);
}
