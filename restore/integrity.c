// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/integrity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "restore/bmap.h"
#include "restore/bmap_window.h"
#include "restore/checksum_file.h"
#include "restore/image_digest.h"
#include "restore/signature.h"

#define SHA256_PREFIX "sha256:"

enum { PIECE = 1 << 20 };

struct integrity {
	bool has_sum, has_map, is_signed; /* what is asked of the image */
	uint8_t sum[SHA256_LENGTH];
	struct bmap_check map;
	struct signature signature;
};

static bool is_inline(const char *checksum)
{
	return checksum && has_prefix(checksum, SHA256_PREFIX);
}

static bool signs_image(const struct integrity_options *options)
{
	return options->signature && (!options->checksum || is_inline(options->checksum));
}

unsigned int integrity_digests(const struct integrity_options *options)
{
	unsigned int set = 0;

	if (options->checksum)
		set |= IMAGE_DIGEST_SET(IMAGE_DIGEST_SHA256);
	if (signs_image(options))
		set |= IMAGE_DIGEST_SET(IMAGE_DIGEST_BLAKE2B);
	return set;
}

static int check_pair(const struct integrity_options *options, struct error *err)
{
	if (options->key && !options->signature)
		return error_set(err, "a key was given but no signature: name it with --signature");
	if (options->signature && !options->key)
		return error_set(err, "a signature was given but no key that is trusted: name it "
				      "with --key");
	return 0;
}

/* What the signature says about a checksum list, before a line of it is believed. */
static int verify_list(const struct signature *signature, const char *path,
		       const struct text *content, struct error *err)
{
	int r = signature->kind == SIGNATURE_OPENPGP
			? signature_verify_file(signature, path, err)
			: signature_verify_data(signature, content->data, content->length, err);

	return r < 0 ? error_in(err, "checksums %s", path) : 0;
}

/* The name that a list has for the image; NULL for what has none. */
static const char *listed_name(const struct source *source)
{
	return source->file && source->file->fd >= 0 &&
			       string_equal(source->file->name, "standard input")
		       ? NULL
		       : source->name;
}

static int read_checksums(struct integrity *integrity, const struct source *source,
			  const char *path, const struct text *content, struct error *err)
{
	_cleanup_free_ char *name = NULL;

	if (bmap_is_one(text_string(content))) {
		integrity->has_map = true;
		return bmap_parse(text_string(content), content->length, &integrity->map.map, err) <
				       0
			       ? error_in(err, "block map %s", path)
			       : 0;
	}
	integrity->has_sum = true;
	if (listed_name(source)) {
		name = string_copy(listed_name(source));
		name[strcspn(name, strstr(name, "://") ? "?#" : "")] = '\0';
	}
	return checksum_file_find(text_string(content), path, name, integrity->sum, err);
}

static int open_checksums(struct integrity *integrity, const struct source *source,
			  const struct integrity_options *options, struct error *err)
{
	_cleanup_text_ struct text content = {0};

	if (!options->checksum)
		return 0;
	if (is_inline(options->checksum)) {
		integrity->has_sum = true;
		return sha256_parse(options->checksum + strlen(SHA256_PREFIX), integrity->sum)
			       ? 0
			       : error_set(err,
					   "%s is no SHA-256 checksum, which has 64 "
					   "hexadecimal digits",
					   options->checksum);
	}
	if (file_read(options->checksum, BMAP_LIMIT, &content, err) < 0)
		return error_in(err, "checksums (sha256:HEX or a file)");
	if (options->signature &&
	    verify_list(&integrity->signature, options->checksum, &content, err) < 0)
		return -1;
	return read_checksums(integrity, source, options->checksum, &content, err);
}

static bool is_named_file(const struct image_file *file)
{
	struct stat by_name, opened;

	return file->is_seekable && file->fd >= 0 && stat(file->name, &by_name) == 0 &&
	       fstat(file->fd, &opened) == 0 && by_name.st_dev == opened.st_dev &&
	       by_name.st_ino == opened.st_ino;
}

