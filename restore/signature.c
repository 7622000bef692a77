// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/signature.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"

enum {
	FILE_LIMIT = 4 << 20,          /* keyrings of distributions have some 100 KiB */
	GPGV_TIMEOUT_MS = 3600 * 1000, /* it reads the whole image */
};

/* The first byte of a packet that begins a keyring (RFC 4880, 4.2: a public key), or the mark of a
 * keybox. */
static bool is_keyring(const struct text *text)
{
	const uint8_t *bytes = (const uint8_t *)text->data;

	if (text->length < 12)
		return false;
	return bytes[0] == 0x98 || bytes[0] == 0x99 || bytes[0] == 0xc6 ||
	       memcmp(bytes + 8, "KBXf", 4) == 0;
}

/* A packet of tag 2, or its armour. */
static bool is_openpgp_signature(const struct text *text)
{
	uint8_t first = text->length > 0 ? (uint8_t)text->data[0] : 0;

	return has_prefix(text_string(text), "-----BEGIN PGP SIGNATURE-----") ||
	       (first & 0xfc) == 0x88 || first == 0xc2;
}

static int kind_of_key(const struct text *text, enum signature_kind *out, struct error *err)
{
	*out = SIGNATURE_MINISIGN;
	if (minisign_is_one(text_string(text)))
		return 0;
	*out = SIGNATURE_OPENPGP;
	if (is_keyring(text))
		return 0;
	if (has_prefix(text_string(text), "-----BEGIN PGP PUBLIC KEY BLOCK-----"))
		return error_set(err, "this OpenPGP key is armoured, and gpgv wants a binary "
				      "keyring: make one with `gpg --dearmor`");
	return error_set(err, "this is neither an OpenPGP keyring nor a public key of minisign");
}

static int kind_of_signature(const struct text *text, enum signature_kind *out, struct error *err)
{
	*out = SIGNATURE_MINISIGN;
	if (minisign_is_one(text_string(text)))
		return 0;
	*out = SIGNATURE_OPENPGP;
	if (is_openpgp_signature(text))
		return 0;
	if (has_prefix(text_string(text), "-----BEGIN PGP SIGNED MESSAGE-----"))
		return error_set(err, "this holds its text, too: a detached signature is needed "
				      "(made with `gpg --detach-sign`)");
	return error_set(err, "this is a signature neither of OpenPGP nor of minisign");
}

/* Everything but the data. */
static int open_minisign(struct signature *signature, const struct text *value,
			 const struct text *key, struct error *err)
{
	struct minisign_signature parsed;
	struct minisign_key public;

	if (minisign_parse_key(text_string(key), &public, err) < 0)
		return error_in(err, "key %s", signature->key_path);
	if (minisign_parse_signature(text_string(value), &parsed, err) < 0)
		return error_in(err, "signature %s", signature->path);
	if (memcmp(parsed.id, public.id, sizeof(parsed.id)) != 0)
		return error_set(err, "signature %s was made with another key than %s",
				 signature->path, signature->key_path);
	if (!minisign_comment_is_signed(public.key, &parsed))
		return error_set(err, "signature %s: it is wrong: its trusted comment was changed",
				 signature->path);
	signature->is_legacy = parsed.is_legacy;
	memcpy(signature->key, public.key, sizeof(signature->key));
	memcpy(signature->value, parsed.value, sizeof(signature->value));
	return 0;
}

int signature_open(const char *path, const char *key_path, struct signature *out, struct error *err)
{
	_cleanup_signature_ struct signature signature = {0};
	_cleanup_text_ struct text value = {0}, key = {0};
	enum signature_kind kind;

	signature.path = string_copy(path);
	signature.key_path = string_copy(key_path);
	if (file_read(path, FILE_LIMIT, &value, err) < 0 ||
	    file_read(key_path, FILE_LIMIT, &key, err) < 0)
		return -1;
	if (kind_of_key(&key, &kind, err) < 0)
		return error_in(err, "key %s", key_path);
	if (kind_of_signature(&value, &signature.kind, err) < 0)
		return error_in(err, "signature %s", path);
	if (signature.kind != kind)
		return error_set(err, "signature %s is of %s, and key %s of %s", path,
				 kind == SIGNATURE_OPENPGP ? "minisign" : "OpenPGP", key_path,
				 kind == SIGNATURE_OPENPGP ? "OpenPGP" : "minisign");
	if (kind == SIGNATURE_MINISIGN && open_minisign(&signature, &value, &key, err) < 0)
		return -1;
	*out = signature;
	signature = (struct signature){0};
	return 0;
}

static int verify_message(const struct signature *signature, const void *message, size_t length,
			  struct error *err)
{
	if (minisign_is_signed(signature->key, signature->value, message, length))
		return 0;
	return error_set(err, "signature %s does not fit: the data is not what was signed",
			 signature->path);
}

int signature_verify_digest(const struct signature *signature, const uint8_t digest[BLAKE2B_LENGTH],
			    struct error *err)
{
	return verify_message(signature, digest, BLAKE2B_LENGTH, err);
}

int signature_verify_data(const struct signature *signature, const void *data, size_t length,
			  struct error *err)
{
	_cleanup_image_digest_ struct image_digest *digest = NULL;
	uint8_t sum[IMAGE_DIGEST_MAX];

	if (signature->is_legacy)
		return verify_message(signature, data, length, err);
	if (image_digest_new(IMAGE_DIGEST_SET(IMAGE_DIGEST_BLAKE2B), &digest, err) < 0 ||
	    image_digest_add(digest, data, length, err) < 0 ||
	    image_digest_end(digest, IMAGE_DIGEST_BLAKE2B, sum, err) < 0)
		return -1;
	return signature_verify_digest(signature, sum, err);
}

int signature_verify_file(const struct signature *signature, const char *path, struct error *err)
{
	/* gpgv looks for names without a slash in its own directory. */
	_cleanup_free_ char *keyring = realpath(signature->key_path, NULL);
	_cleanup_free_ char *value = realpath(signature->path, NULL);
	_cleanup_free_ char *data = realpath(path, NULL);
	const char *const argv[] = {"gpgv", "--keyring", keyring, "--", value, data, NULL};
	const struct process process = {.argv = argv, .timeout_ms = GPGV_TIMEOUT_MS};
	_cleanup_process_result_ struct process_result result = {0};

	if (!keyring || !value || !data)
		return error_sys(err, errno, "look for %s", path);
	if (process_run(&process, &result, err) < 0)
		return -1;
	if (result.status == 0)
		return 0;
	process_complain(argv, &result, err);
	return error_in(err, "signature %s does not prove %s", signature->path, path);
}

void signature_release(struct signature *signature)
{
	free(signature->path);
	free(signature->key_path);
	*signature = (struct signature){0};
}
