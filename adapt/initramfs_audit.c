// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/initramfs_audit.h"

#include <archive.h>
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

enum {
	HEADER = 110, /* newc: six bytes of magic, then thirteen numbers of eight hex digits */
	BLOCK = 65536,
};

/*
 * Bytes of the image, or of its compressed part. libarchive decompresses; the cpio entries are
 * walked here, because its reader ends with the first of several archives and does not tell where.
 */
struct stream {
	int fd;
	const char *name;
	struct archive *archive; /* NULL: the file as it is */
	uint64_t offset;         /* of what is handed out next */
	size_t start, end;       /* what buffer holds and was not handed out yet */
	char buffer[BLOCK];
};

struct entry {
	uint32_t mode, links, size, name_size;
	char name[PATH_MAX];
};

struct listing {
	struct initramfs_content *content;
	size_t entries, bytes;
};

/* Where tools keep in the image what it is told about the root, besides the command line. */
static const char *const settings[] = {
	"cryptroot/crypttab", "etc/crypttab", "conf/initramfs.conf",
	"conf/conf.d/*",      "etc/cmdline",  "etc/cmdline.d/*.conf",
};

/* 1 with something in the buffer, 0 at the end. */
static int fill(struct stream *stream, struct error *err)
{
	ssize_t n;

	stream->start = stream->end = 0;
	if (stream->offset > INITRAMFS_SIZE_LIMIT)
		return error_set(err, "%s holds more than %llu bytes", stream->name,
				 INITRAMFS_SIZE_LIMIT);
	if (stream->archive) {
		n = archive_read_data(stream->archive, stream->buffer, BLOCK);
		if (n < 0)
			return error_set(err, "decompress %s: %s", stream->name,
					 archive_error_string(stream->archive));
	} else {
		do
			n = pread(stream->fd, stream->buffer, BLOCK, (off_t)stream->offset);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return error_sys(err, errno, "read %s at offset %llu", stream->name,
					 (unsigned long long)stream->offset);
	}
	stream->end = (size_t)n;
	return n > 0;
}

/* Hands out up to length bytes (to nobody when data is NULL); fewer at the end of the stream. */
static int64_t take(struct stream *stream, char *data, uint64_t length, struct error *err)
{
	uint64_t done = 0;

	while (done < length) {
		size_t part = stream->end - stream->start;

		if (part == 0) {
			int r = fill(stream, err);

			if (r < 0)
				return -1;
			if (r == 0)
				break;
			continue;
		}
		if (part > length - done)
			part = (size_t)(length - done);
		if (data)
			memcpy(data + done, stream->buffer + stream->start, part);
		stream->start += part;
		stream->offset += part;
		done += part;
	}
	return (int64_t)done;
}

static int complain_end(const struct stream *stream, struct error *err)
{
	return error_set(err, "%s ends in the middle, after %llu bytes%s", stream->name,
			 (unsigned long long)stream->offset,
			 stream->archive ? " of uncompressed content" : "");
}

static int skip(struct stream *stream, uint64_t length, struct error *err)
{
	int64_t n = take(stream, NULL, length, err);

	if (n < 0)
		return -1;
	return (uint64_t)n < length ? complain_end(stream, err) : 0;
}

static uint64_t padding(uint64_t length)
{
	return (4 - length % 4) % 4;
}

static int parse_number(const char *digits, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < 8; i++) {
		char c = digits[i];

		if (!isxdigit((unsigned char)c))
			return -1;
		*value = *value << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return 0;
}

static bool is_cpio(const char *magic)
{
	return memcmp(magic, "070701", 6) == 0 || memcmp(magic, "070702", 6) == 0;
}

/* header is read already; the name follows it. */
static int read_entry(struct stream *stream, const char header[HEADER], struct entry *entry,
		      struct error *err)
{
	int64_t n;

