// SPDX-License-Identifier: GPL-3.0-or-later
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapt/pack_build.h"
#include "base/file.h"
#include "base/scope.h"

enum { PIECE = 256 << 10 };

/* Where a pack is written to: begin() a file, put() its bytes. */
struct writer {
	const struct writer_ops *ops;
	const char *out;
	struct archive *archive;
	int fd;
	uint64_t done;
	struct strings written; /* paths: entries may share a file */
};

struct writer_ops {
	const char *suffix; /* "": a directory */
	int (*filter)(struct archive *archive);
	int (*open)(struct writer *writer, struct error *err);
	int (*begin)(struct writer *writer, const char *path, uint64_t size, struct error *err);
	int (*put)(struct writer *writer, const void *data, size_t length, struct error *err);
	int (*close)(struct writer *writer, struct error *err);
};

static int directory_open(struct writer *writer, struct error *err)
{
	if (mkdir(writer->out, 0755) < 0)
		return error_sys(err, errno, "make %s", writer->out);
	return 0;
}

static int make_directories(const char *path, size_t from, struct error *err)
{
	_cleanup_free_ char *copy = string_copy(path);

	for (char *slash = copy + from; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return error_sys(err, errno, "make %s", copy);
	}
	return 0;
}

static int directory_begin(struct writer *writer, const char *path, uint64_t size,
			   struct error *err)
{
	_cleanup_free_ char *full = string_format("%s/%s", writer->out, path);

	(void)size;
	if (make_directories(full, strlen(writer->out) + 1, err) < 0)
		return -1;
	if (writer->fd >= 0)
		close(writer->fd);
	writer->done = 0;
	writer->fd = open(full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return writer->fd < 0 ? error_sys(err, errno, "make %s", full) : 0;
}

static int directory_put(struct writer *writer, const void *data, size_t length, struct error *err)
{
	if (write_exactly(writer->fd, writer->out, data, length, writer->done, err) < 0)
		return -1;
	writer->done += length;
	return 0;
}

static int directory_close(struct writer *writer, struct error *err)
{
	(void)writer;
	(void)err;
	return 0;
}

static int complain(const struct writer *writer, struct error *err)
{
	const char *why = archive_error_string(writer->archive);

	return error_set(err, "write %s: %s", writer->out,
			 why ? why : "libarchive gives no reason");
}

static int archive_open(struct writer *writer, struct error *err)
{
	writer->archive = archive_write_new();
	if (!writer->archive)
		abort();
	writer->fd = open(writer->out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (writer->fd < 0)
		return error_sys(err, errno, "make %s", writer->out);
	archive_write_set_format_pax_restricted(writer->archive);
	if (writer->ops->filter(writer->archive) != ARCHIVE_OK ||
	    archive_write_open_fd(writer->archive, writer->fd) != ARCHIVE_OK)
		return complain(writer, err);
	return 0;
}

static int archive_begin(struct writer *writer, const char *path, uint64_t size, struct error *err)
{
	struct archive_entry *entry = archive_entry_new();
	int r;

	archive_entry_set_pathname(entry, path);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	r = archive_write_header(writer->archive, entry);
	archive_entry_free(entry);
	return r == ARCHIVE_OK ? 0 : complain(writer, err);
}

static int archive_put(struct writer *writer, const void *data, size_t length, struct error *err)
{
	return archive_write_data(writer->archive, data, length) == (la_ssize_t)length
		       ? 0
		       : complain(writer, err);
}

static int archive_close(struct writer *writer, struct error *err)
{
	return archive_write_close(writer->archive) == ARCHIVE_OK ? 0 : complain(writer, err);
}

#define ARCHIVE archive_open, archive_begin, archive_put, archive_close

static const struct writer_ops kinds[] = {
	{".tar", archive_write_add_filter_none, ARCHIVE},
	{".tar.gz", archive_write_add_filter_gzip, ARCHIVE},
	{".tar.xz", archive_write_add_filter_xz, ARCHIVE},
	{".tar.zst", archive_write_add_filter_zstd, ARCHIVE},
	{"", NULL, directory_open, directory_begin, directory_put, directory_close},
};

static void writer_release(struct writer *writer)
{
	archive_write_free(writer->archive);
	if (writer->fd >= 0)
		close(writer->fd);
	strings_release(&writer->written);
}

/* A file that grew or shrank since it was summed up makes a pack that nobody can use. */
static int write_file(struct writer *writer, const struct pack_file *file, const char *source,
		      struct error *err)
{
	_cleanup_close_ int fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *piece = malloc(PIECE);

	if (!piece)
		abort();
	if (fd < 0)
		return error_sys(err, errno, "open %s", source);
	if (writer->ops->begin(writer, file->path, file->size, err) < 0)
		return -1;
	for (uint64_t done = 0; done < file->size;) {
		size_t part =
			file->size - done < PIECE ? (size_t)(file->size - done) : (size_t)PIECE;

		if (read_exactly(fd, source, piece, part, done, err) < 0 ||
		    writer->ops->put(writer, piece, part, err) < 0)
			return -1;
		done += part;
	}
	return 0;
}

static int write_all(struct writer *writer, const struct pack_build *build, struct error *err)
{
	_cleanup_text_ struct text text = {0};
	size_t source = 0;

	if (pack_index_write(&build->index, &text, err) < 0 ||
	    writer->ops->begin(writer, PACK_INDEX_NAME, text.length, err) < 0 ||
	    writer->ops->put(writer, text_string(&text), text.length, err) < 0)
		return -1;
	for (size_t i = 0; i < build->index.count; i++) {
		const struct pack_entry *entry = &build->index.entry[i];

		for (size_t j = 0; j < entry->file_count; j++, source++) {
			if (strings_has(&writer->written, entry->file[j].path))
				continue;
			strings_add(&writer->written, entry->file[j].path);
			if (write_file(writer, &entry->file[j], build->sources.item[source], err) <
			    0)
				return -1;
		}
	}
	return writer->ops->close(writer, err);
}

int pack_build_write(const struct pack_build *build, const char *out, struct error *err)
{
	_cleanup_(writer_release) struct writer writer = {.ops = kinds, .out = out, .fd = -1};

	while (!has_suffix(out, writer.ops->suffix))
		writer.ops++;
	return writer.ops->open(&writer, err) < 0 ? -1 : write_all(&writer, build, err);
}
