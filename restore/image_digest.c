// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/image_digest.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

struct image_digest {
	EVP_MD_CTX *context[IMAGE_DIGEST_KINDS]; /* NULL: not in the set */
};

static const EVP_MD *algorithm(enum image_digest_kind kind)
{
	return kind == IMAGE_DIGEST_SHA256 ? EVP_sha256() : EVP_blake2b512();
}

int image_digest_new(unsigned int set, struct image_digest **out, struct error *err)
{
	_cleanup_image_digest_ struct image_digest *digest = calloc(1, sizeof(*digest));

	if (!digest)
		abort();
	for (int kind = 0; kind < IMAGE_DIGEST_KINDS; kind++) {
		if (!(set & IMAGE_DIGEST_SET(kind)))
			continue;
		digest->context[kind] = EVP_MD_CTX_new();
		if (!digest->context[kind] ||
		    EVP_DigestInit_ex(digest->context[kind], algorithm(kind), NULL) != 1)
			return error_set(err, "libcrypto cannot make a checksum");
	}
	*out = steal(&digest);
	return 0;
}

bool image_digest_has(const struct image_digest *digest, enum image_digest_kind kind)
{
	return digest && digest->context[kind];
}

int image_digest_add(struct image_digest *digest, const void *data, size_t length,
		     struct error *err)
{
	for (int kind = 0; kind < IMAGE_DIGEST_KINDS; kind++)
		if (digest->context[kind] &&
		    EVP_DigestUpdate(digest->context[kind], data, length) != 1)
			return error_set(err, "libcrypto cannot make a checksum");
	return 0;
}

int image_digest_end(struct image_digest *digest, enum image_digest_kind kind, uint8_t *out,
		     struct error *err)
{
	if (EVP_DigestFinal_ex(digest->context[kind], out, NULL) != 1)
		return error_set(err, "libcrypto cannot make a checksum");
	return 0;
}

void image_digest_free(struct image_digest *digest)
{
	for (int kind = 0; digest && kind < IMAGE_DIGEST_KINDS; kind++)
		EVP_MD_CTX_free(digest->context[kind]);
	free(digest);
}

int sha256_of(const void *data, size_t length, uint8_t out[SHA256_LENGTH], struct error *err)
{
	if (EVP_Digest(data, length, out, NULL, EVP_sha256(), NULL) != 1)
		return error_set(err, "libcrypto cannot make a checksum");
	return 0;
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

bool sha256_parse(const char *hex, uint8_t out[SHA256_LENGTH])
{
	for (size_t i = 0; i < SHA256_LENGTH; i++) {
		int high = digit(hex[2 * i]);
		int low = high < 0 ? -1 : digit(hex[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return hex[2 * SHA256_LENGTH] == '\0';
}

void sha256_format(const uint8_t sum[SHA256_LENGTH], char out[2 * SHA256_LENGTH + 1])
{
	for (size_t i = 0; i < SHA256_LENGTH; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}
