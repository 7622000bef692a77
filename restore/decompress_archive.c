// SPDX-License-Identifier: GPL-3.0-or-later
/* bzip2 and lz4, by libarchive. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "restore/decompress_kinds.h"

enum { INPUT = 64 << 10 };

struct filter {
	struct archive *archive;
	uint8_t *input;           /* libarchive's until it asks for more */
	uint64_t given;           /* bytes of the file that libarchive was given */
	struct error input_error; /* of reading the file */
};

/* What is there, and then the rest of the file. */
static la_ssize_t give_input(struct archive *archive, void *context, const void **out)
{
	struct decompressor *d = context;
	struct filter *filter = d->state;
	size_t left;

	if (decompressor_left(d) == 0 && !d->input_has_ended &&
	    decompressor_refill(d, &filter->input_error) < 0) {
		archive_set_error(archive, EIO, "the file cannot be read");
		return -1;
	}
	left = decompressor_left(d) < INPUT ? decompressor_left(d) : INPUT;
	memcpy(filter->input, d->input + d->at, left);
	d->at += left;
	filter->given += left;
	*out = filter->input;
	return (la_ssize_t)left;
}

static int complain(const struct decompressor *d, struct error *err)
{
	struct filter *filter = d->state;
	const char *why = archive_error_string(filter->archive);

	if (filter->input_error.text) {
		error_move(err, &filter->input_error);
		return -1;
	}
	if (d->input_has_ended)
		return error_set(err, "it ends in the middle: the file is truncated");
	return error_set(err, "it is corrupt (%s)", why ? why : "no reason given");
}

static int filter_open(struct decompressor *d, int code, struct error *err)
{
	struct filter *filter = calloc(1, sizeof(*filter));
	struct archive_entry *entry;

	d->state = filter;
	if (!filter)
		return error_sys(err, ENOMEM, "libarchive");
	filter->archive = archive_read_new();
	filter->input = malloc(INPUT);
	if (!filter->archive || !filter->input)
		return error_sys(err, ENOMEM, "libarchive");
	/* Named, not found: a compressed file in a compressed file is not looked for. */
	if (archive_read_support_format_raw(filter->archive) != ARCHIVE_OK ||
	    archive_read_append_filter(filter->archive, code) != ARCHIVE_OK ||
	    archive_read_open(filter->archive, d, NULL, give_input, NULL) != ARCHIVE_OK)
		return complain(d, err);
	if (archive_read_next_header(filter->archive, &entry) == ARCHIVE_OK)
		return 0;
	/* libarchive only says that it found no archive. */
	if (filter->input_error.text || d->input_has_ended)
		return complain(d, err);
	return error_set(err, "it is corrupt from its beginning on");
}

static int bzip2_open(struct decompressor *d, struct error *err)
{
	return filter_open(d, ARCHIVE_FILTER_BZIP2, err);
}

static int lz4_open(struct decompressor *d, struct error *err)
{
	return filter_open(d, ARCHIVE_FILTER_LZ4, err);
}

static void filter_close(struct decompressor *d)
{
	struct filter *filter = d->state;

	if (!filter)
		return;
	archive_read_free(filter->archive);
	error_release(&filter->input_error);
	free(filter->input);
	free(filter);
}

/* libarchive takes a damaged member for the end of the content, silently. */
static int check_end(struct decompressor *d, struct filter *filter, struct error *err)
{
	uint64_t taken = (uint64_t)archive_filter_bytes(filter->archive, -1);

	if (taken == filter->given && decompressor_left(d) == 0 && !d->input_has_ended &&
	    decompressor_refill(d, err) < 0)
		return -1;
	if (taken != filter->given || decompressor_left(d) > 0)
		return error_set(err,
				 "what follows its byte %llu is not %s: the file is damaged, or "
				 "something was appended to it",
				 (unsigned long long)taken, d->kind);
	d->has_ended = true;
	return 0;
}

static int filter_step(struct decompressor *d, void *data, size_t capacity, size_t *got,
		       struct error *err)
{
	struct filter *filter = d->state;
	la_ssize_t n = archive_read_data(filter->archive, data, capacity);

	if (n < 0)
		return complain(d, err);
	*got = (size_t)n;
	return n == 0 ? check_end(d, filter, err) : 0;
}

const struct decompress_ops decompress_bzip2_ops = {
	.open = bzip2_open,
	.step = filter_step,
	.close = filter_close,
};

const struct decompress_ops decompress_lz4_ops = {
	.open = lz4_open,
	.step = filter_step,
	.close = filter_close,
};