/* What can only be asked of a file, and of which kind. */
static int check_possible(const struct integrity *integrity, const struct source *source,
			  struct error *err)
{
	if (!source->file && (integrity->has_sum || integrity->is_signed))
		return error_set(err,
				 "%s gives out a disk and no file: only a block map (.bmap) "
				 "can prove it",
				 source->name);
	if (!integrity->is_signed)
		return 0;
	if (integrity->signature.kind == SIGNATURE_OPENPGP && !is_named_file(source->file))
		return error_set(err,
				 "OpenPGP signatures are checked on files of this machine: "
				 "sign a list of checksums instead of %s, and give the list "
				 "with --checksum",
				 source->name);
	if (integrity->signature.kind == SIGNATURE_MINISIGN && integrity->signature.is_legacy)
		return error_set(err,
				 "signature %s signs the image as a whole, which takes all of "
				 "it in memory: sign it with `minisign -H`, or sign a list of "
				 "checksums",
				 integrity->signature.path);
	return 0;
}

/* The file was read to its end; digest has seen all of it, or is NULL where none is needed. */
static int compare_file(const struct integrity *integrity, struct image_digest *digest,
			struct error *err)
{
	char promised[2 * SHA256_LENGTH + 1], found[2 * SHA256_LENGTH + 1];
	uint8_t sum[IMAGE_DIGEST_MAX];

	if (integrity->has_sum) {
		if (image_digest_end(digest, IMAGE_DIGEST_SHA256, sum, err) < 0)
			return -1;
		sha256_format(integrity->sum, promised);
		sha256_format(sum, found);
		if (memcmp(sum, integrity->sum, SHA256_LENGTH) != 0)
			return error_set(err,
					 "the image is not the one that was promised: its SHA-256 "
					 "should be %s and is %s",
					 promised, found);
	}
	if (!integrity->is_signed || integrity->signature.kind != SIGNATURE_MINISIGN)
		return 0;
	if (image_digest_end(digest, IMAGE_DIGEST_BLAKE2B, sum, err) < 0)
		return -1;
	return signature_verify_digest(&integrity->signature, sum, err);
}

static unsigned int needed(const struct integrity *integrity)
{
	unsigned int set = 0;

	if (integrity->has_sum)
		set |= IMAGE_DIGEST_SET(IMAGE_DIGEST_SHA256);
	if (integrity->is_signed && integrity->signature.kind == SIGNATURE_MINISIGN)
		set |= IMAGE_DIGEST_SET(IMAGE_DIGEST_BLAKE2B);
	return set;
}

static int prove_file(const struct integrity *integrity, const struct image_file *file,
		      uint8_t *buffer, struct error *err)
{
	_cleanup_image_digest_ struct image_digest *digest = NULL;

	if (needed(integrity) == 0)
		return 0;
	if (image_digest_new(needed(integrity), &digest, err) < 0)
		return -1;
	for (uint64_t at = 0; at < file->size;) {
		size_t length = file->size - at < PIECE ? (size_t)(file->size - at) : PIECE;

		if (image_file_read(file, "image", buffer, length, at, err) < 0 ||
		    image_digest_add(digest, buffer, length, err) < 0)
			return -1;
		at += length;
	}
	return compare_file(integrity, digest, err);
}

static int check_size(struct integrity *integrity, const struct source *source, struct error *err)
{
	struct bmap_check *check = &integrity->map;

	if (!integrity->has_map || check->map.size == source->size)
		return 0;
	check->position = source->size;
	return bmap_check_end(check, err);
}

/* Only what the map has: the rest need not even be read. */
static int prove_disk(struct integrity *integrity, struct source *source, uint8_t *buffer,
		      struct error *err)
{
	struct bmap_check *check = &integrity->map;

	if (!integrity->has_map)
		return 0;
	while (check->current < check->map.count) {
		const struct bmap_range *range = &check->map.range[check->current];
		size_t length = PIECE;

		if (check->position < range->offset)
			check->position = range->offset;
		if (range->end - check->position < PIECE)
			length = (size_t)(range->end - check->position);
		if (source_read(source, buffer, length, check->position, err) < 0 ||
		    bmap_check_add(check, buffer, length, err) < 0)
			return -1;
	}
	return 0;
}

