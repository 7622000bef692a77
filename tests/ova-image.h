// SPDX-License-Identifier: GPL-3.0-or-later
/* ova-image: tar archives made by hand, member by member, in a text that holds any bytes. */
#pragma once

#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/source-fd.h"
#include "tests/stream-file.h"

/* Writes the checksum of the header that begins at `at`. */
static inline void ova_sum(struct text *ova, size_t at)
{
	unsigned int sum = 0;
	char field[8];

	memset(ova->data + at + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += (uint8_t)ova->data[at + i];
	snprintf(field, sizeof(field), "%06o", sum & 0777777);
	memcpy(ova->data + at + 148, field, sizeof(field));
}

/* A header that is followed by nothing yet; returns where it begins. */
static inline size_t ova_header(struct text *ova, const char *name, char type, size_t length)
{
	static const char zeroes[512];
	size_t at = ova->length;
	char size[12];

	text_add_bytes(ova, zeroes, sizeof(zeroes));
	snprintf(size, sizeof(size), "%011llo", (unsigned long long)length & 077777777777);
	memcpy(ova->data + at, name, strnlen(name, 100));
	memcpy(ova->data + at + 100, "0000644", 8);
	memcpy(ova->data + at + 124, size, sizeof(size));
	ova->data[at + 156] = type;
	memcpy(ova->data + at + 257, "ustar\00000", 8);
	ova_sum(ova, at);
	return at;
}

static inline void ova_content(struct text *ova, const void *data, size_t length)
{
	static const char zeroes[512];

	text_add_bytes(ova, data, length);
	text_add_bytes(ova, zeroes, (512 - length % 512) % 512);
}

/* A member; returns where its header begins. */
static inline size_t ova_add(struct text *ova, const char *name, const void *data, size_t length)
{
	size_t at = ova_header(ova, name, '0', length);

	ova_content(ova, data, length);
	return at;
}

static inline void ova_end(struct text *ova)
{
	static const char zeroes[1024];

	text_add_bytes(ova, zeroes, sizeof(zeroes));
}

/* A line of a manifest. */
static inline void ova_manifest_line(struct text *manifest, const char *algorithm, const char *name,
				     const void *data, size_t length)
{
	uint8_t bytes[EVP_MAX_MD_SIZE];
	unsigned int got = 0;

	EVP_Digest(data, length, bytes, &got, EVP_get_digestbyname(algorithm), NULL);
	text_addf(manifest, "%s(%s)= ", algorithm, name);
	for (unsigned int i = 0; i < got; i++)
		text_addf(manifest, "%02x", bytes[i]);
	text_add(manifest, "\n");
}

static inline int ova_open_file(const struct text *ova, struct source **out, struct error *err)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write_exactly(fd, "image", ova->data, ova->length, 0, err) < 0)
		return -1;
	return source_open_fd(fd, "a.ova", &source_ova_ops, out, err);
}

/* stream must outlive the source. */
static inline int ova_open_stream(const struct text *ova, struct stream_file *stream,
				  struct source **out, struct error *err)
{
	*stream = (struct stream_file){(const uint8_t *)ova->data, ova->length};
	return source_open_ops("a.ova", &source_ova_ops, stream_file_open(stream, "a.ova"), NULL,
			       out, err);
}
