// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * An OVA: a tar archive of an OVF description, its manifest and the disk, a VMDK that is read where
 * it lies. The description itself is not read: the archive has one disk, and the VMDK says all that
 * a restore needs to know.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/image_file_window.h"
#include "restore/ova_manifest.h"
#include "restore/source.h"
#include "restore/tar_walk.h"

#define MANIFEST_LIMIT (256U << 10)
#define PIECE (1U << 20)

struct ova {
	struct tar_walk walk;
	/* A name is NULL until the member is met. */
	struct tar_member description, disk_member, manifest_member;
	struct strings disks; /* the names of all */
	struct ova_manifest manifest;
	/* Of a stream, which is hashed while it is read. */
	struct ova_hash description_hash, disk_hash;
	struct image_file_watcher watcher;
	struct source *disk; /* owns the window on its member */
};

static bool ova_probe(const uint8_t *head, size_t length)
{
	return tar_begins_with(head, length, ".ovf");
}

/* Nothing is unpacked by these names; a name that would leave its directory is a sign of malice. */
static int check_name(const char *name, struct error *err)
{
	_cleanup_strings_ struct strings parts = {0};

	strings_split(&parts, name, "/");
	if (*name == '/' || parts.count == 0 || strings_has(&parts, ".."))
		return error_set(err,
				 "the OVA has a member with an absolute name or one that leaves "
				 "its directory: '%.200s'",
				 name);
	return 0;
}

static void keep(struct tar_member *place, struct tar_member *member)
{
	*place = *member;
	*member = (struct tar_member){0};
}

static int take_description(struct ova *ova, struct tar_member *member, struct error *err)
{
	_cleanup_text_ struct text text = {0};

	if (ova->description.name)
		return error_set(err, "the OVA has two descriptions: %.100s and %.100s",
				 ova->description.name, member->name);
	if (tar_walk_read(&ova->walk, member, PIECE, &text, err) < 0)
		return -1;
	ova_hash_begin(&ova->description_hash, OVA_ALL_ALGORITHMS);
	ova_hash_add(&ova->description_hash, text.data, text.length);
	keep(&ova->description, member);
	return 0;
}

static int take_manifest(struct ova *ova, struct tar_member *member, struct error *err)
{
	_cleanup_text_ struct text text = {0};

	if (ova->manifest_member.name)
		return error_set(err, "the OVA has two manifests: %.100s and %.100s",
				 ova->manifest_member.name, member->name);
	if (tar_walk_read(&ova->walk, member, MANIFEST_LIMIT, &text, err) < 0 ||
	    ova_manifest_parse(&ova->manifest, text_string(&text), err) < 0)
		return -1;
	keep(&ova->manifest_member, member);
	return 0;
}

static int take_disk(struct ova *ova, struct tar_member *member, struct error *err)
{
	_cleanup_free_ char *names = NULL;

	strings_add(&ova->disks, member->name);
	if (ova->disks.count == 1) {
		keep(&ova->disk_member, member);
		return 0;
	}
	names = strings_join(&ova->disks, ", ");
	return error_set(err,
			 "an OVA with several disks (%.400s) is not supported yet: unpack it with "
			 "`tar -xf` and restore the disks one by one",
			 names);
}

static int refuse_packed(struct ova *ova, struct tar_member *member, struct error *err)
{
	(void)ova;
	return error_set(err,
			 "the OVA's disk %.200s is compressed once more or in pieces, which is not "
			 "supported: unpack the OVA with `tar -xf` and the disk after it",
			 member->name);
}

/* What a member is, its name tells. Others (.cert, .nvram, .iso, …) are passed over. */
static const struct kind {
	const char *suffix;
	int (*take)(struct ova *ova, struct tar_member *member, struct error *err);
} kinds[] = {
	{".ovf", take_description},   {".mf", take_manifest},
	{".vmdk", take_disk},         {".vmdk.gz", refuse_packed},
	{".vmdk.bz2", refuse_packed}, {".vmdk.xz", refuse_packed},
	{".vmdk.zst", refuse_packed}, {".vmdk.000000000", refuse_packed},
};