static int prove_now(struct integrity *integrity, struct source *source, struct error *err)
{
	_cleanup_free_ uint8_t *buffer = malloc(PIECE);

	if (!buffer)
		return error_sys(err, ENOMEM, "read the image");
	if (check_size(integrity, source, err) < 0)
		return -1;
	if (source->file && prove_file(integrity, source->file, buffer, err) < 0)
		return -1;
	return prove_disk(integrity, source, buffer, err);
}

/* The digests that the file was opened with have seen what was read of it already. */
static int prove_later(struct integrity *integrity, struct source *source, struct error *err)
{
	for (int kind = 0; kind < IMAGE_DIGEST_KINDS; kind++)
		if ((needed(integrity) & IMAGE_DIGEST_SET(kind)) &&
		    !image_digest_has(source->file->digest, kind))
			return error_set(err, "the image was opened without the checksums that it "
					      "is to be proven by");
	return 0;
}

/* The image file itself has no checksum or signature then: those are of the map. */
static bool can_wait(const struct integrity *integrity, const struct source *source,
		     enum integrity_moment moment)
{
	return moment == INTEGRITY_COMPARED && integrity->has_map && !source->is_stream &&
	       bmap_is_small(&integrity->map.map);
}

/* The write that compares does it, see bmap_window.h. */
static int prove_compared(struct integrity *integrity, struct source *source, struct error *err)
{
	if (check_size(integrity, source, err) < 0)
		return -1;
	source->map = malloc(sizeof(*source->map));
	if (!source->map)
		abort();
	*source->map = integrity->map.map;
	integrity->map.map = (struct bmap){0};
	return 0;
}

static int prove(struct integrity *integrity, struct source *source, enum integrity_moment moment,
		 struct error *err)
{
	if (source->is_stream)
		return prove_later(integrity, source, err);
	if (can_wait(integrity, source, moment))
		return prove_compared(integrity, source, err);
	return prove_now(integrity, source, err);
}

static void free_p(struct integrity **integrity)
{
	integrity_free(*integrity);
}

int integrity_require(struct source *source, const struct integrity_options *options,
		      struct error *err)
{
	_cleanup_(free_p) struct integrity *integrity = NULL;
	int r;

	if (check_pair(options, err) < 0)
		return -1;
	if (!options->checksum && !options->signature)
		return 0;
	integrity = calloc(1, sizeof(*integrity));
	if (!integrity)
		abort();
	integrity->is_signed = signs_image(options);
	if (options->signature &&
	    signature_open(options->signature, options->key, &integrity->signature, err) < 0)
		return -1;
	if (open_checksums(integrity, source, options, err) < 0 ||
	    check_possible(integrity, source, err) < 0)
		return -1;
	r = prove(integrity, source, options->moment, err);
	if (r == 0 && integrity->is_signed && integrity->signature.kind == SIGNATURE_OPENPGP)
		r = signature_verify_file(&integrity->signature, source->file->name, err);
	if (r < 0)
		return error_in(err, "check image %s", source->name);
	if (source->is_stream)
		source->integrity = steal(&integrity);
	return 0;
}

int integrity_observe(struct integrity *integrity, const void *data, const struct extent *extent,
		      struct error *err)
{
	if (!integrity->has_map)
		return 0;
	return bmap_check_add(&integrity->map, extent->kind == EXTENT_ZERO ? NULL : data,
			      extent->length, err);
}

/* What follows the disk in the file was promised, too. */
static int drain(struct image_file *file, struct error *err)
{
	_cleanup_free_ uint8_t *buffer = malloc(PIECE);
	size_t got = 1;

	if (!buffer)
		return error_sys(err, ENOMEM, "read the image");
	while (got > 0)
		if (image_file_next(file, buffer, PIECE, &got, err) < 0)
			return -1;
	return 0;
}

int integrity_finish(struct integrity *integrity, struct image_file *file, struct error *err)
{
	if (integrity->has_map && bmap_check_end(&integrity->map, err) < 0)
		return -1;
	if (needed(integrity) == 0)
		return 0;
	if (drain(file, err) < 0)
		return -1;
	return compare_file(integrity, file->digest, err);
}

void integrity_free(struct integrity *integrity)
{
	if (!integrity)
		return;
	bmap_check_release(&integrity->map);
	signature_release(&integrity->signature);
	free(integrity);
}
