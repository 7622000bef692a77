// SPDX-License-Identifier: GPL-3.0-or-later
#include <openssl/evp.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/signature.h"

#define UNTRUSTED "untrusted comment:"
#define TRUSTED "trusted comment: "

enum { COMMENT_LIMIT = 8192, BASE64_MAX = 100 };

struct line {
	const char *text;
	size_t length;
};

/* Without its end. False where there is none any more. */
static bool next_line(const char **rest, struct line *out)
{
	size_t length = strcspn(*rest, "\n");

	if (**rest == '\0')
		return false;
	*out = (struct line){*rest, length};
	*rest += length + ((*rest)[length] == '\n');
	while (out->length > 0 && out->text[out->length - 1] == '\r')
		out->length--;
	return true;
}

static bool begins(const struct line *line, const char *prefix)
{
	return line->length >= strlen(prefix) && memcmp(line->text, prefix, strlen(prefix)) == 0;
}

/* Exactly length bytes. EVP_DecodeBlock() counts the zeroes that stand for padding, too. */
static bool decode(const struct line *line, uint8_t *out, size_t length)
{
	uint8_t bytes[BASE64_MAX / 4 * 3];
	size_t characters = (length + 2) / 3 * 4, padding = (3 - length % 3) % 3;

	if (line->length != characters || characters > BASE64_MAX)
		return false;
	for (size_t i = 0; i < characters; i++)
		if ((line->text[i] == '=') != (i >= characters - padding))
			return false;
	if (EVP_DecodeBlock(bytes, (const unsigned char *)line->text, (int)characters) < 0)
		return false;
	memcpy(out, bytes, length);
	return true;
}

bool minisign_is_one(const char *text)
{
	/* A key may be given without its comment. */
	return has_prefix(text, UNTRUSTED) || has_prefix(text, "RW");
}

int minisign_parse_key(const char *text, struct minisign_key *out, struct error *err)
{
	uint8_t bytes[2 + sizeof(out->id) + sizeof(out->key)];
	struct line line;

	if (!next_line(&text, &line) || (begins(&line, UNTRUSTED) && !next_line(&text, &line)) ||
	    !decode(&line, bytes, sizeof(bytes)) || memcmp(bytes, "Ed", 2) != 0)
		return error_set(err, "this is no public key of minisign");
	memcpy(out->id, bytes + 2, sizeof(out->id));
	memcpy(out->key, bytes + 2 + sizeof(out->id), sizeof(out->key));
	return 0;
}

int minisign_parse_signature(const char *text, struct minisign_signature *out, struct error *err)
{
	uint8_t bytes[2 + sizeof(out->id) + sizeof(out->value)];
	struct line untrusted, value, trusted, global;

	if (!next_line(&text, &untrusted) || !next_line(&text, &value) ||
	    !next_line(&text, &trusted) || !next_line(&text, &global) ||
	    !begins(&untrusted, UNTRUSTED) || !begins(&trusted, TRUSTED) ||
	    trusted.length > COMMENT_LIMIT || !decode(&value, bytes, sizeof(bytes)) ||
	    !decode(&global, out->comment_value, sizeof(out->comment_value)) || bytes[0] != 'E' ||
	    (bytes[1] != 'd' && bytes[1] != 'D'))
		return error_set(err, "this is no signature of minisign");
	out->is_legacy = bytes[1] == 'd';
	memcpy(out->id, bytes + 2, sizeof(out->id));
	memcpy(out->value, bytes + 2 + sizeof(out->id), sizeof(out->value));
	out->comment = trusted.text + strlen(TRUSTED);
	out->comment_length = trusted.length - strlen(TRUSTED);
	return 0;
}

static void pkey_free(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void context_free(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

bool minisign_is_signed(const uint8_t key[ED25519_KEY], const uint8_t value[ED25519_SIGNATURE],
			const void *message, size_t length)
{
	_cleanup_(pkey_free) EVP_PKEY *public =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_KEY);
	_cleanup_(context_free) EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!public || !context || EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) != 1)
		return false;
	return EVP_DigestVerify(context, value, ED25519_SIGNATURE, message, length) == 1;
}

bool minisign_comment_is_signed(const uint8_t key[ED25519_KEY],
				const struct minisign_signature *signature)
{
	_cleanup_text_ struct text message = {0};

	text_add_bytes(&message, signature->value, sizeof(signature->value));
	text_add_bytes(&message, signature->comment, signature->comment_length);
	return minisign_is_signed(key, signature->comment_value, message.data, message.length);
}