static bool has_suffix_of(const char *name, const struct kind *kind)
{
	size_t length = strlen(name), suffix = strlen(kind->suffix);

	return length > suffix && strcasecmp(name + length - suffix, kind->suffix) == 0;
}

static int take_member(struct ova *ova, struct tar_member *member, struct error *err)
{
	if (check_name(member->name, err) < 0)
		return -1;
	for (size_t i = 0; i < array_length(kinds); i++)
		if (has_suffix_of(member->name, &kinds[i]))
			return kinds[i].take(ova, member, err);
	return 0;
}

/* Takes one member after the other. 1 after a disk of a stream, which is to be read now; 0 at the
 * end of the archive. */
static int walk(struct ova *ova, struct error *err)
{
	_cleanup_tar_member_ struct tar_member member = {0};
	size_t disks = ova->disks.count;
	int r;

	while ((r = tar_walk_next(&ova->walk, &member, err)) > 0) {
		if (take_member(ova, &member, err) < 0)
			return -1;
		if (ova->disks.count > disks && !ova->walk.cursor.file->is_seekable)
			return 1;
	}
	return r;
}

static void hash_seen(void *context, const void *data, size_t length)
{
	ova_hash_add(context, data, length);
}

/* By the manifest's algorithm. Where it comes behind the disk, any may be asked for. */
static int begin_disk_hash(struct ova *ova, struct error *err)
{
	struct ova_digest digest;

	if (!ova->manifest_member.name) {
		ova_hash_begin(&ova->disk_hash, OVA_ALL_ALGORITHMS);
		return 0;
	}
	if (ova_manifest_find(&ova->manifest, ova->disk_member.name, &digest, err) < 0)
		return -1;
	ova_hash_begin(&ova->disk_hash, 1U << digest.algorithm);
	return 0;
}

static int open_disk(struct source *source, struct ova *ova, struct error *err)
{
	const struct tar_member *member = &ova->disk_member;
	const struct image_file_watcher *watcher = NULL;
	struct image_file *window;

	if (!member->name)
		return error_set(err, "there is no disk (a member *.vmdk) in this OVA");
	if (!ova->description.name)
		return error_set(err, "this is not an OVA: no OVF description (*.ovf) comes before "
				      "the disk in it");
	if (!source->file->is_seekable) {
		if (begin_disk_hash(ova, err) < 0)
			return -1;
		ova->watcher = (struct image_file_watcher){hash_seen, &ova->disk_hash};
		watcher = &ova->watcher;
	}
	if (image_file_window_open(source->file, member->name, member->offset, member->length,
				   watcher, &window, err) < 0)
		return -1;
	return source_open_ops(member->name, &source_vmdk_ops, window, NULL, &ova->disk, err);
}

static int ova_open(struct source *source, const struct source_options *options, struct error *err)
{
	struct ova *ova;

	(void)options;
	ova = calloc(1, sizeof(*ova));
	if (!ova)
		return error_sys(err, ENOMEM, "open OVA");
	source->state = ova;
	ova->walk.cursor.file = source->file;
	if (walk(ova, err) < 0 || open_disk(source, ova, err) < 0)
		return -1;
	source->size = ova->disk->size;
	source->granule = ova->disk->granule;
	source->is_stream = ova->disk->is_stream;
	source->head_length = ova->disk->head_length;
	return 0;
}

static void ova_close(struct source *source)
{
	struct ova *ova = source->state;

	if (!ova)
		return;
	source_close(ova->disk);
	tar_member_release(&ova->description);
	tar_member_release(&ova->disk_member);
	tar_member_release(&ova->manifest_member);
	strings_release(&ova->disks);
	ova_manifest_release(&ova->manifest);
	ova_hash_release(&ova->description_hash);
	ova_hash_release(&ova->disk_hash);
	free(ova);
}

