// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * sha256_many: SHA-256 (FIPS 180-4) of several messages that are in memory, which takes half the
 * time of one after the other where the processor has instructions for it. libcrypto does it where
 * it has none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/image_digest.h"

struct sha256_message {
	const void *data;
	size_t length;
	uint8_t sum[SHA256_LENGTH]; /* the result */
};

/* Goes on two by two: neighbours of about the same length are best. */
int sha256_of_many(struct sha256_message *messages, size_t count, struct error *err);
