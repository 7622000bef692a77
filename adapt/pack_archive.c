// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_archive.h"

#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

enum { INPUT = 64 << 10 };

int pack_archive_fd(void *context, void *data, size_t capacity, size_t *got, struct error *err)
{
	const int *fd = context;
	ssize_t n;

	do
		n = read(*fd, data, capacity);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_sys(err, errno, "read it");
	*got = (size_t)n;
	return 0;
}

static la_ssize_t give_input(struct archive *handle, void *context, const void **out)
{
	struct pack_archive *archive = context;
	size_t got = 0;

	if (archive->source(archive->context, archive->buffer, INPUT, &got,
			    &archive->source_error) < 0) {
		archive_set_error(handle, EIO, "it cannot be read");
		return -1;
	}
	*out = archive->buffer;
	return (la_ssize_t)got;
}

static int complain(struct pack_archive *archive, struct error *err)
{
	const char *why = archive_error_string(archive->archive);

	if (archive->source_error.text) {
		error_move(err, &archive->source_error);
		return -1;
	}
	return error_set(err, "the archive cannot be read: %s", why ? why : "it is damaged");
}

static int support(struct archive *archive, enum pack_archive_format format)
{
	static int (*const formats[])(struct archive *) = {
		archive_read_support_format_tar,
		archive_read_support_format_ar,
		archive_read_support_format_cpio,
		archive_read_support_format_raw,
	};

	/* No filter that libarchive would start a program for. */
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_bzip2(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_lzma(archive);
	archive_read_support_filter_zstd(archive);
	archive_read_support_filter_lz4(archive);
	if (format == PACK_ARCHIVE_CPIO)
		archive_read_support_filter_rpm(archive);
	return formats[format](archive);
}

int pack_archive_open(struct pack_archive *archive, enum pack_archive_format format,
		      pack_archive_source source, void *context, struct error *err)
{
	archive->source = source;
	archive->context = context;
	archive->archive = archive_read_new();
	archive->buffer = malloc(INPUT);
	if (!archive->archive || !archive->buffer)
		abort();
	if (support(archive->archive, format) != ARCHIVE_OK ||
	    archive_read_open(archive->archive, archive, NULL, give_input, NULL) != ARCHIVE_OK)
		return complain(archive, err);
	return 0;
}

static void take_name(struct pack_archive *archive, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);

	if (!name)
		name = "";
	while (has_prefix(name, "./") || *name == '/')
		name += *name == '/' ? 1 : 2;
	free(archive->name);
	archive->name = string_copy(name);
}

int pack_archive_next(struct pack_archive *archive, struct error *err)
{
	struct archive_entry *entry;
	int r;

	for (;;) {
		r = archive_read_next_header(archive->archive, &entry);
		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return complain(archive, err);
		if (++archive->entries > PACK_ARCHIVE_ENTRIES)
			return error_set(err, "the archive has more than %d entries",
					 PACK_ARCHIVE_ENTRIES);
		archive->size =
			archive_entry_size_is_set(entry) ? (uint64_t)archive_entry_size(entry) : 0;
		archive->done = 0;
		archive->unpacked += archive->size;
		if (archive->size > PACK_ARCHIVE_BYTES || archive->unpacked > PACK_ARCHIVE_BYTES)
			return error_set(err, "the archive unpacks to more than %llu GiB",
					 PACK_ARCHIVE_BYTES >> 30);
		if (archive_entry_filetype(entry) != S_IFREG || archive_entry_hardlink(entry))
			continue;
		take_name(archive, entry);
		return 1;
	}
}

int pack_archive_read(struct pack_archive *archive, void *data, size_t capacity, size_t *got,
		      struct error *err)
{
	la_ssize_t n = archive_read_data(archive->archive, data, capacity);

	if (n < 0)
		return complain(archive, err);
	*got = (size_t)n;
	archive->done += (uint64_t)n;
	/* A sparse member, and a compressed file, can be larger than they say. */
	if (archive->done > PACK_ARCHIVE_BYTES)
		return error_set(err, "the archive unpacks to more than %llu GiB",
				 PACK_ARCHIVE_BYTES >> 30);
	return 0;
}

int pack_archive_text(struct pack_archive *archive, size_t limit, struct text *out,
		      struct error *err)
{
	size_t got = 0;

	for (size_t total = 0;; total += got) {
		char *at = text_reserve(out, INPUT);

		if (pack_archive_read(archive, at, INPUT, &got, err) < 0)
			return -1;
		if (got > limit - total)
			return error_set(err, "%s is larger than %zu bytes", archive->name, limit);
		out->length += got;
		out->data[out->length] = '\0';
		if (got == 0)
			return 0;
	}
}

void pack_archive_release(struct pack_archive *archive)
{
	archive_read_free(archive->archive);
	error_release(&archive->source_error);
	free(archive->buffer);
	free(archive->name);
	*archive = (struct pack_archive){0};
}
