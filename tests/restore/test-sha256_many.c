// SPDX-License-Identifier: GPL-3.0-or-later
/* Several checksums at a time are the same as one after the other. */
#include "tests/test.h"

#include <string.h>

#include "base/scope.h"
#include "restore/sha256_many.h"

enum { LONGEST = 1 << 20 };

static uint8_t data[2][LONGEST];

static void fill(void)
{
	uint32_t number = 1;

	for (size_t i = 0; i < 2; i++)
		for (size_t at = 0; at < LONGEST; at++) {
			number = number * 1664525 + 1013904223;
			data[i][at] = (uint8_t)(number >> 24);
		}
}

static void expect_same(struct sha256_message *message, size_t count)
{
	assert_int_equal(sha256_of_many(message, count, NULL), 0);
	for (size_t i = 0; i < count; i++) {
		uint8_t sum[SHA256_LENGTH];

		assert_int_equal(sha256_of(message[i].data, message[i].length, sum, NULL), 0);
		assert_memory_equal(message[i].sum, sum, sizeof(sum));
	}
}

/* FIPS 180-4's examples, as published by NIST. */
static void the_examples_of_the_standard_are_met(void **state)
{
	static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	struct sha256_message message[] = {{"abc", 3, {0}}, {text, 56, {0}}};
	char hex[2 * SHA256_LENGTH + 1];

	(void)state;
	assert_int_equal(sha256_of_many(message, 2, NULL), 0);
	sha256_format(message[0].sum, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_format(message[1].sum, hex);
	assert_string_equal(hex,
			    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void every_length_is_padded_rightly(void **state)
{
	(void)state;
	fill();
	for (size_t length = 0; length < 300; length++) {
		struct sha256_message message[] = {
			{data[0] + 1, length, {0}},
			{data[1] + 3, 300 - length, {0}},
		};

		expect_same(message, 2);
	}
}

static void any_number_of_messages_of_any_length_will_do(void **state)
{
	struct sha256_message message[] = {
		{data[0], LONGEST, {0}}, {data[1], LONGEST / 2, {0}}, {data[1], LONGEST, {0}},
		{data[0] + 5, 70, {0}},  {data[0] + 64, 65536, {0}},
	};

	(void)state;
	fill();
	for (size_t count = 0; count <= array_length(message); count++)
		expect_same(message, count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_standard_are_met),
		cmocka_unit_test(every_length_is_padded_rightly),
		cmocka_unit_test(any_number_of_messages_of_any_length_will_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
