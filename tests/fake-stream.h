// SPDX-License-Identifier: GPL-3.0-or-later
/* fake-stream: a fake source that can be read once only, in order, in pieces of odd sizes. */
#pragma once

#include <string.h>

#include "tests/fake-source.h"

struct fake_stream {
	struct fake_source fake; /* the first; what it lists as zeroes comes as zeroes */
	uint64_t claimed;        /* the size that is certain at the beginning; 0: it is known */
	size_t piece;            /* no more is given at once; 0: what is asked for */
	const char *finish;      /* what finish() complains about; NULL: nothing */
	uint64_t position;
	_Atomic int asked; /* how often finish() was */
};

static inline struct fake_stream *fake_stream_of(const struct source *source)
{
	return (struct fake_stream *)(uintptr_t)source->ops;
}

static inline int fake_stream_op_open(struct source *source, const struct source_options *options,
				      struct error *err)
{
	struct fake_stream *stream = fake_stream_of(source);

	(void)options;
	(void)err;
	source->size = stream->claimed ? stream->claimed : stream->fake.size;
	source->size_is_known = !stream->claimed;
	source->is_stream = true;
	source->granule = 1;
	source->head_length = source->size < 65536 ? source->size : 65536;
	return 0;
}

static inline int fake_stream_op_next(struct source *source, void *data, size_t capacity,
				      struct extent *out, struct error *err)
{
	struct fake_stream *stream = fake_stream_of(source);
	uint64_t left = stream->fake.size - stream->position;

	*out = (struct extent){.offset = stream->position};
	if (left == 0) {
		source->size = stream->fake.size;
		source->size_is_known = true;
		return 0;
	}
	fake_source_op_extent(source, stream->position, left, out, NULL);
	if (out->kind == EXTENT_DATA) {
		if (out->length > capacity)
			out->length = capacity;
		if (stream->piece && out->length > stream->piece)
			out->length = stream->piece;
		if (fake_source_op_read(source, data, out->length, out->offset, err) < 0)
			return -1;
	}
	stream->position += out->length;
	return 0;
}

static inline int fake_stream_op_finish(struct source *source, struct error *err)
{
	struct fake_stream *stream = fake_stream_of(source);

	atomic_fetch_add(&stream->asked, 1);
	return stream->finish ? error_set(err, "%s", stream->finish) : 0;
}

static inline int fake_stream_open(struct fake_stream *stream, struct source **out)
{
	stream->position = 0;
	stream->fake.ops = (struct source_ops){
		.name = "fake",
		.takes_streams = true,
		.probe = fake_source_op_probe,
		.open = fake_stream_op_open,
		.close = fake_source_op_close,
		.read = fake_source_op_read,
		.next = fake_stream_op_next,
		.finish = fake_stream_op_finish,
	};
	return source_open_ops("fake", &stream->fake.ops, NULL, NULL, out, NULL);
}
