// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/test.h"

#include "restore/http_response.h"

static struct http_response response_of(const char *const *lines, size_t count)
{
	struct http_response response;

	http_response_init(&response);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(http_response_add(&response, lines[i], strlen(lines[i])), 0);
	return response;
}

#define RESPONSE(...)                                                                              \
	response_of((const char *const[]){__VA_ARGS__},                                            \
		    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void a_sound_header_is_understood(void **state)
{
	struct http_response response =
		RESPONSE("HTTP/1.1 206 Partial Content\r\n", "content-length: 100\r\n",
			 "Content-Range:bytes 100-199/1000\r\n", "ETag: \"abc\"\r\n",
			 "Last-Modified: yesterday\r\n", "Content-Encoding: identity\r\n", "\r\n");

	(void)state;
	assert_int_equal(response.status, 206);
	assert_int_equal(response.length, 100);
	assert_true(response.has_range);
	assert_true(response.first == 100 && response.last == 199 && response.total == 1000);
	assert_string_equal(response.etag, "\"abc\"");
	assert_string_equal(response.last_modified, "yesterday");
	assert_string_equal(response.encoding, "");
}

static void a_status_line_begins_a_new_response(void **state)
{
	struct http_response response = RESPONSE("HTTP/1.1 302 Found\r\n", "Content-Length: 5\r\n",
						 "ETag: \"a\"\r\n", "\r\n", "HTTP/2 200\r\n");

	(void)state;
	assert_int_equal(response.status, 200);
	assert_int_equal(response.length, HTTP_UNKNOWN);
	assert_string_equal(response.etag, "");
}

static void a_total_may_be_unknown(void **state)
{
	struct http_response response = RESPONSE("Content-Range: bytes 0-0/*");

	(void)state;
	assert_true(response.has_range);
	assert_int_equal(response.total, HTTP_UNKNOWN);
}

static void a_malformed_range_counts_as_none(void **state)
{
	static const char *const ranges[] = {
		"Content-Range: bytes 5-4/10",   "Content-Range: bytes 0-10/10",
		"Content-Range: bytes */10",     "Content-Range: bytes 0-1",
		"Content-Range: lines 0-1/10",   "Content-Range: bytes 0-1/10 and more",
		"Content-Range: bytes -1-1/10",  "Content-Range: bytes 0-99999999999999999999/*",
		"Content-Range: bytes 0-1/1e30", "Content-Range:",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		assert_false(RESPONSE(ranges[i]).has_range);
}

static void a_malformed_length_counts_as_none(void **state)
{
	(void)state;
	assert_int_equal(RESPONSE("Content-Length: -1").length, HTTP_UNKNOWN);
	assert_int_equal(RESPONSE("Content-Length: 1 2").length, HTTP_UNKNOWN);
	assert_int_equal(RESPONSE("Content-Length: 18446744073709551616").length, HTTP_UNKNOWN);
	assert_int_equal(RESPONSE("Content-Length:").length, HTTP_UNKNOWN);
}

static void a_weak_etag_counts_as_none(void **state)
{
	(void)state;
	assert_string_equal(RESPONSE("ETag: W/\"abc\"").etag, "");
}

static void headers_are_bounded_over_all_responses(void **state)
{
	struct http_response response;
	char line[1000];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "HTTP/1.1 302 ", 13);
	http_response_init(&response);
	for (int i = 0; i < 65; i++)
		assert_int_equal(http_response_add(&response, line, sizeof(line)), 0);
	assert_int_equal(http_response_add(&response, line, sizeof(line)), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_header_is_understood),
		cmocka_unit_test(a_status_line_begins_a_new_response),
		cmocka_unit_test(a_total_may_be_unknown),
		cmocka_unit_test(a_malformed_range_counts_as_none),
		cmocka_unit_test(a_malformed_length_counts_as_none),
		cmocka_unit_test(a_weak_etag_counts_as_none),
		cmocka_unit_test(headers_are_bounded_over_all_responses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
