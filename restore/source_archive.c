// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A raw disk in a compressed file, in a tar archive, or in a tar archive that is compressed: a
 * stream. What is in there must be the disk itself; the other formats are read at many places,
 * which a compressed file does not allow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "restore/decompress.h"
#include "restore/source_foreign.h"
#include "restore/stream_head.h"
#include "restore/tar_member.h"

enum { TAR_BLOCK = 512 };

struct archive_state {
	struct image_file *file;           /* borrowed */
	struct decompressor *decompressor; /* NULL: the file is not compressed */
	struct tar_member *member;         /* NULL: the content is the disk */
	/* The first bytes of the content, which tell what it is. */
	uint8_t first[TAR_BLOCK];
	size_t first_length, first_given;
	struct stream_head head;
};

static bool archive_probe(const uint8_t *head, size_t length)
{
	return decompress_kind(head, length) || tar_is_begin(head, length);
}

static int read_content(struct archive_state *state, void *data, size_t capacity, size_t *got,
			struct error *err)
{
	if (state->decompressor)
		return decompressor_read(state->decompressor, data, capacity, got, err);
	return image_file_next(state->file, data, capacity, got, err);
}

/* read_content(), with the first bytes again. A tar_reader. */
static int read_all(void *context, void *data, size_t capacity, size_t *got, struct error *err)
{
	struct archive_state *state = context;

	if (state->first_given == state->first_length)
		return read_content(state, data, capacity, got, err);
	*got = state->first_length - state->first_given;
	if (*got > capacity)
		*got = capacity;
	memcpy(data, state->first + state->first_given, *got);
	state->first_given += *got;
	return 0;
}

static int read_first(struct archive_state *state, struct error *err)
{
	for (size_t got = 1; got > 0 && state->first_length < TAR_BLOCK; state->first_length += got)
		if (read_content(state, state->first + state->first_length,
				 TAR_BLOCK - state->first_length, &got, err) < 0)
			return -1;
	return 0;
}

static int take(struct source *source, void *data, size_t capacity, struct extent *out,
		struct error *err)
{
	struct archive_state *state = source->state;
	size_t got;

	if (state->member)
		return tar_member_next(state->member, data, capacity, out, err);
	if (read_all(state, data, capacity, &got, err) < 0)
		return -1;
	*out = (struct extent){.length = got, .kind = EXTENT_DATA};
	return 0;
}

static int open_decompressor(struct archive_state *state, struct error *err)
{
	uint8_t head[TAR_BLOCK];
	const char *kind;
	size_t length;

	if (image_file_peek(state->file, head, sizeof(head), &length, err) < 0)
		return -1;
	kind = decompress_kind(head, length);
	if (kind)
		return decompressor_open(state->file, kind, &state->decompressor, err);
	if (!tar_is_begin(head, length))
		return error_set(err, "this is neither a compressed file nor a tar archive");
	return 0;
}

/* The disk must be in there as it is. */
static int check_content(const struct archive_state *state, struct error *err)
{
	const uint8_t *head = state->head.data;
	size_t length = state->head.length;
	const struct source_ops *ops = source_format_of(head, length < 4096 ? length : 4096);
	const char *format = ops == &source_raw_ops ? NULL : ops->name;

	if (!format && source_foreign_find(head, length, NULL, 0, &format, err) < 0)
		return -1;
	if (!format)
		return 0;
	return error_set(err,
			 "in it is not a disk but an image or archive of the format %s, which "
			 "cannot be read in there: unpack it first",
			 format);
}

static int archive_open(struct source *source, const struct source_options *options,
			struct error *err)
{
	struct archive_state *state = calloc(1, sizeof(*state));

	(void)options;
	if (!state)
		return error_sys(err, ENOMEM, "read an archive");
	source->state = state;
	state->file = source->file;
	if (open_decompressor(state, err) < 0 || read_first(state, err) < 0)
		return -1;
	if (tar_is_begin(state->first, state->first_length)) {
		if (tar_member_open(read_all, state, &state->member, err) < 0)
			return -1;
		source->size = tar_member_size(state->member);
	}
	if (stream_head_open(&state->head, source, take, err) < 0)
		return -1;
	return check_content(state, err);
}

static void archive_close(struct source *source)
{
	struct archive_state *state = source->state;

	if (!state)
		return;
	tar_member_close(state->member);
	decompressor_close(state->decompressor);
	stream_head_release(&state->head);
	free(state);
}

static int archive_read(struct source *source, void *data, size_t length, uint64_t offset,
			struct error *err)
{
	const struct archive_state *state = source->state;

	(void)err;
	stream_head_read(&state->head, data, length, offset);
	return 0;
}

static int archive_next(struct source *source, void *data, size_t capacity, struct extent *out,
			struct error *err)
{
	struct archive_state *state = source->state;

	return stream_head_next(&state->head, source, data, capacity, out, err);
}

static void archive_describe(const struct source *source, json_object *out)
{
	const struct archive_state *state = source->state;

	if (state->decompressor)
		json_object_object_add(
			out, "compression",
			json_object_new_string(decompressor_kind(state->decompressor)));
	if (state->member)
		json_object_object_add(out, "member",
				       json_object_new_string(tar_member_name(state->member)));
}

const struct source_ops source_archive_ops = {
	.name = "archive",
	.takes_streams = true,
	.probe = archive_probe,
	.open = archive_open,
	.close = archive_close,
	.read = archive_read,
	.next = archive_next,
	.describe = archive_describe,
};
