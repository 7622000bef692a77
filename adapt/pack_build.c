// SPDX-License-Identifier: GPL-3.0-or-later
#include "adapt/pack_build.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapt/pack_modinfo.h"
#include "base/scope.h"

enum { PIECE = 256 << 10 };

/* Aliases that no device of v2p's has: device tree, whole machines, processors. */
static const char *const useless[] = {"of:", "dmi", "cpu:", "devname:", "crypto-", "fs-"};

void pack_build_release(struct pack_build *build)
{
	pack_index_release(&build->index);
	strings_release(&build->sources);
	strings_release(&build->warnings);
}

static int digest_file(int fd, const char *source, struct pack_file *file, struct error *err)
{
	_cleanup_image_digest_ struct image_digest *digest = NULL;
	_cleanup_free_ char *piece = malloc(PIECE);
	uint8_t sum[IMAGE_DIGEST_MAX];
	ssize_t n;

	if (!piece)
		abort();
	if (image_digest_new(IMAGE_DIGEST_SET(IMAGE_DIGEST_SHA256), &digest, err) < 0)
		return -1;
	while ((n = read(fd, piece, PIECE)) > 0) {
		file->size += (uint64_t)n;
		if (image_digest_add(digest, piece, (size_t)n, err) < 0)
			return -1;
	}
	if (n < 0)
		return error_sys(err, errno, "read %s", source);
	if (image_digest_end(digest, IMAGE_DIGEST_SHA256, sum, err) < 0)
		return -1;
	memcpy(file->sum, sum, SHA256_LENGTH);
	return 0;
}

int pack_build_add_file(struct pack_build *build, struct pack_entry *entry, const char *path,
			const char *source, struct error *err)
{
	_cleanup_close_ int fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct pack_file *file;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, errno, "open %s", source);
	if (!S_ISREG(st.st_mode))
		return error_set(err, "%s is not a regular file", source);
	if (!pack_is_path(path))
		return error_set(err, "a pack cannot hold a file called %s: rename it", path);
	file = pack_entry_add_file(entry, path);
	strings_add(&build->sources, source);
	return digest_file(fd, source, file, err);
}

static bool has_label(const struct pack_index *index, const char *label)
{
	for (size_t i = 0; i < index->count; i++)
		if (strcmp(index->entry[i].label, label) == 0)
			return true;
	return false;
}

struct pack_entry *pack_build_add_entry(struct pack_build *build, const char *label,
					enum pack_kind kind)
{
	_cleanup_free_ char *unique = string_format("%.*s", PACK_LABEL_LIMIT, label);
	struct pack_entry *entry;

	for (unsigned int i = 2; has_label(&build->index, unique); i++) {
		free(unique);
		unique = string_format("%.*s %u", PACK_LABEL_LIMIT - 8, label, i);
	}
	entry = pack_index_add(&build->index, unique);
	entry->kind = kind;
	return entry;
}

static bool is_useful(const char *alias)
{
	if (!strchr(alias, ':') || strpbrk(alias, " ;"))
		return false;
	for (size_t i = 0; i < array_length(useless); i++)
		if (has_prefix(alias, useless[i]))
			return false;
	return true;
}

void pack_build_add_modinfo(struct pack_entry *entry, const char *name,
			    const struct strings *modinfo)
{
	if (!name)
		name = pack_modinfo_value(modinfo, "name");
	if (!name)
		return;
	for (size_t i = 0; i < modinfo->count; i++) {
		const char *line = modinfo->item[i];

		if (has_prefix(line, "alias=") && is_useful(line + strlen("alias=")))
			pack_pairs_add(&entry->modaliases, line + strlen("alias="), name);
		if (has_prefix(line, "firmware=") && pack_is_path(line + strlen("firmware=")))
			pack_pairs_add(&entry->wants, name, line + strlen("firmware="));
	}
}
