// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Each SHA instruction needs what the one before it gave, so a single message leaves the
 * processor's unit idle for half of the time. Two messages that have nothing to do with each other
 * fill it. libcrypto has no call for that.
 */
#include "restore/sha256_many.h"

#include <stdbool.h>

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <string.h>

#define SHA_CODE __attribute__((target("sha,sse4.1")))
/* What works on a lane must see it in registers. */
#define SHA_PART __attribute__((target("sha,sse4.1"), always_inline)) static inline

enum { BLOCK = 64, ROUNDS = 64, LENGTH_FIELD = 8 };

/* A message on its way. */
struct lane {
	const uint8_t *data;
	__m128i abef, cdgh; /* the working variables, in the order of the instructions */
	__m128i word[4];    /* 16 words of the message schedule */
};

/* FIPS 180-4, 4.2.2 */
static const uint32_t constants[ROUNDS] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

SHA_PART void load(struct lane *lane, unsigned int i)
{
	const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	const __m128i *from = (const __m128i *)(lane->data + i * sizeof(__m128i));

	lane->word[i] = _mm_shuffle_epi8(_mm_loadu_si128(from), order);
}

/* The words of 16 rounds later. */
SHA_PART void schedule(struct lane *lane, unsigned int i)
{
	__m128i last = lane->word[(i + 3) % 4];
	__m128i seventh = _mm_alignr_epi8(last, lane->word[(i + 2) % 4], 4);
	__m128i sum = _mm_sha256msg1_epu32(lane->word[i], lane->word[(i + 1) % 4]);

	lane->word[i] = _mm_sha256msg2_epu32(_mm_add_epi32(sum, seventh), last);
}

SHA_PART void four_rounds(struct lane *lane, unsigned int i, unsigned int round)
{
	const __m128i *constant = (const __m128i *)&constants[round + 4 * i];
	__m128i sum = _mm_add_epi32(lane->word[i], _mm_load_si128(constant));

	lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, sum);
	lane->abef = _mm_sha256rnds2_epu32(lane->abef, lane->cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

SHA_PART void step(struct lane *lane, unsigned int i, unsigned int round)
{
	if (round == 0)
		load(lane, i);
	else
		schedule(lane, i);
	four_rounds(lane, i, round);
}

/* A quarter of a block's rounds; b may be NULL. */
SHA_PART void steps(struct lane *a, struct lane *b, unsigned int round)
{
	step(a, 0, round);
	if (b)
		step(b, 0, round);
	step(a, 1, round);
	if (b)
		step(b, 1, round);
	step(a, 2, round);
	if (b)
		step(b, 2, round);
	step(a, 3, round);
	if (b)
		step(b, 3, round);
}

SHA_PART void end_block(struct lane *lane, __m128i abef, __m128i cdgh)
{
	lane->abef = _mm_add_epi32(lane->abef, abef);
	lane->cdgh = _mm_add_epi32(lane->cdgh, cdgh);
	lane->data += BLOCK;
}

SHA_CODE static void add_blocks(struct lane *lane, size_t count)
{
	struct lane a = *lane;

	for (; count > 0; count--) {
		__m128i abef = a.abef, cdgh = a.cdgh;

		for (unsigned int round = 0; round < ROUNDS; round += 16)
			steps(&a, NULL, round);
		end_block(&a, abef, cdgh);
	}
	*lane = a;
}

SHA_CODE static void add_blocks_of_two(struct lane lanes[2], size_t count)
{
	struct lane a = lanes[0], b = lanes[1];

	for (; count > 0; count--) {
		__m128i a_abef = a.abef, a_cdgh = a.cdgh, b_abef = b.abef, b_cdgh = b.cdgh;

		for (unsigned int round = 0; round < ROUNDS; round += 16)
			steps(&a, &b, round);
		end_block(&a, a_abef, a_cdgh);
		end_block(&b, b_abef, b_cdgh);
	}
	lanes[0] = a;
	lanes[1] = b;
}

/* FIPS 180-4, 5.3.3 */
SHA_CODE static void begin(struct lane *lane, const struct sha256_message *message)
{
	*lane = (struct lane){
		.data = message->data,
		.abef = _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c),
		.cdgh = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19),
	};
}

static void put_number(uint8_t *out, uint64_t number, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(number >> 8 * (bytes - 1 - i));
}

/* What is not a whole block, and the padding of FIPS 180-4, 5.1.1. */
SHA_CODE static void end(struct lane *lane, struct sha256_message *message)
{
	uint8_t last[2 * BLOCK] = {0};
	size_t rest = message->length % BLOCK;
	size_t blocks = rest + 1 + LENGTH_FIELD > BLOCK ? 2 : 1;
	uint32_t high[4], low[4];

	if (rest > 0)
		memcpy(last, lane->data, rest);
	last[rest] = 0x80;
	put_number(last + blocks * BLOCK - LENGTH_FIELD, message->length * 8ULL, LENGTH_FIELD);
	lane->data = last;
	add_blocks(lane, blocks);
	_mm_storeu_si128((__m128i *)high, lane->abef);
	_mm_storeu_si128((__m128i *)low, lane->cdgh);
	for (size_t i = 0; i < 2; i++) {
		put_number(message->sum + 4 * i, high[3 - i], 4);
		put_number(message->sum + 8 + 4 * i, low[3 - i], 4);
		put_number(message->sum + 16 + 4 * i, high[1 - i], 4);
		put_number(message->sum + 24 + 4 * i, low[1 - i], 4);
	}
}

static void make_two(struct sha256_message messages[2])
{
	size_t blocks[2] = {messages[0].length / BLOCK, messages[1].length / BLOCK};
	size_t both = blocks[0] < blocks[1] ? blocks[0] : blocks[1];
	struct lane lanes[2];

	for (size_t i = 0; i < 2; i++)
		begin(&lanes[i], &messages[i]);
	add_blocks_of_two(lanes, both);
	for (size_t i = 0; i < 2; i++) {
		add_blocks(&lanes[i], blocks[i] - both);
		end(&lanes[i], &messages[i]);
	}
}

/* Of the processor, which does not change. Asked once: a virtual machine's answers slowly. */
static bool has_instructions;

static void look_at_processor(void)
{
	unsigned int a, b, c, d;

	has_instructions = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) &&
			   __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

static bool can_make_two(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, look_at_processor);
	return has_instructions;
}

#else

static bool can_make_two(void)
{
	return false;
}

static void make_two(struct sha256_message messages[2])
{
	(void)messages;
}

#endif

int sha256_of_many(struct sha256_message *messages, size_t count, struct error *err)
{
	size_t i = 0;

	for (; count - i >= 2 && can_make_two(); i += 2)
		make_two(&messages[i]);
	for (; i < count; i++)
		if (sha256_of(messages[i].data, messages[i].length, messages[i].sum, err) < 0)
			return -1;
	return 0;
}
