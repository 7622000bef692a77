// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/ova_manifest.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/scope.h"

static const struct {
	const char *name;
	const EVP_MD *(*method)(void);
	size_t hex_length;
} algorithms[OVA_ALGORITHMS] = {
	[OVA_SHA1] = {"SHA1", EVP_sha1, 40},
	[OVA_SHA256] = {"SHA256", EVP_sha256, 64},
	[OVA_SHA512] = {"SHA512", EVP_sha512, 128},
};

const char *ova_algorithm_name(enum ova_algorithm algorithm)
{
	return algorithms[algorithm].name;
}

/* -1: there is no such algorithm. */
static int algorithm_named(const char *name, size_t length)
{
	for (int i = 0; i < OVA_ALGORITHMS; i++)
		if (strlen(algorithms[i].name) == length &&
		    strncasecmp(algorithms[i].name, name, length) == 0)
			return i;
	return -1;
}

static int take_hex(const char *hex, struct ova_digest *out)
{
	size_t length = strlen(hex);

	if (length != algorithms[out->algorithm].hex_length ||
	    strspn(hex, "0123456789abcdefABCDEF") != length)
		return -1;
	for (size_t i = 0; i <= length; i++)
		out->hex[i] = (char)tolower((unsigned char)hex[i]);
	return 0;
}

/* name: where the member's name begins in line, and its length. A name may hold parentheses, so its
 * end is looked for from behind. */
static int parse_line(const char *line, const char **name, size_t *name_length,
		      struct ova_digest *out)
{
	const char *open = strchr(line, '('), *close = strrchr(line, ')'), *hex;
	size_t word = strcspn(line, " (");
	int algorithm = algorithm_named(line, word);

	if (algorithm < 0 || !open || !close || close < open || line + word > open)
		return -1;
	hex = close + 1;
	hex += strspn(hex, " \t");
	if (*hex != '=')
		return -1;
	hex++;
	hex += strspn(hex, " \t");
	*name = open + 1;
	*name_length = (size_t)(close - open) - 1;
	out->algorithm = (enum ova_algorithm)algorithm;
	return take_hex(hex, out);
}

int ova_manifest_parse(struct ova_manifest *manifest, const char *text, struct error *err)
{
	_cleanup_strings_ struct strings lines = {0};
	struct ova_digest digest;
	const char *name;
	size_t length;

	strings_split(&lines, text, "\r\n");
	for (size_t i = 0; i < lines.count; i++) {
		const char *line = string_trim(lines.item[i]);

		if (*line == '\0')
			continue;
		if (parse_line(line, &name, &length, &digest) < 0)
			return error_set(err,
					 "this line of the manifest names no digest that is known "
					 "(SHA1, SHA256, SHA512): '%.200s'",
					 line);
		strings_add(&manifest->lines, line);
	}
	return 0;
}

int ova_manifest_find(const struct ova_manifest *manifest, const char *member,
		      struct ova_digest *out, struct error *err)
{
	const char *name;
	size_t length;

	for (size_t i = 0; i < manifest->lines.count; i++)
		if (parse_line(manifest->lines.item[i], &name, &length, out) == 0 &&
		    strlen(member) == length && memcmp(member, name, length) == 0)
			return 0;
	return error_set(err, "the OVA's manifest has no digest of its member %.200s", member);
}

void ova_manifest_release(struct ova_manifest *manifest)
{
	strings_release(&manifest->lines);
}

void ova_hash_begin(struct ova_hash *hash, unsigned int wanted)
{
	for (int i = 0; i < OVA_ALGORITHMS; i++) {
		if (!(wanted & 1U << i))
			continue;
		hash->contexts[i] = EVP_MD_CTX_new();
		/* Only running out of memory is left as a reason. */
		if (!hash->contexts[i] ||
		    !EVP_DigestInit_ex(hash->contexts[i], algorithms[i].method(), NULL))
			abort();
	}
}

void ova_hash_add(struct ova_hash *hash, const void *data, size_t length)
{
	for (int i = 0; i < OVA_ALGORITHMS; i++)
		if (hash->contexts[i] && !EVP_DigestUpdate(hash->contexts[i], data, length))
			abort();
}

/* Leaves the context as it is: what was added may be asked about once more. */
static void hash_hex(const struct ova_hash *hash, enum ova_algorithm algorithm, char *hex)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	uint8_t bytes[EVP_MAX_MD_SIZE];
	unsigned int length;

	assert(hash->contexts[algorithm]);
	if (!copy || !EVP_MD_CTX_copy_ex(copy, hash->contexts[algorithm]) ||
	    !EVP_DigestFinal_ex(copy, bytes, &length))
		abort();
	EVP_MD_CTX_free(copy);
	for (unsigned int i = 0; i < length; i++)
		snprintf(hex + (size_t)2 * i, 3, "%02x", bytes[i]);
}

int ova_hash_check(const struct ova_hash *hash, const struct ova_manifest *manifest,
		   const char *member, struct error *err)
{
	char found[2 * EVP_MAX_MD_SIZE + 1];
	struct ova_digest expected;

	if (ova_manifest_find(manifest, member, &expected, err) < 0)
		return -1;
	hash_hex(hash, expected.algorithm, found);
	if (string_equal(found, expected.hex))
		return 0;
	return error_set(err,
			 "the OVA's member %.200s is damaged or was changed: its %s is %s, the "
			 "manifest says %s",
			 member, ova_algorithm_name(expected.algorithm), found, expected.hex);
}

void ova_hash_release(struct ova_hash *hash)
{
	for (int i = 0; i < OVA_ALGORITHMS; i++)
		EVP_MD_CTX_free(hash->contexts[i]);
	*hash = (struct ova_hash){0};
}
