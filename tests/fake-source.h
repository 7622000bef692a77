// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * fake-source: an image that is not there, for tests of what reads images.
 *
 *   struct fake_source fake = {.size = 1 << 20, .zeroes = holes, .zero_count = 2};
 *   _cleanup_source_ struct source *source = NULL;
 *
 *   assert_int_equal(fake_source_open(&fake, &source), 0);
 *
 * Everything that is not listed in zeroes is data; fake_source_byte() says which. What is listed as
 * EXTENT_UNUSED reads as data, too. fake must outlive the source.
 */
#pragma once

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "restore/source.h"

struct fake_source {
	struct source_ops ops; /* filled in by fake_source_open() */
	uint64_t size;
	uint32_t granule;            /* 0: 65536 */
	const struct extent *zeroes; /* not data, in order, not overlapping; borrowed */
	size_t zero_count;
	uint64_t extent_limit; /* no extent is said to be longer; 0: no limit */
	uint64_t error_at;     /* a read that covers this offset fails; 0: none */
	uint64_t ends_at;      /* a read that reaches beyond fails as a truncated file; 0: none */
	const char *damaged;   /* what check() says; NULL: nothing is wrong */
	_Atomic uint64_t reads, bytes_read;
};

/* Never 0, differs from one sector to the next. */
static inline uint8_t fake_source_byte(uint64_t offset)
{
	uint64_t x = (offset >> 9) * 0x9e3779b97f4a7c15ULL;

	return (uint8_t)(((x >> 56) ^ offset) | 1);
}

static inline const struct fake_source *fake_source_of(const struct source *source)
{
	return (const struct fake_source *)(const void *)source->ops;
}

static inline int fake_source_op_open(struct source *source, const struct source_options *options,
				      struct error *err)
{
	const struct fake_source *fake = fake_source_of(source);

	(void)options;
	(void)err;
	source->size = fake->size;
	source->granule = fake->granule ? fake->granule : 65536;
	return 0;
}

static inline void fake_source_op_close(struct source *source)
{
	(void)source;
}

static inline bool fake_source_op_probe(const uint8_t *head, size_t length)
{
	(void)head;
	(void)length;
	return false;
}

static inline int fake_source_op_extent(struct source *source, uint64_t offset, uint64_t length,
					struct extent *out, struct error *err)
{
	const struct fake_source *fake = fake_source_of(source);

	(void)err;
	if (fake->extent_limit && length > fake->extent_limit)
		length = fake->extent_limit;
	*out = (struct extent){.offset = offset, .length = length, .kind = EXTENT_DATA};
	for (size_t i = 0; i < fake->zero_count; i++) {
		const struct extent *zero = &fake->zeroes[i];
		uint64_t end = zero->offset + zero->length, until = zero->offset;

		if (end <= offset)
			continue;
		if (zero->offset <= offset) {
			out->kind = zero->kind;
			until = end;
		}
		if (until - offset < length)
			out->length = until - offset;
		break;
	}
	return 0;
}

/* What the disk holds. */
static inline void fake_source_fill(const struct fake_source *fake, uint8_t *data, size_t length,
				    uint64_t offset)
{
	uint64_t sector = UINT64_MAX;
	uint8_t first = 0;

	/* As fake_source_byte(), in less time. */
	for (uint64_t at = offset; at < offset + length; at++) {
		if (at >> 9 != sector) {
			sector = at >> 9;
			first = (uint8_t)(sector * 0x9e3779b97f4a7c15ULL >> 56);
		}
		data[at - offset] = (first ^ (uint8_t)at) | 1;
	}
	for (size_t i = 0; i < fake->zero_count; i++) {
		const struct extent *zero = &fake->zeroes[i];
		uint64_t from = zero->offset > offset ? zero->offset : offset;
		uint64_t to = zero->offset + zero->length;

		if (to > offset + length)
			to = offset + length;
		if (zero->kind == EXTENT_ZERO && from < to)
			memset(data + (from - offset), 0, to - from);
	}
}

static inline int fake_source_op_read(struct source *source, void *data, size_t length,
				      uint64_t offset, struct error *err)
{
	struct fake_source *fake = (struct fake_source *)(uintptr_t)source->ops;

	atomic_fetch_add(&fake->reads, 1);
	if (fake->error_at && offset <= fake->error_at && fake->error_at < offset + length)
		return error_set(err, "fake read error at offset %" PRIu64, fake->error_at);
	if (fake->ends_at && offset + length > fake->ends_at)
		return error_set(err, "image is truncated: the file ends at %" PRIu64,
				 fake->ends_at);
	fake_source_fill(fake, data, length, offset);
	atomic_fetch_add(&fake->bytes_read, length);
	return 0;
}

static inline int fake_source_op_check(struct source *source, struct error *err)
{
	const struct fake_source *fake = fake_source_of(source);

	return fake->damaged ? error_set(err, "%s", fake->damaged) : 0;
}

static inline int fake_source_open(struct fake_source *fake, struct source **out)
{
	fake->ops = (struct source_ops){
		.name = "fake",
		.probe = fake_source_op_probe,
		.open = fake_source_op_open,
		.close = fake_source_op_close,
		.extent = fake_source_op_extent,
		.read = fake_source_op_read,
		.check = fake_source_op_check,
	};
	return source_open_ops("fake", &fake->ops, NULL, NULL, out, NULL);
}