static int ova_extent(struct source *source, uint64_t offset, uint64_t length, struct extent *out,
		      struct error *err)
{
	struct ova *ova = source->state;

	return source_extent(ova->disk, offset, length, out, err);
}

static int ova_read(struct source *source, void *data, size_t length, uint64_t offset,
		    struct error *err)
{
	struct ova *ova = source->state;

	return source_read(ova->disk, data, length, offset, err);
}

static int ova_next(struct source *source, void *data, size_t capacity, struct extent *out,
		    struct error *err)
{
	struct ova *ova = source->state;

	return source_next(ova->disk, data, capacity, out, err);
}

/* A disk in a seekable archive, from its beginning to its end. */
static int hash_disk(const struct source *source, struct ova *ova, struct error *err)
{
	_cleanup_free_ uint8_t *data = malloc(PIECE);
	uint64_t left = ova->disk_member.length, at = ova->disk_member.offset;

	if (!data)
		return error_sys(err, ENOMEM, "check the OVA's manifest");
	for (size_t length; left > 0; left -= length, at += length) {
		length = left < PIECE ? (size_t)left : PIECE;
		if (image_file_read(source->file, "disk", data, length, at, err) < 0)
			return -1;
		ova_hash_add(&ova->disk_hash, data, length);
	}
	return 0;
}

static int check_manifest(struct ova *ova, struct error *err)
{
	if (ova_hash_check(&ova->description_hash, &ova->manifest, ova->description.name, err) < 0)
		return -1;
	return ova_hash_check(&ova->disk_hash, &ova->manifest, ova->disk_member.name, err);
}

static int ova_check(struct source *source, struct error *err)
{
	struct ova *ova = source->state;

	if (source_check(ova->disk, err) < 0)
		return -1;
	if (!source->file->is_seekable || !ova->manifest_member.name)
		return 0;
	ova_hash_release(&ova->disk_hash);
	if (begin_disk_hash(ova, err) < 0 || hash_disk(source, ova, err) < 0)
		return -1;
	return check_manifest(ova, err);
}

/* The rest of a stream: what is left of the disk's member, and the manifest where it comes last. */
static int ova_finish(struct source *source, struct error *err)
{
	struct ova *ova = source->state;
	struct image_cursor disk = {.file = ova->disk->file};

	if (source->file->is_seekable)
		return 0;
	if (image_cursor_finish(&disk, err) < 0 || walk(ova, err) < 0 ||
	    image_cursor_finish(&ova->walk.cursor, err) < 0)
		return -1;
	return ova->manifest_member.name ? check_manifest(ova, err) : 0;
}

static const char *manifest_state(const struct source *source)
{
	const struct ova *ova = source->state;
	struct ova_digest digest;

	if (!ova->manifest_member.name)
		return source->file->is_seekable ? "none" : "none before the disk";
	if (ova_manifest_find(&ova->manifest, ova->disk_member.name, &digest, NULL) < 0)
		return "without the disk";
	return ova_algorithm_name(digest.algorithm);
}

/* What is particular to the disk joins what is said of the archive. */
static void ova_describe(const struct source *source, json_object *out)
{
	const struct ova *ova = source->state;
	json_object *disk = source_describe(ova->disk);

	json_object_object_add(out, "member", json_object_new_string(ova->disk_member.name));
	json_object_object_add(out, "manifest", json_object_new_string(manifest_state(source)));
	json_object_object_foreach(disk, key, value)
	{
		if (!json_object_object_get_ex(out, key, NULL))
			json_object_object_add(out, key, json_object_get(value));
	}
	json_object_put(disk);
}

const struct source_ops source_ova_ops = {
	.name = "ova",
	.takes_streams = true,
	.probe = ova_probe,
	.open = ova_open,
	.close = ova_close,
	.extent = ova_extent,
	.read = ova_read,
	.next = ova_next,
	.check = ova_check,
	.finish = ova_finish,
	.describe = ova_describe,
};