	if (parse_number(header + 14, &entry->mode) < 0 ||
	    parse_number(header + 38, &entry->links) < 0 ||
	    parse_number(header + 54, &entry->size) < 0 ||
	    parse_number(header + 94, &entry->name_size) < 0 || entry->name_size == 0 ||
	    entry->name_size > sizeof(entry->name))
		return error_set(err, "%s holds a broken cpio header at offset %llu", stream->name,
				 (unsigned long long)(stream->offset - HEADER));
	n = take(stream, entry->name, entry->name_size, err);
	if (n < 0)
		return -1;
	if (n < entry->name_size)
		return complain_end(stream, err);
	entry->name[entry->name_size - 1] = '\0';
	return skip(stream, padding(HEADER + entry->name_size), err);
}

static const char *relative_name(const struct entry *entry)
{
	const char *name = entry->name;

	while (has_prefix(name, "./") || *name == '/')
		name += *name == '/' ? 1 : 2;
	return name;
}

static int add_entry(const struct stream *stream, const struct entry *entry,
		     struct listing *listing, struct error *err)
{
	const char *name = relative_name(entry);

	listing->bytes += strlen(name) + 1;
	if (++listing->entries > INITRAMFS_ENTRIES_LIMIT || listing->bytes > INITRAMFS_NAMES_LIMIT)
		return error_set(err, "%s holds more files than any initramfs should",
				 stream->name);
	/* Of hard links, the last one carries the content. */
	if (!S_ISREG(entry->mode) || entry->size > 0 || entry->links > 1)
		strings_add(&listing->content->names, name);
	return 0;
}

static bool is_setting(const struct entry *entry, const struct listing *listing)
{
	if (!S_ISREG(entry->mode) || entry->size == 0 || entry->size > INITRAMFS_TEXT_LIMIT ||
	    listing->content->settings.count >= INITRAMFS_TEXTS_LIMIT)
		return false;
	for (size_t i = 0; i < array_length(settings); i++)
		if (fnmatch(settings[i], relative_name(entry), FNM_PATHNAME) == 0)
			return true;
	return false;
}

/* Passes over the content of an entry, and keeps that of a settings file. */
static int read_content(struct stream *stream, const struct entry *entry, struct listing *listing,
			struct error *err)
{
	_cleanup_free_ char *data = NULL;
	int64_t n;

	if (!is_setting(entry, listing))
		return skip(stream, entry->size, err);
	data = calloc(1, entry->size + 1);
	if (!data)
		abort();
	n = take(stream, data, entry->size, err);
	if (n < 0)
		return -1;
	if (n < entry->size)
		return complain_end(stream, err);
	strings_add(&listing->content->settings, relative_name(entry));
	strings_add(&listing->content->texts, data);
	return 0;
}

/* The entries up to the archive's trailer, whose header is read already. */
static int walk_archive(struct stream *stream, char header[HEADER], struct listing *listing,
			struct error *err)
{
	struct entry entry;

	for (;;) {
		int64_t n;

		if (!is_cpio(header))
			return error_set(err, "%s holds no cpio entry at offset %llu", stream->name,
					 (unsigned long long)(stream->offset - HEADER));
		if (read_entry(stream, header, &entry, err) < 0)
			return -1;
		if (strcmp(entry.name, "TRAILER!!!") == 0)
			return 0;
		if (add_entry(stream, &entry, listing, err) < 0 ||
		    read_content(stream, &entry, listing, err) < 0 ||
		    skip(stream, padding(entry.size), err) < 0)
			return -1;
		n = take(stream, header, HEADER, err);
		if (n < 0)
			return -1;
		if (n < HEADER)
			return complain_end(stream, err);
	}
}

/* Skips the zeroes between archives. 1: header holds what follows; 0: nothing does. */
static int next_archive(struct stream *stream, char header[HEADER], struct error *err)
{
	static const char zeroes[4];
	int64_t n;

	do {
		n = take(stream, header, 4, err);
		if (n < 0)
			return -1;
		if (n < 4)
			return 0;
	} while (memcmp(header, zeroes, 4) == 0);
	n = take(stream, header + 4, HEADER - 4, err);
	if (n < 0)
		return -1;
	if (n < HEADER - 4)
		return complain_end(stream, err);
	return 1;
}

/* All archives of the stream. 1 when something else than cpio follows one of them, at *where. */
static int walk(struct stream *stream, struct listing *listing, uint64_t *where, struct error *err)
{
	char header[HEADER];
	int r;

	while ((r = next_archive(stream, header, err)) > 0) {
		*where = stream->offset - HEADER;
		if (!is_cpio(header))
			return 1;
		if (walk_archive(stream, header, listing, err) < 0)
			return -1;
	}
	return r;
}

