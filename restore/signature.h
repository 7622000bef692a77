// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * signature: detached signatures, of minisign and of OpenPGP. The files' contents tell which. A
 * signature of the one kind with a key of the other is refused.
 *
 * minisign (https://jedisct1.github.io/minisign/, "Signature format") is verified by libcrypto:
 * Ed25519 over the BLAKE2b-512 of the data, and again over the trusted comment. OpenPGP is gpgv's
 * matter: its exit status decides.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/image_digest.h"

enum signature_kind { SIGNATURE_MINISIGN, SIGNATURE_OPENPGP };

enum {
	ED25519_KEY = 32,
	ED25519_SIGNATURE = 64,
	SIGNATURE_LEGACY_LIMIT = 1 << 20, /* of data that minisign signed as a whole */
};

struct signature {
	enum signature_kind kind;
	char *path, *key_path;
	/* minisign's */
	bool is_legacy; /* signs the data itself and not its BLAKE2b-512 */
	uint8_t key[ED25519_KEY];
	uint8_t value[ED25519_SIGNATURE];
};

/* Reads both files and checks that they belong together; of minisign's, all but the data is
 * verified here. */
int signature_open(const char *path, const char *key_path, struct signature *out,
		   struct error *err);
/* minisign: of data in memory. */
int signature_verify_data(const struct signature *signature, const void *data, size_t length,
			  struct error *err);
/* minisign, not is_legacy: of data whose BLAKE2b-512 is known. */
int signature_verify_digest(const struct signature *signature, const uint8_t digest[BLAKE2B_LENGTH],
			    struct error *err);
/* OpenPGP: of a file of this machine. */
int signature_verify_file(const struct signature *signature, const char *path, struct error *err);
void signature_release(struct signature *signature);
#define _cleanup_signature_ __attribute__((cleanup(signature_release)))

/* minisign's two formats; text is the file's content. */
struct minisign_key {
	uint8_t id[8];
	uint8_t key[ED25519_KEY];
};

struct minisign_signature {
	bool is_legacy;
	uint8_t id[8];
	uint8_t value[ED25519_SIGNATURE];
	const char *comment; /* trusted; in text, not terminated */
	size_t comment_length;
	uint8_t comment_value[ED25519_SIGNATURE];
};

bool minisign_is_one(const char *text); /* a key or a signature? */
int minisign_parse_key(const char *text, struct minisign_key *out, struct error *err);
int minisign_parse_signature(const char *text, struct minisign_signature *out, struct error *err);
/* Ed25519 over message. */
bool minisign_is_signed(const uint8_t key[ED25519_KEY], const uint8_t value[ED25519_SIGNATURE],
			const void *message, size_t length);
/* Does the trusted comment belong to the signature? */
bool minisign_comment_is_signed(const uint8_t key[ED25519_KEY],
				const struct minisign_signature *signature);
