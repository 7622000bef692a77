// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ova_manifest: the digests that an OVA names of its members (DMTF DSP0243, "Package integrity"):
 * lines of the form
 *
 *   SHA256(disk1.vmdk)= 0123…
 */
#pragma once

#include <openssl/evp.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

enum ova_algorithm { OVA_SHA1, OVA_SHA256, OVA_SHA512, OVA_ALGORITHMS };
#define OVA_ALL_ALGORITHMS ((1U << OVA_ALGORITHMS) - 1)

struct ova_digest {
	enum ova_algorithm algorithm;
	char hex[2 * EVP_MAX_MD_SIZE + 1]; /* lower case */
};

struct ova_manifest {
	struct strings lines;
};

/* Every line of text must be of the form above, with an algorithm that is known. */
int ova_manifest_parse(struct ova_manifest *manifest, const char *text, struct error *err);
/* What it says about the member; that it says nothing is an error. */
int ova_manifest_find(const struct ova_manifest *manifest, const char *member,
		      struct ova_digest *out, struct error *err);
void ova_manifest_release(struct ova_manifest *manifest);

const char *ova_algorithm_name(enum ova_algorithm algorithm); /* "SHA256" */

/* Digests of one member by one or several algorithms. Zeroed: nothing is hashed. */
struct ova_hash {
	EVP_MD_CTX *contexts[OVA_ALGORITHMS];
};

void ova_hash_begin(struct ova_hash *hash, unsigned int algorithms); /* bits 1 << algorithm */
void ova_hash_add(struct ova_hash *hash, const void *data, size_t length);
/* All was added: is it what the manifest says of the member? */
int ova_hash_check(const struct ova_hash *hash, const struct ova_manifest *manifest,
		   const char *member, struct error *err);
void ova_hash_release(struct ova_hash *hash);