static void release_archive(struct archive **archive)
{
	archive_read_free(*archive);
}
#define _cleanup_archive_ __attribute__((cleanup(release_archive)))

/* No filter that libarchive would start a program for. */
static struct archive *new_archive(void)
{
	struct archive *archive = archive_read_new();

	if (!archive)
		abort();
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_bzip2(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_lzma(archive);
	archive_read_support_filter_zstd(archive);
	archive_read_support_filter_lz4(archive);
	archive_read_support_format_raw(archive);
	return archive;
}

static int walk_compressed(int fd, const char *name, uint64_t where, struct listing *listing,
			   struct error *err)
{
	_cleanup_archive_ struct archive *archive = new_archive();
	_cleanup_free_ struct stream *stream = calloc(1, sizeof(*stream));
	struct archive_entry *entry;
	int r;

	if (!stream)
		abort();
	if (lseek(fd, (off_t)where, SEEK_SET) < 0)
		return error_sys(err, errno, "read %s", name);
	if (archive_read_open_fd(archive, fd, BLOCK) != ARCHIVE_OK ||
	    archive_read_next_header(archive, &entry) != ARCHIVE_OK)
		return error_set(err, "decompress %s: %s", name, archive_error_string(archive));
	if (archive_filter_code(archive, 0) == ARCHIVE_FILTER_NONE)
		return error_set(err,
				 "%s holds neither cpio nor a known compression at offset "
				 "%llu",
				 name, (unsigned long long)where);
	*stream = (struct stream){.fd = -1, .name = name, .archive = archive};
	r = walk(stream, listing, &where, err);
	if (r > 0)
		return error_set(err, "%s holds no cpio entry at offset %llu of its content", name,
				 (unsigned long long)where);
	return r;
}

int initramfs_read(int fd, const char *name, struct initramfs_content *out, struct error *err)
{
	_cleanup_free_ struct stream *stream = calloc(1, sizeof(*stream));
	struct listing listing = {.content = out};
	uint64_t where = 0;
	int r;

	if (!stream)
		abort();
	*stream = (struct stream){.fd = fd, .name = name};
	r = walk(stream, &listing, &where, err);
	if (r > 0)
		r = walk_compressed(fd, name, where, &listing, err);
	if (r == 0 && listing.entries == 0)
		return error_set(err, "%s holds no file", name);
	return r;
}

void initramfs_content_release(struct initramfs_content *content)
{
	strings_release(&content->names);
	strings_release(&content->settings);
	strings_release(&content->texts);
}

/* kernel/drivers/ata/ahci.ko.xz becomes kernel/drivers/ata/ahci.ko. */
static char *plain_name(const char *name)
{
	static const char *const suffixes[] = {".xz", ".zst", ".gz"};

	for (size_t i = 0; i < array_length(suffixes); i++)
		if (has_suffix(name, suffixes[i]))
			return string_format("%.*s", (int)(strlen(name) - strlen(suffixes[i])),
					     name);
	return string_copy(name);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The modules of that kernel in the image, as plain names in order. */
static void collect_modules(const struct strings *names, const char *release, struct strings *out)
{
	_cleanup_free_ char *prefix = string_format("lib/modules/%s/", release);

	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->item[i];

		if (has_prefix(name, "usr/"))
			name += strlen("usr/");
		if (has_prefix(name, prefix)) {
			_cleanup_free_ char *plain = plain_name(name + strlen(prefix));

			strings_add(out, plain);
		}
	}
	strings_sort(out);
}

void initramfs_missing(const struct strings *names, const char *release,
		       const struct strings *required, struct strings *missing)
{
	_cleanup_strings_ struct strings held = {0};

	collect_modules(names, release, &held);
	for (size_t i = 0; i < required->count; i++) {
		_cleanup_free_ char *plain = plain_name(required->item[i]);

		if (!held.count ||
		    !bsearch(&plain, held.item, held.count, sizeof(*held.item), compare_names))
			strings_add(missing, required->item[i]);
	}
}
