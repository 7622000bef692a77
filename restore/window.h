// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * window: an image as a row of windows of 1 MiB, which several threads take one after another.
 *
 * A window is divided in pieces of 64 KiB, each of which is data, zeroes or unused. That is coarse
 * on purpose: an image in thousands of small fragments must not become thousands of small
 * transfers, so a piece with any data in it is data, and one with any zeroes but no data is zeroes.
 * Long stretches of zeroes come as one, long unused ones not at all.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "restore/source.h"

enum {
	WINDOW = 1 << 20,
	PIECE = 64 << 10,
	WINDOW_PIECES = WINDOW / PIECE,
	WINDOWS_HELD = 2,
};

struct window {
	uint64_t offset; /* a multiple of WINDOW */
	uint64_t length; /* at most WINDOW, unless is_zeroes; a multiple but at the image's end */
	bool is_zeroes;  /* all of it */
	uint16_t data, zero; /* bit n: piece n */
};

/* What changes is guarded by lock. */
struct windows {
	struct source *source;
	pthread_mutex_t lock;
	uint64_t cursor, end;
	uint64_t zero_limit;  /* of one stretch of zeroes; a multiple of WINDOW */
	struct extent extent; /* around the cursor, as far as the source told */
	uint64_t unused_bytes;

	/* Streams: cursor is where held begins; behind it come read bytes and then zeroes. */
	uint8_t *held; /* WINDOWS_HELD windows; NULL: nothing is held back */
	uint64_t read, zeroes;
	bool has_ended; /* the stream */
	bool is_over;   /* windows_next() has said so, or failed */
};

/*
 * The windows of random access sources lie in [from, to); both are multiples of WINDOW unless to is
 * the end. Streams begin where they are, and all of them is given, but the last one to two MiB
 * where held is not NULL: these are in held then, from windows->cursor to windows->read, when
 * windows_next() has said that the end is reached. held is borrowed.
 */
void windows_init(struct windows *windows, struct source *source, uint64_t from, uint64_t to,
		  uint64_t zero_limit, uint8_t *held);
void windows_release(struct windows *windows);

/* 1 and a window, 0 at the end, -1. From any thread. data holds WINDOW bytes; of a stream it is
 * filled. */
int windows_next(struct windows *windows, uint8_t *data, struct window *out, struct error *err);
/* Reads the pieces that are data to their places in data; of a stream they are there already. */
int window_read(struct source *source, const struct window *window, uint8_t *data,
		struct error *err);
/* Before the first windows_next(): takes up to WINDOW bytes off a stream. */
int windows_read_head(struct windows *windows, uint8_t *data, uint64_t *length, struct error *err);

/* The next stretch of neighbouring pieces in a set, from piece *at on: its bytes relative to the
 * window, and *at behind it. False: there is none. */
struct stretch {
	size_t offset, length;
};
bool pieces_next(uint16_t pieces, unsigned int *at, struct stretch *out);
/* The image may end within the last piece. */
size_t window_stretch(const struct window *window, const struct stretch *stretch);
/* The pieces that a part of a window touches. */
uint16_t pieces_of(uint64_t offset, uint64_t length);
bool is_zero(const uint8_t *data, size_t length);
