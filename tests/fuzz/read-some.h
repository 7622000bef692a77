// SPDX-License-Identifier: GPL-3.0-or-later
/* read-some: everything that can be asked of a source, with bounded work. */
#pragma once

#include "restore/source.h"

#define FUZZ_PIECE (1U << 20)
#define FUZZ_CHECK_LIMIT (1ULL << 26)
#define FUZZ_STEPS 48

static inline void fuzz_read_stream(struct source *source, uint8_t *buffer)
{
	struct extent extent = {.length = 1};

	source_read(source, buffer, source->head_length < 700 ? source->head_length : 700, 0, NULL);
	for (int i = 0; i < 4 * FUZZ_STEPS && extent.length > 0; i++)
		if (source_next(source, buffer, i % 2 ? FUZZ_PIECE : 5000, &extent, NULL) < 0)
			return;
	source_finish(source, NULL);
}

/* Some of the disk in steps that the image's own extents give, then its last bytes. */
static inline void fuzz_read_file(struct source *source, uint8_t *buffer)
{
	struct extent extent;
	uint64_t at = 0;

	for (int i = 0; i < FUZZ_STEPS && at < source->size; i++) {
		size_t length =
			source->size - at < FUZZ_PIECE ? (size_t)(source->size - at) : FUZZ_PIECE;

		if (source_extent(source, at, source->size, &extent, NULL) < 0) {
			at += source->granule;
			continue;
		}
		if (extent.length < length)
			length = (size_t)extent.length;
		source_read(source, buffer, length, at, NULL);
		source_read(source, buffer, length > 700 ? 700 : length, at, NULL);
		at += extent.length;
	}
	at = source->size < 5000 ? 0 : source->size - 5000;
	source_read(source, buffer, (size_t)(source->size - at), at, NULL);
}

static inline void fuzz_read_some(struct source *source)
{
	static uint8_t buffer[FUZZ_PIECE];

	json_object_put(source_describe(source));
	if (source->size <= FUZZ_CHECK_LIMIT)
		source_check(source, NULL);
	if (source->is_stream)
		fuzz_read_stream(source, buffer);
	else
		fuzz_read_file(source, buffer);
}
