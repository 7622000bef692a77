// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * image_digest: SHA-256 and BLAKE2b-512 (what minisign signs) over the same bytes, by libcrypto.
 * Both, one, or none: a set is a number with a bit for each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum image_digest_kind { IMAGE_DIGEST_SHA256, IMAGE_DIGEST_BLAKE2B, IMAGE_DIGEST_KINDS };

#define IMAGE_DIGEST_SET(kind) (1U << (kind))

enum { SHA256_LENGTH = 32, BLAKE2B_LENGTH = 64, IMAGE_DIGEST_MAX = 64 };

struct image_digest;

/* Of the kinds in the set. */
int image_digest_new(unsigned int set, struct image_digest **out, struct error *err);
bool image_digest_has(const struct image_digest *digest, enum image_digest_kind kind);
int image_digest_add(struct image_digest *digest, const void *data, size_t length,
		     struct error *err);
/* Of a kind that is in the set, once. out has room for IMAGE_DIGEST_MAX bytes. */
int image_digest_end(struct image_digest *digest, enum image_digest_kind kind, uint8_t *out,
		     struct error *err);
void image_digest_free(struct image_digest *digest); /* accepts NULL */
static inline void image_digest_freep(struct image_digest **digest)
{
	image_digest_free(*digest);
}
#define _cleanup_image_digest_ __attribute__((cleanup(image_digest_freep)))

/* Of what is in memory as a whole. */
int sha256_of(const void *data, size_t length, uint8_t out[SHA256_LENGTH], struct error *err);
/* 64 hexadecimal digits, of either case, and nothing behind them. */
bool sha256_parse(const char *hex, uint8_t out[SHA256_LENGTH]);
/* out has room for the digits and a NUL. */
void sha256_format(const uint8_t sum[SHA256_LENGTH], char out[2 * SHA256_LENGTH + 1]);
